//! What each CPU counts of its switches, beside what tasks count of theirs: two ledgers that must agree.
//!
//! INVARIANT `two-ledgers`: while nothing switches, all CPUs' `switches + unanswered` are all tasks' voluntary and
//! involuntary switches, and all CPUs' `arrivals` are all tasks' migrations. Written by its own CPU, IRQs masked.

use crate::percpu;
use crate::sync::atomic::{AtomicU64, Ordering};
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
    pub(super) switches: AtomicU64,
    pub(super) arrivals: AtomicU64,
    pub(super) unanswered: AtomicU64,
    pub(super) overdue: AtomicU64,
}

pub(super) static COUNTERS: PerCpu<Counters> = percpu!(Counters {
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
