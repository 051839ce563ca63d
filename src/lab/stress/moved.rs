//! A task that is moved to another CPU while it is queued goes on there, although both CPUs are busy; one that is
//! boosted has half of its CPU, however many want that, until it is taken back. A preempted holder that nobody runs would hold its ops for ever (P5).

use crate::lab::oracle::{Property, violation};
use crate::println;
use crate::sched::preemption::{model, preempts};
use crate::sched::{self, Class, JoinHandle, Patience, Spawn, TICK_NS, Task};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use alloc::boxed::Box;

const MOVES: usize = 8;
const PATIENCE_NS: u64 = 5_000_000_000;
/// Ticks of the CPU in a window, and how many of them a boosted task has at least: half but for what a look may miss at either end.
/// Of three that take turns one has 16.
const WINDOW_TICKS: u64 = 48;
const LEAST_TICKS: u64 = 20;
static RUNNING: AtomicBool = AtomicBool::new(false);
static ROUNDS: AtomicU64 = AtomicU64::new(0);
/// Rounds of the spinner of CPU 0.
static BUSY: AtomicU64 = AtomicU64::new(0);

fn start(name: &str, cpu: usize, work: fn()) -> JoinHandle {
    let what = Spawn { name, class: Class::Normal, cpu: Some(cpu) };
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("stress: {error}"))
}

fn spin() {
    while RUNNING.load(Ordering::Relaxed) {
        core::hint::spin_loop();
    }
}

fn spin_and_count() {
    while RUNNING.load(Ordering::Relaxed) {
        BUSY.fetch_add(1, Ordering::Relaxed);
        core::hint::spin_loop();
    }
}

fn count() {
    while RUNNING.load(Ordering::Relaxed) {
        ROUNDS.fetch_add(1, Ordering::Relaxed);
        core::hint::spin_loop();
    }
}

/// Moves a task to and fro between two busy CPUs. Context: task.
pub(super) fn scenario() {
    if sched::nr_cpus() < 2 || !preempts(model()) {
        return; // without a second CPU, or preemption, nobody is queued behind a spinner
    }
    RUNNING.store(true, Ordering::Relaxed);
    let spinners = [start("busy", 0, spin_and_count), start("busy", 0, spin), start("busy", 1, spin)];
    let moved = start("moved", 0, count);
    for number in 0..MOVES {
        sched::set_affinity(moved.task(), 1 << (1 - number % 2));
        await_progress(moved.task(), 1 - number % 2);
    }
    await_boost(moved.task());
    RUNNING.store(false, Ordering::Relaxed);
    spinners.into_iter().chain([moved]).for_each(JoinHandle::join);
    println!("a queued task was moved {MOVES} times between two busy CPUs, and went on each time");
}

/// Boosts `task`, which shares CPU 0 with two spinners: it must have as much as both, and they the rest.
fn await_boost(task: &Task) {
    // This one would be a third.
    sched::set_affinity(sched::current(), 1 << 1);
    sched::lend(task);
    let patience = Patience::of(PATIENCE_NS);
    loop {
        let (busy, had, begin) =
            (BUSY.load(Ordering::Relaxed), task.ticks_run.load(Ordering::Relaxed), sched::ticks(0));
        while sched::ticks(0) < begin + WINDOW_TICKS {
            sched::sleep(TICK_NS);
        }
        let (had, passed) = (task.ticks_run.load(Ordering::Relaxed) - had, sched::ticks(0) - begin);
        let is_half = had * WINDOW_TICKS >= LEAST_TICKS * passed;
        if is_half && had < passed && BUSY.load(Ordering::Relaxed) != busy {
            break;
        }
        if patience.is_over() {
            violation(Property::Progress, None, 0, "a boosted task does not have half of its CPU, or has all of it");
        }
    }
    sched::unboost(task);
    await_both(patience);
    sched::set_affinity(sched::current(), u32::MAX);
}

/// Without the boost the two take turns again.
fn await_both(patience: Patience) {
    let (busy, rounds) = (BUSY.load(Ordering::Relaxed), ROUNDS.load(Ordering::Relaxed));
    while BUSY.load(Ordering::Relaxed) == busy || ROUNDS.load(Ordering::Relaxed) == rounds {
        if patience.is_over() {
            violation(Property::Progress, None, 0, "a task whose boost was taken back does not share its CPU");
        }
        sched::sleep(TICK_NS);
    }
}

fn await_progress(task: &Task, cpu: usize) {
    let (rounds, patience) = (ROUNDS.load(Ordering::Relaxed), Patience::of(PATIENCE_NS));
    while ROUNDS.load(Ordering::Relaxed) < rounds + 2 || task.cpu() != cpu {
        if patience.is_over() {
            violation(Property::Progress, None, 0, "a task that was moved to another CPU does not run there");
        }
        sched::sleep(1_000_000);
    }
}
