//! `stress`: ops swaps under load, judged by the oracle.
//!
//! Tracee tasks call traced functions, sleep, exit and are replaced. Updaters roll the ops of their *lane* (a set of
//! callsites; where lanes overlap, callsites have fan-outs). Chaos tasks, one per CPU and of the high class, preempt,
//! migrate, and send storms of SGIs whose handlers and softirqs call traced functions too. For a third of the time
//! every callsite of the kernel is traced as well; for another, two dozen tasks sleep in func where that is allowed. What random load meets seldom is shown by itself, before the load (from five
//! seconds on: it takes its time) or behind it.
//!
//! All choices come from the seed: which callsites, sleeps, moves and storms; how far ticks are off, and so how long turns are;
//! and where tasks, funcs and updaters execute a YIELD. On an exact machine CPUs take turns, and a turn ends at a YIELD: there
//! another seed is another interleaving of the CPUs, and the verdict's `schedule=` says which runs took the same way.

mod held;
mod in_trampoline;
mod load;
mod moved;
mod promises;
mod redirect;
mod sleepers;
mod stall;
mod updaters;
mod verdict;

pub use verdict::note_exact;

use super::oracle::{self, COVERAGE, Property, violation};
use super::tracees;
use crate::arch::exit;
use crate::ftrace::filter::Filter;
use crate::ftrace::live;
use crate::ftrace::ops::MOST_OPS_PER_SITE;
use crate::irq::serial;
use crate::platform::BootArgs;
use crate::sched::{self, Class, Spawn};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::tracers::count;
use crate::{println, rcu};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use core::fmt::Write;

/// A retired ops that waits for longer than this, while every CPU runs, makes no progress: P5.
const PROGRESS_LIMIT_NS: u64 = 20_000_000_000;
const SECOND_NS: u64 = 1_000_000_000;
const SLICE_NS: u64 = SECOND_NS / 10;

/// The state of the one run.
static RUNNING: AtomicBool = AtomicBool::new(false);
static WATCHING: AtomicBool = AtomicBool::new(false);
static SEED: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);
static TASKS: AtomicU64 = AtomicU64::new(0);
/// Tracee tasks that have not ended.
static ALIVE: AtomicUsize = AtomicUsize::new(0);

fn is_running() -> bool {
    RUNNING.load(Ordering::Relaxed)
}

