//! Runnable tasks that get no CPU, watched: the watchdog names each once.
//!
//! Turns see to it that a task of a class waits for the others of that class no longer than they need for theirs
//! (`sched::turn`). What a higher class takes has no bound, nor what a task does where nobody is preempted. So at each of its
//! rounds the watchdog's task looks at every task. Whoever ran between two looks is on a CPU at the second, or was switched
//! away from meanwhile. How long it has not run is counted in progress, for which every CPU had its ticks: neither a host that
//! stops the guest nor one that leaves the task's CPU out starves it.
//!
//! The kernel goes on: a task of the high class that never sleeps may be what somebody wants. The watchdog's own task is of
//! that class. Where it has no CPU itself, since nobody is preempted, nobody looks meanwhile: it names itself when it has one
//! again. Context: the watchdog's task. Pure.

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// What the watchdog has seen of one task.
#[derive(Debug)]
pub struct Starved {
    /// The progress at the first look of this wait; [`NEVER`] while the task does not wait.
    since_ns: AtomicU64,
    /// How often the task had been switched away from by then.
    switches: AtomicU64,
    is_named: AtomicBool,
}

const NEVER: u64 = u64::MAX;

impl Starved {
    /// Not looked at yet.
    pub const fn new() -> Self {
        Self { since_ns: AtomicU64::new(NEVER), switches: AtomicU64::new(0), is_named: AtomicBool::new(false) }
    }

    /// Whether the task was named in its last wait that was long enough. Context: any; a glance.
    pub fn is_named(&self) -> bool {
        self.is_named.load(Ordering::Relaxed)
    }

    /// One look, at a task that `waits` for a CPU and has been switched away from so many times. Says for how long it has had
    /// none, if that is more than `patience_ns`, and is not said of this wait already.
    pub fn look(&self, waits: bool, switches: u64, progress_ns: u64, patience_ns: u64) -> Option<u64> {
        if !waits {
            self.since_ns.store(NEVER, Ordering::Relaxed);
            return None;
        }
        let since_ns = self.since_ns.load(Ordering::Relaxed);
        if since_ns == NEVER || self.switches.load(Ordering::Relaxed) != switches {
            self.since_ns.store(progress_ns, Ordering::Relaxed);
            self.switches.store(switches, Ordering::Relaxed);
            self.is_named.store(false, Ordering::Relaxed);
            return None;
        }
        let waited_ns = progress_ns - since_ns;
        let is_due = waited_ns > patience_ns && !self.is_named.swap(true, Ordering::Relaxed);
        is_due.then_some(waited_ns)
    }
}

impl Default for Starved {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Starved;

    const PATIENCE_NS: u64 = 100;

    #[test]
    fn a_wait_is_named_once_when_it_has_lasted_for_longer_than_the_patience() {
        let starved = Starved::new();
        assert_eq!([1_000, 1_050, 1_100].map(|now| starved.look(true, 7, now, PATIENCE_NS)), [None; 3]);
        assert_eq!(starved.look(true, 7, 1_101, PATIENCE_NS), Some(101));
        assert_eq!([1_200, 9_000].map(|now| starved.look(true, 7, now, PATIENCE_NS)), [None; 2]);
    }

    #[test]
    fn whoever_ran_meanwhile_waits_anew_and_is_named_anew() {
        let starved = Starved::new();
        for (switches, begin) in [(7, 0), (8, 1_000), (8, 3_000)] {
            assert_eq!(starved.look(true, switches, begin, PATIENCE_NS), None);
            assert_eq!(starved.look(true, switches, begin + 101, PATIENCE_NS), Some(101));
            if switches == 8 {
                assert_eq!(starved.look(false, 8, begin + 500, PATIENCE_NS), None, "it runs, or blocks");
            }
        }
    }

    #[test]
    fn nobody_starves_while_there_is_no_progress() {
        let starved = Starved::new();
        assert!((0..1_000).all(|_| starved.look(true, 7, 5, PATIENCE_NS).is_none()));
    }
}
