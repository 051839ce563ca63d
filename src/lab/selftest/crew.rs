//! The tasks that a scenario starts: it waits for them no longer than it must, names those that do not end, and goes
//! on only when they are reaped.

use super::{Outcome, check};
use crate::sched::{self, Class, JoinHandle, Spawn, Task, WaitQueue, now_ns};
use crate::sync::atomic::{AtomicUsize, Ordering};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Guest time after which what has not ended never will.
pub(super) const PATIENCE_NS: u64 = 30 * SECOND_NS;
pub(super) const SECOND_NS: u64 = 1_000_000_000;
pub(super) const MILLISECOND_NS: u64 = 1_000_000;

struct Left {
    nr: AtomicUsize,
    ended: WaitQueue,
}

/// Tasks of one scenario.
pub(super) struct Crew {
    left: Arc<Left>,
    members: Vec<JoinHandle>,
    /// Tasks that lived and exited before.
    before: (usize, usize),
}

impl Crew {
    pub(super) fn new() -> Self {
        let left = Left { nr: AtomicUsize::new(0), ended: WaitQueue::new() };
        Self { left: Arc::new(left), members: Vec::new(), before: sched::counts() }
    }

    /// Starts one more.
    pub(super) fn start(&mut self, what: Spawn<'_>, work: impl FnOnce() + Send + 'static) -> Outcome {
        self.left.nr.fetch_add(1, Ordering::Relaxed);
        let left = Arc::clone(&self.left);
        let work = move || {
            work();
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
        let deadline_ns = now_ns() + PATIENCE_NS;
        if !self.left.ended.wait_until_deadline(|| self.all_ended(), deadline_ns) {
            return Err(self.unfinished(doing));
        }
        check!(now_ns() < deadline_ns, "all tasks have ended, but the wake-up of who waited for them was lost");
        await_that("every task to be reaped", || sched::counts() == self.before)?;
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

/// Sleeps until `condition` holds, for as long as there is patience.
pub(super) fn await_that(what: &str, mut condition: impl FnMut() -> bool) -> Outcome {
    let deadline_ns = now_ns() + PATIENCE_NS;
    while !condition() {
        check!(now_ns() < deadline_ns, "waited for {} s in vain for {what}", PATIENCE_NS / SECOND_NS);
        sched::sleep(MILLISECOND_NS);
    }
    Ok(())
}
