//! `classic`: Tasks RCU. A task stops being waited for when it switches voluntarily, sleeps, or exits.
//!
//! For it: no func switches voluntarily, so a task that did has left every func that it was inside of before; a
//! preempted one stays a holdout, since it may stand in a func. Interrupt-level holders and idle, which are on no list,
//! are flushed by the brackets (see [`holdouts`]).
//! Cost: nothing per call. A grace period walks all tasks; a task that never switches is waited for without end and is
//! named by the stall report: that is the scheme's price. A func must not block: `away` would be a lie (`away-is-clean`).
//! Source: Linux's `synchronize_rcu_tasks`, kernel/rcu/tasks.h.

use super::holdouts::{self, Holdouts};
use super::{Nudge, Scheme, Sighting, Switch, Wake, World};
use crate::sched::rcu_words::TaskWords;

/// The holdout list as it is.
#[derive(Debug, Default)]
pub struct Classic {
    holdouts: Holdouts,
}

impl Classic {
    /// With no holdout and no bracket under way.
    pub fn new() -> Self {
        Self { holdouts: Holdouts::new() }
    }
}

impl Scheme for Classic {
    #[inline(always)]
    fn name(&self) -> &'static str {
        "classic"
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
    fn switch(&self, prev: &TaskWords, cpu: usize, how: Switch) -> Wake {
        self.holdouts.switched(prev, cpu, matches!(how, Switch::Voluntary))
    }

    #[inline(always)]
    fn exit(&self, task: &TaskWords) -> Wake {
        self.holdouts.exit(task)
    }
}
