//! The hit path, stepped: callsite, trampoline, func, return, body. At each boundary between two instructions the
//! stepped thread is interrupted, switched out, looked at, moved to another CPU, and stepped on there.
//!
//! ```text
//! run n:  stepped thread, CPU 0          observer, high class, last CPU
//!         boundary n: SGI to itself
//!         IRQ taken there: wakes ------> waits until the thread is off its CPU
//!         affinity: the other CPU        unwinds its saved stack: boundary n, to the base
//!         (off)                          blocks
//!         stepped on, on the other CPU, to the end; result and counts are what they should be
//! ```
//! The handlers run inside exceptions of a thread that may be anywhere: they store to statics and nothing else.

mod holds;

use super::{Outcome, Run, check};
use crate::arch::step::{self, Stop, Then};
use crate::arch::unwind::Frames;
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic, trampoline};
use crate::ftrace::live;
use crate::ftrace::ops::Ops;
use crate::irq::entry;
use crate::lab::calls::{self, Calls};
use crate::lab::stepper::{NO_MARKS, Stepper};
use crate::lab::tracees;
use crate::rcu;
use crate::sched::ipi::SGI_LAB;
use crate::sched::preemption::{model, preempts};
use crate::sched::{self, Class, Spawn, Task, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::lock::IrqLock;
use crate::tracers::count;
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;

const TRACEE: usize = 0;

/// The stepped call: the thread's alone.
static STEPPER: IrqLock<Stepper> = IrqLock::new(Stepper::new(NO_MARKS));
/// The boundary of this run.
static AT: AtomicUsize = AtomicUsize::new(0);
/// The boundary that the thread stands at, for who says what went wrong there.
static NUMBER: AtomicUsize = AtomicUsize::new(0);
/// How many there are.
static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// Where the traced call returns to.
static RETURN: AtomicUsize = AtomicUsize::new(0);
/// The PC of the run's boundary.
static PC: AtomicUsize = AtomicUsize::new(0);
/// How far the run's interruption has come.
static PHASE: AtomicU32 = AtomicU32::new(IDLE);
const IDLE: u32 = 0;
const ASKED: u32 = 1;
const TAKEN: u32 = 2;
const LOOKED: u32 = 3;
const OVER: u32 = 4;
static STEPPED: AtomicPtr<Task> = AtomicPtr::new(core::ptr::null_mut());
static PHASES: WaitQueue = WaitQueue::new();

/// What went wrong first, as an index into [`WORDS`], and at which boundary.
static WRONG: AtomicUsize = AtomicUsize::new(0);
static WRONG_AT: AtomicUsize = AtomicUsize::new(0);
const WORDS: [&str; 11] = [
    "",
    "the SGI was not taken at its boundary",
    "the IRQ says another PC than the boundary's",
    "the thread was not switched out at its boundary",
    "the thread went on on the wrong CPU",
    "the backtrace does not reach its base",
    "the backtrace lacks the callsite or its caller",
    "the saved stack does not show the boundary, or does not reach its base",
    "the frames show another hold than the executed instructions",
    "the saved stack shows another hold than the executed instructions",
    "somebody else steps the call",
];

/// What the thread holds at the run's boundary: a [`holds::Seen`].
static HELD_THERE: AtomicUsize = AtomicUsize::new(0);

#[inline(always)]
fn wrong(what: usize) {
    if WRONG.compare_exchange(0, what, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
        WRONG_AT.store(NUMBER.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}

/// Whether the thread can be preempted wherever it stands.
static CAN_PREEMPT: AtomicBool = AtomicBool::new(false);

#[inline(always)]
fn is_preempted() -> bool {
    CAN_PREEMPT.load(Ordering::Relaxed)
}

/// The CPU that the thread is moved to.
fn other_cpu() -> usize {
    sched::nr_cpus() - 1
}

/// Each stop of the thread. Context: exception.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn on_stop(frame: &mut ExceptionFrame, _: Stop) -> Then {
    let pc = frame.elr as usize;
    let Some(mut stepper) = STEPPER.try_lock() else {
        wrong(10);
        return Then::Leave;
    };
    let Some(number) = stepper.stop(pc, frame.x[2] as usize, tracees::entry(TRACEE)) else { return Then::Step };
    let held = holds::by_steps(stepper.held());
    drop(stepper);
    if number == 0 {
        RETURN.store(frame.lr as usize, Ordering::Relaxed);
    }
    if number == AT.load(Ordering::Relaxed) + 1 {
        check_interruption();
    }
    if pc == RETURN.load(Ordering::Relaxed) {
        LENGTH.store(number, Ordering::Relaxed);
        return Then::Leave;
    }
    NUMBER.store(number, Ordering::Relaxed);
    check_backtrace(frame);
    if holds::by_frames(Frames::here()) != held {
        wrong(8);
    }
    if number == AT.load(Ordering::Relaxed) {
        PC.store(pc, Ordering::Relaxed);
        HELD_THERE.store(held, Ordering::Relaxed);
        // Order: Release pairs with the Acquire of `on_sgi`: it sees the PC.
        PHASE.store(ASKED, Ordering::Release);
        gic::send_sgi(SGI_LAB, cpu::id());
    }
    Then::Step
}

/// The instruction at the run's boundary has been executed: all that was to happen there has happened.
#[inline(always)]
fn check_interruption() {
    let phase = PHASE.load(Ordering::Acquire);
    if phase == ASKED {
        wrong(1);
    } else if is_preempted() {
        if phase != LOOKED {
            wrong(3);
        }
        if cpu::id() != other_cpu() {
            wrong(4);
        }
    }
    PHASE.store(IDLE, Ordering::Release);
}

/// From inside the trampoline or func, whose records stand, the chain names the callsite and its caller.
#[inline(always)]
fn check_backtrace(frame: &ExceptionFrame) {
    let pc = frame.elr as usize;
    let site = tracees::site(TRACEE);
    let (mut names_site, mut names_caller) = (false, false);
    let mut frames = Frames::of_exception(frame);
    for step in frames.by_ref() {
        names_site |= step.pc == site.entry() + 8;
        names_caller |= step.pc == RETURN.load(Ordering::Relaxed);
    }
    if !frames.is_at_base() {
        wrong(5);
    }
    let trampoline = live::trampoline();
    let is_in_body = (site.entry()..site.entry() + BODY_BYTES).contains(&pc);
    let has_records = (trampoline.t2..=trampoline.t7).contains(&pc) || !trampoline.contains(pc) && !is_in_body;
    if has_records && !(names_site && names_caller) {
        wrong(6);
    }
}

/// More than a tracee's body has.
const BODY_BYTES: usize = 64;

/// The SGI that the thread sent itself. Context: IRQ.
fn on_sgi() {
    if PHASE.load(Ordering::Acquire) != ASKED {
        return;
    }
    let mut innermost = None;
    irqs::with_masked(|irqs| {
        entry::for_each_interrupted(irqs, |state| {
            innermost.get_or_insert(state.interrupted_pc);
        });
    });
    if innermost != Some(PC.load(Ordering::Relaxed)) {
        wrong(2);
    }
    if !is_preempted() {
        PHASE.store(TAKEN, Ordering::Release);
        return;
    }
    // SAFETY: the thread is alive until the scenario has joined it.
    if let Some(task) = unsafe { STEPPED.load(Ordering::Relaxed).as_ref() } {
        sched::set_affinity(task, 1 << other_cpu());
    }
    PHASE.store(TAKEN, Ordering::Release);
    PHASES.wake_all();
}

/// Looks at the thread while it is off its CPU, and keeps it from going on until it has. Context: its own task.
fn observe() {
    loop {
        PHASES.wait_until(|| matches!(PHASE.load(Ordering::Acquire), TAKEN | OVER));
        // SAFETY: as in `on_sgi`.
        let Some(task) = (unsafe { STEPPED.load(Ordering::Relaxed).as_ref() }) else { return };
        if PHASE.load(Ordering::Acquire) == OVER {
            return;
        }
        // It may run nowhere but here, and here runs this, which is of a higher class. Where it goes on all the same, it
        // says so itself.
        while !task.is_off_cpu() {
            if PHASE.load(Ordering::Acquire) != TAKEN {
                break;
            }
            core::hint::spin_loop();
        }
        if PHASE.load(Ordering::Acquire) != TAKEN {
            continue;
        }
        let mut frames = Frames::from_fp(task.saved_fp());
        let shows = frames.by_ref().any(|step| step.interrupted && step.pc == PC.load(Ordering::Relaxed));
        frames.by_ref().for_each(drop);
        if !shows || !frames.is_at_base() {
            wrong(7);
        }
        if holds::by_frames(Frames::from_fp(task.saved_fp())) != HELD_THERE.load(Ordering::Relaxed) {
            wrong(9);
        }
        PHASE.store(LOOKED, Ordering::Release);
    }
}

/// What the thread saw.
struct Figures {
    boundaries: u64,
    preempted: u64,
    migrations: u64,
}

/// What came of it: the thread leaves it here.
static RESULT: IrqLock<Option<Result<Figures, String>>> = IrqLock::new(None);

/// The thread: one traced call for each boundary, until the last one.
fn step_every_boundary(ops: &Ops) -> Result<Figures, String> {
    let task = sched::current();
    STEPPED.store(core::ptr::from_ref(task).cast_mut(), Ordering::Relaxed);
    let counts = || (tracees::passes(TRACEE..=TRACEE), ops.hits.load(Ordering::Relaxed));
    for run in 0.. {
        sched::set_affinity(task, 1);
        while cpu::id() != 0 {
            sched::yield_now();
        }
        *STEPPER.lock() = Stepper::new(live::trampoline().marks());
        PHASE.store(IDLE, Ordering::Relaxed);
        AT.store(run, Ordering::Relaxed);
        let value = 0x5eed_0000 + run as u64;
        let before = counts();
        let result = step::debug(on_stop, || tracees::call(TRACEE, value));
        check!(result == value, "boundary {run}: the traced call returned {result:#x} for {value:#x}");
        let after = counts();
        check!(after == (before.0 + 1, before.1 + 1), "boundary {run}: {before:?} passes and hits became {after:?}");
        let what = WRONG.load(Ordering::Relaxed);
        check!(what == 0, "boundary {}: {}", WRONG_AT.load(Ordering::Relaxed), WORDS[what]);
        if run + 1 >= LENGTH.load(Ordering::Relaxed) {
            break;
        }
    }
    Ok(Figures {
        boundaries: LENGTH.load(Ordering::Relaxed) as u64,
        preempted: task.nivcsw.load(Ordering::Relaxed),
        migrations: task.migrations.load(Ordering::Relaxed),
    })
}

/// Steps the whole hit path, once for each of its boundaries; then one whose func jumps to a traced function, so that
/// a trampoline stands on another with no record between them.
pub(super) fn hit_path(run: &mut Run) -> Outcome {
    let register = |ops, number: usize| {
        live::register_at(ops, tracees::sites(number..=number))
            .map_err(|error| format!("the tracee cannot be traced: {error}"))
    };
    let retire = |ops| {
        let gone = live::unregister(ops).expect("registered above");
        let elapsed = rcu::synchronize_for(&gone);
        drop(gone.reclaim(elapsed));
    };
    let ops = register(count::counter("stepped"), TRACEE)?;
    let figures = step_from_all_sides(ops);
    retire(ops);
    let Figures { boundaries, preempted, migrations } = figures?;
    let (jumping, ops) = (register(holds::jumping_ops(), TRACEE)?, register(count::counter("jumped"), holds::TARGET)?);
    let jumps = step_from_all_sides(ops);
    retire(jumping);
    retire(ops);
    let jump = jumps?.boundaries;
    run.note("boundaries", boundaries);
    run.note("preempted", preempted);
    run.note("migrations", migrations);
    run.note("jump", jump);
    let trampoline = live::trampoline();
    let least = (trampoline.end - trampoline.t0) as u64 / 4 + 3;
    check!(boundaries >= least, "{boundaries} boundaries: callsite, trampoline and body alone have {least}");
    check!(jump >= 2 * least, "{jump} boundaries of two of them");
    let moved = is_preempted() && sched::nr_cpus() > 1;
    check!(!moved || migrations >= boundaries, "{migrations} migrations in {boundaries} runs");
    Ok(())
}

/// Steps a call of the tracee, which `ops` counts, once for each of its boundaries.
fn step_from_all_sides(ops: *const Ops) -> Result<Figures, String> {
    static CALLS: Calls = Calls { sgi: on_sgi, softirq: || {} };
    CAN_PREEMPT.store(preempts(model()) && live::trampoline() != trampoline::nopreempt(), Ordering::Relaxed);
    WRONG.store(0, Ordering::Relaxed);
    PHASE.store(IDLE, Ordering::Relaxed);
    calls::begin(&CALLS);
    let spawn = |name, class, cpu, work| {
        sched::spawn(Spawn { name, class, cpu: Some(cpu) }, work).map_err(|error| format!("{error}"))
    };
    let observer = spawn("observer", Class::High, other_cpu(), Box::new(observe))?;
    let address = ops.expose_provenance();
    let work = move || {
        // SAFETY: the ops stays registered until this thread has been joined.
        let ops = unsafe { &*core::ptr::with_exposed_provenance::<Ops>(address) };
        let result = step_every_boundary(ops);
        *RESULT.lock() = Some(result);
    };
    spawn("stepped", Class::Normal, 0, Box::new(work))?.join();
    PHASE.store(OVER, Ordering::Release);
    PHASES.wake_all();
    observer.join();
    calls::end();
    STEPPED.store(core::ptr::null_mut(), Ordering::Relaxed);
    RESULT.lock().take().ok_or_else(|| String::from("the stepped thread ended without a result"))?
}
