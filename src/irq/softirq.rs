//! Softirqs: work that an IRQ handler puts off to the end of its interrupt, done with IRQs on, so that it can
//! be interrupted itself. On the interrupted task's stack, at most one level deep per CPU.
//!
//! No softirq keeps a task from running for ever: one interrupt's exit does at most `MOST_ROUNDS` rounds, then the
//! task goes on, until the next interrupt, which does the rest: a tick away at most. A softirq that raises itself
//! without end thus gets a few runs for each interrupt, and the task what lies between.
//!
//! # Why not …
//! - a task that takes over (Linux: ksoftirqd): softirqs would be holders at task level too, with a stack and a turn
//!   of their own, and what a raise waits for would depend on the scheduler. What is left is served by the tick.

use crate::arch::cpu;
use crate::arch::site::{Level, SOFTIRQ_ONE};
use crate::console::events::{self, Event};
use crate::hook::Hook;
use crate::percpu;
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::irqs::IrqsMasked;
use crate::sync::percpu::PerCpu;
use crate::sync::preempt;

/// The softirqs, in the order in which they run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Softirq {
    /// What `lab` raises in its storms.
    Lab,
}

/// Does [`Softirq::Lab`]'s work. Wired by `kernel`.
pub static LAB: Hook<fn()> = Hook::new();

static PENDING: PerCpu<AtomicU32> = percpu!(AtomicU32::new(0));
/// Rounds that one interrupt's exit does before it leaves the rest to the next interrupt: a storm must not
/// keep a task from running for ever.
const MOST_ROUNDS: usize = 4;

/// Wants `softirq` to run on this CPU at the end of the current interrupt, or of the next one if `MOST_ROUNDS` have
/// been done. Returns whether it was not pending before: it runs once, however often it is raised until then.
/// Context: IRQ handler, softirq.
pub fn raise(softirq: Softirq, irqs: &IrqsMasked<'_>) -> bool {
    let bit = 1 << softirq as u32;
    PENDING.this(irqs).fetch_or(bit, Ordering::Relaxed) & bit == 0
}

/// Runs what is pending. Context: the outermost IRQ's exit, IRQs masked before and after.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn run_pending(irqs: &IrqsMasked<'_>) {
    for _ in 0..MOST_ROUNDS {
        let pending = PENDING.this(irqs).swap(0, Ordering::Relaxed);
        if pending == 0 {
            return;
        }
        events::record(irqs, Event::Softirq, pending as usize, 0);
        preempt::add(SOFTIRQ_ONE);
        let level = &preempt::header().level; // a softirq is not preempted: the same task throughout
        level.store(Level::Softirq.bit(), Ordering::Relaxed);
        cpu::unmask_irqs();
        if pending & 1 << Softirq::Lab as u32 != 0
            && let Some(work) = LAB.get()
        {
            work();
        }
        cpu::mask_irqs();
        level.store(Level::Task.bit(), Ordering::Relaxed);
        preempt::sub(SOFTIRQ_ONE);
    }
}
