//! `gp` with holders: tasks that were preempted inside a func of the retired ops, and that nobody lets run until the
//! grace period waits for them. Measured from the moment when the last one has left the func; `walk=` is what came
//! before: instructions from the request until the first holder runs, in which the grace-period task looks for them.
//!
//! This task is of the high class and stays on one CPU with the holders. Each is boosted until it is inside; there it
//! falls back to its own class and wakes this task, which takes the CPU from it within func. Where nobody can be
//! preempted there, there is no row; where the grace period ends while they are inside, it says `early=1`, and what they
//! hold is freed only once they have left.

use super::{Bencher, SAMPLES, Sample, now, nr_rounds, traced};
use crate::arch::cpu;
use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live;
use crate::ftrace::ops::OpsBox;
use crate::lab::report::BenchLine;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::preempt;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hint::black_box;

/// Tasks inside func at once.
const HOLDERS: usize = 100;

/// Calls of func that have begun, and that are about to end.
static NR_ENTERED: AtomicUsize = AtomicUsize::new(0);
static NR_LEFT: AtomicUsize = AtomicUsize::new(0);
/// This task waits here for the next holder.
static GATE: WaitQueue = WaitQueue::new();
/// Holders sleep here once they have left: their end is not to be measured.
static DISMISSED: WaitQueue = WaitQueue::new();
static IS_DISMISSED: AtomicBool = AtomicBool::new(false);
/// When the first holder went on, and when the last one left.
static FIRST: Moment = Moment::new();
static LAST: Moment = Moment::new();

/// A [`Sample`] that funcs can store.
struct Moment {
    insns: AtomicU64,
    ns: AtomicU64,
}

impl Moment {
    const fn new() -> Self {
        Self { insns: AtomicU64::new(0), ns: AtomicU64::new(0) }
    }

    #[inline(always)]
    fn is_now(&self) {
        let now = now();
        self.insns.store(now.insns, Ordering::Relaxed);
        self.ns.store(now.ns, Ordering::Relaxed);
    }

    fn get(&self) -> Sample {
        Sample { insns: self.insns.load(Ordering::Relaxed), ns: self.ns.load(Ordering::Relaxed) }
    }
}

/// The traced function.
#[inline(never)]
fn hold() {
    black_box(());
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    NR_ENTERED.fetch_add(1, Ordering::Relaxed);
    {
        // A tick in between would let a task run that is inside already.
        let _pinned = preempt::disable();
        sched::unboost(sched::current());
        GATE.wake_all();
    } // preempted here
    if NR_LEFT.fetch_add(1, Ordering::Relaxed) == 0 {
        FIRST.is_now();
    }
    LAST.is_now();
}

/// One measurement.
struct Held {
    sample: Sample,
    /// Not there if the grace period had ended before.
    walk: Option<u64>,
}

/// Prints the row, if there can be one.
pub(super) fn row(bencher: &mut Bencher, base: BenchLine) {
    sched::boost(sched::current());
    sched::set_affinity(sched::current(), 1 << cpu::id());
    let rounds = nr_rounds();
    let found: Vec<Held> = (0..SAMPLES).map_while(|_| sample()).collect();
    let rounds = (nr_rounds() - rounds) / found.len().max(1) as u64;
    sched::set_affinity(sched::current(), u32::MAX);
    sched::unboost(sched::current());
    if found.is_empty() {
        return;
    }
    let mut walks: Vec<u64> = found.iter().filter_map(|held| held.walk).collect();
    walks.sort_unstable();
    let samples: Vec<Sample> = found.iter().map(|held| held.sample).collect();
    let line = BenchLine {
        tasks: Some(0),
        holders: Some(HOLDERS as u64),
        busy: Some(0),
        rounds: Some(rounds),
        walk: if bencher.counts { walks.get(walks.len() / 2).copied() } else { None },
        is_early: walks.len() < found.len(),
        ..base
    };
    bencher.print(line, &samples);
}

/// One grace period, if holders were preempted.
fn sample() -> Option<Held> {
    NR_ENTERED.store(0, Ordering::Relaxed);
    NR_LEFT.store(0, Ordering::Relaxed);
    IS_DISMISSED.store(false, Ordering::Relaxed);
    let ops = live::register_at(OpsBox::new("held", func, 0), traced(hold as *const () as usize));
    let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
    let holders: Vec<JoinHandle> = (0..HOLDERS).map(start).collect();
    let are_held = NR_LEFT.load(Ordering::Relaxed) == 0;
    let gone = live::unregister(ops).expect("registered by this bench");
    let start = now();
    let elapsed = rcu::synchronize_for(&gone);
    let end = now();
    let have_left = NR_LEFT.load(Ordering::Relaxed) == HOLDERS;
    IS_DISMISSED.store(true, Ordering::Relaxed);
    DISMISSED.wake_all();
    holders.into_iter().for_each(JoinHandle::join);
    assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
    are_held.then(|| match have_left {
        true => Held { sample: end.since(LAST.get()), walk: Some(FIRST.get().since(start).insns) },
        false => Held { sample: end.since(start), walk: None },
    })
}

/// Starts holder number `number`, and waits until it is inside func.
fn start(number: usize) -> JoinHandle {
    let what = Spawn { name: "holder", class: Class::Normal, cpu: Some(cpu::id()) };
    let work = || {
        hold();
        DISMISSED.wait_until(|| IS_DISMISSED.load(Ordering::Relaxed));
    };
    let holder = sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("bench: {error}"));
    sched::boost(holder.task());
    GATE.wait_until(|| NR_ENTERED.load(Ordering::Relaxed) > number);
    holder
}
