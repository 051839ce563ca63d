//! What schemes that look inside a task see of the running kernel: frames, the trampoline depth, the scheduler.
//!
//! Notrace (O8). Context: IRQs masked; `At::Here` is the current task, `At::Saved` one that is kept off its CPU.

use super::broken;
use super::schemes::{At, Eyes, Meet};
use crate::arch::relax;
use crate::arch::unwind::{Frames, Holds};
use crate::sched::rcu_words::TaskWords;
use crate::sched::{self, Task};
use crate::sync::atomic::Ordering;

/// The running kernel, as schemes see it and act on it; what it does while a step begins is in `gp_task`.
pub(super) struct Kernel;

/// The task of these words.
#[inline(always)]
fn task_of(words: &TaskWords) -> &Task {
    // SAFETY: the hooks and the task list show no words but those of tasks.
    unsafe { Task::of_words(words) }
}

#[inline(always)]
fn frames(words: &TaskWords, at: At) -> Frames {
    match at {
        At::Here => Frames::here(),
        At::Saved => Frames::from_fp(task_of(words).saved_fp()),
    }
}

impl Eyes for Kernel {
    #[unsafe(link_section = ".text.notrace")]
    fn each_hold(&self, task: &TaskWords, at: At, who: &dyn Meet) -> bool {
        let frames = frames(task, at);
        let mut holds = Holds::of(frames);
        for hold in holds.by_ref() {
            // SAFETY: held by the chain, which does not go on meanwhile: so it is not freed.
            who.meet(unsafe { &(*hold.ops).holds });
        }
        if !holds.is_whole() {
            broken::note(task_of(task), frames);
        }
        holds.is_whole()
    }

    #[unsafe(link_section = ".text.notrace")]
    fn depth(&self, task: &TaskWords) -> u32 {
        task_of(task).header.trampoline_depth.load(Ordering::Acquire)
    }

    #[unsafe(link_section = ".text.notrace")]
    fn want_report(&self, task: &TaskWords, is_wanted: bool) {
        task_of(task).header.no_report.store(u32::from(!is_wanted), Ordering::Relaxed);
    }

    /// A hold is counted. What is counted and no hold stands in the trampoline, on its way to T2 or behind T7.
    #[unsafe(link_section = ".text.notrace")]
    fn agree(&self, task: &TaskWords, at: At) -> bool {
        let mut holds = Holds::of(frames(task, at));
        let mut nr_holds = 0;
        while holds.next().is_some() {
            nr_holds += 1;
        }
        let depth = self.depth(task);
        !holds.is_whole() || (nr_holds..=nr_holds + holds.nr_passing()).contains(&depth)
    }

    #[unsafe(link_section = ".text.notrace")]
    fn boost(&self, task: &TaskWords, is_waited_for: bool) {
        let task = task_of(task);
        if is_waited_for {
            sched::lend(task);
        } else if task.is_boosted() {
            sched::unboost(task);
        }
    }
    #[unsafe(link_section = ".text.notrace")]
    fn relax(&self) {
        relax::relax();
    }
}
