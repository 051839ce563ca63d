//! Holders at interrupt level, which are on no task list (row 8): a call out of a softirq or an IRQ handler.
//!
//! They are stepped on top of whatever they interrupted. An IRQ handler's call stands with IRQs masked, and answers no round;
//! one on top of the grace-period task keeps that from its work. No grace period can look at those and end: they are made to
//! stand only where they hold something, so that it must not.
//! Context: as each function says. The holder is on CPU 0, on top of its idle task or of the grace-period task.

use super::director::{PATIENCE_NS, wait_until};
use super::party::{CALLING, DONE, FIRST, GO, ON_CPU};
use super::thread::{TRACEE, on_stop, scenario_is};
use crate::arch::step;
use crate::arch::{cpu, gic, relax};
use crate::irq::softirq::{self, Softirq};
use crate::lab::tracees;
use crate::platform::WindowScenario;
use crate::rcu;
use crate::sched::ipi::SGI_LAB;
use crate::sched::{self, Class, Patience, Spawn, Task};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::irqs;
use alloc::boxed::Box;

/// The name of the grace-period task.
const GP_TASK: &str = "rcu_gp";

/// The scenarios.
pub(super) const ALL: [WindowScenario; 4] =
    [WindowScenario::SoftirqOnIdle, WindowScenario::IrqOnIdle, WindowScenario::SoftirqOnGp, WindowScenario::IrqOnGp];

/// Whether the scenario is one of these. Context: any.
pub(super) fn is_one() -> bool {
    ALL.into_iter().any(scenario_is)
}

/// Whether the scheme can look at a holder of this scenario, and end its grace period, while it stands. Context: any.
pub(super) fn can_be_seen(scenario: WindowScenario) -> bool {
    !matches!(scenario, WindowScenario::IrqOnIdle | WindowScenario::SoftirqOnGp | WindowScenario::IrqOnGp)
}

/// Whether the holder is an IRQ handler. Context: any.
#[inline(always)]
pub(super) fn is_masked() -> bool {
    scenario_is(WindowScenario::IrqOnIdle) || scenario_is(WindowScenario::IrqOnGp)
}

/// Whether the holder is on top of the grace-period task. Context: any.
fn is_on_gp() -> bool {
    scenario_is(WindowScenario::SoftirqOnGp) || scenario_is(WindowScenario::IrqOnGp)
}

/// Has an interrupt make the call; the order is given. Says whether one does. Context: the director, not on CPU 0.
pub(super) fn stand() -> bool {
    FIRST.cpu.store(0, Ordering::Relaxed);
    IS_UNANSWERED.store(false, Ordering::Relaxed);
    let stands = || matches!(FIRST.phase(), ON_CPU | DONE);
    if is_on_gp() {
        confine_gp_task(1);
    }
    let patience = Patience::of(PATIENCE_NS);
    while !patience.is_over() {
        if is_on_gp() {
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

/// Everybody goes on. Context: the director.
pub(super) fn end() {
    IS_UNANSWERED.store(false, Ordering::Relaxed);
    if is_on_gp() {
        confine_gp_task(!1);
    }
}

fn confine_gp_task(mask: u32) {
    sched::for_each_task(|task| {
        if task.name() == GP_TASK {
            sched::set_affinity(task, mask);
        }
    });
}

/// The SGI hits CPU 0, in `task`. Context: IRQ.
pub(super) fn on_sgi(task: &Task) {
    let is_it = if is_on_gp() { task.name() == GP_TASK } else { task.is_idle() };
    if !is_one() || !is_it {
        return;
    }
    FIRST.enter(CALLING);
    FIRST.begin(task);
    if is_masked() {
        return call();
    }
    irqs::with_masked(|irqs| {
        softirq::raise(Softirq::Lab, irqs);
    });
}

/// The call that is explored. Context: IRQ or softirq.
pub(super) fn call() {
    if FIRST.phase() == CALLING {
        step::debug_on_top(on_stop, || tracees::call(TRACEE, 1));
        FIRST.enter(DONE);
    }
}

/// A round was asked for, and this CPU did not answer it while the holder was there.
static IS_UNANSWERED: AtomicBool = AtomicBool::new(false);

/// Stays with IRQs masked until it may go on, or a round waits for this CPU: whoever asks for one waits for its answer, and
/// the director maybe for that CPU. Context: the holder, in an IRQ handler.
#[inline(always)]
pub(super) fn stay_masked() {
    while FIRST.phase() != GO {
        if sched::pending_visit().is_some_and(|visit| visit.missing & 1 << cpu::id() != 0) {
            return IS_UNANSWERED.store(true, Ordering::Release);
        }
        relax::relax();
    }
}

/// Whether the holder went on by itself, since its CPU owed the answer to a round. Context: the director.
pub(super) fn went_on() -> bool {
    IS_UNANSWERED.load(Ordering::Acquire)
}

/// Whether no grace period can end before the holder goes on: the task that ends them stands under it. Context: the director.
pub(super) fn keeps_everybody_waiting() -> bool {
    is_on_gp()
}
