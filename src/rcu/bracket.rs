//! The plain grace period: every CPU has been seen outside every interrupt and preemption-disabled section.
//!
//! `classic` brackets its holdout list with two of these. The first makes the list meaningful: when it has ended, each
//! CPU has passed a full barrier after the literals were swapped, so a task that is resumed later loads the new ops,
//! and the words that tasks wrote earlier are visible to the lister. Both flush holders at interrupt level, which are
//! on no task list (O7).
//!
//! A CPU is visited by an SGI whose handler passes a full barrier after it read the request (O4). An acknowledgement
//! alone proves nothing (O7): the SGI may have interrupted an interrupt or a softirq that is inside the trampoline. Only
//! if it finds the CPU quiescent it reports; otherwise the CPU reports from its next context switch or its next quiescent
//! IRQ exit, at the latest one tick after it is quiescent again.
//!
//! INVARIANT `own-words`: a CPU's two words are written by that CPU alone, with IRQs masked.
//! Context: [`Bracket::begin`] in the grace-period task; the rest with IRQs masked, in hooks: `notrace`, one load when
//! nothing is wanted.

use super::schemes::{Sighting, Wake, World};
use crate::fault::{self, Fault};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// The most CPUs that the kernel drives.
pub const MAX_CPUS: usize = 8;

/// On a cache line of its own: read at every IRQ exit of its CPU.
#[derive(Debug)]
#[repr(align(64))]
struct CpuWords {
    wanted: AtomicU64,
    seen: AtomicU64,
}

/// Reports that every CPU owes, one round of them at a time.
#[derive(Debug)]
pub struct CpuReports {
    cpus: [CpuWords; MAX_CPUS],
    generation: AtomicU64,
    nr_cpus: AtomicUsize,
}

impl Default for CpuReports {
    fn default() -> Self {
        Self::new()
    }
}

impl CpuReports {
    /// Every CPU has reported.
    pub fn new() -> Self {
        let words = |_| CpuWords { wanted: AtomicU64::new(0), seen: AtomicU64::new(0) };
        Self { cpus: core::array::from_fn(words), generation: AtomicU64::new(0), nr_cpus: AtomicUsize::new(0) }
    }

    /// Asks every CPU for a report, by a visit in which each calls [`CpuReports::asked`]. On return each has passed a
    /// full barrier after our caller's stores.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn ask(&self, world: &dyn World) {
        let generation = self.generation.load(Ordering::Relaxed) + 1;
        self.generation.store(generation, Ordering::Relaxed);
        self.nr_cpus.store(world.nr_cpus(), Ordering::Relaxed);
        world.visit_every_cpu();
    }

    /// On each CPU, after the handler's barrier: from here on it owes a report.
    ///
    /// Order: the generation was stored before the SGI was sent, and the handler has read the request and passed its
    /// barrier before we load it (O4).
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn asked(&self, cpu: usize) {
        self.cpus[cpu].wanted.store(self.generation.load(Ordering::Relaxed), Ordering::Relaxed);
    }

    /// How many CPUs have not reported.
    ///
    /// Order: `Acquire`, pairing with the store of `seen`: what a CPU did before it reported comes before whatever follows
    /// the grace period (O5).
    #[inline(always)]
    pub fn outstanding(&self) -> usize {
        let mut nr_outstanding = 0;
        let nr_forgotten = usize::from(fault::is(Fault::CpuForgotten));
        for cpu in 0..self.nr_cpus.load(Ordering::Relaxed).saturating_sub(nr_forgotten) {
            nr_outstanding += usize::from(self.waits_for(cpu));
        }
        nr_outstanding
    }

    /// Whether this CPU has not reported yet.
    #[inline(always)]
    pub fn waits_for(&self, cpu: usize) -> bool {
        self.cpus[cpu].seen.load(Ordering::Acquire) != self.generation.load(Ordering::Relaxed)
    }

    /// Whether this CPU, which is ours, owes a report.
    ///
    /// Order: relaxed, both words are ours: `own-words`.
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn owes(&self, cpu: usize) -> bool {
        let words = &self.cpus[cpu];
        words.wanted.load(Ordering::Relaxed) != words.seen.load(Ordering::Relaxed)
    }

    /// This CPU, which is ours, reports if it owes that.
    ///
    /// Order: `Release`, pairing with the load in [`CpuReports::waits_for`] (O5).
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn report(&self, cpu: usize) -> Wake {
        if !self.owes(cpu) {
            return Wake::Nobody;
        }
        let words = &self.cpus[cpu];
        words.seen.store(words.wanted.load(Ordering::Relaxed), Ordering::Release);
        Wake::GracePeriodTask
    }
}

/// One plain grace period at a time, over and over.
#[derive(Debug, Default)]
pub struct Bracket {
    reports: CpuReports,
}

impl Bracket {
    /// A bracket for which every CPU has reported.
    pub fn new() -> Self {
        Self { reports: CpuReports::new() }
    }

    /// Asks every CPU to report. On return each has passed a full barrier after our caller's stores, and those that
    /// were quiescent have reported.
    #[inline(always)]
    pub fn begin(&self, world: &dyn World) {
        if fault::is(Fault::BracketsMissing) {
            return;
        }
        self.reports.ask(world);
    }

    /// On each CPU, after the handler's barrier. The visitor looks at the counts when all have answered, so nobody
    /// needs to be woken here.
    #[inline(always)]
    pub fn visited(&self, sighting: &Sighting) {
        self.reports.asked(sighting.cpu);
        if sighting.is_quiescent() {
            let _ = self.reports.report(sighting.cpu);
        }
    }

    /// How many CPUs have not reported: see [`CpuReports::outstanding`].
    #[inline(always)]
    pub fn outstanding(&self) -> usize {
        self.reports.outstanding()
    }

    /// Whether this CPU has not reported yet.
    #[inline(always)]
    pub fn waits_for(&self, cpu: usize) -> bool {
        self.reports.waits_for(cpu)
    }

    /// An outermost IRQ exit: this CPU reports if it owes a report and is quiescent.
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn irq_exit_outermost(&self, sighting: &Sighting) -> Wake {
        if sighting.is_quiescent() { self.reports.report(sighting.cpu) } else { Wake::Nobody }
    }

    /// A context switch, voluntary or not: nobody switches at interrupt level or with preemption disabled.
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn switched(&self, cpu: usize) -> Wake {
        self.reports.report(cpu)
    }
}
