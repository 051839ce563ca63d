//! The last events of each CPU: what the epitaph prints until there are trace records to print.
//!
//! One writer per ring: its CPU, IRQs masked. Readers (the panic path) may see a torn entry; they say so
//! little that it does not matter. Notrace: switches and IRQs are recorded.

use crate::arch::timer;
use crate::percpu;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs::IrqsMasked;
use crate::sync::percpu::PerCpu;

/// Entries that a CPU keeps.
pub const DEPTH: usize = 32;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Event {
    /// Nothing yet.
    None,
    /// Switched to task `a`; `b` is 1 when it was voluntary.
    Switch,
    /// Took interrupt `a` at PC `b`.
    Irq,
    /// Sent an SGI round, generation `a`.
    Round,
    /// Patched `a` callsites, the first at `b`.
    Patch,
    /// A grace period: phase `a`, sequence `b`.
    Grace,
    /// Freed the ops or node at `a`.
    Free,
}

const KINDS: [Event; 7] =
    [Event::None, Event::Switch, Event::Irq, Event::Round, Event::Patch, Event::Grace, Event::Free];

#[derive(Debug)]
struct Entry {
    time_ns: AtomicU64,
    kind: AtomicU64,
    a: AtomicUsize,
    b: AtomicUsize,
}

#[derive(Debug)]
struct Ring {
    entries: [Entry; DEPTH],
    next: AtomicUsize,
}

static RINGS: PerCpu<Ring> = percpu!(Ring {
    entries: [const {
        Entry { time_ns: AtomicU64::new(0), kind: AtomicU64::new(0), a: AtomicUsize::new(0), b: AtomicUsize::new(0) }
    }; DEPTH],
    next: AtomicUsize::new(0),
});

/// Notes an event of this CPU. Context: IRQs masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn record(irqs: &IrqsMasked<'_>, kind: Event, a: usize, b: usize) {
    let ring = RINGS.this(irqs);
    let next = ring.next.load(Ordering::Relaxed);
    let entry = &ring.entries[next % DEPTH];
    entry.time_ns.store(timer::count(), Ordering::Relaxed);
    entry.kind.store(kind as u64, Ordering::Relaxed);
    entry.a.store(a, Ordering::Relaxed);
    entry.b.store(b, Ordering::Relaxed);
    ring.next.store(next.wrapping_add(1), Ordering::Relaxed);
}

/// Calls `show(count, kind, a, b)` for the events of CPU number `cpu`, oldest first. Context: any.
pub fn for_each(cpu: usize, mut show: impl FnMut(u64, Event, usize, usize)) {
    let ring = RINGS.of(cpu);
    let next = ring.next.load(Ordering::Relaxed);
    for index in next.saturating_sub(DEPTH)..next {
        let entry = &ring.entries[index % DEPTH];
        let kind = KINDS[entry.kind.load(Ordering::Relaxed) as usize % KINDS.len()];
        show(
            entry.time_ns.load(Ordering::Relaxed),
            kind,
            entry.a.load(Ordering::Relaxed),
            entry.b.load(Ordering::Relaxed),
        );
    }
}
