//! What each CPU counts of its switches, beside what tasks count of theirs: two ledgers that must agree.
//!
//! INVARIANT `two-ledgers`: while nothing switches, all CPUs' `switches + unanswered` are all tasks' voluntary and
//! involuntary switches, and all CPUs' `arrivals` are all tasks' migrations. Written by its own CPU, IRQs masked.

use super::digest;
use crate::arch::cpu;
use crate::percpu;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::irqs;
use crate::sync::percpu::PerCpu;

/// The ledger of one CPU, or the sum of several.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Times that it went from one task to another.
    pub switches: u64,
    /// Of them, to a task that ran elsewhere before.
    pub arrivals: u64,
    /// Times that a task let go and nobody took over.
    pub unanswered: u64,
    /// Ticks that found a task running whose turn was over, and others waiting.
    pub overdue: u64,
}

pub(super) struct Counters {
    /// See [`schedule_digest`].
    schedule: AtomicU64,
    /// Of the steps of the schedule, those that tasks noted.
    notes: AtomicU64,
    pub(super) switches: AtomicU64,
    pub(super) arrivals: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) overdue: AtomicU64,
}

pub(super) static COUNTERS: PerCpu<Counters> = percpu!(Counters {
    schedule: AtomicU64::new(digest::NOTHING),
    notes: AtomicU64::new(0),
    switches: AtomicU64::new(0),
    arrivals: AtomicU64::new(0),
    unanswered: AtomicU64::new(0),
    overdue: AtomicU64::new(0),
});

/// Adds one. Context: the only writer.
#[inline(always)]
pub(super) fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
}

/// The ledger of CPU number `cpu`. Context: any; a glance.
pub fn account(cpu: usize) -> Account {
    let counters = COUNTERS.of(cpu);
    Account {
        switches: counters.switches.load(Ordering::Relaxed),
        arrivals: counters.arrivals.load(Ordering::Relaxed),
        unanswered: counters.unanswered.load(Ordering::Relaxed),
        overdue: counters.overdue.load(Ordering::Relaxed),
    }
}

/// What a note has in the place of a task's number: more than any task's.
const NOTE: u64 = 1 << 23;

/// Adds a step of CPU number `cpu` to its schedule: what happened, and where. Context: IRQs masked, on that CPU.
#[inline(always)]
pub(super) fn note_step(cpu: usize, what: u64, place: usize) {
    let schedule = &COUNTERS.of(cpu).schedule;
    schedule.store(digest::with_step(schedule.load(Ordering::Relaxed), what, place), Ordering::Relaxed);
}

/// Adds what a task did to the schedule of its CPU: `what` is a number of the caller's own, that no clock is in. Context: any.
pub fn note_in_schedule(what: usize) {
    irqs::with_masked(|_| {
        note_step(cpu::id(), NOTE, what);
        count(&COUNTERS.of(cpu::id()).notes);
    });
}

/// How often tasks noted something since [`begin_schedule`]. Context: any; a glance.
pub fn nr_noted_in_schedule() -> u64 {
    COUNTERS.iter().map(|counters| counters.notes.load(Ordering::Relaxed)).sum()
}

/// Forgets the schedules up to here. Context: task.
pub fn begin_schedule() {
    for counters in COUNTERS.iter() {
        counters.schedule.store(digest::NOTHING, Ordering::Relaxed);
        counters.notes.store(0, Ordering::Relaxed);
    }
}

/// A digest of the schedule since [`begin_schedule`]: for each CPU, which task followed which, where a task was preempted by an
/// interrupt, and what else was noted between. No clock and no seed is in the digest, nor where a task let go by itself, nor how
/// the steps of one CPU lie between those of another. So runs of unequal digests took other ways; runs of one digest took the
/// same way through each CPU's switches, but for a collision of 64 bits. Context: any; a glance, where CPUs go on meanwhile.
pub fn schedule_digest() -> u64 {
    digest::of_all(COUNTERS.iter().map(|counters| counters.schedule.load(Ordering::Relaxed)))
}
