//! `rude`: a CPU stops being waited for when it has switched to a worker thread of its own once.
//!
//! Linux's `synchronize_rcu_tasks_rude`: work is scheduled on every CPU, idle ones too, and nothing else is asked.
//! Against it: the worker preempts the holder, which is still inside when the worker runs (rows 2 to 7, 12). Where nobody
//! is preempted the worker runs only after the holder has let go by itself. Interrupt-level holders have returned before
//! a worker of their CPU runs. Cost: nothing per call, a switch per CPU and grace period.

use super::{Context, Nudge, Scheme, Sighting, Wake, World};
use crate::rcu::bracket::CpuReports;

/// Which workers have run.
#[derive(Debug, Default)]
pub struct Rude {
    reports: CpuReports,
}

impl Rude {
    /// With nothing under way.
    pub fn new() -> Self {
        Self { reports: CpuReports::new() }
    }
}

impl Scheme for Rude {
    #[inline(always)]
    fn name(&self) -> &'static str {
        "rude"
    }

    #[inline(always)]
    fn nr_steps(&self) -> usize {
        1
    }

    #[inline(always)]
    fn begin(&self, step: usize, world: &dyn World) {
        debug_assert!(step == 0);
        self.reports.ask(world);
        world.wake_workers();
    }

    #[inline(always)]
    fn outstanding(&self, step: usize) -> usize {
        debug_assert!(step == 0);
        self.reports.outstanding()
    }

    #[inline(always)]
    fn waits_for_cpu(&self, cpu: usize) -> bool {
        self.reports.waits_for(cpu)
    }

    #[inline(always)]
    fn visited(&self, sighting: &Sighting, _: &Context<'_>) -> Nudge {
        self.reports.asked(sighting.cpu);
        Nudge::Nothing
    }

    #[inline(always)]
    fn wants_worker(&self, cpu: usize) -> bool {
        self.reports.owes(cpu)
    }

    #[inline(always)]
    fn worker_ran(&self, cpu: usize) -> Wake {
        self.reports.report(cpu)
    }
}
