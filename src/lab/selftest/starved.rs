//! A task that could run and gets no CPU is named by the watchdog, once.

use super::crew::{Crew, MILLISECOND_NS, SECOND_NS};
use super::{Outcome, Run, check};
use crate::arch::cpu;
use crate::irq::watchdog;
use crate::sched::{self, Class, Patience, Spawn};
use crate::sync::atomic::{AtomicBool, Ordering};
use alloc::sync::Arc;

/// What the watchdog allows meanwhile.
const ALLOWED_NS: u64 = 300 * MILLISECOND_NS;
/// So soon the task wants to run again, behind one that has its CPU by then.
const NAP_NS: u64 = 50 * MILLISECOND_NS;
/// It is to be named within this, and not again within that: the watchdog looks once a second.
const NAMED_NS: u64 = 10 * SECOND_NS;
const ONCE_NS: u64 = 5 * SECOND_NS / 2;

/// Has this CPU, and lets go of it for its own class alone, while `goes_on` and for `ns` at the most.
fn keep_cpu(ns: u64, goes_on: impl Fn() -> bool) {
    let patience = Patience::of(ns);
    while goes_on() && !patience.is_over() {
        cpu::wait_for_interrupt();
        sched::cond_resched();
    }
}

/// A task of the high class that never sleeps, and a normal one on its CPU.
pub(super) fn named(run: &mut Run) -> Outcome {
    let cpu = sched::nr_cpus() - 1;
    let mut crew = Crew::new();
    crew.normal("starved", Some(cpu), || sched::sleep(NAP_NS))?;
    let starved = crew.tasks().next().and_then(|task| sched::find(task.id)).ok_or("the task has ended already")?;
    let is_named = Arc::new(AtomicBool::new(false));
    let before_ns = watchdog::set_cpu_patience_ns(ALLOWED_NS);
    let keeper = Arc::clone(&is_named);
    let started = crew.start(Spawn { name: "keeper", class: Class::High, cpu: Some(cpu) }, move || {
        keep_cpu(NAMED_NS, || !starved.starved.is_named());
        keeper.store(starved.starved.is_named(), Ordering::Relaxed);
        keep_cpu(ONCE_NS, || true);
    });
    let finished = crew.finish("keeps its CPU no longer");
    watchdog::set_cpu_patience_ns(before_ns);
    started.and(finished)?;
    let is_named = is_named.load(Ordering::Relaxed);
    run.note("named", u64::from(is_named));
    check!(is_named, "a task that had no CPU for {} s was not named", NAMED_NS / SECOND_NS);
    Ok(())
}
