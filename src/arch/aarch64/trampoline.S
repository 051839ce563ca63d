// The one trampoline: every enabled callsite branches here.
//
// In:   x30 = F+8 (after the callsite's BL), x9 = return address of the traced function's caller.
// Live: x0-x8 (arguments), x18-x29, sp.  Free: x10-x17, flags.
// Out:  to regs.pc with x30 = the caller's return address, as if the callsite were a NOP.
//
// The frame is arch::aarch64::site::Regs. O14: x29 never points below sp: it is restored before the
// records are popped. A context holds the ops from T2 until func's last use of it (THEORY.md).
//
// Variants differ by `enter` (before T2) and `leave` (from T7 on) alone; both may use x10-x17, and `leave` loads x9.

    .cfi_sections .debug_frame

.macro enter_plain
    str     x30, [sp, #{REGS_PC}]       // where to go on, unless func says otherwise
.endm
.macro leave_plain
    ldr     x9, [sp, #{REGS_PC}]
.endm
.macro slow_plain
.endm

// Both variants below count in a word of the task, and put back on the way out what they found on the way in: 8
// instructions. Only then do they look at the word behind it, which is 0 when somebody wants to hear of the lower count: an
// interrupt may ask for that at any instruction, and finds either that the count is lowered or that it is looked for.

// depth: counts this task's live trampolines. The round's barrier orders the store before the literal's load (O4); the
// leaving store is a release (O5). Whoever waits for the depth to be 0 (no_report) hears of it, so a task that is in some
// trampoline at each look keeps nobody waiting (O10).
.macro enter_depth
    mrs     x10, sp_el0
    ldr     w12, [x10]
    stp     x30, x12, [sp, #{REGS_PC}]
    add     w12, w12, #1
    str     w12, [x10]
.endm
.macro leave_depth
    mrs     x10, sp_el0                 // the same task, whatever CPU it is on
    ldp     x9, x12, [sp, #{REGS_PC}]
    stlr    w12, [x10]
    ldr     w12, [x10, #{TASK_NO_REPORT}]
    cbz     w12, 8f
7:
.endm
.macro slow_depth
8:  bl      trampoline_report
    ldr     x9, [sp, #{REGS_PC}]
    b       7b
.endm

// nopreempt: preemption is disabled from before T2 until after func. A reschedule that was put off meanwhile (no_resched) is
// made up for.
.macro enter_nopreempt
    mrs     x10, sp_el0
    ldr     w12, [x10, #{TASK_PREEMPT}]
    stp     x30, x12, [sp, #{REGS_PC}]
    add     w12, w12, #1
    str     w12, [x10, #{TASK_PREEMPT}]
.endm
.macro leave_nopreempt
    mrs     x10, sp_el0
    ldp     x9, x12, [sp, #{REGS_PC}]
    str     w12, [x10, #{TASK_PREEMPT}]
    ldr     w12, [x10, #{TASK_NO_RESCHED}]
    cbz     w12, 8f
7:
.endm
.macro slow_nopreempt
8:  bl      trampoline_reschedule
    ldr     x9, [sp, #{REGS_PC}]
    b       7b
.endm

.macro trampoline variant, prefix
    .balign 64
    .global \prefix\()_t0
    .type   \prefix\()_t0, %function
\prefix\()_t0:
    .cfi_startproc
    .cfi_return_column 32               // unwinding continues at F+8 (x30), whose own x30 is x9
    .cfi_register 32, 30
    .cfi_register 30, 9
    stp     x0, x1, [sp, #-{REGS_SIZE}]!
    .cfi_def_cfa_offset {REGS_SIZE}
    stp     x2, x3, [sp, #16]
    stp     x4, x5, [sp, #32]
    stp     x6, x7, [sp, #48]
    stp     x29, x9, [sp, #{REGS_CALLER}]   // T1: the record of the traced function's caller
    .cfi_offset 29, {REGS_CALLER} - {REGS_SIZE}
    .cfi_offset 30, {REGS_CALLER} + 8 - {REGS_SIZE}
    add     x29, sp, #{REGS_CALLER}
    stp     x29, x30, [sp, #{REGS_CALLSITE}] // T1: the record of the callsite itself
    .cfi_offset 32, {REGS_CALLSITE} + 8 - {REGS_SIZE}
    add     x29, sp, #{REGS_CALLSITE}
    enter_\variant
    bic     x11, x30, #7                // either entry layout rounds to literal + 16
    sub     x0, x30, #4                 // ip
    mov     x1, x9                      // parent_ip
    mov     x3, sp                      // regs
    .global \prefix\()_t2
\prefix\()_t2:
    ldr     x2, [x11, #-16]             // [swap] ops, as late as possible; plain: the next address depends on it (O1)
    .global \prefix\()_t3
\prefix\()_t3:
    stp     x8, x2, [sp, #{REGS_X8}]    // the frame names the ops that it holds
    ldr     x12, [x2, #{OPS_FUNC}]      // T5: ops.func
    .global \prefix\()_t6
\prefix\()_t6:
    blr     x12
    .global \prefix\()_t7
\prefix\()_t7:
    leave_\variant
    ldp     x29, x30, [sp, #{REGS_CALLER}]
    .cfi_restore 29
    .cfi_same_value 30
    .cfi_register 32, 9
    ldr     x8, [sp, #{REGS_X8}]
    ldp     x2, x3, [sp, #16]
    ldp     x4, x5, [sp, #32]
    ldp     x6, x7, [sp, #48]
    ldp     x0, x1, [sp], #{REGS_SIZE}
    .cfi_def_cfa_offset 0
    .global \prefix\()_tret
\prefix\()_tret:
    ret     x9
    slow_\variant
    .cfi_endproc
    .global \prefix\()_end
\prefix\()_end:
    .size   \prefix\()_t0, . - \prefix\()_t0
.endm

    .pushsection .text.trampoline, "ax", %progbits
    trampoline plain, trampoline
    trampoline depth, trampoline_depth
    trampoline nopreempt, trampoline_nopreempt

    // The shortest func: what the immortal no-op ops does, and the floor of every measurement.
    .balign 8
    .global trampoline_func_ret
    .type   trampoline_func_ret, %function
trampoline_func_ret:
    ret
    .size   trampoline_func_ret, . - trampoline_func_ret
    .popsection
