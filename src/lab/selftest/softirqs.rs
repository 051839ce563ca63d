//! A storm of softirqs, raised by interrupts that interrupt softirqs, on all CPUs at once.
//!
//! Shows: a raised softirq runs once, later raises of a pending one are the same one; softirqs do not nest, and of
//! interrupts at most two lie on each other; the stack holds them; and a task goes on under softirqs that raise
//! themselves without end, since an interrupt's exit does a few rounds and leaves the rest to the next one.

use super::crew::{Crew, await_that};
use super::{Outcome, Run, check};
use crate::arch::vectors::STACK_SIZE;
use crate::arch::{cpu, gic};
use crate::irq::entry;
use crate::irq::softirq::{self, Softirq};
use crate::lab::calls::{self, Calls};
use crate::percpu;
use crate::sched::ipi::SGI_LAB;
use crate::sched::timers::Timer;
use crate::sched::{self, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::percpu::PerCpu;
use alloc::sync::Arc;
use core::pin::pin;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Bursts of SGIs that each CPU's sender sends.
const BURSTS: u64 = 6_000;
/// For so many ticks of each CPU softirqs raise themselves.
const ENDLESS_TICKS: u64 = 25;
/// Interrupts that may lie on each other: one of a task, one of its softirq.
const MOST_NESTED: usize = 2;
/// What they may take of a stack.
const MOST_STACK: usize = STACK_SIZE / 2;

struct Facts {
    sgis: AtomicU64,
    /// Raises that made it pending, and its runs.
    raised: AtomicU64,
    coalesced: AtomicU64,
    ran: AtomicU64,
    is_inside: AtomicBool,
    nested_softirqs: AtomicU64,
    most_nested: AtomicUsize,
    most_stack: AtomicUsize,
}

static FACTS: PerCpu<Facts> = percpu!(Facts {
    sgis: AtomicU64::new(0),
    raised: AtomicU64::new(0),
    coalesced: AtomicU64::new(0),
    ran: AtomicU64::new(0),
    is_inside: AtomicBool::new(false),
    nested_softirqs: AtomicU64::new(0),
    most_nested: AtomicUsize::new(0),
    most_stack: AtomicUsize::new(0)
});
static IS_ENDLESS: AtomicBool = AtomicBool::new(false);

static CALLS: Calls = Calls { sgi: on_sgi, softirq: on_softirq };

/// Context: not preemptible.
fn raise() {
    irqs::with_masked(|irqs| {
        let facts = FACTS.this(irqs);
        let counter = if softirq::raise(Softirq::Lab, irqs) { &facts.raised } else { &facts.coalesced };
        counter.fetch_add(1, Ordering::Relaxed);
    });
}

/// Context: IRQ.
fn on_sgi() {
    let mut nested = 0;
    irqs::with_masked(|irqs| entry::for_each_interrupted(irqs, |_| nested += 1));
    let facts = FACTS.of(cpu::id());
    facts.sgis.fetch_add(1, Ordering::Relaxed);
    facts.most_nested.fetch_max(nested, Ordering::Relaxed);
    // A local's address is near the stack pointer; stacks lie on multiples of their size.
    facts.most_stack.fetch_max(STACK_SIZE - (&raw const nested).addr() % STACK_SIZE, Ordering::Relaxed);
    raise();
}

/// Context: IRQ.
fn on_timer(_: usize) {
    raise();
}

/// Context: softirq, IRQs on.
fn on_softirq() {
    let cpu = cpu::id();
    let facts = FACTS.of(cpu);
    if facts.is_inside.swap(true, Ordering::Relaxed) {
        facts.nested_softirqs.fetch_add(1, Ordering::Relaxed);
    }
    let nr_ran = facts.ran.fetch_add(1, Ordering::Relaxed);
    match nr_ran % 8 {
        // Interrupts itself; what that raises runs in the next round.
        0..=2 => gic::send_sgi(SGI_LAB, cpu),
        3 => gic::send_sgi(SGI_LAB, (cpu + 1) % sched::nr_cpus()),
        _ => (0..100).for_each(|_| core::hint::spin_loop()),
    }
    if IS_ENDLESS.load(Ordering::Relaxed) {
        raise();
    }
    facts.is_inside.store(false, Ordering::Relaxed);
}

/// Sends bursts to all CPUs, and lets a timer add to them.
fn sender(seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let timer = pin!(Timer::new(on_timer, 0));
    for _ in 0..BURSTS {
        let dice = random.next_u64();
        let target = dice as usize % sched::nr_cpus();
        (0..1 + (dice >> 32) % 3).for_each(|_| gic::send_sgi(SGI_LAB, target));
        if dice >> 40 & 7 == 0 {
            timer.as_ref().arm(now_ns() + (dice >> 48) % 20_000);
        }
        sched::cond_resched();
    }
}

/// Storms, then softirqs without end.
pub(super) fn storm(run: &mut Run) -> Outcome {
    let cpus = sched::nr_cpus();
    let all = || FACTS.iter().take(cpus);
    let sum = |field: fn(&Facts) -> &AtomicU64| all().map(|facts| field(facts).load(Ordering::Relaxed)).sum::<u64>();
    let interrupted = entry::total(|statistics| &statistics.on_softirq);
    calls::begin(&CALLS);
    let mut crew = Crew::new();
    for cpu in 0..cpus {
        let seed = run.random.next_u64();
        crew.normal("sender", Some(cpu), move || sender(seed))?;
    }
    crew.finish("sends SGIs")?;
    let slowest = endless(cpus)?;
    let settled = await_that("every raised softirq to run", || {
        all().all(|facts| facts.raised.load(Ordering::Relaxed) == facts.ran.load(Ordering::Relaxed))
    });
    calls::end();
    let interrupted = entry::total(|statistics| &statistics.on_softirq) - interrupted;
    let most = |field: fn(&Facts) -> &AtomicUsize| {
        all().map(|facts| field(facts).load(Ordering::Relaxed)).max().unwrap_or_default()
    };
    let (nested, stack) = (most(|facts| &facts.most_nested), most(|facts| &facts.most_stack));
    run.note("sgis", sum(|facts| &facts.sgis));
    run.note("raised", sum(|facts| &facts.raised));
    run.note("ran", sum(|facts| &facts.ran));
    run.note("coalesced", sum(|facts| &facts.coalesced));
    run.note("interrupted", interrupted);
    run.note("nested", nested);
    run.note("stack_bytes", stack);
    run.note("least_steps", slowest);
    let (raised, ran) = (sum(|facts| &facts.raised), sum(|facts| &facts.ran));
    check!(settled.is_ok(), "{raised} softirqs were raised, {ran} ran");
    let inside = sum(|facts| &facts.nested_softirqs);
    check!(inside == 0, "{inside} softirqs ran inside of another one");
    check!(nested <= MOST_NESTED, "{nested} interrupts lay on each other, {MOST_NESTED} may");
    check!(interrupted > 0 && nested == MOST_NESTED, "no softirq was interrupted: the storm shows nothing");
    check!(stack <= MOST_STACK, "interrupts took {stack} of {STACK_SIZE} bytes of stack");
    Ok(())
}

/// Softirqs that raise themselves, and a task on each CPU that wants to go on. Returns the steps of the slowest.
fn endless(cpus: usize) -> Result<u64, alloc::string::String> {
    let steps: Arc<[AtomicU64]> = (0..cpus).map(|_| AtomicU64::new(0)).collect();
    IS_ENDLESS.store(true, Ordering::Relaxed);
    let mut crew = Crew::new();
    for cpu in 0..cpus {
        let steps = Arc::clone(&steps);
        crew.normal("victim", Some(cpu), move || {
            gic::send_sgi(SGI_LAB, cpu);
            let end = sched::ticks(cpu) + ENDLESS_TICKS;
            while sched::ticks(cpu) < end {
                steps[cpu].fetch_add(1, Ordering::Relaxed);
                sched::cond_resched();
            }
        })?;
    }
    let ended = crew.finish("goes on under softirqs without end");
    IS_ENDLESS.store(false, Ordering::Relaxed);
    ended?;
    let slowest = steps.iter().map(|steps| steps.load(Ordering::Relaxed)).min().unwrap_or_default();
    check!(slowest > 0, "a task made no step under softirqs without end");
    Ok(slowest)
}
