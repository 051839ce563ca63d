//! The stall scenario: a task that does not let go of its CPU while an ops waits to be freed.
//!
//! Where preemption lets other tasks run beside it, a scheme that waits for voluntary switches must report it by
//! name; once it sleeps the grace period must end (P5). Where nobody is preempted and there is one CPU, the
//! grace-period task does not run before the spinner has left by itself: that is reported by the tick.

use crate::lab::oracle::{Property, violation};
use crate::platform::PreemptModel;
use crate::sched::preemption::model;
use crate::sched::{self, Class, Patience, Spawn};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::{println, rcu};
use alloc::boxed::Box;

const STALL_AFTER_NS: u64 = 100_000_000;
const PATIENCE_NS: u64 = 10_000_000_000;
static SPIN: AtomicBool = AtomicBool::new(false);

/// Shows the stall report. Context: task.
pub(super) fn scenario() {
    let alone = sched::nr_cpus() == 1 && matches!(model(), PreemptModel::None | PreemptModel::Voluntary);
    let before = rcu::statistics().stalls;
    let normal = rcu::set_stall_after(STALL_AFTER_NS);
    SPIN.store(true, Ordering::Relaxed);
    let what = Spawn { name: "spinner", class: Class::Normal, cpu: None };
    let spinner = sched::spawn(
        what,
        Box::new(move || {
            let _ = rcu::start_poll();
            let patience = Patience::of(PATIENCE_NS);
            // Alone, nobody else can say that it is over.
            let is_over = || alone && rcu::statistics().stalls > before;
            while !patience.is_over() && SPIN.load(Ordering::Relaxed) && !is_over() {
                core::hint::spin_loop();
            }
        }),
    );
    let Ok(spinner) = spinner else { panic!("stress: no task for the stall scenario") };
    sched::sleep(10_000_000);
    let cookie = rcu::start_poll();
    let patience = Patience::of(PATIENCE_NS);
    while !rcu::has_ended(cookie) && rcu::statistics().stalls == before && !patience.is_over() {
        sched::sleep(10_000_000);
    }
    let (stalled, ended) = (rcu::statistics().stalls > before, rcu::has_ended(cookie));
    SPIN.store(false, Ordering::Relaxed);
    spinner.join();
    if !stalled && (alone || !ended) {
        violation(Property::Progress, None, 0, "a grace period neither ended nor reported its stall");
    }
    while !rcu::has_ended(cookie) {
        if patience.is_over() {
            violation(Property::Progress, None, 0, "a grace period did not end after its last holder had left");
        }
        sched::sleep(1_000_000);
    }
    rcu::set_stall_after(normal);
    let outcome =
        if stalled { "reported, and over once the spinner had left" } else { "none: the spinner was not waited for" };
    println!("stall scenario: {outcome}");
}

/// A task that only yields, alone on its CPU, holds no grace period up. Context: task.
pub(super) fn yielder() {
    SPIN.store(true, Ordering::Relaxed);
    let what = Spawn { name: "yielder", class: Class::Normal, cpu: Some(sched::nr_cpus() - 1) };
    let work = || {
        while SPIN.load(Ordering::Relaxed) {
            sched::yield_now();
        }
    };
    let Ok(yielder) = sched::spawn(what, Box::new(work)) else { panic!("stress: no task for the yield scenario") };
    let patience = Patience::of(PATIENCE_NS);
    let cookie = rcu::start_poll();
    while !rcu::has_ended(cookie) {
        if patience.is_over() {
            violation(Property::Progress, None, 0, "a task that does nothing but yield holds up a grace period");
        }
        sched::sleep(1_000_000);
    }
    SPIN.store(false, Ordering::Relaxed);
    yielder.join();
}
