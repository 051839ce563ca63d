//! What a broken kernel does, done on purpose: each must end in an epitaph that names this room's functions.
//!
//! The deed is one instruction of assembly, so that the compiler can neither see it coming nor leave it out.
//! Context: task.

mod access;
mod funcs;
mod hangs;
mod heap;
mod lockups;
mod stack;
mod twice;

use super::kinds::FaultKind;
use crate::sched::timers::Timer;
use crate::sched::{self, Patience, now_ns};

/// Long past the moment at which an armed call has come.
const PATIENCE_NS: u64 = 1_000_000_000;

/// Panics.
#[inline(never)]
pub(super) fn panic() {
    panic!("asked for at the shell");
}

/// Does it. What comes back was not caught.
pub(super) fn provoke(kind: FaultKind) {
    match kind {
        FaultKind::TextStore => access::store_to_text(),
        FaultKind::RodataStore => access::store_to_constant(),
        FaultKind::Null => access::load(0),
        FaultKind::NearNull => access::load(0x48),
        FaultKind::NullIrq => in_irq(|_| access::load(0)),
        FaultKind::Poison => access::load(access::POISONED_FIELD),
        FaultKind::GuardStore => access::store_to_guard(),
        FaultKind::Undefined => access::execute_undefined(),
        FaultKind::JumpToData => access::jump_to_data(),
        FaultKind::UnalignedDevice => access::load_unaligned_from_device(),
        FaultKind::ExternalAbort => access::load_from_hole(),
        FaultKind::StackOverflow => stack::overflow(0),
        FaultKind::StackOverflowIrq => in_irq(|_| stack::overflow(0)),
        FaultKind::StackOverflowPanic => twice::overflow_in_panic(),
        FaultKind::StackOverflowTwice => stack::overflow_the_overflow_stack(),
        FaultKind::BadSp => stack::use_bad_sp(),
        FaultKind::MisalignedSp => stack::use_misaligned_sp(),
        FaultKind::NestedException => twice::fault_in_panic(),
        FaultKind::SecondPanic => twice::panic_in_panic(),
        FaultKind::PanicOnTwoCpus => twice::panic_on_two_cpus(),
        FaultKind::PanicWhilePrinting => twice::panic_while_another_prints(),
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
        FaultKind::WaitInFunc => funcs::wait_in_func(),
        FaultKind::ChangeInFunc => funcs::change_in_func(),
        FaultKind::IrqsMasked => hangs::mask_irqs(),
        FaultKind::LockHeld => hangs::hold_lock(),
        FaultKind::DeafCpu => hangs::be_deaf(),
        FaultKind::LostWakeUp => hangs::lose_wake_up(),
    }
    panic!("{kind:?} was not caught");
}

/// Does it in a timer's call, and waits for that.
fn in_irq(deed: fn(usize)) {
    let timer = core::pin::pin!(Timer::new(deed, 0));
    timer.as_ref().arm(now_ns());
    let patience = Patience::of(PATIENCE_NS);
    while !patience.is_over() {
        sched::cond_resched();
    }
}
