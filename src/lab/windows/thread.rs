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
//! once: another thread, or a call of a softirq on top of the first.

use super::party::{
    AGAIN, ASKED, CALL, CALL_ELSEWHERE, DONE, FIRST, GO, MOVING, NESTING, NOWHERE, OFF_CPU, ON_CPU, Party, QUIT, SECOND,
};
use super::{levels, record, wish};
use crate::arch::site::PREEMPT_MASK;
use crate::arch::step::{self, Stop, Then};
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic, relax};
use crate::irq::softirq::{self, Softirq};
use crate::lab::tracees;
use crate::platform::WindowScenario;
use crate::sched::ipi::SGI_LAB;
use crate::sched::preemption::{model, preempts};
use crate::sched::{self};
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::preempt;

/// The tracee whose call is explored, if it is not a task's last one, and the one that a softirq on top calls.
pub(super) const TRACEE: usize = 0;
pub(super) const OTHER_TRACEE: usize = 1;
/// What a func calls that calls something traced.
pub(super) const INNER_TRACEE: usize = 2;
/// The entry of the function whose call is explored; and of the one whose ops is, which is another if that nests.
pub(super) static ENTRY: AtomicUsize = AtomicUsize::new(0);
pub(super) static SITE: AtomicUsize = AtomicUsize::new(0);
/// How the parties are to stand.
pub(super) static SCENARIO: AtomicU32 = AtomicU32::new(0);
/// The trampoline's boundaries at which holding begins and ends.
pub(super) static T2: AtomicUsize = AtomicUsize::new(0);
pub(super) static T7: AtomicUsize = AtomicUsize::new(0);

pub(super) fn scenario_is(scenario: WindowScenario) -> bool {
    SCENARIO.load(Ordering::Relaxed) == scenario as u32
}

/// Each stop. Context: exception. The thread holds no lock at a boundary that it stands at.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn on_stop(frame: &mut ExceptionFrame, _: Stop) -> Then {
    let Some(party) = Party::current() else { return Then::Leave };
    let pc = frame.elr as usize;
    let Some(mut between) = party.between.try_lock() else { return Then::Leave };
    if between.number.is_some() && wish::is_of_what_a_report_calls(party, &between, pc) {
        between.pc = pc;
        return Then::Step;
    }
    let number = match between.number {
        None if pc != ENTRY.load(Ordering::Relaxed) => return Then::Step,
        None => {
            party.return_to.store(frame.lr as usize, Ordering::Relaxed);
            0
        }
        Some(number) => number + 1,
    };
    let marks = (T2.load(Ordering::Relaxed), T7.load(Ordering::Relaxed));
    let executed = core::mem::replace(&mut between.pc, pc);
    between.held.step(executed, pc, frame.x[2] as usize, marks);
    between.number = Some(number);
    let held = between.held;
    drop(between);
    let at = party.at.load(Ordering::Relaxed);
    if pc == marks.0 && frame.lr as usize == SITE.load(Ordering::Relaxed) + 8 {
        record::note_registers(party, frame);
    }
    if core::ptr::eq(party, &FIRST) {
        record::boundary(number, pc, &held, frame);
    }
    if number == at {
        party.pc.store(pc, Ordering::Relaxed);
        party.sp.store(frame.sp as usize, Ordering::Relaxed);
        let holds = held.holds_one_of(&record::retired());
        party.holds.store(usize::from(holds), Ordering::Relaxed);
        return stand(party, frame);
    }
    if wish::is_due(party, pc) {
        wish::make(party);
    }
    if scenario_is(WindowScenario::Migrated) && number + 1 == at && may_be_preempted(frame) {
        party.enter(MOVING);
        gic::send_sgi(SGI_LAB, cpu::id());
    }
    // The body has two more boundaries at least; the first is where the trampoline goes.
    if pc == ENTRY.load(Ordering::Relaxed) + 8 || pc == party.return_to.load(Ordering::Relaxed) {
        record::LENGTH.store(number + 1, Ordering::Relaxed);
        return pass_by(party);
    }
    Then::Step
}

/// Whether an IRQ that comes now, at whose exit a reschedule is wanted, preempts the thread.
#[inline(always)]
fn may_be_preempted(frame: &ExceptionFrame) -> bool {
    preempts(model()) && preempt::count() == 0 && !frame.masks_irqs()
}

/// Whether a softirq is to come on top, and be interrupted or make a call itself.
#[inline(always)]
fn is_softirq_on_top() -> bool {
    [WindowScenario::Irq, WindowScenario::IrqElsewhere, WindowScenario::PairOnTop].into_iter().any(scenario_is)
}

