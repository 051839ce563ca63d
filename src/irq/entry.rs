//! IRQ entry and exit, one clear path. Notrace (O8): nothing here may be inside a trampoline itself.
//!
//! INVARIANT `irq-chain`: each CPU's chain links the states of its IRQ entries, innermost first; an entry is
//! linked before its handlers run and unlinked before its preemption point, since the task may come back on
//! another CPU. The per-task mark is undone after that point: undone before it, every scheme that reads the
//! mark at the switch would be blind.

use super::{serial, softirq, watchdog};
use crate::arch::site::{HARDIRQ_ONE, Level, PREEMPT_MASK, SOFTIRQ_MASK};
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic, trampoline};
use crate::console::events::{self, Event};
use crate::fault::{self, Fault};
use crate::hook::Hook;
use crate::percpu;
use crate::sched::seam::{self, IrqMark};
use crate::sched::{self, ipi, switch, tick, wait};
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering};
use crate::sync::irqs::IrqsMasked;
use crate::sync::percpu::PerCpu;
use crate::sync::preempt;

/// What one IRQ entry keeps on the interrupted stack.
#[derive(Debug)]
pub struct IrqEntryState {
    /// What this entry set in the task, for its scheme.
    pub mark: IrqMark,
    /// Where the context was interrupted.
    pub interrupted_pc: usize,
    /// Its registers.
    pub frame: *const ExceptionFrame,
    /// The entry that this one interrupted, if any.
    pub outer: *const IrqEntryState,
}

static CHAIN: PerCpu<AtomicPtr<IrqEntryState>> = percpu!(AtomicPtr::new(core::ptr::null_mut()));

/// Who interrupts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// [`ipi::SGI_RESCHED`].
    Resched,
    /// [`ipi::SGI_VISIT`].
    Visit,
    /// [`ipi::SGI_LAB`].
    Lab,
    /// The tick and the timers.
    Timer,
    /// Serial input.
    Uart,
    /// A device that nobody drives.
    Other,
}

impl Source {
    /// All of them, in the order of their counts.
    pub const ALL: [Self; 6] = [Self::Resched, Self::Visit, Self::Lab, Self::Timer, Self::Uart, Self::Other];

    /// The source of interrupt `id`.
    #[inline(always)]
    fn of(id: u32) -> Self {
        match id {
            ipi::SGI_RESCHED => Self::Resched,
            ipi::SGI_VISIT => Self::Visit,
            ipi::SGI_LAB => Self::Lab,
            id if id == TIMER.load(Ordering::Relaxed) => Self::Timer,
            id if id == UART.load(Ordering::Relaxed) => Self::Uart,
            _ => Self::Other,
        }
    }

    /// Its interrupt's id, if it has one of its own.
    pub fn id(self) -> Option<u32> {
        match self {
            Self::Resched => Some(ipi::SGI_RESCHED),
            Self::Visit => Some(ipi::SGI_VISIT),
            Self::Lab => Some(ipi::SGI_LAB),
            Self::Timer => Some(TIMER.load(Ordering::Relaxed)),
            Self::Uart => Some(UART.load(Ordering::Relaxed)),
            Self::Other => None,
        }
    }
}

/// What a CPU has seen, for `stress`'s coverage and the shell.
#[derive(Debug)]
pub struct Statistics {
    /// Interrupts taken.
    pub irqs: AtomicU64,
    /// Of them, on top of a softirq.
    pub on_softirq: AtomicU64,
    /// Tasks preempted at an IRQ's exit with the interrupted PC in a trampoline.
    pub preempted_in_trampoline: AtomicU64,
    /// What was acknowledged, by source.
    sources: [AtomicU64; Source::ALL.len()],
}

static STATISTICS: PerCpu<Statistics> = percpu!(Statistics {
    irqs: AtomicU64::new(0),
    on_softirq: AtomicU64::new(0),
    preempted_in_trampoline: AtomicU64::new(0),
    sources: [const { AtomicU64::new(0) }; Source::ALL.len()],
});

/// Handles [`ipi::SGI_LAB`] in IRQ context. Wired by `kernel` to `lab`.
pub static LAB_SGI: Hook<fn()> = Hook::new();

static TIMER: AtomicU32 = AtomicU32::new(0);
static UART: AtomicU32 = AtomicU32::new(0);

/// Says which interrupts are the timer's and the UART's. Context: boot.
pub fn init(timer: u32, uart: u32) {
    TIMER.store(timer, Ordering::Relaxed);
    UART.store(uart, Ordering::Relaxed);
}

