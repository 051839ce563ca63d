//! The hooks by which lower floors call up, wired in one place, and what a fault does.

use super::{damage, print_version, refuse, secondary, stress_from_shell};
use holdout::arch::vectors::{ExceptionFrame, FAULT, Fault, IRQ};
use holdout::arch::{boot, exit, uart};
use holdout::console::{epitaph, events};
use holdout::ftrace::live;
use holdout::irq::{entry, softirq};
use holdout::lab::{calls, oracle, walk};
use holdout::mm::heap;
use holdout::sched::switch;
use holdout::sync::preempt;
use holdout::{sched, shell};

/// Wires all hooks. Context: boot, first thing.
pub(super) fn wire() {
    IRQ.set(entry::irq);
    FAULT.set(fault);
    boot::SECONDARY.set(secondary);
    preempt::RESCHEDULE.set(switch::preempt_if_due);
    entry::LAB_SGI.set(calls::on_sgi);
    softirq::LAB.set(calls::on_softirq);
    live::LATE.set(oracle::late_entry);
    heap::DAMAGED.set(damage::tell);
    shell::STRESS.set(stress_from_shell);
    shell::STEP.set(walk::run);
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

/// A fault: the oracle's, or the end.
fn fault(frame: &mut ExceptionFrame, fault: &Fault) {
    oracle::claim_fault(frame, fault);
    let (what, why, syndrome) = (fault.describe(), fault.reason(), fault.syndrome);
    let at = if why.is_empty() { frame.elr } else { fault.address };
    let gap = if why.is_empty() { "" } else { " " };
    if !uart::is_known() {
        refuse(format_args!("what the loader handed over is no device tree: {what}{gap}{why} at address {at:#x}"));
    }
    epitaph::die(
        format_args!("{what}{gap}{why} at address {at:#x}, syndrome {syndrome:#x}"),
        Some(frame),
        exit::STATUS_PANIC,
    )
}
