//! What an oracle func does at a hit: stamps the call, checks who called it, dawdles, checks again, leaves.

use super::{BURIED, DYING, Property, check_identity, slot, violation};
use crate::arch::cpu;
use crate::arch::relax::relax;
use crate::arch::site::{Level, OpsHeader, Regs};
use crate::ftrace::ops::Ops;
use crate::ftrace::recursion::{self, Guard};
use crate::lab::tracees;
use crate::rcu;
use crate::sched::{self, Patience, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::preempt;

/// Between two looks whether every CPU has run for as long as a call was to sleep.
const REST_NS: u64 = 4_000_000;
/// How long [`outlast`] stays.
const OUTLAST_NS: u64 = 200_000_000;

/// What happened in oracle funcs, all together.
#[derive(Debug)]
pub struct Counters {
    /// Calls that were not skipped.
    pub calls: AtomicU64,
    /// Of them, during which the task was preempted.
    pub preempted: AtomicU64,
    /// Of them, that ended on another CPU than they began.
    pub migrated: AtomicU64,
    /// Of them, in IRQ or softirq context.
    pub in_irq: AtomicU64,
    /// Of them, by tasks that were exiting.
    pub exiting: AtomicU64,
    /// Of them, during which the task took a nap, where the scheme allows that; calls that were told to sleep are not counted.
    pub slept: AtomicU64,
    /// Some randomness for dawdling, from the seed.
    pub dice: AtomicU32,
}

/// The counters.
pub static COVERAGE: Counters = Counters {
    calls: AtomicU64::new(0),
    preempted: AtomicU64::new(0),
    migrated: AtomicU64::new(0),
    in_irq: AtomicU64::new(0),
    exiting: AtomicU64::new(0),
    slept: AtomicU64::new(0),
    dice: AtomicU32::new(0),
};

/// The slot, counted from 1, whose calls stay for [`STAY_NS`] instead of dawdling; 0 is none.
static STAYS: AtomicUsize = AtomicUsize::new(0);
static STAY_NS: AtomicU64 = AtomicU64::new(0);

/// From now on calls of slot `number` stay so long, until it is buried. One slot at a time. Context: task.
pub fn stay(number: usize, ns: u64) {
    STAY_NS.store(ns, Ordering::Relaxed);
    STAYS.store(number + 1, Ordering::Relaxed);
}

/// From now on calls of slot `number` sleep so long where they may, instead of dawdling. Context: task; the ops is not
/// registered yet.
pub fn sleep_in(number: usize, ns: u64) {
    slot(number).sleep_ns.store(ns, Ordering::Relaxed);
}

/// Slot `number` is buried.
pub(super) fn stay_no_more(number: usize) {
    // It may be another's already: then it stays.
    let _ = STAYS.compare_exchange(number + 1, 0, Ordering::Relaxed, Ordering::Relaxed);
}

/// Called by the copy of `oracle_func` of slot `number`.
///
/// # Safety
/// By that code alone.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) unsafe extern "C" fn hit(ip: usize, _: usize, ops: *const OpsHeader, _: *mut Regs, number: usize) {
    let slot = slot(number);
    if matches!(slot.state.load(Ordering::Relaxed), DYING | BURIED) {
        violation(Property::NoLateEntry, Some(number), ip, "func entered after its grace period ended");
    }
    check_identity(ops, number, ip, "at the entry of func");
    let Some(_inside) = recursion::enter(Guard::Func) else {
        // SAFETY: just checked: this is the ops, and it is not freed.
        unsafe { &*ops.cast::<Ops>() }.skipped.fetch_add(1, Ordering::Relaxed);
        return;
    };
    slot.entered.fetch_add(1, Ordering::Relaxed);
    let task = sched::current();
    let outer = task.lab.load(Ordering::Relaxed);
    task.lab.store(number + 1, Ordering::Relaxed);
    COVERAGE.calls.fetch_add(1, Ordering::Relaxed);
    let level = Level::of(preempt::count());
    if level != Level::Task {
        COVERAGE.in_irq.fetch_add(1, Ordering::Relaxed);
    }
    if task.is_exiting() {
        COVERAGE.exiting.fetch_add(1, Ordering::Relaxed);
    }
    let (switches, cpu) = (task.nivcsw.load(Ordering::Relaxed), cpu::id());
    let sleep_ns = slot.sleep_ns.load(Ordering::Relaxed);
    if sleep_ns != 0 {
        sleep_for(sleep_ns);
    } else if STAYS.load(Ordering::Relaxed) == number + 1 {
        stay_for(STAY_NS.load(Ordering::Relaxed));
    } else {
        dawdle(level);
    }
    if level == Level::Task && sleep_ns == 0 {
        if task.nivcsw.load(Ordering::Relaxed) != switches {
            COVERAGE.preempted.fetch_add(1, Ordering::Relaxed);
        }
        if cpu::id() != cpu {
            COVERAGE.migrated.fetch_add(1, Ordering::Relaxed);
        }
    }
    check_identity(ops, number, ip, "inside func");
    task.lab.store(outer, Ordering::Relaxed);
    slot.left.fetch_add(1, Ordering::Relaxed);
}

