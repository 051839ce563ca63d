//! The hooks by which lower floors call up, wired in one place.

use super::{damage, fault, print_version, secondary, stress_from_shell};
use holdout::arch::vectors::{FAULT, FIQ, IRQ};
use holdout::arch::{boot, trampoline};
use holdout::console::{epitaph, events};
use holdout::ftrace::live;
use holdout::irq::{entry, softirq, watchdog};
use holdout::lab::{calls, hold, oracle, walk};
use holdout::mm::heap;
use holdout::sched::switch;
use holdout::sync::preempt;
use holdout::{rcu, sched, shell};

/// Wires all hooks. Context: boot, first thing.
pub(super) fn wire() {
    IRQ.set(entry::irq);
    FIQ.set(watchdog::fiq);
    watchdog::HOLDOUTS.set(rcu::tell_holdouts);
    FAULT.set(fault::fault);
    boot::SECONDARY.set(secondary);
    preempt::RESCHEDULE.set(switch::preempt_if_due);
    trampoline::RESCHEDULE.set(switch::make_up);
    trampoline::REPORT.set(rcu::report);
    entry::LAB_SGI.set(calls::on_sgi);
    softirq::LAB.set(calls::on_softirq);
    rcu::OPS.set(live::describe);
    live::LATE.set(oracle::late_entry);
    heap::DAMAGED.set(damage::tell);
    shell::STRESS.set(stress_from_shell);
    shell::STEP.set(walk::run);
    shell::HOLD.set(hold::run);
    shell::VERSION.set(print_version);
}

/// From here on there are tasks to describe. Context: boot.
pub(super) fn wire_tasks() {
    epitaph::DESCRIBE_TASK.set(|out| {
        // The console takes everything.
        let _ = write!(out, "{:?}", sched::current());
    });
    events::NAME_TASK.set(|number, cpu, out| {
        let _ = write!(out, "{}", sched::TaskName { number, cpu });
    });
}
