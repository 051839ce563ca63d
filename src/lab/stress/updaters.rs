//! The updaters: each rolls the ops of its lane, and frees what it retired, itself or by a callback.

use super::{FREED, TASKS, check_loss, is_running, seed_of};
use crate::arch::relax::relax;
use crate::ftrace::live::{self, Gone, Grave};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::ftrace::registry::Registration;
use crate::ftrace::table::SiteId;
use crate::lab::oracle::{self, Epilogue, Property, Text, violation};
use crate::lab::tracees;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Mutex, Spawn, now_ns};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::tracers::count;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt::Write;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Lanes, and in their order the tracees of each. They overlap: callsites with one, two and three ops.
pub(super) const LANES: usize = 4;
const TRACEES_OF: [&[usize]; LANES] = [&[0, 2, 4, 6], &[0, 1, 5, 6], &[0, 1, 2, 3, 4, 5, 6, 7], &[]];
/// The lane whose callsite is in the exit path: run by tasks that are off the task list. Its passes are not counted.
pub(super) const EXIT_LANE: usize = 3;
const EXIT_FUNCTION: &str = "holdout::sched::tasks::last_words";
/// No lanes: numbers of names for what [`super::sleepers`] swaps.
pub(super) const SLEPT_IN: usize = 4;
pub(super) const UNHELD: usize = 5;
const NAMES: [&str; LANES + 2] = ["lane0", "lane1", "lane2", "exit", "slept in", "unheld"];
/// Retired ops that an updater lets wait at most before it waits itself.
const MOST_WAITING: u64 = 200;
/// Ops that are made at once: the first of them has text of its own, which a round publishes.
const BATCH: usize = 8;
const MOST_SAMPLES: usize = 8192;

/// What a lane's dead ops have counted.
struct Totals {
    calls: AtomicU64,
    skipped: AtomicU64,
    waiting: AtomicU64,
}

static TOTALS: [Totals; LANES] =
    [const { Totals { calls: AtomicU64::new(0), skipped: AtomicU64::new(0), waiting: AtomicU64::new(0) } }; LANES];

/// Durations of grace periods that updaters waited for, in nanoseconds.
pub(super) static WAITS: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// A lane and the ops that its callsites have now.
pub(super) struct Lane {
    number: usize,
    current: *const Ops,
    /// The oracle's slot of `current`.
    slot: usize,
}

// SAFETY: the pointer is a name for the registry; it is not followed.
unsafe impl Send for Lane {}

/// Ops whose funcs every CPU may run.
pub(super) fn make_batch(lane: usize, count: usize) -> Vec<OpsBox> {
    let text = |number| if number == 0 { Text::Own } else { Text::Shared };
    let made = (0..count).map_while(|number| oracle::new_ops(NAMES[lane], text(number)).ok()).collect();
    // New text: every CPU synchronises its context before a literal names it (O3).
    sched::synchronise_every_cpu();
    made
}

pub(super) fn sites_of(lane: usize) -> Vec<SiteId> {
    if lane == EXIT_LANE {
        let filter = crate::ftrace::filter::Filter::parse(EXIT_FUNCTION).expect("a path is a filter");
        return live::with_registry(|registry| live::matching(registry.table(), &filter).collect());
    }
    tracees::sites(TRACEES_OF[lane].iter().copied())
}

/// Registers the first ops of every lane, while nothing calls its tracees.
pub(super) fn open_lanes() -> Vec<Lane> {
    WAITS.lock().clear();
    (0..LANES)
        .map(|number| {
            for total in [&TOTALS[number].calls, &TOTALS[number].skipped, &TOTALS[number].waiting] {
                total.store(0, Ordering::Relaxed);
            }
            let first = make_batch(number, 1).pop().expect("memory for one ops");
            let slot = first.private;
            let current = live::register_at(first, sites_of(number)).unwrap_or_else(|error| panic!("stress: {error}"));
            Lane { number, current, slot }
        })
        .collect()
}

/// One task per lane; it gives the lane back when it ends.
pub(super) fn start(lanes: Vec<Lane>) -> Vec<(JoinHandle, &'static Mutex<Option<Lane>>)> {
    static BACK: [Mutex<Option<Lane>>; LANES] = [const { Mutex::new(None) }; LANES];
    lanes
        .into_iter()
        .map(|lane| {
            TASKS.fetch_add(1, Ordering::Relaxed);
            let back = &BACK[lane.number];
            let what = Spawn { name: NAMES[lane.number], class: Class::Normal, cpu: None };
            let work = move || *back.lock() = Some(roll(lane));
            (sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("stress: {error}")), back)
        })
        .collect()
}

