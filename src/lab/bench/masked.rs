//! `masked`: the longest that an interrupt has to wait on this CPU while a grace period looks, beside tasks that sleep in the func of
//! the ops that is freed and that no look has met before; or, where a func may not sleep, beside tasks that sleep anywhere.
//!
//! An alarm goes off every two microseconds and notes how late it is: the longest stretch with IRQs masked, give or take its own way
//! in. Rows with `frames=` are [`deep`]'s, those with `during=` [`asked`]'s.

mod asked;
mod deep;

use super::gp::Sleepers;
use super::{Bencher, settle, traced};
use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live;
use crate::ftrace::ops::{Ops, OpsBox};
use crate::lab::report::BenchLine;
use crate::lab::selftest::room_for_tasks;
use crate::sched::timers::Timer;
use crate::sched::{self, Class, JoinHandle, Spawn, WaitQueue, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use crate::{println, rcu};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::hint::black_box;
use core::pin::Pin;

const HOLDERS: [usize; 3] = [100, 1_000, 8_000];
const TASKS: usize = 10_000;
const SHORT_NS: u64 = 2_000;
/// Grace periods that are watched.
const LOOKS: u64 = 4;

static AWAKE: AtomicBool = AtomicBool::new(false);
static SLEEPERS: WaitQueue = WaitQueue::new();
static NR_INSIDE: AtomicUsize = AtomicUsize::new(0);

static WATCHES: AtomicBool = AtomicBool::new(false);
static ALARM: AtomicPtr<Timer> = AtomicPtr::new(core::ptr::null_mut());
static PERIOD_NS: AtomicU64 = AtomicU64::new(0);
static DUE_NS: AtomicU64 = AtomicU64::new(0);
static LATEST_NS: AtomicU64 = AtomicU64::new(0);

/// The traced function.
#[inline(never)]
fn hold() {
    black_box(13);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    NR_INSIDE.fetch_add(1, Ordering::Relaxed);
    SLEEPERS.wait_until(|| AWAKE.load(Ordering::Relaxed));
}

/// The alarm's call.
fn went_off(_: usize) {
    let late_ns = now_ns() - DUE_NS.load(Ordering::Relaxed);
    LATEST_NS.fetch_max(late_ns, Ordering::Relaxed);
    if WATCHES.load(Ordering::Relaxed) {
        set();
    }
}

fn set() {
    let due_ns = now_ns() + PERIOD_NS.load(Ordering::Relaxed);
    DUE_NS.store(due_ns, Ordering::Relaxed);
    // SAFETY: 1. Boxed by `watch`, which frees it after it was cancelled. 2. A box stays where it is.
    unsafe { Pin::new_unchecked(&*ALARM.load(Ordering::Relaxed)) }.arm(due_ns);
}

/// The longest lateness of an alarm that goes off so often while `work` runs. Context: task that stays on its CPU.
fn watch(period_ns: u64, work: impl FnOnce()) -> u64 {
    let alarm = Box::into_raw(Box::new(Timer::new(went_off, 0)));
    ALARM.store(alarm, Ordering::Relaxed);
    PERIOD_NS.store(period_ns, Ordering::Relaxed);
    LATEST_NS.store(0, Ordering::Relaxed);
    WATCHES.store(true, Ordering::Relaxed);
    set();
    work();
    WATCHES.store(false, Ordering::Relaxed);
    // SAFETY: 1. From the box above. 2. Its call is over, since it is on our own CPU, and dropping it takes it back.
    drop(unsafe { Box::from_raw(alarm) });
    LATEST_NS.load(Ordering::Relaxed)
}

/// Tasks that sleep in the func of one ops.
struct Crowd {
    ops: *const Ops,
    sleepers: Vec<JoinHandle>,
}

impl Crowd {
    /// So many, or as many as memory allows.
    fn of(holders: usize) -> Self {
        AWAKE.store(false, Ordering::Relaxed);
        NR_INSIDE.store(0, Ordering::Relaxed);
        let ops = live::register_at(OpsBox::new("slept in", func, 0), traced(hold as *const () as usize));
        let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
        let sleepers: Vec<JoinHandle> = (0..holders.min(room_for_tasks())).map(|_| start()).collect();
        settle();
        let inside = NR_INSIDE.load(Ordering::Relaxed);
        assert!(inside == sleepers.len(), "bench: {inside} of {} tasks sleep", sleepers.len());
        Self { ops, sleepers }
    }

    /// Retires the ops.
    fn retire(&self) {
        rcu::call(live::unregister(self.ops).expect("registered by `of`"), drop);
    }

    /// All wake and end, and what they held is freed.
    fn leave(self) {
        AWAKE.store(true, Ordering::Relaxed);
        SLEEPERS.wake_all();
        self.sleepers.into_iter().for_each(JoinHandle::join);
        rcu::barrier();
        settle();
    }
}

fn print(bencher: &mut Bencher, line: BenchLine, latest_ns: u64) {
    bencher.lines += 1;
    println!("{}", BenchLine { insns: Some(latest_ns), ns: Some(latest_ns), n: Some(1), ..line });
}

/// Prints the rows.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine) {
    if !bencher.counts {
        return println!("bench: {} wants one CPU and counted instructions", base.name);
    }
    if !rcu::lets_funcs_block() {
        return beside_tasks(bencher, base);
    }
    for holders in HOLDERS {
        let crowd = Crowd::of(holders);
        let latest_ns = watch(SHORT_NS, || {
            crowd.retire();
            look(LOOKS);
        });
        print(bencher, BenchLine { holders: Some(crowd.sleepers.len() as u64), ..base }, latest_ns);
        crowd.leave();
    }
    asked::rows(bencher, base);
    deep::rows(bencher, base);
}

/// Prints the row of a scheme under which nobody sleeps in a func: it may have to look at all tasks.
fn beside_tasks(bencher: &mut Bencher, base: BenchLine) {
    let mut sleepers = Sleepers::new();
    sleepers.grow_to(TASKS);
    let latest_ns = watch(SHORT_NS, || {
        rcu::synchronize();
        rcu::synchronize_expedited();
    });
    print(bencher, BenchLine { tasks: Some(sleepers.len() as u64), ..base }, latest_ns);
    sleepers.wake();
}

/// Waits for so many grace periods, one after the other.
fn look(nr_looks: u64) {
    let until = rcu::nr_ended() + nr_looks;
    while rcu::nr_ended() < until {
        // What is held does not elapse meanwhile: nobody waits for the cookie.
        let _ = rcu::start_poll();
        sched::yield_now();
    }
}

fn start() -> JoinHandle {
    let what = Spawn { name: "sleeper", class: Class::Normal, cpu: None };
    sched::spawn(what, Box::new(hold)).unwrap_or_else(|error| panic!("bench: {error}"))
}
