//! The task that frees what was called and has elapsed.
//!
//! It is not the grace-period task, because what it frees may sleep (unmapping text waits for other CPUs), and grace
//! periods must not wait for that. It is of the high class, so that memory comes back under any load. It frees
//! one object at a time, in the order in which they elapsed, with no lock held. Ordinary task code: it may be traced, and is a holdout like any other.

use super::gp_task::{Rcu, STEP};
use crate::sched::WaitQueue;

/// The reclaimer waits here for something to free.
pub(super) static EXPIRED: WaitQueue = WaitQueue::new();
/// Whoever waits for the reclaimer.
pub(super) static RECLAIMED: WaitQueue = WaitQueue::new();

/// The task's work.
pub(super) fn reclaim(rcu: &'static Rcu) -> ! {
    loop {
        EXPIRED.wait_until(|| rcu.graveyard.lock().has_expired());
        let expired = rcu.graveyard.lock().take_expired();
        if let Some(expired) = expired {
            expired.run();
            rcu.machine.lock().count_freed(); // before it counts as finished: no other scheme is selected until then
            rcu.graveyard.lock().finished_one();
            RECLAIMED.wake_all();
            // A change of schemes waits for the last one.
            if rcu.is_change_wanted() {
                STEP.wake_all();
            }
        }
    }
}
