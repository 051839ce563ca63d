// switch_context(from: x0, to: x1, next task: x2) -> in the next task: the task that ran before.
//
// Saves what the procedure call standard lets a callee keep, with sp, PSTATE.D and MDSCR_EL1 (they belong
// to the stepped context and leak into no other), and changes sp and SP_EL0 in one place (O13).
// IRQs are masked. What is saved as x29 is the caller's: its record stands until it returns, while a record at the saved
// sp would be overwritten by the hooks that the switch calls next, on this very stack. A walk that keeps the task from
// going on, by a word that one of those hooks waits for, still reads a whole chain (`own-or-pinned`).

    .pushsection .text.context, "ax", %progbits
    .balign 8
    .global switch_context
    .type   switch_context, %function
switch_context:
    stp     x29, x30, [sp, #-16]!       // for x30; x29 goes on heading the caller's record
    stp     x19, x20, [x0, #{X19}]
    stp     x21, x22, [x0, #{X19} + 16]
    stp     x23, x24, [x0, #{X19} + 32]
    stp     x25, x26, [x0, #{X19} + 48]
    stp     x27, x28, [x0, #{X19} + 64]
    mrs     x9, daif
    msr     daifset, #8                 // a stepped thread is not stepped while sp and SP_EL0 are not one task's
    mrs     x10, mdscr_el1
    mov     x11, sp
    stp     x29, x11, [x0, #{FP}]
    stp     x9, x10, [x0, #{DAIF}]
    mrs     x3, sp_el0                  // the task that is left: returned in the next one

    ldp     x9, x12, [x1, #{DAIF}]
    ldp     x29, x11, [x1, #{FP}]
    ldp     x19, x20, [x1, #{X19}]
    ldp     x21, x22, [x1, #{X19} + 16]
    ldp     x23, x24, [x1, #{X19} + 32]
    ldp     x25, x26, [x1, #{X19} + 48]
    ldp     x27, x28, [x1, #{X19} + 64]
    msr     sp_el0, x2
    mov     sp, x11
    cmp     x10, x12                    // MDSCR is written only where the two tasks differ
    b.eq    1f
    msr     mdscr_el1, x12
    isb
1:  msr     daif, x9
    mov     x0, x3
    ldp     x29, x30, [sp], #16
    ret
    .size   switch_context, . - switch_context

// Where a new task begins: its first switch "returns" here with x19 = entry, x20 = argument and x0 = prev.
    .balign 8
    .global task_begin
    .type   task_begin, %function
task_begin:
    mov     x29, xzr                    // the chain's base
    mov     x30, xzr
    stp     x29, x30, [sp, #-16]!
    mov     x29, sp
    mov     x1, x20
    blr     x19
    brk     #1                          // an entry never returns
    .size   task_begin, . - task_begin
    .popsection
