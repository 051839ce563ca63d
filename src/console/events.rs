//! The last events of each CPU: what the epitaph and `log` print.
//!
//! One writer per ring: its CPU, IRQs masked. A ring has room for more entries than are shown, so that a CPU that goes on
//! while it is read overwrites none of them; a reader that is slower than that leaves out what is gone. Nothing on the
//! path of a hit is recorded. Notrace: switches and IRQs are.

use super::epitaph::Place;
use crate::arch::cpu::MAX_CPUS;
use crate::arch::timer;
use crate::hook::Hook;
use crate::percpu;
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs::IrqsMasked;
use crate::sync::percpu::PerCpu;
use core::fmt;

/// Entries of a CPU that are shown.
pub const DEPTH: usize = 32;
/// Entries that it keeps: the others are what it may record while it is read.
const SLOTS: usize = 2 * DEPTH;
/// SGIs are interrupts below this one.
const FIRST_DEVICE: usize = 16;
const US_PER_S: u64 = 1_000_000;

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
    /// Patched callsites, the first at `a`.
    Patch,
    /// Made task `a`.
    Spawn,
    /// Task `a` begins to exit.
    Exit,
    /// Woke task `a`.
    Wake,
    /// A timer called the function at `a`.
    Timer,
    /// Runs the softirqs of mask `a`.
    Softirq,
}

const KINDS: [Event; 10] = [
    Event::None,
    Event::Switch,
    Event::Irq,
    Event::Round,
    Event::Patch,
    Event::Spawn,
    Event::Exit,
    Event::Wake,
    Event::Timer,
    Event::Softirq,
];

/// Names the task of a number, which ran on a CPU, in a few words; waits for no lock. Wired by `kernel` to `sched`.
pub static NAME_TASK: Hook<fn(u32, usize, &mut dyn fmt::Write)> = Hook::new();

#[derive(Debug)]
struct Entry {
    time: AtomicU64,
    kind: AtomicU64,
    a: AtomicUsize,
    b: AtomicUsize,
}

#[derive(Debug)]
struct Ring {
    entries: [Entry; SLOTS],
    next: AtomicUsize,
}

static RINGS: PerCpu<Ring> = percpu!(Ring {
    entries: [const {
        Entry { time: AtomicU64::new(0), kind: AtomicU64::new(0), a: AtomicUsize::new(0), b: AtomicUsize::new(0) }
    }; SLOTS],
    next: AtomicUsize::new(0),
});

/// Notes an event of this CPU. Context: IRQs masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn record(irqs: &IrqsMasked<'_>, kind: Event, a: usize, b: usize) {
    let ring = RINGS.this(irqs);
    let next = ring.next.load(Ordering::Relaxed);
    let entry = &ring.entries[next % SLOTS];
    entry.time.store(timer::count(), Ordering::Relaxed);
    entry.kind.store(kind as u64, Ordering::Relaxed);
    entry.a.store(a, Ordering::Relaxed);
    entry.b.store(b, Ordering::Relaxed);
    // Order: Release pairs with the Acquire of `Log`: entries below are whole.
    ring.next.store(next.wrapping_add(1), Ordering::Release);
}

/// An event that was recorded. Shown as a line of the log.
#[derive(Clone, Copy, Debug)]
pub struct Happening {
    /// When, by the counter.
    time: u64,
    cpu: usize,
    kind: Event,
    a: usize,
    b: usize,
}

impl fmt::Display for Happening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { time, cpu, kind, a, b } = *self;
        let us = timer::ns_of(time) / 1000;
        write!(f, "{:>5}.{:06}  CPU {cpu}  ", us / US_PER_S, us % US_PER_S)?;
        let task = TaskOf { number: a as u32, cpu };
        match kind {
            Event::None => f.write_str("nothing"),
            Event::Switch => write!(f, "switch to {task}, {}", if b == 0 { "preempting" } else { "voluntary" }),
            Event::Irq if a < FIRST_DEVICE => write!(f, "SGI {a} at {}", Place(b)),
            Event::Irq => write!(f, "irq {a} at {}", Place(b)),
            Event::Round => write!(f, "visits every CPU, round {a}"),
            Event::Patch => write!(f, "patches callsites, first {}", Place(a)),
            Event::Spawn => write!(f, "spawns {task}"),
            Event::Exit => write!(f, "{task} exits"),
            Event::Wake => write!(f, "wakes {task}"),
            Event::Timer => write!(f, "timer calls {}", Place(a)),
            Event::Softirq => write!(f, "softirqs {a:#x}"),
        }
    }
}

struct TaskOf {
    number: u32,
    cpu: usize,
}

impl fmt::Display for TaskOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAME_TASK.get() {
            Some(name) => {
                name(self.number, self.cpu, f);
                Ok(())
            }
            None => write!(f, "task {}", self.number),
        }
    }
}

/// The events of some CPUs in the order of time, oldest first. Allocates nothing. Context: any.
#[derive(Clone, Debug)]
pub struct Log {
    /// Numbers of each CPU's entries, those not taken yet.
    left: [core::ops::Range<usize>; MAX_CPUS],
}

/// How many entries CPU number `cpu` has recorded.
fn recorded(cpu: usize) -> usize {
    // Order: Acquire pairs with the Release of `record`.
    RINGS.of(cpu).next.load(Ordering::Acquire)
}

impl Log {
    /// Of the CPUs for which `wanted` holds, at most the last `most` of all.
    pub fn of(wanted: impl Fn(usize) -> bool, most: usize) -> Self {
        let mut log = Self {
            left: core::array::from_fn(|cpu| {
                let next = recorded(cpu);
                if wanted(cpu) { next.saturating_sub(DEPTH)..next } else { 0..0 }
            }),
        };
        let all: usize = log.left.iter().map(ExactSizeIterator::len).sum();
        for _ in most..all {
            log.next();
        }
        log
    }
}

impl Iterator for Log {
    type Item = Happening;

    fn next(&mut self) -> Option<Happening> {
        for (cpu, left) in self.left.iter_mut().enumerate() {
            // Gone, or just being overwritten: it has another time now.
            let oldest = (recorded(cpu) + 1).saturating_sub(SLOTS);
            left.start = left.start.max(oldest.min(left.end));
        }
        let waits = |cpu: &usize| !self.left[*cpu].is_empty();
        let time = |cpu: &usize| RINGS.of(*cpu).entries[self.left[*cpu].start % SLOTS].time.load(Ordering::Relaxed);
        let cpu = (0..MAX_CPUS).filter(waits).min_by_key(time)?;
        let entry = &RINGS.of(cpu).entries[self.left[cpu].next()? % SLOTS];
        Some(Happening {
            time: entry.time.load(Ordering::Relaxed),
            cpu,
            kind: KINDS[entry.kind.load(Ordering::Relaxed) as usize % KINDS.len()],
            a: entry.a.load(Ordering::Relaxed),
            b: entry.b.load(Ordering::Relaxed),
        })
    }
}
