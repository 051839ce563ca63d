//! Holders that stay: each kind of context, held inside func for longer than a grace period takes. What waits for it must
//! go on waiting; the oracle judges when the ops is buried (P3).
//!
//! | kind | where it is meanwhile |
//! |---|---|
//! | task | preempted, behind a task of a higher class that only yields |
//! | task that goes on | the same, but it is resumed while the grace period begins |
//! | task preempted late | it is preempted only then |
//! | exiting task | the same, off the task list: func is called in its last words |
//! | task under a softirq | interrupted by one that goes on, and is interrupted by the visits |
//! | softirq | on top of idle, interrupted by the visits of the grace period |
//!
//! All are on the last CPU. Random load meets the same, but seldom for as long. Whoever brings a grace period to its end
//! here without looking at all tasks, at all CPUs, or under the interrupt that it sent, is caught each time.

use super::updaters;
use crate::arch::gic;
use crate::ftrace::live;
use crate::irq::softirq::{self, Softirq};
use crate::lab::calls::{self, Calls};
use crate::lab::oracle::{self, Property, violation};
use crate::lab::tracees;
use crate::println;
use crate::sched::ipi::SGI_LAB;
use crate::sched::{self, Class, JoinHandle, Patience, Spawn, now_ns};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::irqs;
use alloc::boxed::Box;

/// How long a holder stays, and one that is preempted or resumed meanwhile.
const STAY_NS: u64 = 30_000_000;
const LONG_STAY_NS: u64 = 100_000_000;
/// From the request of a grace period to such a change.
const CHANGE_NS: u64 = 2_000_000;
const PATIENCE_NS: u64 = 5_000_000_000;
const MILLISECOND_NS: u64 = 1_000_000;
const TRACEE: usize = 0;

/// The task that keeps the CPU of a holder busy goes on.
static BUSY: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Task,
    TaskThatGoesOn,
    TaskPreemptedLate,
    ExitingTask,
    TaskUnderSoftirq,
    Softirq,
}

impl Holder {
    const ALL: [Self; 6] = [
        Self::Task,
        Self::TaskThatGoesOn,
        Self::TaskPreemptedLate,
        Self::ExitingTask,
        Self::TaskUnderSoftirq,
        Self::Softirq,
    ];

    /// Another task has its CPU when its ops is retired.
    const fn is_preempted_before(self) -> bool {
        matches!(self, Self::Task | Self::TaskThatGoesOn | Self::ExitingTask)
    }

    /// Whether another has it a little later.
    const fn is_preempted_after(self) -> bool {
        matches!(self, Self::Task | Self::TaskPreemptedLate | Self::ExitingTask)
    }

    const fn stay_ns(self) -> u64 {
        if self.is_preempted_before() == self.is_preempted_after() { STAY_NS } else { LONG_STAY_NS }
    }
}

/// Shows each. Context: task, while nobody else calls tracees.
pub(super) fn scenario() {
    if sched::nr_cpus() < 2 {
        return; // who looks on needs a CPU of its own
    }
    sched::set_affinity(sched::current(), !(1 << last_cpu()));
    for holder in Holder::ALL {
        let kept_ns = keep(holder);
        println!("held for {} us by {holder:?}: waited for {} us", holder.stay_ns() / 1000, kept_ns / 1000);
    }
    sched::set_affinity(sched::current(), u32::MAX);
}

pub(super) fn last_cpu() -> usize {
    sched::nr_cpus() - 1
}

fn spawn(name: &str, class: Class, work: fn()) -> JoinHandle {
    let what = Spawn { name, class, cpu: Some(last_cpu()) };
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("stress: {error}"))
}

fn call() {
    tracees::call(TRACEE, 0);
}

/// Lets go of the CPU for its own class alone: whom it has preempted stays so, and no scheme has to wait for it.
fn keep_cpu_busy() {
    while BUSY.load(Ordering::Relaxed) {
        sched::yield_now();
    }
}