/// The party is at its boundary: it is interrupted there, or kept there.
#[inline(always)]
fn stand(party: &Party, frame: &ExceptionFrame) -> Then {
    party.cpu.store(cpu::id(), Ordering::Relaxed);
    if scenario_is(WindowScenario::Inside) {
        return Then::Leave; // the helper that begins here does the rest
    }
    let is_interrupted = !frame.masks_irqs()
        && if is_softirq_on_top() {
            core::ptr::eq(party, &FIRST)
        } else {
            !scenario_is(WindowScenario::Running) && may_be_preempted(frame)
        };
    if is_interrupted {
        party.enter(ASKED);
        gic::send_sgi(SGI_LAB, cpu::id());
        return Then::Leave;
    }
    let needs_to_leave = scenario_is(WindowScenario::Migrated) || scenario_is(WindowScenario::PreemptedHere);
    if needs_to_leave || !has_onlooker() {
        return pass_by(party);
    }
    party.enter(ON_CPU);
    if levels::is_masked() {
        levels::stay_masked();
    } else {
        stay_open(party);
    }
    Then::Leave
}

/// Stays in the handler of a stop, interrupts open, until it may go on.
#[inline(always)]
pub(super) fn stay_open(party: &Party) {
    cpu::unmask_fiqs(); // a FIQ that pends would keep every IRQ from coming
    cpu::unmask_irqs();
    party.wait_for_go();
    cpu::mask_irqs();
    cpu::mask_fiqs();
}

/// Whether the director can run while the party stays on its CPU.
#[inline(always)]
fn has_onlooker() -> bool {
    let is_other_there = scenario_is(WindowScenario::Pair) && FIRST.phase() == ON_CPU;
    sched::nr_cpus() > 1 + usize::from(is_other_there)
}

/// The party does not stand anywhere in this call. A task that exits has nobody who says so when it is over.
#[inline(always)]
fn pass_by(party: &Party) -> Then {
    if scenario_is(WindowScenario::Exiting) {
        party.enter(DONE);
    }
    Then::Leave
}

/// The SGIs that the parties sent themselves, and the one that interrupts the softirq. Context: IRQ.
pub(super) fn on_sgi() {
    let task = sched::current();
    let party = Party::current().unwrap_or(&FIRST);
    match party.phase() {
        MOVING => {
            party.enter(CALL);
            sched::set_affinity(task, !(1 << cpu::id()));
        }
        ASKED if is_softirq_on_top() => {
            party.enter(NESTING);
            raise_softirq();
        }
        AGAIN => raise_softirq(),
        ASKED => {
            sched::hold_back(task);
            party.enter(OFF_CPU);
        }
        NESTING => stand_below(),
        CALL_ELSEWHERE => levels::on_sgi(task),
        _ => {}
    }
}

fn raise_softirq() {
    irqs::with_masked(|irqs| {
        softirq::raise(Softirq::Lab, irqs);
    });
}

/// The softirq on top of the first is interrupted, or is over: at the end of its interrupt the task is preempted, if it
/// may be. Says whether. Context: IRQ or softirq, on top of it.
fn is_preempted_below() -> bool {
    let is_preempted = preempts(model()) && preempt::count() & PREEMPT_MASK == 0;
    if is_preempted {
        sched::hold_back(sched::current());
        FIRST.enter(OFF_CPU);
    }
    is_preempted
}

/// The first stands under the softirq that was interrupted, off its CPU if it may be. Context: IRQ.
fn stand_below() {
    if !is_preempted_below() {
        FIRST.enter(if has_onlooker() { ON_CPU } else { GO });
    }
}

/// On top of the thread. Context: softirq, IRQs on.
pub(super) fn on_softirq() {
    if levels::is_one() {
        return levels::call();
    }
    match FIRST.phase() {
        NESTING if scenario_is(WindowScenario::PairOnTop) => {
            call_on_top();
            if !is_preempted_below() {
                // The interrupt has to end, so that a scheme that looks then can look, and comes again at the same boundary.
                cpu::mask_irqs();
                FIRST.enter(AGAIN);
                gic::send_sgi(SGI_LAB, cpu::id());
            }
        }
        NESTING => {
            if scenario_is(WindowScenario::Irq) {
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
        AGAIN => {
            FIRST.enter(ON_CPU);
            FIRST.wait_for_go();
        }
        _ => {}
    }
}

/// The second's call, stepped on top of the first's boundary.
fn call_on_top() {
    SECOND.begin_on_top();
    step::debug_on_top(on_stop, || tracees::call(TRACEE, 2));
    SECOND.leave_top();
    SECOND.enter(DONE);
}

/// Whether a func is to stand inside its helper; it leaves its CPU there if `is_preempted`.
#[inline(always)]
pub(super) fn stands_inside(is_preempted: bool) -> bool {
    let is_explored = blocks_inside() && (is_preempted || has_onlooker());
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

/// Stays until it may go on; at once, if it was off its CPU meanwhile.
#[inline(always)]
pub(super) fn stay() {
    FIRST.wait_for_go();
}

/// Whether the func of this call is to let go of the CPU by itself.
#[inline(always)]
pub(super) fn blocks_inside() -> bool {
    scenario_is(WindowScenario::Inside) && FIRST.at.load(Ordering::Relaxed) != NOWHERE
}

/// Blocks until it may go on.
#[inline(never)]
pub(super) fn block() {
    FIRST.cpu.store(cpu::id(), Ordering::Relaxed);
    FIRST.enter(OFF_CPU);
    FIRST.block_until(&[GO]);
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
        step::debug(on_stop, || tracees::call(TRACEE, 1));
        party.enter(DONE);
    }
}
