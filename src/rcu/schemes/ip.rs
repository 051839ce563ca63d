//! `ip`: as `classic`, but a preemption also ends the wait for a task, if the CPU's last interrupted PC lies outside the
//! trampoline.
//!
//! The PC is kept per CPU at IRQ entry, as the thread first proposed it (Rostedt, 2024-02-21), and so it is faithful to
//! what that means: a nested interrupt overwrites it, a preemption that no interrupt caused finds an old one, and a task
//! that migrated leaves its PC behind.
//! Against it: a context that stands in func, or in what func called, holds the ops with its PC outside the trampoline,
//! and that is most of the time (rows 3 to 7 of the theory). Sound only where nobody is preempted. Cost: one store per
//! interrupt.

use super::holdouts::{self, Holdouts};
use super::{Interrupted, Nudge, Scheme, Sighting, Switch, Wake, World};
use crate::rcu::bracket::MAX_CPUS;
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::{AtomicBool, Ordering};

/// The holdout list, and the last interrupted PC of each CPU.
#[derive(Debug)]
pub struct Ip {
    holdouts: Holdouts,
    /// The last interrupted PC was in the trampoline. Each is its CPU's own, IRQs masked.
    in_trampoline: [AtomicBool; MAX_CPUS],
}

impl Default for Ip {
    fn default() -> Self {
        Self::new()
    }
}

impl Ip {
    /// With no holdout, and every CPU interrupted outside the trampoline.
    pub fn new() -> Self {
        Self { holdouts: Holdouts::new(), in_trampoline: core::array::from_fn(|_| AtomicBool::new(false)) }
    }
}

impl Scheme for Ip {
    #[inline(always)]
    fn name(&self) -> &'static str {
        "ip"
    }

    #[inline(always)]
    fn nr_steps(&self) -> usize {
        holdouts::NR_STEPS
    }

    #[inline(always)]
    fn begin(&self, step: usize, world: &dyn World) {
        self.holdouts.begin(step, world);
    }

    #[inline(always)]
    fn outstanding(&self, step: usize) -> usize {
        self.holdouts.outstanding(step)
    }

    #[inline(always)]
    fn waits_for_cpu(&self, cpu: usize) -> bool {
        self.holdouts.waits_for_cpu(cpu)
    }

    #[inline(always)]
    fn visited(&self, sighting: &Sighting) -> Nudge {
        self.holdouts.visited(sighting);
        Nudge::Nothing
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, sighting: &Sighting) -> Wake {
        self.holdouts.irq_exit_outermost(sighting)
    }

    #[inline(always)]
    fn irq_in(&self, _: &mut bool, at: &Interrupted, _: &TaskWords) {
        self.in_trampoline[at.cpu].store(at.is_in_trampoline, Ordering::Relaxed);
    }

    #[inline(always)]
    fn is_quiescent_preemption(&self, _: &TaskWords, cpu: usize) -> bool {
        !self.in_trampoline[cpu].load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn switch(&self, prev: &TaskWords, cpu: usize, how: Switch) -> Wake {
        let is_quiescent = matches!(how, Switch::Voluntary) || self.is_quiescent_preemption(prev, cpu);
        self.holdouts.switched(prev, cpu, is_quiescent)
    }

    #[inline(always)]
    fn exit(&self, task: &TaskWords) -> Wake {
        self.holdouts.exit(task)
    }
}
