//! What a broken kernel does, done on purpose: each must end in an epitaph that names this file's functions.
//!
//! The deed is one instruction of assembly, so that the compiler can neither see it coming nor leave it out.
//! Context: task.

mod heap;
mod lockups;

use core::arch::asm;
use core::hint::black_box;

use super::kinds::FaultKind;
use crate::arch::mmu;

/// Panics.
#[inline(never)]
pub(super) fn panic() {
    panic!("asked for at the shell");
}

/// Does it. What comes back was not caught.
pub(super) fn provoke(kind: FaultKind) {
    match kind {
        FaultKind::TextStore => store_to_text(),
        FaultKind::Null => load_from_null(),
        FaultKind::Undefined => execute_undefined(),
        FaultKind::StackOverflow => overflow_stack(0),
        FaultKind::JumpToData => jump_to_data(),
        FaultKind::DoubleFree => heap::free_twice(|| {}),
        FaultKind::DoubleFreeLate => heap::free_twice_late(),
        FaultKind::WriteAfterFree => heap::write_after_free(),
        FaultKind::BadFree => heap::free_variable(),
        FaultKind::MiddleFree => heap::free_middle(),
        FaultKind::HeapExhausted => heap::exhaust(),
        FaultKind::LockTwice => lockups::lock_twice(),
        FaultKind::LockOrder => lockups::lock_in_both_orders(),
        FaultKind::SleepInAtomic => lockups::sleep_in_atomic(),
        FaultKind::MutexInAtomic => lockups::mutex_in_atomic(),
    }
    panic!("{kind:?} was not caught");
}

#[inline(never)]
fn store_to_text() {
    // SAFETY: if text were writable, this would write the word back that lies there.
    unsafe { asm!("ldr {word:w}, [{at}]", "str {word:w}, [{at}]", at = in(reg) mmu::text().start, word = out(reg) _) };
}

#[inline(never)]
fn load_from_null() {
    // SAFETY: a load changes nothing.
    unsafe { asm!("ldr {word:w}, [{at}]", at = in(reg) 0_usize, word = out(reg) _, options(nostack)) };
}

#[inline(never)]
fn execute_undefined() {
    // SAFETY: permanently undefined: it only traps.
    unsafe { asm!("udf #0x5e11", options(nostack)) };
}

/// Goes deeper than any stack. The condition never holds, but nobody knows.
#[inline(never)]
fn overflow_stack(depth: u64) {
    let frame = black_box([depth; 16]);
    if frame[1] != u64::MAX {
        overflow_stack(frame[2] + 1);
    }
    black_box(frame);
}

#[inline(never)]
fn jump_to_data() {
    /// `ret`: if data were executable, the call would return.
    static mut CODE: u32 = 0xd65f_03c0;
    // SAFETY: if the fetch were let through, a function that does nothing would have been called.
    unsafe { asm!("blr {at}", at = in(reg) &raw const CODE, clobber_abi("C")) };
}
