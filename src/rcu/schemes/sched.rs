//! `sched`: a CPU stops being waited for when it makes any context switch, preemption included, or idles: plain RCU.
//!
//! Against it: a task that is preempted inside the trampoline or func has switched, and holds (rows 2 to 7). It is sound
//! exactly where nobody is preempted there, which is why Linux used it for trampolines before lazy preemption; this
//! row of the table against the preemption model is the question of 2024.
//! A CPU that owes a report is asked to reschedule, as RCU does, so that a task that runs alone is no reason to wait.
//! Cost: nothing per call, a load per switch. Source: Linux's RCU for non-preemptible kernels, kernel/rcu/tree.c.

use super::{Context, Nudge, Scheme, Sighting, Switch, Wake, World};
use crate::rcu::bracket::CpuReports;
use crate::sched::rcu_words::TaskWords;

/// Which CPUs have switched.
#[derive(Debug, Default)]
pub struct Sched {
    reports: CpuReports,
}

impl Sched {
    /// With nothing under way.
    pub fn new() -> Self {
        Self { reports: CpuReports::new() }
    }
}

/// Interrupt-level code may hold, on top of idle too: only idle itself does not.
#[inline(always)]
fn idles(sighting: &Sighting) -> bool {
    sighting.is_outermost && sighting.is_idle
}

impl Scheme for Sched {
    #[inline(always)]
    fn name(&self) -> &'static str {
        "sched"
    }

    #[inline(always)]
    fn nr_steps(&self) -> usize {
        1
    }

    #[inline(always)]
    fn begin(&self, step: usize, world: &dyn World) {
        debug_assert!(step == 0);
        self.reports.ask(world);
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
        if idles(sighting) {
            let _ = self.reports.report(sighting.cpu); // the visitor looks when all have answered
            return Nudge::Nothing;
        }
        Nudge::Reschedule
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, sighting: &Sighting, _: &Context<'_>) -> Wake {
        if idles(sighting) { self.reports.report(sighting.cpu) } else { Wake::Nobody }
    }

    #[inline(always)]
    fn switch(&self, _: &TaskWords, cpu: usize, _: Switch) -> Wake {
        self.reports.report(cpu)
    }
}
