//! How the running grace period stands towards one task: for experiments, which tell by it what a scheme has decided.
//!
//! A snapshot, of words that change at any time. Two that are equal, with something in between that every CPU took part in,
//! show that nothing is on its way any more.

use super::gp_task::rcu;
use super::schemes::Scheme;
use crate::sched::{self, Task};
use crate::sync::atomic::Ordering;

/// A grace period that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Grace periods that have ended before it.
    pub nr_ended: u64,
    /// The step that it waits in.
    pub step: usize,
    /// How many it waits for, the task's CPU among them.
    pub nr_outstanding: usize,
    /// It waits for the task.
    pub is_for_task: bool,
    /// It waits for these CPUs, a bit each.
    pub cpus: u32,
}

impl Standing {
    /// Whether it waits for the task alone, or for the CPU that runs it.
    pub fn is_for_nobody_else(&self, task: &Task) -> bool {
        let own = if task.is_running() { 1 << task.cpu() } else { 0 };
        let of_cpus = self.cpus.count_ones() as usize;
        self.cpus & !own == 0 && self.nr_outstanding == of_cpus + usize::from(self.is_for_task)
    }
}

/// How the running grace period stands towards `task`, if there is one that has looked at everybody and waits.
/// Context: task.
pub fn standing(task: &Task) -> Option<Standing> {
    let rcu = rcu();
    let machine = rcu.machine.lock();
    let (step, _) = machine.waiting()?;
    let scheme = rcu.scheme();
    let cpus = (0..sched::nr_cpus()).filter(|&cpu| scheme.waits_for_cpu(cpu)).fold(0, |bits, cpu| bits | 1 << cpu);
    let standing = Standing {
        nr_ended: rcu.sequence.nr_ended(),
        step,
        nr_outstanding: scheme.outstanding(step),
        is_for_task: task.rcu.holdout.load(Ordering::Relaxed),
        cpus,
    };
    (standing.nr_outstanding > 0).then_some(standing)
}
