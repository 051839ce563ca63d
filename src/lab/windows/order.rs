//! The words of a run, which the director writes before it gives an order, and the stepped side reads.

use crate::lab::scenario::Scenario;
use crate::lab::stepper::Marks;
use crate::platform::WindowScenario;
use crate::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// The tracee whose call is explored, if it is not a task's last one, and the one that a softirq on top calls.
pub(super) const TRACEE: usize = 0;
pub(super) const OTHER_TRACEE: usize = 1;
/// What a func calls that calls something traced.
pub(super) const INNER_TRACEE: usize = 2;
/// The entry of the function whose call is explored; and of the one whose ops is, which is another if that nests.
pub(super) static ENTRY: AtomicUsize = AtomicUsize::new(0);
pub(super) static SITE: AtomicUsize = AtomicUsize::new(0);
/// The boundaries of the trampoline at which a hold begins and ends.
static T2: AtomicUsize = AtomicUsize::new(0);
static T7: AtomicUsize = AtomicUsize::new(0);
/// How the parties are to stand.
static SCENARIO: AtomicPtr<Scenario> = AtomicPtr::new(core::ptr::null_mut());

/// From now on callsites branch to the trampoline of these marks. Context: the director.
pub(super) fn set_marks((t2, t7): Marks) {
    T2.store(t2, Ordering::Relaxed);
    T7.store(t7, Ordering::Relaxed);
}

/// The marks of the trampoline. Context: any.
#[inline(always)]
pub(super) fn marks() -> Marks {
    (T2.load(Ordering::Relaxed), T7.load(Ordering::Relaxed))
}

/// From now on the parties stand in this way. Context: the director.
pub(super) fn set_scenario(name: WindowScenario) {
    SCENARIO.store(core::ptr::from_ref(Scenario::of(name)).cast_mut(), Ordering::Relaxed);
}

/// How the parties are to stand. Context: any, once an order was given.
#[inline(always)]
pub(super) fn scenario() -> &'static Scenario {
    // SAFETY: null, or a row of a static table, which nobody writes.
    unsafe { SCENARIO.load(Ordering::Relaxed).as_ref() }.unwrap_or(Scenario::plainest())
}
