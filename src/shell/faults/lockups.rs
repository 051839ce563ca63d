//! What ends in a deadlock, done on purpose: in `checked` builds a lock help tells it before it happens; in others the
//! watchdog tells what did happen. Context: task.

use crate::sched::{self, Mutex};
use crate::sync::lock::IrqLock;
use crate::sync::preempt;

static MUTEX: Mutex<()> = Mutex::new(());
static OUTER: IrqLock<()> = IrqLock::new(());
static INNER: IrqLock<()> = IrqLock::new(());

/// Takes a lock that it holds.
#[inline(never)]
pub(super) fn lock_twice() {
    let _held = OUTER.lock();
    let _again = OUTER.lock();
}

/// Takes two locks in one order, then in the other: nothing happens, but on two CPUs at once it would.
#[inline(never)]
pub(super) fn lock_in_both_orders() {
    {
        let _outer = OUTER.lock();
        let _inner = INNER.lock();
    }
    // Nothing between the two orders was wrong, and nobody waited.
    let _inner = INNER.lock();
    let _outer = OUTER.lock();
}

/// Sleeps with a lock held.
#[inline(never)]
pub(super) fn sleep_in_atomic() {
    let _held = OUTER.lock();
    sched::sleep(1_000_000);
}

/// Takes a lock that may sleep with preemption disabled.
#[inline(never)]
pub(super) fn mutex_in_atomic() {
    let _atomic = preempt::disable();
    let _held = MUTEX.lock();
}
