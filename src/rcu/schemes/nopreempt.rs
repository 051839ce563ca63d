//! `nopreempt`: a CPU stops being waited for at any switch, or when an SGI or an outermost IRQ exit finds preemption
//! enabled there.
//!
//! For it: the trampoline disables preemption from before the literal is loaded until after func, and tests for a wanted
//! reschedule on the way out. So no task is switched out while it holds, whoever runs with preemption enabled holds
//! nothing at task level, and the one plain grace period ([`Bracket`]) covers interrupt level. A func can neither be
//! preempted nor block.
//! Order: the count and the literal belong to one CPU while the count is up, since nobody migrates then; the sighting is
//! that CPU's own, after its handler's barrier (O4), and its report is a release that the grace-period task acquires (O5).
//! Cost: 8 instructions per call; a grace period asks each CPU once, however many tasks there are. A long func keeps
//! its CPU from being preempted: that latency is what the thread wanted to avoid.

use super::{Context, Nudge, Scheme, Sighting, Switch, Trampoline, Wake, World};
use crate::rcu::bracket::Bracket;
use crate::sched::rcu_words::TaskWords;

/// One plain grace period.
#[derive(Debug, Default)]
pub struct Nopreempt {
    bracket: Bracket,
}

impl Nopreempt {
    /// With nothing under way.
    pub fn new() -> Self {
        Self { bracket: Bracket::new() }
    }
}

impl Scheme for Nopreempt {
    #[inline(always)]
    fn name(&self) -> &'static str {
        "nopreempt"
    }

    #[inline(always)]
    fn nr_steps(&self) -> usize {
        1
    }

    #[inline(always)]
    fn begin(&self, step: usize, world: &dyn World) {
        debug_assert!(step == 0);
        self.bracket.begin(world);
    }

    #[inline(always)]
    fn outstanding(&self, step: usize) -> usize {
        debug_assert!(step == 0);
        self.bracket.outstanding()
    }

    #[inline(always)]
    fn waits_for_cpu(&self, cpu: usize) -> bool {
        self.bracket.waits_for(cpu)
    }

    #[inline(always)]
    fn visited(&self, sighting: &Sighting, _: &Context<'_>) -> Nudge {
        self.bracket.visited(sighting);
        Nudge::Nothing
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, sighting: &Sighting, _: &Context<'_>) -> Wake {
        self.bracket.irq_exit_outermost(sighting)
    }

    fn trampoline(&self) -> Trampoline {
        Trampoline::Unpreemptible
    }

    #[inline(always)]
    fn switch(&self, _: &TaskWords, cpu: usize, _: Switch) -> Wake {
        self.bracket.switched(cpu)
    }
}
