// Exception vectors of EL1: save everything into an ExceptionFrame on the stack in use, call Rust, restore.
//
// The frame ends with a frame record of (interrupted x29, ELR), which x29 points to while Rust runs, so the
// x29 chain crosses the exception; the return label tells the unwinder that the record is such a one.
// D, A, I and F are masked by the entry itself; SPSR goes back as it came, with its SS and D bits. F stays masked
// while a frame is saved and restored: a FIQ there would take ELR and SPSR. In between, an IRQ's handler lets FIQs in.
//
// Overflow: each stack is the upper half of a slot of 2 * STACK_SIZE, so bit STACK_SHIFT of sp is set while
// sp is inside; stacks lie in their window, which alone has these upper 32 bits, or in the image. Where there is no
// room for a frame, or no stack at all, it goes to this CPU's overflow stack. EL0 does not exist here: its thread
// registers are scratch.

.macro save_frame
    stp     x0, x1, [sp, #16 * 0]
    stp     x2, x3, [sp, #16 * 1]
    stp     x4, x5, [sp, #16 * 2]
    stp     x6, x7, [sp, #16 * 3]
    stp     x8, x9, [sp, #16 * 4]
    stp     x10, x11, [sp, #16 * 5]
    stp     x12, x13, [sp, #16 * 6]
    stp     x14, x15, [sp, #16 * 7]
    stp     x16, x17, [sp, #16 * 8]
    stp     x18, x19, [sp, #16 * 9]
    stp     x20, x21, [sp, #16 * 10]
    stp     x22, x23, [sp, #16 * 11]
    stp     x24, x25, [sp, #16 * 12]
    stp     x26, x27, [sp, #16 * 13]
    stp     x28, x29, [sp, #16 * 14]
    mrs     x22, elr_el1
    mrs     x23, spsr_el1
    stp     x22, x23, [sp, #{FRAME_ELR}]
    stp     x29, x22, [sp, #{FRAME_RECORD}]
    add     x29, sp, #{FRAME_RECORD}
.endm

.macro vector name
    .balign 128
    msr     tpidr_el0, x0
    sub     x0, sp, #{FRAME_SIZE}
    tbz     x0, #{STACK_SHIFT}, overflowed
    lsr     x0, x0, #32
    cmp     x0, #{STACK_WINDOW_HIGH}    // the flags are in SPSR
    b.eq    1f
    adrp    x0, __image_start
    sub     x0, sp, x0
    lsr     x0, x0, #{IMAGE_SHIFT}
    cbnz    x0, overflowed
1:  mov     x0, sp
    tst     x0, #0xf
    b.ne    overflowed
    mrs     x0, tpidr_el0
    sub     sp, sp, #{FRAME_SIZE}
    b       entry_\name
.endm

.macro entry name, handler
entry_\name:
    save_frame
    add     x21, sp, #{FRAME_SIZE}
    stp     x30, x21, [sp, #{FRAME_LR}] // x30 and the interrupted sp
    mov     x0, sp
    bl      \handler
    .global exception_return_\name
exception_return_\name:
    b       restore_frame
.endm

    .pushsection .vectors, "ax", %progbits
    .balign 2048
    .global exception_vectors
exception_vectors:
    // From EL1 with SP_EL0: never used, SP_EL0 holds the current task.
    vector  unexpected
    vector  unexpected
    vector  unexpected
    vector  unexpected
    // From EL1 with SP_EL1: the kernel itself.
    vector  sync
    vector  irq
    vector  fiq
    vector  serror
    // From lower levels: there are none.
    vector  unexpected
    vector  unexpected
    vector  unexpected
    vector  unexpected
    vector  unexpected
    vector  unexpected
    vector  unexpected
    vector  unexpected

    .balign 128
overflowed:                             // tpidr_el0 = the interrupted x0, sp as it was
    mov     x0, sp
    msr     tpidrro_el0, x0
    mrs     x0, tpidr_el1               // this CPU's overflow stack: slot number CPU, its upper end
    add     x0, x0, #1
    lsl     x0, x0, #{STACK_SHIFT} + 1
    mov     sp, x0
    adrp    x0, {OVERFLOW_STACKS}
    add     x0, x0, :lo12:{OVERFLOW_STACKS}
    add     sp, sp, x0
    sub     sp, sp, #{FRAME_SIZE}
    mrs     x0, tpidr_el0
    b       entry_overflow
    .popsection

    .pushsection .text.exceptions, "ax", %progbits
    .balign 8
    entry   sync, exception_sync
    entry   irq, exception_irq
    entry   fiq, exception_fiq
    entry   serror, exception_serror
    entry   unexpected, exception_unexpected

entry_overflow:
    save_frame
    mrs     x21, tpidrro_el0
    stp     x30, x21, [sp, #{FRAME_LR}]
    mov     x0, sp
    bl      exception_overflow
    .global exception_return_overflow
exception_return_overflow:
    b       restore_frame

restore_frame:
    ldp     x22, x23, [sp, #{FRAME_ELR}]
    msr     elr_el1, x22
    msr     spsr_el1, x23
    ldr     x30, [sp, #{FRAME_LR}]
    ldp     x0, x1, [sp, #16 * 0]
    ldp     x2, x3, [sp, #16 * 1]
    ldp     x4, x5, [sp, #16 * 2]
    ldp     x6, x7, [sp, #16 * 3]
    ldp     x8, x9, [sp, #16 * 4]
    ldp     x10, x11, [sp, #16 * 5]
    ldp     x12, x13, [sp, #16 * 6]
    ldp     x14, x15, [sp, #16 * 7]
    ldp     x16, x17, [sp, #16 * 8]
    ldp     x18, x19, [sp, #16 * 9]
    ldp     x20, x21, [sp, #16 * 10]
    ldp     x22, x23, [sp, #16 * 11]
    ldp     x24, x25, [sp, #16 * 12]
    ldp     x26, x27, [sp, #16 * 13]
    ldp     x28, x29, [sp, #16 * 14]    // x29 before its record is popped (O14)
    add     sp, sp, #{FRAME_SIZE}
    eret
    .popsection
