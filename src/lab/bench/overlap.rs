//! `overlap`: an ops that nobody holds is retired and freed, while tasks sleep in the funcs of other retired ops.
//!
//! Each sleeper stands in the func of an ops of its own, which was retired behind it. Where a func may not sleep there is no row;
//! where the ops is not free before the sleepers leave, the row says `stalled=1`.
//!
//! Where ops are told apart there are two rows more beside all sleepers. `leaves=1`: from the moment when one more sleeper is let go
//! until its own ops is free, which is the last of those that are judged again. `waiters=`: as the first rows, while a task waits for
//! each ops that is held.

use super::{Bencher, SAMPLES, Sample, now, settle, traced};
use crate::arch::site::{Func, OpsHeader, Regs};
use crate::ftrace::live::{self, Gone};
use crate::ftrace::ops::OpsBox;
use crate::lab::report::BenchLine;
use crate::lab::selftest::room_for_tasks;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::tracers::nop;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hint::black_box;

/// Sleeping holders beside which it is measured.
pub(super) const HOLDERS: [usize; 3] = [0, 1, 1_000];
/// An ops that is not free by then waits for the sleepers.
const GIVE_UP_NS: u64 = 20_000_000;

static AWAKE: AtomicBool = AtomicBool::new(false);
static SLEEPERS: WaitQueue = WaitQueue::new();
/// Calls of func that have begun.
static NR_INSIDE: AtomicUsize = AtomicUsize::new(0);
static ENTERED: WaitQueue = WaitQueue::new();
/// One that leaves before the others.
static MAY_LEAVE: AtomicBool = AtomicBool::new(false);
static LEAVER: WaitQueue = WaitQueue::new();

/// The traced function of the sleepers.
#[inline(never)]
fn hold() {
    black_box(11);
}

/// The traced function that nobody calls. Its body differs: equal ones would be one function.
#[inline(never)]
fn probe() {
    black_box(12);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    NR_INSIDE.fetch_add(1, Ordering::Relaxed);
    ENTERED.wake_all();
    SLEEPERS.wait_until(|| AWAKE.load(Ordering::Relaxed));
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn until_it_may_leave(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    NR_INSIDE.fetch_add(1, Ordering::Relaxed);
    ENTERED.wake_all();
    LEAVER.wait_until(|| MAY_LEAVE.load(Ordering::Relaxed));
}

/// Prints the rows.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine) {
    AWAKE.store(false, Ordering::Relaxed);
    NR_INSIDE.store(0, Ordering::Relaxed);
    let (mut tasks, mut held) = (Vec::new(), Vec::new());
    for holders in HOLDERS {
        let more = holders.saturating_sub(tasks.len()).min(room_for_tasks());
        for _ in 0..more {
            let (task, gone) = start(func);
            tasks.push(task);
            held.push(gone);
        }
        if row(bencher, BenchLine { holders: Some(tasks.len() as u64), ..base }, sample) {
            break;
        }
    }
    if rcu::tells_ops_apart() {
        let base = BenchLine { holders: Some(tasks.len() as u64), ..base };
        row(bencher, BenchLine { leaves: Some(1), ..base }, leave);
        let more = tasks.len().min(room_for_tasks());
        tasks.extend(held.drain(..more).map(|gone| spawn("waiter", move || wait_for(gone))));
        row(bencher, BenchLine { waiters: Some(more as u64), ..base }, sample);
    }
    AWAKE.store(true, Ordering::Relaxed);
    SLEEPERS.wake_all();
    held.into_iter().for_each(|gone| rcu::call(gone, drop));
    tasks.into_iter().for_each(JoinHandle::join);
    rcu::barrier();
    settle();
}

/// Prints a row; says whether the ops was not free in time.
fn row(bencher: &mut Bencher, line: BenchLine, sample: fn() -> (Sample, bool)) -> bool {
    settle();
    let mut is_stalled = false;
    let mut samples = Vec::with_capacity(SAMPLES);
    while samples.len() < SAMPLES && !is_stalled {
        let (sample, has_ended) = sample();
        samples.push(sample);
        is_stalled = !has_ended;
    }
    bencher.print(BenchLine { is_stalled, ..line }, &samples);
    is_stalled
}

fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> JoinHandle {
    let what = Spawn { name, class: Class::Normal, cpu: None };
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("bench: {error}"))
}

/// Starts a sleeper, and retires the ops under it.
fn start(func: Func) -> (JoinHandle, Gone) {
    let ops = live::register_at(OpsBox::new("slept in", func, 0), traced(hold as *const () as usize));
    let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
    let inside = NR_INSIDE.load(Ordering::Relaxed);
    let sleeper = spawn("sleeper", hold);
    ENTERED.wait_until(|| NR_INSIDE.load(Ordering::Relaxed) > inside);
    (sleeper, live::unregister(ops).expect("registered above"))
}

/// A waiter's work.
fn wait_for(gone: Gone) {
    let elapsed = rcu::synchronize_for(&gone);
    drop(gone.reclaim(elapsed).expect("the proof is its own"));
}

/// Waits until it is free; says whether it is in time.
fn is_free_in_time(gone: &Gone) -> bool {
    let patience = sched::Patience::of(GIVE_UP_NS);
    while gone.poll().is_none() && !patience.is_over() {
        sched::yield_now();
    }
    gone.poll().is_some()
}

/// From the request to take an ops off to its proof, and whether that came while the sleepers slept.
fn sample() -> (Sample, bool) {
    let ops = live::register_at(nop::empty(), traced(probe as *const () as usize));
    let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
    let start = now();
    let gone = live::unregister(ops).expect("registered above");
    let has_ended = is_free_in_time(&gone);
    let sample = now().since(start);
    rcu::call(gone, drop);
    (sample, has_ended)
}

/// From the moment when a sleeper is let go until its ops is free.
fn leave() -> (Sample, bool) {
    MAY_LEAVE.store(false, Ordering::Relaxed);
    let (task, gone) = start(until_it_may_leave);
    settle();
    let start = now();
    MAY_LEAVE.store(true, Ordering::Relaxed);
    LEAVER.wake_all();
    let has_ended = is_free_in_time(&gone);
    let sample = now().since(start);
    rcu::call(gone, drop);
    task.join();
    (sample, has_ended)
}
