//! How the grace-period task waits for a step, and what it does while somebody is in a hurry: `synchronize_expedited`.
//!
//! Whom the step waits for may be runnable and not run, since others want the CPU too. In a hurry all of them are boosted at
//! once, until the step is over: a step's holdouts only become fewer. The scheduler sees to it that normal tasks have their half
//! of the CPU meanwhile (`sched::loan`). Notrace (O8).

use super::cookie::Cookie;
use super::gp_task::{Rcu, STEP};
use super::schemes::Scheme;
use super::schemes::built::Built;
use crate::sched::{self, Task};
use crate::sync::atomic::Ordering;

/// Somebody is in a hurry for the grace period of `cookie`, and so for those before it. Context: task.
pub(super) fn ask(rcu: &Rcu, cookie: Cookie) {
    rcu.hurried.fetch_max(cookie.number(), Ordering::Relaxed);
    // Order: the queue's lock; the grace-period task may be waiting for a step of the grace period before.
    STEP.wake_all();
}

/// Whether somebody is, for one that has not ended.
#[inline(always)]
fn is_hurried(rcu: &Rcu) -> bool {
    rcu.hurried.load(Ordering::Relaxed) > 2 * rcu.sequence.nr_ended()
}

/// Waits until the step is over, for `most_ns` at most, and maybe for less long. Context: the grace-period task.
#[inline(always)]
pub(super) fn wait(rcu: &Rcu, scheme: &Built, step: usize, most_ns: u64) {
    let may_hurry = !scheme.boosts_holdouts();
    let hurries = may_hurry && is_hurried(rcu);
    if hurries {
        boost_holdouts();
    }
    let is_over = || scheme.outstanding(step) == 0;
    let deadline_ns = sched::now_ns() + most_ns;
    STEP.wait_until_deadline(|| is_over() || may_hurry && !hurries && is_hurried(rcu), deadline_ns);
    if hurries {
        unboost_all();
    }
}

/// `task` leaves its CPU, and the scheme has heard of it: a holdout that is none any more has its own class again.
/// Context: inside the switch, no queue locked.
#[inline(always)]
pub(super) fn left(rcu: &Rcu, scheme: &impl Scheme, task: &Task) {
    if task.is_boosted() && !scheme.boosts_holdouts() && is_hurried(rcu) && !task.rcu.holdout.load(Ordering::Relaxed) {
        sched::unboost(task);
    }
}

#[inline(always)]
fn boost_holdouts() {
    sched::for_each_task(|task| {
        if task.rcu.holdout.load(Ordering::Relaxed) {
            sched::lend(task);
        }
    });
}

/// Those too that left while they were being boosted. Under a scheme that does not boost, nobody else does but experiments.
#[inline(always)]
fn unboost_all() {
    sched::for_each_task(|task| {
        if task.is_boosted() {
            sched::unboost(task);
        }
    });
}
