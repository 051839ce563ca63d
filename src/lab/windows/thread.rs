//! The explored thread: it makes a traced call under software step, and stands still at the boundary that it is told.
//!
//! ```text
//! stop at boundary n: SGI to itself, one step allowed
//!   IRQ taken there, before the instruction: held back -> switched out at the IRQ's exit        OFF_CPU
//!   or (nobody is preempted there) the handler of the stop opens IRQs and waits                 ON_CPU
//! the director swaps, retires, looks, maybe frees; lets it go
//! the next stop leaves the stepping; the call ends                                             DONE
//! ```
//! What is held is told by the instructions that were executed since the call began ([`Held`]); no scheme is asked.
//! INVARIANT `one-explored`: one thread is explored at a time, and one director orders it about; the statics are theirs.

use super::{funcs, levels, record};
use crate::arch::site::PREEMPT_MASK;
use crate::arch::step::{self, Stop, Then};
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic, relax};
use crate::irq::softirq::{self, Softirq};
use crate::lab::held::Held;
use crate::lab::tracees;
use crate::platform::WindowScenario;
use crate::sched::ipi::{SGI_LAB, SGI_RESCHED};
use crate::sched::preemption::{model, preempts};
use crate::sched::{self, Task, WaitQueue};
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::lock::IrqLock;
use crate::sync::preempt;

/// The tracee whose call is explored, if it is not a task's last one, and the one that a softirq on top calls.
pub(super) const TRACEE: usize = 0;
pub(super) const OTHER_TRACEE: usize = 1;
/// The entry of the function whose call is explored.
pub(super) static ENTRY: AtomicUsize = AtomicUsize::new(0);
/// No boundary: the call is only recorded.
pub(super) const NOWHERE: usize = usize::MAX;

/// How far a call has come.
pub(super) static PHASE: AtomicU32 = AtomicU32::new(IDLE);
static PHASES: WaitQueue = WaitQueue::new();
pub(super) const IDLE: u32 = 0;
/// The thread is to make its call.
pub(super) const CALL: u32 = 1;
/// It has sent itself the SGI of its boundary; or the one that moves it.
pub(super) const ASKED: u32 = 2;
pub(super) const MOVING: u32 = 3;
/// The softirq on top waits to be interrupted.
pub(super) const NESTING: u32 = 4;
/// It stands at its boundary: it leaves its CPU, and does not come back by itself.
pub(super) const OFF_CPU: u32 = 5;
/// The same, on its CPU.
pub(super) const ON_CPU: u32 = 6;
/// It may go on.
pub(super) const GO: u32 = 7;
/// The call is over.
pub(super) const DONE: u32 = 8;
pub(super) const QUIT: u32 = 9;
/// Somebody else is to make the call: a task that exits, or an interrupt.
pub(super) const CALL_ELSEWHERE: u32 = 10;
/// An interrupt makes it.
pub(super) const CALLING: u32 = 11;

/// The order: the boundary to stand at, and how.
pub(super) static AT: AtomicUsize = AtomicUsize::new(NOWHERE);
pub(super) static SCENARIO: AtomicU32 = AtomicU32::new(0);
/// The trampoline's boundaries at which holding begins and ends.
pub(super) static T2: AtomicUsize = AtomicUsize::new(0);
pub(super) static T7: AtomicUsize = AtomicUsize::new(0);
/// The thread itself.
pub(super) static THREAD: AtomicPtr<Task> = AtomicPtr::new(core::ptr::null_mut());
/// What it stands at, and its stack pointer there.
pub(super) static PC: AtomicUsize = AtomicUsize::new(0);
pub(super) static SP: AtomicUsize = AtomicUsize::new(0);
pub(super) static HOLDS: AtomicUsize = AtomicUsize::new(0);
pub(super) static CPU: AtomicUsize = AtomicUsize::new(0);
/// Where the traced call returns to.
pub(super) static RETURN: AtomicUsize = AtomicUsize::new(0);
/// Between two stops.
static BETWEEN: IrqLock<Between> = IrqLock::new(Between { pc: 0, held: Held::new(), number: None });

struct Between {
    /// The instruction that is about to be executed.
    pc: usize,
    held: Held,
    number: Option<usize>,
}

pub(super) fn scenario_is(scenario: WindowScenario) -> bool {
    SCENARIO.load(Ordering::Relaxed) == scenario as u32
}

