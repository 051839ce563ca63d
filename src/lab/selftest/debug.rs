//! Debugging belongs to one thread: what it switches on is seen by no other, on no CPU, in no interrupt.

use super::{Outcome, Run, check};
use crate::arch::step::{self, Access, PointError, Stop, Then, Watch};
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic};
use crate::irq::entry;
use crate::lab::calls::{self, Calls};
use crate::lab::tracees;
use crate::sched::ipi::SGI_LAB;
use crate::sched::{self, Class, JoinHandle, Spawn, Visit};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs::{self, IrqsMasked};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use rand_core::Rng;

/// Rounds of the stepped thread's work; each is many instructions, some of them in the scheduler.
const ROUNDS: u64 = 200;
/// Yields that it adds at most until it has been on every CPU.
const MOST_MORE_YIELDS: u64 = 10 * ROUNDS;
/// Stops between two SGIs that the stepped thread sends itself.
const STOPS_PER_SGI: u64 = 61;

static RUNNING: AtomicBool = AtomicBool::new(false);
static STOPS: AtomicU64 = AtomicU64::new(0);
/// CPUs on which the thread was stopped, one bit each.
static STOPPED_ON: AtomicUsize = AtomicUsize::new(0);
/// Stops that found an interrupt entry below them.
static IN_IRQ: AtomicU64 = AtomicU64::new(0);
/// Looks of others at their own D and MDSCR, and those that found debugging on.
static LOOKS: AtomicU64 = AtomicU64::new(0);
static EXPOSED: AtomicU64 = AtomicU64::new(0);

fn look(is_touched: bool) {
    LOOKS.fetch_add(1, Ordering::Relaxed);
    EXPOSED.fetch_add(u64::from(is_touched), Ordering::Relaxed);
}

/// On top of the stepped thread MDSCR is that thread's, but D is masked. Context: IRQ.
fn look_from_irq() {
    look(step::is_exposed());
}

#[inline(always)]
fn note_interrupted(_: &entry::IrqEntryState) {
    IN_IRQ.fetch_add(1, Ordering::Relaxed);
}

/// Each stop of the thread. Context: exception.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn on_stop(_: &mut ExceptionFrame, _: Stop) -> Then {
    STOPPED_ON.fetch_or(1 << cpu::id(), Ordering::Relaxed);
    // SAFETY: an exception masks IRQs, and this one unmasks none.
    entry::for_each_interrupted(&unsafe { IrqsMasked::assume() }, note_interrupted);
    if STOPS.fetch_add(1, Ordering::Relaxed).is_multiple_of(STOPS_PER_SGI) {
        gic::send_sgi(SGI_LAB, cpu::id());
    }
    Then::Step
}

/// A thread that is debugged by nobody: shares a CPU with the stepped one.
fn witness() {
    while RUNNING.load(Ordering::Relaxed) {
        (0..100).for_each(|_| look(step::is_exposed() || step::is_armed()));
        sched::yield_now();
    }
}

/// The CPUs that the thread was not stopped on yet, one bit each.
fn missing() -> usize {
    ((1 << sched::nr_cpus()) - 1) & !STOPPED_ON.load(Ordering::Relaxed)
}

/// Work whose result is known: sums, yields, sleeps, locks.
fn work() -> u64 {
    let sum = (0..ROUNDS).fold(0, |sum, round| {
        if round % 16 == 0 {
            sched::sleep(50_000);
        }
        sched::yield_now();
        sum + tracees::call(1, round) % (1 << 40)
    });
    // On a slow host the moves come late.
    (0..MOST_MORE_YIELDS).take_while(|_| missing() != 0).for_each(|_| sched::yield_now());
    sum
}

