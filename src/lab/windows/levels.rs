//! Holders at interrupt level, which are on no task list (row 8): a call out of a softirq or an IRQ handler.
//!
//! They are stepped on top of whatever they interrupted. An IRQ handler's call stands with IRQs masked, and answers no round;
//! one on top of the grace-period task keeps that from its work.
//! Context: the director. The holder is on CPU 0, on top of its idle task or of the grace-period task.

use super::order::scenario;
use super::party::{DONE, FIRST, ON_CPU};
use super::patience::{PATIENCE_NS, wait_until};
use crate::arch::{cpu, gic};
use crate::rcu;
use crate::sched::ipi::SGI_LAB;
use crate::sched::{self, Class, Patience, Spawn};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::irqs;
use alloc::boxed::Box;

/// Has an interrupt make the call; the order is given. Says whether one does. Context: the director, not on CPU 0.
pub(super) fn stand() -> bool {
    FIRST.cpu.store(0, Ordering::Relaxed);
    let is_on_gp = scenario().keeps_everybody_waiting();
    let stands = || matches!(FIRST.phase(), ON_CPU | DONE);
    if is_on_gp {
        confine_gp_task(1);
    }
    let patience = Patience::of(PATIENCE_NS);
    while !patience.is_over() {
        if is_on_gp {
            let what = Spawn { name: "herald", class: Class::Normal, cpu: Some(0) };
            HAS_HERALDED.store(false, Ordering::Relaxed);
            let _ = sched::spawn(what, Box::new(herald)).unwrap_or_else(|error| panic!("windows: {error}"));
            // While the holder stands, it does not get its CPU back.
            wait_until(|| stands() || HAS_HERALDED.load(Ordering::Relaxed), PATIENCE_NS);
        } else {
            gic::send_sgi(SGI_LAB, 0);
            sched::sleep(20_000);
        }
        if stands() {
            return true;
        }
    }
    false
}

/// Gives the grace-period task something to do, and its CPU, with the SGI on its way and interrupts masked: it comes when that
/// task unmasks them. Context: task, on CPU 0.
fn herald() {
    irqs::with_masked(|_| {
        let _ = rcu::start_poll();
        gic::send_sgi(SGI_LAB, cpu::id());
        sched::yield_now();
    });
    HAS_HERALDED.store(true, Ordering::Relaxed);
}

static HAS_HERALDED: AtomicBool = AtomicBool::new(false);

/// Everybody has gone on: the grace-period task may run where it did.
pub(super) fn end() {
    if scenario().keeps_everybody_waiting() {
        confine_gp_task(!1);
    }
}

fn confine_gp_task(mask: u32) {
    sched::for_each_task(|task| {
        if task.name() == rcu::GP_TASK {
            sched::set_affinity(task, mask);
        }
    });
}