/// Each stop. Context: exception. The thread holds no lock at a boundary that it stands at.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn on_stop(frame: &mut ExceptionFrame, _: Stop) -> Then {
    let pc = frame.elr as usize;
    let Some(mut between) = BETWEEN.try_lock() else { return Then::Leave };
    let number = match between.number {
        None if pc != ENTRY.load(Ordering::Relaxed) => return Then::Step,
        None => {
            RETURN.store(frame.lr as usize, Ordering::Relaxed);
            0
        }
        Some(number) => number + 1,
    };
    let marks = (T2.load(Ordering::Relaxed), T7.load(Ordering::Relaxed));
    let executed = core::mem::replace(&mut between.pc, pc);
    between.held.step(executed, pc, frame.x[2] as usize, marks);
    between.number = Some(number);
    let holds = between.held.innermost().unwrap_or(0);
    drop(between);
    let at = AT.load(Ordering::Relaxed);
    if at != NOWHERE && number > at {
        return Then::Leave;
    }
    if pc == marks.0 {
        record::note_registers(frame);
    }
    record::boundary(number, pc, holds, frame);
    if number == at {
        PC.store(pc, Ordering::Relaxed);
        SP.store(frame.sp as usize, Ordering::Relaxed);
        HOLDS.store(holds, Ordering::Relaxed);
        return stand(frame);
    }
    if scenario_is(WindowScenario::Migrated) && number + 1 == at && may_be_preempted(frame) {
        PHASE.store(MOVING, Ordering::Release);
        gic::send_sgi(SGI_LAB, cpu::id());
    }
    // The body has two more boundaries at least; the first is where the trampoline goes.
    if pc == ENTRY.load(Ordering::Relaxed) + 8 || pc == RETURN.load(Ordering::Relaxed) {
        record::LENGTH.store(number + 1, Ordering::Relaxed);
        return pass_by();
    }
    Then::Step
}

/// Whether the director can run while the thread stays on its CPU.
#[inline(always)]
fn has_onlooker() -> bool {
    sched::nr_cpus() > 1
}

/// Whether an IRQ that comes now, at whose exit a reschedule is wanted, preempts the thread.
#[inline(always)]
fn may_be_preempted(frame: &ExceptionFrame) -> bool {
    preempts(model()) && preempt::count() == 0 && !frame.masks_irqs()
}

/// The thread is at its boundary: it is interrupted there, or kept there.
#[inline(always)]
fn stand(frame: &ExceptionFrame) -> Then {
    CPU.store(cpu::id(), Ordering::Relaxed);
    if scenario_is(WindowScenario::Inside) {
        return Then::Leave; // the helper that begins here does the rest
    }
    let is_interrupted = !frame.masks_irqs()
        && if scenario_is(WindowScenario::Irq) || scenario_is(WindowScenario::IrqElsewhere) {
            true
        } else {
            !scenario_is(WindowScenario::Running) && may_be_preempted(frame)
        };
    if is_interrupted {
        PHASE.store(ASKED, Ordering::Release);
        gic::send_sgi(SGI_LAB, cpu::id());
        return Then::Step;
    }
    let needs_to_leave = scenario_is(WindowScenario::Migrated) || scenario_is(WindowScenario::PreemptedHere);
    if needs_to_leave || !has_onlooker() {
        return pass_by();
    }
    PHASE.store(ON_CPU, Ordering::Release);
    cpu::unmask_fiqs(); // a FIQ that pends would keep every IRQ from coming
    cpu::unmask_irqs();
    wait_for_go();
    cpu::mask_irqs();
    cpu::mask_fiqs();
    Then::Leave
}

/// The thread does not stand anywhere in this call. A task that exits has nobody who says so when it is over.
#[inline(always)]
fn pass_by() -> Then {
    if scenario_is(WindowScenario::Exiting) {
        PHASE.store(DONE, Ordering::Release);
    }
    Then::Leave
}

/// Stays on its CPU, IRQs open, until it may go on: [`order`] sends the SGI that ends the wait.
#[inline(always)]
fn wait_for_go() {
    while PHASE.load(Ordering::Acquire) != GO {
        irqs::with_masked(|_| {
            if PHASE.load(Ordering::Acquire) != GO {
                cpu::wait_for_interrupt();
            }
        });
    }
}

