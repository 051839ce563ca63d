//! How a party stands, on the stepped side: whether it leaves its CPU, and how it stays there if it does not.

use super::order::scenario;
use super::party::{CALL, DONE, FIRST, GO, NOWHERE, OFF_CPU, ON_CPU, Party, WISHED, WISHING};
use crate::arch::site::PREEMPT_MASK;
use crate::arch::step::Then;
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic, relax};
use crate::lab::scenario::Stand;
use crate::mm::text_page::place_of;
use crate::sched::ipi::SGI_LAB;
use crate::sched::preemption::{model, preempts};
use crate::sched::{self};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::preempt;

/// Whether an IRQ that comes now, at whose exit a reschedule is wanted, preempts the party. Context: exception.
#[inline(always)]
pub(super) fn may_be_preempted(frame: &ExceptionFrame) -> bool {
    preempts(model()) && preempt::count() == 0 && !frame.masks_irqs()
}

/// Whether an IRQ is to come at the boundary of `party`, and can. Context: exception.
#[inline(always)]
pub(super) fn is_interrupted(party: &Party, frame: &ExceptionFrame) -> bool {
    !frame.masks_irqs()
        && match scenario().stand {
            Stand::Softirq(_) => core::ptr::eq(party, &FIRST),
            Stand::Stays => false,
            Stand::Preempted | Stand::Moved | Stand::LetsGo | Stand::Exits => may_be_preempted(frame),
        }
}

/// Whether the director can run while the party stays on its CPU. Context: any.
#[inline(always)]
pub(super) fn has_onlooker() -> bool {
    let is_other_there = scenario().has_second_task && FIRST.phase() == ON_CPU;
    sched::nr_cpus() > 1 + usize::from(is_other_there)
}

/// Has the first, which is under a softirq that was interrupted, leave its CPU at the end of its interrupt, if it may. Says
/// whether. Context: IRQ or softirq, on top of it.
pub(super) fn is_preempted_below() -> bool {
    let is_preempted = preempts(model()) && preempt::count() & PREEMPT_MASK == 0;
    if is_preempted {
        sched::hold_back(sched::current());
        FIRST.enter(OFF_CPU);
    }
    is_preempted
}

/// The party does not stand anywhere in this call. In its last words a task has nobody who says when they are over.
/// Context: exception.
#[inline(always)]
pub(super) fn pass_by(party: &Party) -> Then {
    if scenario().is_last_call() {
        party.enter(DONE);
    }
    Then::Leave
}

/// Stays in the handler of a stop until the party may go on: interrupts open, or masked if they were. Context: exception.
#[inline(always)]
pub(super) fn stay(party: &Party) {
    if scenario().is_masked() { stay_masked(party) } else { stay_open(party) }
}

#[inline(always)]
fn stay_open(party: &Party) {
    cpu::unmask_fiqs(); // a FIQ that pends would keep every IRQ from coming
    cpu::unmask_irqs();
    party.wait_for_go();
    cpu::mask_irqs();
    cpu::mask_fiqs();
}

/// A round was asked for, and this CPU did not answer it while the party was there.
static IS_UNANSWERED: AtomicBool = AtomicBool::new(false);

/// Stays with IRQs masked until the party may go on, or a round waits for this CPU: whoever asks for one waits for its answer,
/// and the director maybe for that CPU.
#[inline(always)]
fn stay_masked(party: &Party) {
    while party.phase() != GO {
        if sched::pending_visit().is_some_and(|visit| visit.missing & 1 << cpu::id() != 0) {
            return IS_UNANSWERED.store(true, Ordering::Release);
        }
        relax::relax();
    }
}

/// Whether the party went on by itself, since its CPU owed the answer to a round. Context: the director.
pub(super) fn went_on() -> bool {
    IS_UNANSWERED.load(Ordering::Acquire)
}

/// A party is about to stand, or is gone. Context: the director.
pub(super) fn forget_rounds() {
    IS_UNANSWERED.store(false, Ordering::Relaxed);
}

/// Whether the party is in its func, and has yet to be waited for there. Context: exception.
#[inline(always)]
pub(super) fn is_to_be_wished(party: &Party, pc: usize) -> bool {
    scenario().is_wished && party.phase() == CALL && place_of(pc).is_some()
}

/// Stays until a grace period waits for the party; where it cannot be preempted, a reschedule is wanted as well.
/// Context: exception.
#[inline(always)]
pub(super) fn await_wish(party: &Party) {
    party.cpu.store(cpu::id(), Ordering::Relaxed);
    party.enter(WISHING);
    if preempt::count() != 0 {
        sched::want_reschedule(cpu::id()); // the next interrupt finds it, and puts it off
    }
    stay_open(party);
    party.enter(WISHED);
}

/// Whether the func of this call is to let go of the CPU by itself. Context: the party, in func.
#[inline(always)]
pub(super) fn lets_go() -> bool {
    scenario().is_in_helper() && FIRST.at.load(Ordering::Relaxed) != NOWHERE
}

/// Whether func's task exits when it has its CPU back. Context: the party, in func.
#[inline(always)]
pub(super) fn exits() -> bool {
    matches!(scenario().stand, Stand::Exits)
}

/// Whether a func is to stand inside its helper; it leaves its CPU there if `is_preempted`. Context: the party, in func.
#[inline(always)]
pub(super) fn stands_inside(is_preempted: bool) -> bool {
    let is_explored = lets_go() && (is_preempted || has_onlooker());
    if is_explored {
        gic::send_sgi(SGI_LAB, cpu::id()); // the last interrupt of this CPU hits func, whatever others hit
        if is_preempted {
            sched::hold_back(sched::current());
        }
        FIRST.cpu.store(cpu::id(), Ordering::Relaxed);
        FIRST.enter(if is_preempted { OFF_CPU } else { ON_CPU });
    }
    is_explored
}

/// Stays inside a helper until the party may go on; at once, if it was off its CPU meanwhile. Context: the party, in func.
#[inline(always)]
pub(super) fn wait_inside() {
    FIRST.wait_for_go();
}

/// Blocks until the party may go on. Context: the party, in func.
#[inline(never)]
pub(super) fn block() {
    FIRST.cpu.store(cpu::id(), Ordering::Relaxed);
    FIRST.enter(OFF_CPU);
    FIRST.block_until(&[GO]);
}
