//! `flag`: as `classic`, but a preemption also ends the wait for a task whose `TIF_IN_TRAMPOLINE` is clear.
//!
//! Rutland's proposal (2024-02-22). An IRQ entry that finds the flag clear and the interrupted PC in the trampoline
//! sets it and remembers so in its own `irqentry_state.entered_trampoline`; that same entry clears it at its exit, *after*
//! the preemption point, maybe on another CPU. So it nests through softirqs and survives migration.
//! Against it: the flag says where the outermost interrupt hit, and a context that is in func has its PC outside the
//! trampoline (rows 3 to 5, 7). Its author withdrew it for another reason: a task can be found in some trampoline each
//! time it is looked at. Sound only where nobody is preempted. Cost: a load and a compare per interrupt.

use super::holdouts::{self, Holdouts};
use super::{Interrupted, Nudge, Scheme, Sighting, Switch, Wake, World};
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::Ordering;

/// The holdout list; the flag is the task's.
#[derive(Debug, Default)]
pub struct Flag {
    holdouts: Holdouts,
}

impl Flag {
    /// With no holdout.
    pub fn new() -> Self {
        Self { holdouts: Holdouts::new() }
    }
}

impl Scheme for Flag {
    #[inline(always)]
    fn name(&self) -> &'static str {
        "flag"
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
    fn irq_in(&self, entered_trampoline: &mut bool, at: &Interrupted, task: &TaskWords) {
        if at.is_in_trampoline && !task.in_trampoline.load(Ordering::Relaxed) {
            task.in_trampoline.store(true, Ordering::Relaxed);
            *entered_trampoline = true;
        }
    }

    #[inline(always)]
    fn irq_out(&self, entered_trampoline: &mut bool, task: &TaskWords) {
        if *entered_trampoline {
            task.in_trampoline.store(false, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    fn is_quiescent_preemption(&self, prev: &TaskWords, _: usize) -> bool {
        !prev.in_trampoline.load(Ordering::Relaxed)
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
