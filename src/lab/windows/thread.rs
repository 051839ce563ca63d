//! The explored thread: it makes a traced call under software step, and stands still at the boundary that it is told.
//!
//! ```text
//! stop at boundary n, the last of the call: SGI to itself, and it is stepped no more
//!   IRQ taken there, before the instruction: held back -> switched out at the IRQ's exit        OFF_CPU
//!   or (nobody is preempted there) the handler of the stop opens IRQs and waits                 ON_CPU
//! the director swaps, retires, looks, maybe frees; lets it go; the call ends                   DONE
//! ```
//! Who stands is stepped no more, so that a debugger's step there is one instruction: else the kernel's own step
//! exception would be taken behind it, and the debugger would show the exception vector. What is held is told by the
//! instructions that were executed since the call began ([`crate::lab::held`]); no scheme is asked. Two may stand at
//! once: another thread, or a call of a softirq on top of the first. The call may be an interrupt's itself, on top of
//! whatever that hits.

use super::order::{ENTRY, OTHER_TRACEE, SITE, TRACEE, scenario};
use super::party::{
    AGAIN, ASKED, CALL, CALL_ELSEWHERE, CALLING, DONE, FIRST, GO, MOVING, NESTING, OFF_CPU, ON_CPU, Party, QUIT,
    SECOND, WISHED,
};
use super::{record, stance};
use crate::arch::step::{self, Stop, Then};
use crate::arch::unwind::Frames;
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic, relax, trampoline};
use crate::irq::softirq::{self, Softirq};
use crate::lab::scenario::{Below, Caller, Context, OnTop, Stand};
use crate::lab::stepper::Stepper;
use crate::lab::tracees;
use crate::rcu;
use crate::sched::ipi::SGI_LAB;
use crate::sched::{self, Class, Task};
use crate::sync::atomic::Ordering;
use crate::sync::irqs;
use crate::sync::preempt;
use core::hint::black_box;

/// Frames below the call of a task whose stack is deep.
const DEEP: usize = 200;

/// Each stop. Context: exception. The thread holds no lock at a boundary that it stands at.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn on_stop(frame: &mut ExceptionFrame, _: Stop) -> Then {
    let Some(party) = Party::current() else { return Then::Leave };
    let pc = frame.elr as usize;
    let Some(mut stepper) = party.stepper.try_lock() else { return Then::Leave };
    if is_of_what_a_report_calls(party, &stepper, pc) {
        stepper.pass(pc);
        return Then::Step;
    }
    let entry = ENTRY.load(Ordering::Relaxed);
    let Some(number) = stepper.stop(pc, frame.x[2] as usize, entry) else { return Then::Step };
    let (held, marks) = (*stepper.held(), stepper.marks());
    drop(stepper);
    if number == 0 {
        party.return_to.store(frame.lr as usize, Ordering::Relaxed);
    }
    let at = party.at.load(Ordering::Relaxed);
    if pc == marks.0 {
        let is_of_another = frame.lr as usize != SITE.load(Ordering::Relaxed) + 8;
        record::note_registers(if is_of_another { &party.at_t2[1] } else { &party.at_t2[0] }, frame);
    }
    if core::ptr::eq(party, &FIRST) {
        record::boundary(number, pc, &held, marks, frame);
    }
    if number == at {
        party.pc.store(pc, Ordering::Relaxed);
        party.sp.store(frame.sp as usize, Ordering::Relaxed);
        return stand(party, frame);
    }
    if stance::is_to_be_wished(party, pc) {
        stance::await_wish(party);
    }
    if matches!(scenario().stand, Stand::Moved) && number + 1 == at && stance::may_be_preempted(frame) {
        party.enter(MOVING);
        gic::send_sgi(SGI_LAB, cpu::id());
    }
    // The body has two more boundaries at least; the first is where the trampoline goes.
    if is_end(party, pc) {
        record::LENGTH.store(number + 1, Ordering::Relaxed);
        return stance::pass_by(party);
    }
    Then::Step
}

/// Whether `pc` is behind the trampoline, or where the call returns to.
#[inline(always)]
fn is_end(party: &Party, pc: usize) -> bool {
    pc == ENTRY.load(Ordering::Relaxed) + 8 || pc == party.return_to.load(Ordering::Relaxed)
}

/// Whether `pc` is no boundary, but in what the trampoline's slow exit calls: locks are held there.
#[inline(always)]
fn is_of_what_a_report_calls(party: &Party, stepper: &Stepper, pc: usize) -> bool {
    stepper.has_begun()
        && party.phase() == WISHED
        && stepper.held().depth() == 0
        && !is_end(party, pc)
        && !trampoline::contains(pc)
}

/// The party is at its boundary: it is interrupted there, or kept there.
#[inline(always)]
fn stand(party: &Party, frame: &ExceptionFrame) -> Then {
    party.cpu.store(cpu::id(), Ordering::Relaxed);
    assert_is_so(frame);
    if scenario().is_in_helper() {
        return Then::Leave; // the helper that begins here does the rest
    }
    if stance::is_interrupted(party, frame) {
        party.enter(ASKED);
        gic::send_sgi(SGI_LAB, cpu::id());
        return Then::Leave;
    }
    if scenario().needs_to_leave() || !stance::has_onlooker() {
        return stance::pass_by(party);
    }
    party.enter(ON_CPU);
    stance::stay(party);
    Then::Leave
}