/// A seed of its own for each task, from the run's.
fn seed_of(what: u64) -> u64 {
    SEED.load(Ordering::Relaxed) ^ what.wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// Runs stress as `args` say and returns the exit status. Context: task.
pub fn run(args: &BootArgs<'_>) -> u8 {
    if let Some(why) = refusal() {
        println!("stress: {why}");
        return exit::STATUS_REFUSED;
    }
    let seed = args.seed.unwrap_or_else(crate::arch::timer::count);
    verdict::plan(args, seed);
    oracle::begin(verdict::on_violation);
    for counter in [
        &FREED,
        &TASKS,
        &COVERAGE.calls,
        &COVERAGE.preempted,
        &COVERAGE.migrated,
        &COVERAGE.in_irq,
        &COVERAGE.exiting,
        &COVERAGE.slept,
    ] {
        counter.store(0, Ordering::Relaxed);
    }
    redirect::scenario();
    for passes in &tracees::PASSES {
        passes.store(0, Ordering::Relaxed);
    }
    SEED.store(seed, Ordering::Relaxed);
    sched::begin_schedule();
    sched::jitter(Some(seed));
    COVERAGE.dice.store(seed as u32, Ordering::Relaxed);
    if args.secs >= verdict::COVERAGE_FROM_SECS {
        stall::scenario();
        stall::yielder();
        moved::scenario();
    }

    let lanes = updaters::open_lanes();
    RUNNING.store(true, Ordering::Relaxed);
    WATCHING.store(true, Ordering::Relaxed);
    let what = Spawn { name: "progress", class: Class::High, cpu: None };
    let watcher = sched::spawn(what, Box::new(watch_progress)).unwrap_or_else(|error| panic!("stress: {error}"));
    let load = load::start();
    let updaters = updaters::start(lanes);
    let churn = updaters::start_churn();
    let unheld = sleepers::start_unheld();
    let third = u64::from(args.secs) * SECOND_NS / 3;
    go_on_for(third);
    if !serial::is_interrupted() {
        let everything = trace_everything();
        go_on_for(third);
        untrace(everything);
    }
    let sleepers = sleepers::start();
    go_on_for(third);

    RUNNING.store(false, Ordering::Relaxed);
    load::stop(load);
    // Storms that were sent have been taken when every CPU has answered this.
    sched::synchronise_every_cpu();
    let lanes = updaters::stop(updaters);
    churn.join();
    sleepers.into_iter().chain([unheld]).for_each(sched::JoinHandle::join);
    rcu::barrier();
    updaters::close_lanes(lanes);
    if !serial::is_interrupted() {
        held::scenario();
        in_trampoline::scenario();
        promises::scenario();
    }
    WATCHING.store(false, Ordering::Relaxed);
    watcher.join();
    sched::jitter(None);
    oracle::end();
    verdict::conclude(args.secs)
}

/// The most ops that a run has on one callsite at once: of three lanes, of the churn, and the one that is everywhere.
const MOST_OWN: usize = 5;

/// Why a run cannot begin, beside what is registered already: each ops that it makes must find room.
fn refusal() -> Option<String> {
    if let Err(error) = live::check_room() {
        return Some(error.to_string());
    }
    let most = MOST_OPS_PER_SITE - MOST_OWN;
    live::with_registry(|registry| {
        let of = |(site, _)| (registry.nr_ops_of(site), registry.table().symbol(site));
        let (nr, symbol) = registry.table().traceable().map(of).find(|&(nr, _)| nr > most)?;
        let name = symbol.map_or("?", |symbol| symbol.name);
        Some(alloc::format!(
            "{name} has {nr} ops; beside those of a run there is room for {most}: switch some off first"
        ))
    })
}

/// Lets the load go on for so long, or until Ctrl-C, in slices: a host that stops the guest cuts one of them short, and not the
/// run, which is judged by what it met.
fn go_on_for(ns: u64) {
    for _ in 0..ns / SLICE_NS {
        serial::sleep(SLICE_NS);
        verdict::tell_progress();
    }
    serial::sleep(ns % SLICE_NS);
}

/// Looks for grace periods that do not end (P5), until the run has ended: whatever it waits for, this does not.
fn watch_progress() {
    while WATCHING.load(Ordering::Relaxed) {
        sched::sleep(SLICE_NS);
        for number in 0..oracle::SLOTS {
            if oracle::waits_for_ns(number).is_some_and(|waited_ns| waited_ns > PROGRESS_LIMIT_NS) {
                violation(Property::Progress, Some(number), 0, "retired 20 s ago and not reclaimed");
            }
        }
    }
}

/// Traces every callsite of the kernel with a counting ops.
fn trace_everything() -> *const crate::ftrace::ops::Ops {
    let all = Filter::parse("*").expect("a star is a glob");
    match live::register(count::counter("everything"), &all) {
        Ok(ops) => ops,
        Err(error) => panic!("stress: cannot trace everything: {error}"),
    }
}

fn untrace(ops: *const crate::ftrace::ops::Ops) {
    let gone = live::unregister(ops).expect("registered by trace_everything");
    let elapsed = rcu::synchronize_for(&gone);
    match gone.reclaim(elapsed) {
        Ok(everything) => {
            let hits = everything.ops.hits.load(Ordering::Relaxed);
            println!("every callsite traced: {} callsites, {hits} hits", everything.sites().len());
        }
        Err(_) => panic!("the proof is its own"),
    }
}

/// P6 of one lane: every pass is a call or a counted skip.
fn check_loss(lane: usize, passes: u64, calls: u64, skipped: u64) {
    if passes != calls + skipped {
        let mut what = heapless::String::<160>::new();
        // Fits.
        let _ = write!(what, "lane {lane}: {passes} passes, but {calls} calls and {skipped} recursion skips");
        violation(Property::NoLoss, None, 0, &what);
    }
}
