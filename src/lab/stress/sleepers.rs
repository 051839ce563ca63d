//! Two dozen sleeping holders, where a func may sleep: for a third of the run they keep retired ops. Beside them, and before,
//! ops that nobody calls are swapped, which must not notice: the longest wait for one of those is the verdict's `unheld_max_us=`.

use super::updaters::{SLEPT_IN, UNHELD, make_batch};
use super::{FREED, TASKS, is_running};
use crate::ftrace::live;
use crate::ftrace::ops::{Ops, OpsBox};
use crate::ftrace::table::SiteId;
use crate::lab::oracle;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn, now_ns};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::hint::black_box;

/// Tasks that sleep in func, again and again.
const SLEEPERS: usize = 24;
/// How long a call sleeps, and how often its ops is swapped meanwhile.
const SLEEP_NS: u64 = 100_000_000;
const SWAP_NS: u64 = 20_000_000;
/// Between two swaps of what nobody calls.
const REST_NS: u64 = 2_000_000;

/// Ops that were registered here first, in nobody's place.
static NR_FIRST: AtomicU64 = AtomicU64::new(0);
/// Tasks that are inside, and the most that were at once.
static INSIDE: AtomicUsize = AtomicUsize::new(0);
static MOST_INSIDE: AtomicUsize = AtomicUsize::new(0);
/// The longest that an updater waited, behind its swap, for an ops that nobody held.
static UNHELD_MAX_NS: AtomicU64 = AtomicU64::new(0);

/// What the sleepers call.
#[inline(never)]
fn slept_in() {
    black_box(1);
}

/// What nobody calls.
#[inline(never)]
fn uncalled() {
    black_box(2);
}

fn sites(function: fn()) -> Vec<SiteId> {
    vec![live::site_at(function as *const () as usize).expect("a function with a callsite")]
}

/// The longest wait so far. Context: any.
pub(super) fn unheld_max_us() -> u64 {
    UNHELD_MAX_NS.load(Ordering::Relaxed) / 1000
}

/// How many ops were registered in nobody's place. Context: any.
pub(super) fn nr_first() -> u64 {
    NR_FIRST.load(Ordering::Relaxed)
}

/// How many slept in func at once, and how many can. Context: any.
pub(super) fn most_inside() -> (usize, usize) {
    (MOST_INSIDE.load(Ordering::Relaxed), if rcu::lets_funcs_block() { SLEEPERS } else { 0 })
}

/// Starts to swap what nobody calls.
pub(super) fn start_unheld() -> JoinHandle {
    UNHELD_MAX_NS.store(0, Ordering::Relaxed);
    NR_FIRST.store(0, Ordering::Relaxed);
    MOST_INSIDE.store(0, Ordering::Relaxed);
    spawn("unheld", Class::High, swap_unheld) // of the high class, so that it waits for no turn
}

/// Starts the sleepers, where a func may sleep, and to swap what they are inside of.
pub(super) fn start() -> Vec<JoinHandle> {
    if !rcu::lets_funcs_block() {
        return Vec::new();
    }
    let sleepers = (0..SLEEPERS).map(|_| spawn("sleeper", Class::Normal, sleep));
    core::iter::once(spawn("slept in", Class::Normal, swap_slept_in)).chain(sleepers).collect()
}

fn spawn(name: &str, class: Class, work: fn()) -> JoinHandle {
    TASKS.fetch_add(1, Ordering::Relaxed);
    let what = Spawn { name, class, cpu: None };
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("stress: {error}"))
}

fn sleep() {
    while is_running() {
        MOST_INSIDE.fetch_max(INSIDE.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        slept_in();
        INSIDE.fetch_sub(1, Ordering::Relaxed);
        sched::sleep(REST_NS);
    }
}

/// Swaps what the sleepers are inside of: some of them hold each that is retired.
fn swap_slept_in() {
    let make = || {
        let ops = make_batch(SLEPT_IN, 1).pop().expect("memory for one ops");
        oracle::sleep_in(ops.private, SLEEP_NS);
        ops
    };
    roll(make, slept_in, SWAP_NS, |gone| {
        rcu::call(gone, |gone| {
            oracle::bury(gone);
            FREED.fetch_add(1, Ordering::Relaxed);
        });
    });
}

fn swap_unheld() {
    let make = || make_batch(UNHELD, 1).pop().expect("memory for one ops");
    roll(make, uncalled, REST_NS, |gone| {
        let begin_ns = now_ns();
        let elapsed = rcu::synchronize_for(&gone);
        UNHELD_MAX_NS.fetch_max(now_ns() - begin_ns, Ordering::Relaxed);
        oracle::bury_elapsed(gone, elapsed);
        FREED.fetch_add(1, Ordering::Relaxed);
    });
}

/// Swaps the ops on `function` until the run ends, and hands over what is retired.
fn roll(make: impl Fn() -> OpsBox, function: fn(), every_ns: u64, free: impl Fn(live::Gone)) {
    let first = make();
    let mut slot = first.private;
    let mut current: *const Ops =
        live::register_at(first, sites(function)).unwrap_or_else(|error| panic!("stress: {error}"));
    NR_FIRST.fetch_add(1, Ordering::Relaxed);
    while is_running() {
        sched::sleep(every_ns);
        let new = make();
        let (address, number) = (new.address(), new.private);
        let gone = live::swap(current, new).unwrap_or_else(|error| panic!("stress: {error}"));
        oracle::note_retired(core::mem::replace(&mut slot, number));
        current = address;
        sched::note_in_schedule(number);
        free(gone.expect("it is registered"));
    }
    let gone = live::unregister(current).expect("it is registered");
    oracle::note_retired(slot);
    free(gone);
}
