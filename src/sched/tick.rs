//! The tick of each CPU, and the alarm that serves it and the timers.
//!
//! The tick is 4 ms, as CONFIG_HZ=250: long enough to cost nothing, short enough that a time slice and a
//! lazy reschedule are what users of Linux know.

use super::jitter::Jitter;
use super::{patience, runqueue, switch, timers};
use crate::arch::{cpu, timer};
use crate::hook::Hook;
use crate::percpu;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::percpu::PerCpu;

pub use crate::arch::timer::now_ns;

/// Guest time between two ticks of a CPU.
pub const TICK_NS: u64 = 4_000_000;

/// Hears of every tick, behind the scheduler. Wired by `rcu`. Context: IRQ.
pub static EACH: Hook<fn()> = Hook::new();

static NEXT_TICK: PerCpu<AtomicU64> = percpu!(AtomicU64::new(0));
static TICKS: PerCpu<AtomicU64> = percpu!(AtomicU64::new(0));
/// Those that found the CPU idle.
static IDLE_TICKS: PerCpu<AtomicU64> = percpu!(AtomicU64::new(0));

static JITTER: PerCpu<Jitter> = percpu!(Jitter::none());

/// From now on each CPU's ticks come up to an eighth of their distance early or late, by chance that follows from `seed`: turns
/// differ in length, and the CPUs' ticks stand in all ways to each other. `None` is the even tick. Context: task.
pub fn jitter(seed: Option<u64>) {
    JITTER.iter().enumerate().for_each(|(cpu, jitter)| jitter.start(seed, cpu));
}

/// Starts this CPU's tick. Context: boot of each CPU, IRQs masked.
pub fn start() {
    let cpu = cpu::id();
    // The CPUs' ticks are spread, so that they do not all want the same locks at once.
    let first = now_ns() + TICK_NS + TICK_NS / cpu::MAX_CPUS as u64 * cpu as u64;
    NEXT_TICK.of(cpu).store(first, Ordering::Relaxed);
    runqueue::start_ticks(cpu, timer::count_of(TICK_NS));
    rearm(cpu);
}

/// When CPU number `cpu` ticks next. Context: any.
pub fn next_ns(cpu: usize) -> u64 {
    NEXT_TICK.of(cpu).load(Ordering::Relaxed)
}

/// Ticks of CPU number `cpu` so far.
pub fn ticks(cpu: usize) -> u64 {
    TICKS.of(cpu).load(Ordering::Relaxed)
}

/// Of them, those that found it idle.
pub fn idle_ticks(cpu: usize) -> u64 {
    IDLE_TICKS.of(cpu).load(Ordering::Relaxed)
}

/// The timer interrupt. Context: IRQ.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn on_alarm() {
    let cpu = cpu::id();
    let now = now_ns();
    let next = NEXT_TICK.of(cpu);
    let due = next.load(Ordering::Relaxed);
    if now >= due {
        // Ticks that were missed (a stopped guest) are not made up for, and the next one is half a tick away at least:
        // one at once would cost a task its turn.
        let passed = (now - due + TICK_NS / 2) / TICK_NS + 1;
        next.store(due + passed * TICK_NS - TICK_NS / 8 + JITTER.of(cpu).draw(TICK_NS), Ordering::Relaxed);
        let ticks = TICKS.of(cpu);
        ticks.store(ticks.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        patience::on_tick(cpu);
        if switch::current().is_idle() {
            let idle = IDLE_TICKS.of(cpu);
            idle.store(idle.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        }
        switch::on_tick(cpu);
        if let Some(each) = EACH.get() {
            each();
        }
    } else {
        timers::expire(cpu);
    }
    rearm(cpu);
}

/// Sets this CPU's alarm to its next tick or timer. Context: IRQs masked, on that CPU.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn rearm(cpu: usize) {
    let tick = NEXT_TICK.of(cpu).load(Ordering::Relaxed);
    timer::set_alarm_ns(tick.min(timers::first_deadline(cpu)));
}
