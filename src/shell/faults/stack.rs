//! Stacks that are used up, and stack pointers that point to none.

use crate::arch::{cpu, vectors};
use crate::sync::preempt;
use core::arch::asm;
use core::hint::black_box;

/// Goes deeper than any stack. The condition never holds, but nobody knows.
#[inline(never)]
pub(super) fn overflow(depth: u64) {
    let frame = black_box([depth; 16]);
    if frame[1] != u64::MAX {
        overflow(frame[2] + 1);
    }
    black_box(frame);
}

extern "C" fn overflow_from_the_top() -> ! {
    overflow(0);
    panic!("no stack is endless");
}

/// Does the same on the stack that overflows are handled on.
#[inline(never)]
pub(super) fn overflow_the_overflow_stack() {
    let _stays = preempt::disable();
    cpu::mask_irqs();
    let (_, stack) = vectors::overflow_slot(cpu::id());
    // SAFETY: nothing uses this CPU's overflow stack, IRQs are masked, and nothing comes back.
    unsafe {
        asm!("mov sp, {top}", "blr {go}", "brk #1", top = in(reg) stack.end,
        go = in(reg) overflow_from_the_top as extern "C" fn() -> !, options(noreturn))
    };
}

/// Pushes with a stack pointer that points into nothing, but has the bit that tells a stack from its guard.
#[inline(never)]
pub(super) fn use_bad_sp() {
    push_at(0x5a50_0000_6000);
}

/// Pushes with a stack pointer that is inside of the stack, but on no multiple of 16. An emulator may let the push
/// through, but not the exception behind it.
#[inline(never)]
pub(super) fn use_misaligned_sp() {
    let local = 0_u64;
    push_at(((&raw const local).addr() & !0xf) - 0x1008);
}

/// Pushes there, and traps if that was let through.
#[inline(never)]
fn push_at(sp: usize) {
    // SAFETY: nothing comes back to where sp was needed; IRQs are masked meanwhile.
    unsafe {
        asm!("msr daifset, #2", "mov sp, {sp}", "str xzr, [sp, #-16]!", "udf #0x5e11", sp = in(reg) sp, options(noreturn));
    }
}
