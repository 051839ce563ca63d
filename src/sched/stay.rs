//! A task's stay off its CPU: who reads its stack without keeping it there learns whether to believe what was read. Notrace (O8).
//!
//! Context: any; the task is on the task lists, which are locked, or is kept alive otherwise and has its stack (`visited-stands`).

use super::task::Task;
use crate::sync::atomic::{Ordering, fence};

/// One stay, which may end at any time.
#[derive(Clone, Copy, Debug)]
pub struct Stay<'a> {
    task: &'a Task,
    nr_switches: u64,
}

impl<'a> Stay<'a> {
    /// The stay of `task`, if it is off its CPU.
    #[inline(always)]
    pub fn of(task: &'a Task) -> Option<Self> {
        if !task.is_off_cpu() {
            return None;
        }
        let stay = Self { task, nr_switches: nr_switches(task) };
        Some(stay)
    }

    /// The frame pointer that heads the saved stack; 0 if the task has never run.
    #[inline(always)]
    pub fn fp(&self) -> usize {
        self.task.saved_fp()
    }

    /// Whether the stay has lasted until now: what was read of the stack is what is there.
    ///
    /// Order: the fence keeps what was read before the second look at the task. It pairs with the one in
    /// `sched::switch::schedule`: if we read what the task wrote since it went on, we see that it has.
    #[inline(always)]
    pub fn lasts(&self) -> bool {
        fence(Ordering::Acquire);
        self.task.is_off_cpu() && nr_switches(self.task) == self.nr_switches
    }
}

/// How often it has left its CPU. A task that goes on and leaves again has left once more.
#[inline(always)]
fn nr_switches(task: &Task) -> u64 {
    task.nvcsw.load(Ordering::Acquire) + task.nivcsw.load(Ordering::Acquire)
}