/// The softirq's call, on top of whatever the SGI interrupted: idle, since nothing else is left on that CPU.
static CALLS: Calls = Calls { sgi: on_sgi, softirq: call };

/// A softirq that calls nothing, and takes its time.
static SPINS: Calls = Calls { sgi: on_sgi, softirq: spin };

fn spin() {
    let patience = Patience::of(STAY_NS);
    while !patience.is_over() {
        core::hint::spin_loop();
    }
}

fn on_sgi() {
    irqs::with_masked(|irqs| {
        softirq::raise(Softirq::Lab, irqs);
    });
}

/// Retires an ops that `holder` is inside of, and returns how long its grace period took.
fn keep(holder: Holder) -> u64 {
    let ops = updaters::make_batch(updaters::EXIT_LANE, 1).pop().expect("memory for one ops");
    let number = ops.private;
    let lane = if holder == Holder::ExitingTask { updaters::EXIT_LANE } else { 0 };
    let sites = updaters::sites_of(lane);
    oracle::stay(number, holder.stay_ns());
    let ops = live::register_at(ops, sites).unwrap_or_else(|error| panic!("stress: {error}"));
    let mut tasks = heapless::Vec::<JoinHandle, 2>::new();
    let mut spawned = |task| tasks.push(task).unwrap_or_else(|_| unreachable!("two tasks at most"));
    match holder {
        Holder::Task | Holder::TaskThatGoesOn | Holder::TaskPreemptedLate | Holder::TaskUnderSoftirq => {
            spawned(spawn("holder", Class::Normal, call));
        }
        Holder::ExitingTask => spawned(spawn("holder", Class::Normal, || {})),
        Holder::Softirq => {
            calls::begin(&CALLS);
            gic::send_sgi(SGI_LAB, last_cpu());
        }
    }
    let entered = || oracle::slot(number).entered.load(Ordering::Relaxed) != 0;
    wait_until(entered, "a call that was to stay in func has not entered it");
    if holder == Holder::TaskUnderSoftirq {
        calls::begin(&SPINS);
        gic::send_sgi(SGI_LAB, last_cpu());
        sched::sleep(MILLISECOND_NS);
    }
    if holder.is_preempted_before() {
        BUSY.store(true, Ordering::Relaxed);
        spawned(spawn("busy", Class::High, keep_cpu_busy));
    }
    let gone = live::unregister(ops).expect("registered above");
    oracle::note_retired(number);
    let (start_ns, patience) = (now_ns(), Patience::of(holder.stay_ns()));
    if holder.is_preempted_before() != holder.is_preempted_after() {
        sched::sleep(CHANGE_NS);
        BUSY.store(holder.is_preempted_after(), Ordering::Relaxed);
    }
    if holder == Holder::TaskPreemptedLate {
        spawned(spawn("busy", Class::High, keep_cpu_busy));
    }
    let mut elapsed = None;
    let mut is_over = || {
        elapsed = gone.poll();
        elapsed.is_some()
    };
    while !is_over() {
        if patience.is_over() {
            BUSY.store(false, Ordering::Relaxed);
            wait_until(&mut is_over, "a grace period did not end after its last holder had left");
            break;
        }
        sched::sleep(MILLISECOND_NS);
    }
    let kept_ns = now_ns() - start_ns;
    oracle::bury_elapsed(gone, elapsed.expect("the loop ends when it is there"));
    BUSY.store(false, Ordering::Relaxed);
    tasks.into_iter().for_each(JoinHandle::join);
    calls::end();
    kept_ns
}

pub(super) fn wait_until(mut is_so: impl FnMut() -> bool, otherwise: &str) {
    let patience = Patience::of(PATIENCE_NS);
    while !is_so() {
        if patience.is_over() {
            violation(Property::Progress, None, 0, otherwise);
        }
        sched::sleep(MILLISECOND_NS / 10);
    }
}