/// Registers and unregisters a counting ops on changing callsites of the tracees, beside the lanes: sets and fan-out
/// nodes come and go. Ends with the run.
pub(super) fn start_churn() -> JoinHandle {
    TASKS.fetch_add(1, Ordering::Relaxed);
    let what = Spawn { name: "churn", class: Class::Normal, cpu: None };
    sched::spawn(what, Box::new(churn)).unwrap_or_else(|error| panic!("stress: {error}"))
}

fn churn() {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed_of(0xc4));
    while is_running() {
        let chosen = random.next_u32() | 1;
        let sites = tracees::sites((0..tracees::COUNT).filter(|number| chosen >> number & 1 == 1));
        let ops = live::register_at(count::counter("churn"), sites).unwrap_or_else(|error| panic!("stress: {error}"));
        sched::sleep(u64::from(2000 + random.next_u32() % 8000) * 1000);
        let gone = live::unregister(ops).expect("registered above");
        rcu::call(gone, drop);
    }
}

/// Waits for the updaters.
pub(super) fn stop(updaters: Vec<(JoinHandle, &'static Mutex<Option<Lane>>)>) -> Vec<Lane> {
    updaters
        .into_iter()
        .filter_map(|(handle, back)| {
            handle.join();
            back.lock().take()
        })
        .collect()
}

/// An updater's work.
fn roll(mut lane: Lane) -> Lane {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed_of(0x01a9e << 32 | lane.number as u64));
    let waiting = &TOTALS[lane.number].waiting;
    while is_running() {
        for new in make_batch(lane.number, BATCH) {
            let (address, slot) = (new.address(), new.private);
            let gone = live::swap(lane.current, new).unwrap_or_else(|error| panic!("stress: {error}"));
            lane.current = address;
            let dice = random.next_u32();
            if dice & 3 == 0 {
                relax(); // between the store and the wait for it, others go on
            }
            sched::note_in_schedule(slot);
            oracle::note_retired(core::mem::replace(&mut lane.slot, slot));
            let Some(gone) = gone else { panic!("stress: the ops of lane {} is not registered", lane.number) };
            waiting.fetch_add(1, Ordering::Relaxed);
            free(lane.number, gone, dice >> 2);
        }
        if waiting.load(Ordering::Relaxed) > MOST_WAITING {
            rcu::barrier();
        }
        sched::cond_resched();
    }
    lane
}

/// Frees a retired ops after its grace period: waits for it one time in sixteen, else leaves it to a callback.
fn free(lane: usize, gone: Gone, dice: u32) {
    if !dice.is_multiple_of(16) {
        rcu::call(gone, CALLBACKS[lane]);
        return;
    }
    let start = now_ns();
    let elapsed = rcu::synchronize_for(&gone);
    let mut waits = WAITS.lock();
    if waits.len() < MOST_SAMPLES {
        waits.push(now_ns() - start);
    }
    drop(waits);
    tally(lane, oracle::bury_elapsed(gone, elapsed));
}

/// One callback per lane: a callback gets nothing but the object.
const CALLBACKS: [fn(Box<Registration<Grave>>); LANES] = [
    |gone| tally(0, oracle::bury(gone)),
    |gone| tally(1, oracle::bury(gone)),
    |gone| tally(2, oracle::bury(gone)),
    |gone| tally(3, oracle::bury(gone)),
];

fn tally(lane: usize, epilogue: Epilogue) {
    let totals = &TOTALS[lane];
    totals.calls.fetch_add(epilogue.calls, Ordering::Relaxed);
    totals.skipped.fetch_add(epilogue.skipped, Ordering::Relaxed);
    totals.waiting.fetch_sub(1, Ordering::Relaxed);
    FREED.fetch_add(1, Ordering::Relaxed);
}

/// Takes the last ops of every lane off, frees it, and checks that no call was lost (P6). Nothing calls tracees.
pub(super) fn close_lanes(lanes: Vec<Lane>) {
    for lane in lanes {
        let gone = live::unregister(lane.current).expect("the lane's ops is registered");
        let elapsed = rcu::synchronize_for(&gone);
        TOTALS[lane.number].waiting.fetch_add(1, Ordering::Relaxed);
        tally(lane.number, oracle::bury_elapsed(gone, elapsed));
        let totals = &TOTALS[lane.number];
        let left = totals.waiting.load(Ordering::Relaxed);
        if left != 0 {
            let mut what = heapless::String::<64>::new();
            // Fits.
            let _ = write!(what, "lane {}: {left} retired ops were not freed", lane.number);
            violation(Property::Progress, None, 0, &what);
        }
        if lane.number != EXIT_LANE {
            let passes = tracees::passes(TRACEES_OF[lane.number].iter().copied());
            check_loss(
                lane.number,
                passes,
                totals.calls.load(Ordering::Relaxed),
                totals.skipped.load(Ordering::Relaxed),
            );
        }
    }
}
