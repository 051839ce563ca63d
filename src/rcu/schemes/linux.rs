//! `linux`: `rude`, then `classic`: what Linux really does before it frees a dynamic ops, and so the baseline that users
//! have today.
//!
//! The first part adds nothing to the second where trampolines are concerned; it is there, and is waited for, because it
//! is there in Linux (`ftrace_shutdown`: the first wait is for text that is no trampoline). Costs add up.

use super::classic::Classic;
use super::rude::Rude;
use super::{Context, Nudge, Scheme, Sighting, Switch, Wake, World};
use crate::sched::rcu_words::TaskWords;

/// One after the other.
#[derive(Debug, Default)]
pub struct Linux {
    rude: Rude,
    classic: Classic,
}

impl Linux {
    /// With nothing under way.
    pub fn new() -> Self {
        Self { rude: Rude::new(), classic: Classic::new() }
    }
}

impl Scheme for Linux {
    #[inline(always)]
    fn name(&self) -> &'static str {
        "linux"
    }

    #[inline(always)]
    fn nr_steps(&self) -> usize {
        self.rude.nr_steps() + self.classic.nr_steps()
    }

    #[inline(always)]
    fn begin(&self, step: usize, world: &dyn World) {
        match step.checked_sub(self.rude.nr_steps()) {
            None => self.rude.begin(step, world),
            Some(step) => self.classic.begin(step, world),
        }
    }

    #[inline(always)]
    fn outstanding(&self, step: usize) -> usize {
        match step.checked_sub(self.rude.nr_steps()) {
            None => self.rude.outstanding(step),
            Some(step) => self.classic.outstanding(step),
        }
    }

    #[inline(always)]
    fn waits_for_cpu(&self, cpu: usize) -> bool {
        self.rude.waits_for_cpu(cpu) || self.classic.waits_for_cpu(cpu)
    }

    #[inline(always)]
    fn visited(&self, sighting: &Sighting, context: &Context<'_>) -> Nudge {
        let _ = self.rude.visited(sighting, context);
        self.classic.visited(sighting, context)
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, sighting: &Sighting, context: &Context<'_>) -> Wake {
        self.classic.irq_exit_outermost(sighting, context)
    }

    #[inline(always)]
    fn switch(&self, prev: &TaskWords, cpu: usize, how: Switch) -> Wake {
        self.classic.switch(prev, cpu, how)
    }

    #[inline(always)]
    fn exit(&self, task: &TaskWords) -> Wake {
        self.classic.exit(task)
    }

    #[inline(always)]
    fn wants_worker(&self, cpu: usize) -> bool {
        self.rude.wants_worker(cpu)
    }

    #[inline(always)]
    fn worker_ran(&self, cpu: usize) -> Wake {
        self.rude.worker_ran(cpu)
    }
}