fn spawn(name: &str, cpu: Option<usize>, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle, String> {
    sched::spawn(Spawn { name, class: Class::Normal, cpu }, Box::new(work)).map_err(|error| format!("{error}"))
}

/// Steps a thread through work that blocks, yields and migrates, while others look at their own debug state.
pub(super) fn private(run: &mut Run) -> Outcome {
    static CALLS: Calls = Calls { sgi: look_from_irq, softirq: || {} };
    static SUM: AtomicU64 = AtomicU64::new(0);
    static LEFT_EXPOSED: AtomicBool = AtomicBool::new(false);
    for word in [&STOPS, &IN_IRQ, &LOOKS, &EXPOSED, &SUM] {
        word.store(0, Ordering::Relaxed);
    }
    STOPPED_ON.store(0, Ordering::Relaxed);
    RUNNING.store(true, Ordering::Relaxed);
    calls::begin(&CALLS);
    let cpus = sched::nr_cpus();
    let witnesses: Vec<JoinHandle> =
        (0..cpus).map(|cpu| spawn("witness", Some(cpu), witness)).collect::<Result<_, _>>()?;
    let stepped = spawn("stepped", None, || {
        SUM.store(step::debug(on_stop, work), Ordering::Relaxed);
        LEFT_EXPOSED.store(step::is_exposed() || step::is_armed(), Ordering::Relaxed);
        RUNNING.store(false, Ordering::Release);
    })?;
    while RUNNING.load(Ordering::Acquire) {
        let anywhere = run.random.next_u64() as usize % cpus;
        let next = (0..cpus).map(|step| (anywhere + step) % cpus).find(|cpu| missing() & 1 << cpu != 0);
        sched::set_affinity(stepped.task(), 1 << next.unwrap_or(anywhere));
        sched::sleep(1_000_000);
    }
    stepped.join();
    witnesses.into_iter().for_each(JoinHandle::join);
    calls::end();
    let (sum, stops, looks) =
        (SUM.load(Ordering::Relaxed), STOPS.load(Ordering::Relaxed), LOOKS.load(Ordering::Relaxed));
    let stopped_on = STOPPED_ON.load(Ordering::Relaxed).count_ones() as usize;
    run.note("stops", stops);
    run.note("stopped_on_cpus", stopped_on);
    run.note("looks", looks);
    let expected = ROUNDS * (ROUNDS - 1) / 2;
    check!(sum == expected, "the stepped thread computed {sum}, not {expected}");
    check!(stops > ROUNDS * 100, "{stops} stops: not every instruction of {ROUNDS} rounds was stepped");
    check!(looks > 1000, "others looked only {looks} times");
    let exposed = EXPOSED.load(Ordering::Relaxed);
    check!(exposed == 0, "{exposed} of {looks} looks found PSTATE.D clear or MDSCR set in a thread nobody debugs");
    check!(!LEFT_EXPOSED.load(Ordering::Relaxed), "PSTATE.D is clear or MDSCR set after debugging ended");
    let in_irq = IN_IRQ.load(Ordering::Relaxed);
    check!(in_irq == 0, "{in_irq} stops stood on an IRQ entry: a stop counts as one");
    check!(stopped_on == cpus, "the thread was stepped on {stopped_on} of {cpus} CPUs");
    Ok(())
}

const TRACEE: usize = 2;
/// The tracee's entry.
static BREAK_AT: AtomicUsize = AtomicUsize::new(0);
static HITS: AtomicU64 = AtomicU64::new(0);
static WATCH_HITS: AtomicU64 = AtomicU64::new(0);
/// Stops at a place, an address or a moment that was not asked for.
static STRAY: AtomicU64 = AtomicU64::new(0);
/// What is watched: 4 bytes of 8.
static WATCHED: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

fn watched() -> usize {
    (&raw const WATCHED[1]).addr()
}

/// Context: exception.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn on_point(frame: &mut ExceptionFrame, stop: Stop) -> Then {
    match stop {
        Stop::Began => {}
        Stop::Breakpoint if frame.elr as usize == BREAK_AT.load(Ordering::Relaxed) => {
            HITS.fetch_add(1, Ordering::Relaxed);
        }
        // The store has not happened yet.
        Stop::Watchpoint(address)
            if address == watched() && WATCHED[1].load(Ordering::Relaxed) == WATCH_HITS.load(Ordering::Relaxed) =>
        {
            WATCH_HITS.fetch_add(1, Ordering::Relaxed);
        }
        _ => {
            STRAY.fetch_add(1, Ordering::Relaxed);
        }
    }
    Then::Go
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn set_points(_: &Visit) {
    let set = step::set_breakpoint(0, Some(BREAK_AT.load(Ordering::Relaxed)))
        .and(step::set_watchpoint(1, Some(Watch { address: watched(), bytes: 8, access: Access::Store })));
    STRAY.fetch_add(u64::from(set.is_err()), Ordering::Relaxed);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn clear_points(_: &Visit) {
    let cleared = step::set_breakpoint(0, None).and(step::set_watchpoint(1, None));
    STRAY.fetch_add(u64::from(cleared.is_err()), Ordering::Relaxed);
}

/// On each CPU: one call of the tracee, one store to the watched word, one to its neighbour, and loads.
fn touch() -> u64 {
    let mut sum = 0;
    for cpu in 0..sched::nr_cpus() {
        sched::set_affinity(sched::current(), 1 << cpu);
        while cpu::id() != cpu {
            sched::yield_now();
        }
        sum += tracees::call(TRACEE, 1) & 1;
        WATCHED[0].store(7, Ordering::Relaxed);
        WATCHED[1].store(WATCHED[1].load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
    sum
}

/// A breakpoint and a watchpoint stop the thread that is debugged, before the instruction, on every CPU; no other one.
pub(super) fn points(run: &mut Run) -> Outcome {
    static SUM: AtomicU64 = AtomicU64::new(0);
    for word in [&HITS, &WATCH_HITS, &STRAY, &SUM, &WATCHED[1]] {
        word.store(0, Ordering::Relaxed);
    }
    let refused = irqs::with_masked(|_| {
        let odd = Watch { address: watched() + 2, bytes: 4, access: Access::Any };
        (step::set_breakpoint(99, Some(4)), step::set_breakpoint(0, Some(6)), step::set_watchpoint(0, Some(odd)))
    });
    check!(matches!(refused.0, Err(PointError::NoSuchSlot { slots: 1.. })), "slot 99: {:?}", refused.0);
    check!(refused.1 == Err(PointError::Misaligned(6)), "a breakpoint at 6: {:?}", refused.1);
    check!(matches!(refused.2, Err(PointError::Misaligned(_))), "4 bytes at an odd word: {:?}", refused.2);
    BREAK_AT.store(tracees::entry(TRACEE), Ordering::Relaxed);
    sched::visit_every_cpu(set_points);
    let cpus = sched::nr_cpus() as u64;
    spawn("debugged", None, || SUM.store(step::debug(on_point, touch), Ordering::Relaxed))?.join();
    let hits = (HITS.load(Ordering::Relaxed), WATCH_HITS.load(Ordering::Relaxed));
    spawn("free", None, || {
        touch();
    })?
    .join();
    let hits_of_others = (HITS.load(Ordering::Relaxed) - hits.0, WATCH_HITS.load(Ordering::Relaxed) - hits.1);
    sched::visit_every_cpu(clear_points);
    run.note("breakpoint_hits", hits.0);
    run.note("watchpoint_hits", hits.1);
    check!(hits == (cpus, cpus), "{} breakpoint and {} watchpoint hits on {cpus} CPUs", hits.0, hits.1);
    check!(hits_of_others == (0, 0), "a thread that nobody debugs was stopped {hits_of_others:?} times");
    let stray = STRAY.load(Ordering::Relaxed);
    check!(stray == 0, "{stray} stops that nobody asked for");
    let stored = (SUM.load(Ordering::Relaxed), WATCHED[1].load(Ordering::Relaxed));
    check!(stored == (cpus, 2 * cpus), "the work was changed by its stops: {stored:?}");
    Ok(())
}