/// Adds up `field` over all CPUs.
pub fn total(field: impl Fn(&Statistics) -> &AtomicU64) -> u64 {
    STATISTICS.iter().map(|statistics| field(statistics).load(Ordering::Relaxed)).sum()
}

/// How often CPU number `cpu` acknowledged each source, in the order of [`Source::ALL`]. Context: any.
pub fn acknowledged(cpu: usize) -> [u64; Source::ALL.len()] {
    STATISTICS.of(cpu).sources.each_ref().map(|count| count.load(Ordering::Relaxed))
}

/// Interrupts that CPU number `cpu` took. Context: any.
pub fn taken(cpu: usize) -> u64 {
    STATISTICS.of(cpu).irqs.load(Ordering::Relaxed)
}

#[inline(always)]
fn count(counter: &AtomicU64) {
    counter.store(counter.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
}

/// An IRQ was taken. Wired by `kernel` to `arch::vectors::IRQ`. Context: exception, IRQs masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn irq(frame: &mut ExceptionFrame) {
    // SAFETY: exception entry masks IRQs; only softirqs unmask them, and mask them again before they return.
    let irqs = unsafe { IrqsMasked::assume() };
    let statistics = STATISTICS.this(&irqs);
    count(&statistics.irqs);
    let task = sched::current();
    let chain = CHAIN.this(&irqs);
    let mut state = IrqEntryState {
        mark: IrqMark::default(),
        interrupted_pc: frame.elr as usize,
        frame: &raw const *frame,
        outer: chain.load(Ordering::Relaxed),
    };
    seam::with(|hooks| hooks.irq_in(&mut state.mark, state.interrupted_pc, task));
    let outer = preempt::count();
    if outer & SOFTIRQ_MASK != 0 {
        count(&statistics.on_softirq);
    }
    preempt::add(HARDIRQ_ONE);
    let level = task.header.level.load(Ordering::Relaxed);
    task.header.level.store(Level::Hardirq.bit(), Ordering::Relaxed);
    chain.store(&raw mut state, Ordering::Relaxed);

    while let Some(interrupt) = gic::acknowledge() {
        events::record(&irqs, Event::Irq, interrupt.id() as usize, state.interrupted_pc);
        let source = Source::of(interrupt.id());
        count(&statistics.sources[source as usize]);
        handle(source);
        watchdog::after_irq(frame);
        gic::end(interrupt);
    }

    task.header.level.store(level, Ordering::Relaxed);
    preempt::sub(HARDIRQ_ONE);
    let outermost = outer & !PREEMPT_MASK == 0;
    if outermost {
        softirq::run_pending(&irqs);
        seam::with(|hooks| hooks.irq_exit_outermost(cpu::id(), outer));
    }
    chain.store(state.outer.cast_mut(), Ordering::Relaxed);
    wait::drain_deferred();
    if fault::is(Fault::MarkUndoneEarly) {
        seam::with(|hooks| hooks.irq_out(&mut state.mark, task));
    }
    if outermost {
        let before = task.nivcsw.load(Ordering::Relaxed);
        switch::preempt_irq(&irqs, state.interrupted_pc);
        if task.nivcsw.load(Ordering::Relaxed) != before && trampoline::contains(state.interrupted_pc) {
            count(&STATISTICS.this(&irqs).preempted_in_trampoline); // counted where it goes on
        }
    }
    seam::with(|hooks| hooks.irq_out(&mut state.mark, task));
}

/// Handlers are ordinary code: they may be traced, and are the IRQ-level holders of the theory.
#[inline(always)]
fn handle(source: Source) {
    match source {
        Source::Resched => {} // the flag is set; this interrupt's exit looks at it
        Source::Visit => ipi::on_visit(),
        Source::Lab => {
            if let Some(handle) = LAB_SGI.get() {
                handle();
            }
        }
        Source::Timer => tick::on_alarm(),
        Source::Uart => serial::on_receive(),
        // Acknowledged and ended: a spurious interrupt of a device that nobody drives.
        Source::Other => {}
    }
}

/// Calls `look` with each interrupted context of this CPU, innermost first. Context: IRQs masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn for_each_interrupted(irqs: &IrqsMasked<'_>, mut look: impl FnMut(&IrqEntryState)) {
    let mut at: *const IrqEntryState = CHAIN.this(irqs).load(Ordering::Relaxed);
    // SAFETY: `irq-chain`: linked states lie on this CPU's live stacks while they are linked.
    while let Some(state) = unsafe { at.as_ref() } {
        look(state);
        at = state.outer;
    }
}
