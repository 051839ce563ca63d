//! How the running grace period stands towards a few tasks: for experiments, which tell by it what a scheme has decided.
//!
//! A snapshot, of words that change at any time. Two that are equal, with something in between that every CPU took part in,
//! show that nothing is on its way any more.

use super::gp_task::rcu;
use super::grace::Machine;
use super::schemes::Scheme;
use super::schemes::built::Built;
use super::sight::{examine_unmarked, is_holdout};
use crate::sched::{self, Task, Walk};

/// A grace period that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Grace periods that have ended before it.
    pub nr_ended: u64,
    /// The step that it waits in.
    pub step: usize,
    /// How many it waits for, the tasks' CPUs among them.
    pub nr_outstanding: usize,
    /// How many of the tasks it waits for.
    pub nr_tasks: usize,
    /// It waits for these CPUs, a bit each.
    pub cpus: u32,
}

impl Standing {
    /// Whether it waits for these tasks alone, or for the CPUs that run them.
    pub fn is_for_nobody_else(&self, tasks: &[&Task]) -> bool {
        let running = tasks.iter().filter(|task| task.is_running());
        let own = running.fold(0, |bits, task| bits | 1 << task.cpu());
        let of_cpus = self.cpus.count_ones() as usize;
        self.cpus & !own == 0 && self.nr_outstanding == of_cpus + self.nr_tasks
    }
}

/// How the running grace period stands towards `tasks`, if there is one that has looked at everybody and waits; or how what it left
/// held does. Nobody where it has gone on meanwhile. Context: task.
pub fn standing(tasks: &[&Task]) -> Option<Standing> {
    let rcu = rcu();
    let scheme = rcu.scheme();
    // The machine's lock is not held while stacks are read: who steps it would wait.
    let step_of_wait = || {
        let machine = rcu.machine.lock();
        let (step, _) = machine.waiting()?;
        // What was retired last has not been looked for.
        let is_pass_open = rcu.graveyard.lock().stands().is_pass_open;
        let is_behind = machine.is_idle() && (is_pass_open || Machine::is_wanted(&rcu.sequence, scheme));
        (!is_behind).then(|| (rcu.sequence.nr_ended(), step))
    };
    let before = step_of_wait()?;
    let cpus = (0..sched::nr_cpus()).filter(|&cpu| scheme.waits_for_cpu(cpu)).fold(0, |bits, cpu| bits | 1 << cpu);
    let (nr_ended, step) = before;
    let standing = Standing {
        nr_ended,
        step,
        nr_outstanding: nr_outstanding(scheme, step),
        nr_tasks: tasks.iter().filter(|task| is_holdout(task)).count(),
        cpus,
    };
    (step_of_wait() == Some(before) && standing.nr_outstanding > 0).then_some(standing)
}

/// How many are waited for: those that the scheme knows of, and sleepers that were examined before what they hold was retired.
pub(super) fn nr_outstanding(scheme: &Built, step: usize) -> usize {
    let (mut walk, mut nr_holdouts) = (Walk::begin(), scheme.nr_holdouts(step));
    while walk.visit_some(|task| {
        let (is_holdout, stretch) = examine_unmarked(task);
        nr_holdouts += usize::from(is_holdout);
        stretch
    }) {}
    nr_holdouts
}