/// Spends a little time, sometimes a lot, in one of the ways that funcs do.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn dawdle(level: Level) {
    // A step of a linear congruential generator; racing steps only add to the disorder.
    let dice = COVERAGE.dice.load(Ordering::Relaxed).wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    COVERAGE.dice.store(dice, Ordering::Relaxed);
    match dice >> 24 {
        0 if dice >> 12 == 0 && level == Level::Task => outlast(),
        // A long call, during which a grace period can come and go.
        0 if level == Level::Task => spin(20_000),
        1..=8 if level == Level::Task => spin(2_000),
        // A preemption that no IRQ causes.
        9..=24 if level == Level::Task => {
            let _guard = preempt::disable();
            spin(50);
        }
        // A callee that is traced itself: recursion, which is skipped and counted.
        25..=32 => {
            tracees::call(dice as usize >> 8, u64::from(dice));
        }
        33 if level == Level::Task && rcu::lets_funcs_block() => nap(dice),
        // The end of this CPU's turn on an exact machine: others go on while this call is inside.
        34..=49 => relax(),
        _ => spin(10),
    }
}

/// Stays longer than most grace periods take, and is preempted many times meanwhile: a scheme that takes a
/// preemption for the end of a call frees under it. One caller at a time.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn outlast() {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    if TAKEN.swap(true, Ordering::Relaxed) {
        return;
    }
    stay_for(OUTLAST_NS);
    TAKEN.store(false, Ordering::Relaxed);
}

/// Stays for so long, in which every CPU runs as well: whoever is to meet this call has the time for that, however little the host
/// gives to the guest. Where no tick comes to this CPU, the clock has to do.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn stay_for(ns: u64) {
    let (patience, until_ns) = (Patience::of(ns), sched::now_ns() + ns);
    while sched::now_ns() < until_ns || !patience.is_over() && !cpu::irqs_are_masked() {
        core::hint::spin_loop();
    }
}

/// Sleeps for so long, in which every CPU runs as well, unless the traced function's caller may not.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn sleep_for(ns: u64) {
    let patience = Patience::of(ns);
    let mut rest_ns = ns;
    while sleep_until(sched::now_ns() + rest_ns) && !patience.is_over() {
        rest_ns = REST_NS;
    }
}

/// Sleeps for a little while, and counts that, unless the traced function's caller may not.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn nap(dice: u32) {
    if sleep_until(sched::now_ns() + u64::from(dice >> 12 & 0xff) * 1000) {
        COVERAGE.slept.fetch_add(1, Ordering::Relaxed);
    }
}

/// Sleeps, unless the traced function's caller may not; says whether it did.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn sleep_until(ns: u64) -> bool {
    static NOBODY_WAKES: WaitQueue = WaitQueue::new();
    let may_sleep = preempt::count() == 0 && !cpu::irqs_are_masked();
    if may_sleep {
        NOBODY_WAKES.wait_until_deadline(|| false, ns);
    }
    may_sleep
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn spin(rounds: u32) {
    for _ in 0..rounds {
        core::hint::spin_loop();
    }
}
