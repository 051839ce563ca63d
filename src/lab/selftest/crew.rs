//! The tasks that a scenario starts: it waits for them no longer than it must, names those that do not end, and goes
//! on only when they are reaped.

use super::{Outcome, check};
use crate::sched::{self, Class, JoinHandle, Patience, Spawn, Task, WaitQueue, now_ns, progress_ns};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// What has not ended when every CPU has run for so long never will.
pub(super) const PATIENCE_NS: u64 = 30 * SECOND_NS;
pub(super) const SECOND_NS: u64 = 1_000_000_000;
pub(super) const MILLISECOND_NS: u64 = 1_000_000;
/// Whoever is told that all have ended, and has not gone on while every CPU ran for so long, was not woken.
const UNHEARD_NS: u64 = 5 * SECOND_NS;

struct Left {
    nr: AtomicUsize,
    /// The progress when one of them ended, at last the last one.
    told_at_ns: AtomicU64,
    ended: WaitQueue,
}

/// Tasks of one scenario.
pub(super) struct Crew {
    left: Arc<Left>,
    members: Vec<JoinHandle>,
}

impl Crew {
    pub(super) fn new() -> Self {
        let left = Left { nr: AtomicUsize::new(0), told_at_ns: AtomicU64::new(0), ended: WaitQueue::new() };
        Self { left: Arc::new(left), members: Vec::new() }
    }

    /// Starts one more.
    pub(super) fn start(&mut self, what: Spawn<'_>, work: impl FnOnce() + Send + 'static) -> Outcome {
        self.left.nr.fetch_add(1, Ordering::Relaxed);
        let left = Arc::clone(&self.left);
        let work = move || {
            work();
            left.told_at_ns.fetch_max(progress_ns(), Ordering::Relaxed);
            // Order: Release pairs with the Acquire of `all_ended`: what it did is visible.
            left.nr.fetch_sub(1, Ordering::Release);
            left.ended.wake_all();
        };
        let member = sched::spawn(what, Box::new(work))
            .map_err(|error| format!("task number {} was not made: {error}", self.members.len()))?;
        self.members.push(member);
        Ok(())
    }

    /// Starts one of the normal class, on the CPU that is given, or any.
    pub(super) fn normal(&mut self, name: &str, cpu: Option<usize>, work: impl FnOnce() + Send + 'static) -> Outcome {
        self.start(Spawn { name, class: Class::Normal, cpu }, work)
    }

    /// The tasks, in the order in which they were started.
    pub(super) fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.members.iter().map(JoinHandle::task)
    }

    fn all_ended(&self) -> bool {
        self.left.nr.load(Ordering::Acquire) == 0
    }

    /// Waits until all have ended and are reaped. What does not end is named, and what it waits for is `doing`'s.
    pub(super) fn finish(self, doing: &str) -> Outcome {
        self.finish_keeping(doing, |_| Ok(()))
    }

    /// The same; `look` sees the tasks when all have been reaped, and only their counters are left.
    pub(super) fn finish_keeping(self, doing: &str, look: impl FnOnce(&Self) -> Outcome) -> Outcome {
        if !wait_in(&self.left.ended, PATIENCE_NS, || self.all_ended()) {
            return Err(self.unfinished(doing));
        }
        let unheard_ns = progress_ns().saturating_sub(self.left.told_at_ns.load(Ordering::Relaxed));
        check!(unheard_ns < UNHEARD_NS, "all tasks have ended, but the wake-up of who waited for them was lost");
        // Its own: others may have begun to exit before it began, and be reaped meanwhile.
        await_that("every task to be reaped", || self.members.iter().all(JoinHandle::is_reaped))?;
        look(&self)
    }

    fn unfinished(&self, doing: &str) -> String {
        let stuck = || self.tasks().filter(|task| !task.is_exiting());
        let first = stuck()
            .next()
            .map_or_else(String::new, |task| format!("{task:?} ({}, CPU {})", task.state_name(), task.cpu()));
        let more = stuck().count().saturating_sub(1);
        format!("{first} and {more} more have not ended in {} s: {doing}", PATIENCE_NS / SECOND_NS)
    }
}

/// Waits in `queue` until `condition` holds, while every CPU runs for `ns` at most: the clock's deadline alone, which a host that
/// stops the guest lets pass, ends no wait. Returns whether it held.
pub(super) fn wait_in(queue: &WaitQueue, ns: u64, mut condition: impl FnMut() -> bool) -> bool {
    let patience = Patience::of(ns);
    loop {
        if queue.wait_until_deadline(&mut condition, now_ns() + ns) {
            return true;
        }
        if patience.is_over() {
            return false;
        }
    }
}

/// Sleeps until `condition` holds, for as long as there is patience.
pub(super) fn await_that(what: &str, mut condition: impl FnMut() -> bool) -> Outcome {
    let patience = Patience::of(PATIENCE_NS);
    while !condition() {
        check!(!patience.is_over(), "waited for {} s in vain for {what}", PATIENCE_NS / SECOND_NS);
        sched::sleep(MILLISECOND_NS);
    }
    Ok(())
}
