//! `masked`: the longest that an interrupt has to wait on this CPU while a grace period looks, beside tasks that sleep in the func of
//! the ops that is freed and that no look has met before.
//!
//! An alarm goes off every two microseconds and notes how late it is: the longest stretch with IRQs masked, give or take its own way
//! in. Where a func may not sleep there is no row. Rows with `frames=` are [`deep`]'s.

mod deep;

use super::{Bencher, settle, traced};
use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live;
use crate::ftrace::ops::OpsBox;
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

/// Prints the rows.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine) {
    if !bencher.counts {
        return println!("bench: {} wants one CPU and counted instructions", base.name);
    }
    shallow_rows(bencher, base);
    deep::rows(bencher, base);
}

fn shallow_rows(bencher: &mut Bencher, base: BenchLine) {
    for holders in HOLDERS {
        AWAKE.store(false, Ordering::Relaxed);
        NR_INSIDE.store(0, Ordering::Relaxed);
        let ops = live::register_at(OpsBox::new("slept in", func, 0), traced(hold as *const () as usize));
        let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
        let holders = holders.min(room_for_tasks());
        let sleepers: Vec<JoinHandle> = (0..holders).map(|_| start()).collect();
        settle();
        let inside = NR_INSIDE.load(Ordering::Relaxed);
        let latest_ns = watch(SHORT_NS, || {
            rcu::call(live::unregister(ops).expect("registered above"), drop);
            look(LOOKS);
        });
        AWAKE.store(true, Ordering::Relaxed);
        SLEEPERS.wake_all();
        sleepers.into_iter().for_each(JoinHandle::join);
        rcu::barrier();
        settle();
        bencher.lines += 1;
        let insns = Some(latest_ns);
        println!("{}", BenchLine { holders: Some(inside as u64), insns, ns: Some(latest_ns), n: Some(1), ..base });
    }
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