/// The SGIs that the thread sent itself, and the one that interrupts the softirq. Context: IRQ.
pub(super) fn on_sgi() {
    let task = sched::current();
    match PHASE.load(Ordering::Acquire) {
        MOVING => {
            PHASE.store(CALL, Ordering::Release);
            sched::set_affinity(task, !(1 << cpu::id()));
        }
        ASKED if scenario_is(WindowScenario::Irq) || scenario_is(WindowScenario::IrqElsewhere) => {
            PHASE.store(NESTING, Ordering::Release);
            irqs::with_masked(|irqs| {
                softirq::raise(Softirq::Lab, irqs);
            });
        }
        ASKED => {
            sched::hold_back(task);
            PHASE.store(OFF_CPU, Ordering::Release);
        }
        NESTING => {
            // Inside the softirq, on top of the thread.
            if preempts(model()) && preempt::count() & PREEMPT_MASK == 0 {
                sched::hold_back(task);
                PHASE.store(OFF_CPU, Ordering::Release);
            } else {
                PHASE.store(if has_onlooker() { ON_CPU } else { GO }, Ordering::Release);
            }
        }
        CALL_ELSEWHERE => levels::on_sgi(task),
        _ => {}
    }
}

/// On top of the thread. Context: softirq, IRQs on.
pub(super) fn on_softirq() {
    if levels::is_one() {
        return levels::call();
    }
    if PHASE.load(Ordering::Acquire) != NESTING {
        return;
    }
    if scenario_is(WindowScenario::Irq) {
        tracees::call(OTHER_TRACEE, 0);
    }
    gic::send_sgi(SGI_LAB, cpu::id());
    while PHASE.load(Ordering::Acquire) == NESTING {
        relax::relax();
    }
    if PHASE.load(Ordering::Acquire) == ON_CPU {
        wait_for_go();
    }
}

/// Whether a func is to stand inside its helper, which begins there; it leaves its CPU there if `is_preempted`.
#[inline(always)]
pub(super) fn stands_inside(helper: usize, is_preempted: bool) -> bool {
    let is_explored = blocks_inside() && (is_preempted || has_onlooker());
    if is_explored {
        if levels::is_one() {
            PC.store(helper, Ordering::Relaxed);
            HOLDS.store(1, Ordering::Relaxed); // not stepped: its func calls this
        }
        gic::send_sgi(SGI_LAB, cpu::id()); // the last interrupt of this CPU hits func, whatever others hit
        if is_preempted {
            sched::hold_back(sched::current());
        }
        CPU.store(cpu::id(), Ordering::Relaxed);
        PHASE.store(if is_preempted { OFF_CPU } else { ON_CPU }, Ordering::Release);
    }
    is_explored
}

/// Stays until it may go on; at once, if it was off its CPU meanwhile.
#[inline(always)]
pub(super) fn stay() {
    if scenario_is(WindowScenario::IrqOnIdle) {
        levels::stay_masked();
    } else {
        wait_for_go();
    }
}

/// Whether the func of this call is to let go of the CPU by itself.
#[inline(always)]
pub(super) fn blocks_inside() -> bool {
    (scenario_is(WindowScenario::Inside) || levels::is_one()) && AT.load(Ordering::Relaxed) != NOWHERE
}

/// Blocks until it may go on.
#[inline(never)]
pub(super) fn block() {
    CPU.store(cpu::id(), Ordering::Relaxed);
    PHASE.store(OFF_CPU, Ordering::Release);
    PHASES.wait_until(|| PHASE.load(Ordering::Acquire) == GO);
}

/// Gives the thread leave to go on, or its next order. Context: task.
pub(super) fn order(phase: u32) {
    PHASE.store(phase, Ordering::Release);
    PHASES.wake_all();
    gic::send_sgi(SGI_RESCHED, CPU.load(Ordering::Relaxed));
}

/// This task is explored from now on, and is about to call.
pub(super) fn begin() {
    THREAD.store(core::ptr::from_ref(sched::current()).cast_mut(), Ordering::Release);
    *BETWEEN.lock() = Between { pc: 0, held: Held::new(), number: None };
    funcs::READ.store(0, Ordering::Relaxed);
}

/// The thread's work: a call for each order.
pub(super) fn work() {
    let task = sched::current();
    loop {
        PHASES.wait_until(|| matches!(PHASE.load(Ordering::Acquire), CALL | QUIT));
        if PHASE.load(Ordering::Acquire) == QUIT {
            return;
        }
        sched::set_affinity(task, 1);
        while cpu::id() != 0 {
            sched::yield_now();
        }
        begin();
        step::debug(on_stop, || tracees::call(TRACEE, 1));
        PHASE.store(DONE, Ordering::Release);
    }
}