/// The party is in the context that its scenario says.
#[inline(always)]
fn assert_is_so(frame: &ExceptionFrame) {
    let (scenario, task) = (scenario(), sched::current());
    assert!(!scenario.is_masked() || frame.masks_irqs(), "IRQs are not masked");
    assert!(!scenario.is_boosted || task.is_boosted(), "the task is not boosted");
    match scenario.caller {
        Caller::Task(Context::High) => assert!(task.class() == Class::High, "the task is of the normal class"),
        Caller::Task(Context::PreemptOff) => assert!(preempt::count() != 0, "preemption is enabled"),
        Caller::Task(Context::Deep) => assert!(Frames::of_exception(frame).count() > DEEP, "the stack is not deep"),
        _ => {}
    }
}

/// The SGIs that the parties sent themselves, and those that interrupt a softirq or make a call. Context: IRQ.
pub(super) fn on_sgi() {
    let task = sched::current();
    let party = Party::current().unwrap_or(&FIRST);
    match party.phase() {
        MOVING => {
            party.enter(CALL);
            sched::set_affinity(task, !(1 << cpu::id()));
        }
        ASKED if matches!(scenario().stand, Stand::Softirq(_)) => {
            party.enter(NESTING);
            raise_softirq();
        }
        AGAIN => raise_softirq(),
        ASKED => {
            sched::hold_back(task);
            party.enter(OFF_CPU);
        }
        NESTING => stand_below(),
        CALL_ELSEWHERE => call_in_interrupt(task),
        _ => {}
    }
}

fn raise_softirq() {
    irqs::with_masked(|irqs| {
        softirq::raise(Softirq::Lab, irqs);
    });
}

/// The SGI hits `task`: if the call is to be made on top of that, here it is, or a softirq makes it. Context: IRQ.
fn call_in_interrupt(task: &Task) {
    let is_it = match scenario().below() {
        Some(Below::Idle) => task.is_idle(),
        Some(Below::GpTask) => task.name() == rcu::GP_TASK,
        None => false,
    };
    if !is_it {
        return;
    }
    FIRST.enter(CALLING);
    FIRST.begin(task);
    match scenario().caller {
        Caller::Irq(_) => call_on_top_of_it(),
        _ => raise_softirq(),
    }
}

/// The call that is explored. Context: IRQ or softirq.
fn call_on_top_of_it() {
    if FIRST.phase() == CALLING {
        step::debug_on_top(on_stop, || tracees::call(TRACEE, 1));
        FIRST.enter(DONE);
    }
}

/// The first stands under the softirq that was interrupted, off its CPU if it may be. Context: IRQ.
fn stand_below() {
    if !stance::is_preempted_below() {
        FIRST.enter(if stance::has_onlooker() { ON_CPU } else { GO });
    }
}

/// On top of the thread, or of what an interrupt hit. Context: softirq, IRQs on.
pub(super) fn on_softirq() {
    let Stand::Softirq(on_top) = scenario().stand else { return call_on_top_of_it() };
    match (FIRST.phase(), on_top) {
        (NESTING, OnTop::Party) => {
            call_of_second();
            if !stance::is_preempted_below() {
                // The interrupt has to end, so that a scheme that looks then can look, and comes again at the same boundary.
                cpu::mask_irqs();
                FIRST.enter(AGAIN);
                gic::send_sgi(SGI_LAB, cpu::id());
            }
        }
        (NESTING, OnTop::Call | OnTop::Nothing) => {
            if matches!(on_top, OnTop::Call) {
                tracees::call(OTHER_TRACEE, 0);
            }
            gic::send_sgi(SGI_LAB, cpu::id());
            while FIRST.phase() == NESTING {
                relax::relax();
            }
            if FIRST.phase() == ON_CPU {
                FIRST.wait_for_go();
            }
        }
        (AGAIN, _) => {
            FIRST.enter(ON_CPU);
            FIRST.wait_for_go();
        }
        _ => {}
    }
}

/// The second's call, stepped on top of the first's boundary.
fn call_of_second() {
    SECOND.begin_on_top();
    step::debug_on_top(on_stop, || tracees::call(TRACEE, 2));
    SECOND.leave_top();
    SECOND.enter(DONE);
}

/// The work of the task that is `party`: a call for each order.
pub(super) fn work(party: &Party) {
    let task = sched::current();
    while party.block_until(&[CALL, QUIT]) == CALL {
        let home = party.home.load(Ordering::Relaxed);
        sched::set_affinity(task, 1 << home);
        while cpu::id() != home {
            sched::yield_now();
        }
        party.begin(task);
        if scenario().is_boosted {
            sched::boost(task);
        }
        call_in_context();
        if scenario().is_boosted {
            sched::unboost(task);
        }
        party.enter(DONE);
    }
}

/// The work of a task that is the first for one call; the order is given.
pub(super) fn work_once() {
    FIRST.begin(sched::current());
    if scenario().is_last_call() {
        step::debug(on_stop, || -> () { sched::exit() });
    }
    call_in_context();
    FIRST.enter(DONE);
}

/// The call, as the scenario has the task make it.
fn call_in_context() {
    match scenario().caller {
        Caller::Task(Context::PreemptOff) => {
            let disabled = preempt::disable();
            call();
            drop(disabled);
        }
        Caller::Task(Context::IrqsOff) => irqs::with_masked(|_| call()),
        Caller::Task(Context::Deep) => descend(DEEP),
        _ => call(),
    }
}

/// So many frames deeper, calls.
#[inline(never)]
fn descend(frames: usize) {
    if frames > 0 {
        descend(black_box(frames - 1));
    } else {
        call();
    }
    black_box(());
}

fn call() {
    step::debug(on_stop, || tracees::call(TRACEE, 1));
}
