//! The rest of the kernel as schemes see it: what they can do while a step begins, and how they look inside a task.
//!
//! The running kernel implements it in `rcu::eyes` and `rcu::gp_task`, the models and unit tests by worlds of a few steps.

use crate::arch::hold_words::HoldWords;
use crate::sched::rcu_words::TaskWords;

/// Which of a task's contexts are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// Those that we run on top of: the task is this CPU's.
    Here,
    /// Those that it left on its stack: it is off its CPU, and kept from going on.
    Saved,
}

/// Whoever is told what a chain of contexts holds. Not a closure: those cannot be `notrace`.
pub trait Meet {
    /// The chain holds the ops, or the fan-out node, with these words.
    fn meet(&self, words: &HoldWords);
}

/// What schemes that look inside a task see of it. All of it runs in hooks: notrace.
pub trait Eyes {
    /// Tells what the chain of the task's contexts holds. Whether it is whole: if not, there may be more.
    fn each_hold(&self, task: &TaskWords, at: At, who: &dyn Meet) -> bool;

    /// How many trampolines count the task as inside. Order: `Acquire`, pairing with the trampoline's store-release (O5).
    fn depth(&self, task: &TaskWords) -> u32;

    /// Makes the trampoline report, or not any more, when that depth falls to 0. Context: the task is ours or pinned.
    fn want_report(&self, task: &TaskWords, is_wanted: bool);

    /// Whether depth and frames agree about what is held: the cross-check of `checked` builds.
    fn agree(&self, task: &TaskWords, at: At) -> bool;

    /// Lets the task run before normal ones, or as ever again.
    fn boost(&self, task: &TaskWords, is_waited_for: bool);

    /// One round of waiting for what another CPU does.
    fn relax(&self);
}

/// A task, and eyes to look at it.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Its words.
    pub task: &'a TaskWords,
    /// Who looks.
    pub eyes: &'a dyn Eyes,
}

/// What a task is to a grace period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It may be inside a func.
    Ordinary,
    /// An idle task, or the grace-period task: neither is inside a func while a list is built.
    Exempt,
}

/// A task as the lister of all tasks meets it.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The task's words.
    pub words: &'a TaskWords,
    /// What it is.
    pub kind: Kind,
}

/// What a scheme can do to the rest of the kernel while a step begins. Context: the grace-period task.
pub trait World: Eyes {
    /// How many CPUs run.
    fn nr_cpus(&self) -> usize;

    /// The number of the grace period that runs, and of its look.
    fn number(&self) -> u64;

    /// Runs the selected scheme's [`super::Scheme::visited`] on every CPU, our own included, with IRQs masked; returns when
    /// all have answered this very request.
    ///
    /// Order: our earlier stores come before the barrier of each handler, and what a CPU did before its handler
    /// comes before our return (O4).
    fn visit_every_cpu(&self);

    /// Wakes each CPU's worker task, which runs [`super::Scheme::worker_ran`] there if the scheme wants it.
    fn wake_workers(&self);

    /// Shows every task to `look`, the exiting ones included, until their last switch; one piece after the other, and tasks come, go
    /// on, begin to exit and die between two pieces. Who is there from the first piece to the last is shown once.
    fn for_each_task(&self, look: &dyn Look);
}

/// Whoever looks at each task. Not a closure: those cannot be `notrace`.
pub trait Look {
    /// Looks at one task. Context: the task lists are locked.
    fn look(&self, subject: &Subject<'_>);
}
