//! `overlap`: an ops that nobody holds is retired and freed, while tasks sleep in the funcs of other retired ops.
//!
//! Each sleeper stands in the func of an ops of its own, which was retired behind it. Where a func may not sleep there is no row;
//! where the ops is not free before the sleepers leave, the row says `stalled=1`.

use super::{Bencher, SAMPLES, Sample, now, settle, traced};
use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live;
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

/// Prints the rows.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine) {
    AWAKE.store(false, Ordering::Relaxed);
    NR_INSIDE.store(0, Ordering::Relaxed);
    let mut sleepers: Vec<JoinHandle> = Vec::new();
    for holders in HOLDERS {
        let more = holders.saturating_sub(sleepers.len()).min(room_for_tasks());
        (0..more).for_each(|_| sleepers.push(start()));
        settle();
        let mut is_stalled = false;
        let mut samples = Vec::with_capacity(SAMPLES);
        while samples.len() < SAMPLES && !is_stalled {
            let (sample, has_ended) = sample();
            samples.push(sample);
            is_stalled = !has_ended;
        }
        bencher.print(BenchLine { holders: Some(sleepers.len() as u64), is_stalled, ..base }, &samples);
        if is_stalled {
            break;
        }
    }
    AWAKE.store(true, Ordering::Relaxed);
    SLEEPERS.wake_all();
    sleepers.into_iter().for_each(JoinHandle::join);
    rcu::barrier();
    settle();
}

/// Starts a sleeper, and retires the ops under it.
fn start() -> JoinHandle {
    let ops = live::register_at(OpsBox::new("slept in", func, 0), traced(hold as *const () as usize));
    let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
    let inside = NR_INSIDE.load(Ordering::Relaxed);
    let what = Spawn { name: "sleeper", class: Class::Normal, cpu: None };
    let sleeper = sched::spawn(what, Box::new(hold)).unwrap_or_else(|error| panic!("bench: {error}"));
    ENTERED.wait_until(|| NR_INSIDE.load(Ordering::Relaxed) > inside);
    rcu::call(live::unregister(ops).expect("registered above"), drop);
    sleeper
}

/// From the request to take an ops off to its proof, and whether that came while the sleepers slept.
fn sample() -> (Sample, bool) {
    let ops = live::register_at(nop::empty(), traced(probe as *const () as usize));
    let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
    let start = now();
    let gone = live::unregister(ops).expect("registered above");
    let patience = sched::Patience::of(GIVE_UP_NS);
    while gone.poll().is_none() && !patience.is_over() {
        sched::yield_now();
    }
    let sample = now().since(start);
    let has_ended = gone.poll().is_some();
    rcu::call(gone, drop);
    (sample, has_ended)
}
