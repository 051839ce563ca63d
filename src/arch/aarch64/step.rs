//! Self-hosted debugging of one kernel thread: software step, hardware breakpoints, watchpoints.
//!
//! ```text
//! debug(handler, work):  brk BEGIN -> handler(Began) -> work, one stop after the other -> brk END
//! a stop:                exception, D masked -> handler(frame, stop) -> Then -> exception return
//! ```
//! Debug exceptions are taken only where PSTATE.D is clear and MDSCR_EL1 asks for them. Everything in this kernel runs
//! with D masked and MDSCR 0 but what is inside [`debug`]. INVARIANT `debug-private`: both belong to that thread: its
//! exception frames carry D and SS in SPSR, the switch saves and loads D and MDSCR, and any exception masks D. So a
//! stepped thread may be interrupted at any boundary, switched out there, go on on another CPU, and be stepped there. An
//! interrupt on top of it may step itself ([`debug_on_top`]), and leaves both as they were.
//! A stop is no interrupt: it does not go through `irq::entry` and touches nothing that a grace-period scheme reads.
//!
//! Source: Arm ARM DDI 0487, D2 (self-hosted debug; the software step state machine is D2.12), MDSCR_EL1.
//! Notrace; called by the vectors alone, but for [`debug`], [`init_cpu`] and the two setters.

mod points;

pub use self::points::{Access, PointError, Watch};

use super::cpu;
use super::site::DebugWords;
use super::vectors::ExceptionFrame;
use aarch64_cpu::registers::{ESR_EL1, FAR_EL1, MDSCR_EL1, OSLAR_EL1};
use core::arch::asm;
use core::sync::atomic::Ordering;
use tock_registers::interfaces::{Readable, Writeable};

/// SPSR_EL1.SS: execute one instruction, then stop.
const SPSR_SS: u64 = 1 << 21;
/// SPSR_EL1.D.
const SPSR_D: u64 = 1 << 9;
const BEGIN: u64 = 0x5e01;
const END: u64 = 0x5e02;

/// Why the thread stands still. It has not executed the instruction at `frame.elr` yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// [`debug`] has begun.
    Began,
    /// The instruction before was executed.
    Stepped,
    /// A breakpoint is here.
    Breakpoint,
    /// The instruction is about to touch this address, which is watched.
    Watchpoint(usize),
}

/// How the thread goes on. One breakpoint or watchpoint that it stands at is passed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Executes one instruction.
    Step,
    /// Runs until a breakpoint or watchpoint.
    Go,
    /// Runs, and is debugged no more.
    Leave,
}

/// Looks at a stopped thread, whose registers it may change, and says how it goes on.
///
/// Context: exception on the thread's stack, IRQs masked. The thread may hold any lock, and may be inside the trampoline
/// or the scheduler: a handler takes no lock, allocates nothing and is notrace.
pub type Handler = fn(&mut ExceptionFrame, Stop) -> Then;

/// Unlocks this CPU's debug registers. Points are left alone until one is set: their reset values are unknown, but
/// nothing looks at them before, and a hypervisor may lack them. Context: boot of each CPU.
pub fn init_cpu() {
    OSLAR_EL1.set(0);
    MDSCR_EL1.set(0);
    cpu::isb();
}

/// Sets breakpoint number `slot` of this CPU to the instruction at `address`, or clears it.
///
/// Context: pinned to the CPU; whoever sets a point sets it on every CPU that the debugged thread may run on. It is seen
/// from the next exception return on.
#[inline(always)]
pub fn set_breakpoint(slot: usize, address: Option<usize>) -> Result<(), PointError> {
    points::write_breakpoint(slot, address)
}

/// Sets watchpoint number `slot` of this CPU, or clears it. Context: as [`set_breakpoint`].
#[inline(always)]
pub fn set_watchpoint(slot: usize, watch: Option<Watch>) -> Result<(), PointError> {
    points::write_watchpoint(slot, watch)
}

/// Whether MDSCR_EL1 asks for debug exceptions: in a debugged thread, and in interrupts on top of it.
pub fn is_armed() -> bool {
    MDSCR_EL1.get() != 0
}

/// Whether PSTATE.D lets debug exceptions through: only in a debugged thread (`debug-private`), in no interrupt.
pub fn is_exposed() -> bool {
    let daif: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, daif", out(reg) daif, options(nomem, nostack, preserves_flags)) };
    daif & SPSR_D == 0
}

/// Runs `work` in this thread as its `handler` says. Context: task.
///
/// # Panics
/// When the thread is debugged already.
pub fn debug<R>(handler: Handler, work: impl FnOnce() -> R) -> R {
    // SAFETY: SP_EL0 points to this task's header, all of whose words are atomics.
    let words = unsafe { &(*cpu::current()).debug };
    let before = words.handler.swap(handler as usize, Ordering::Relaxed);
    assert!(before == 0, "a thread that is debugged is not debugged once more");
    // SAFETY: `on_debug_exception` answers it: it changes how this thread runs, and no register of it.
    unsafe { asm!("brk #{begin}", begin = const BEGIN) };
    let result = work();
    // SAFETY: as above.
    unsafe { asm!("brk #{end}", end = const END) };
    words.handler.store(0, Ordering::Relaxed);
    result
}

/// The same for what runs on top of a thread that may be debugged itself, and goes on being so. Context: softirq, IRQ handler.
pub fn debug_on_top<R>(handler: Handler, work: impl FnOnce() -> R) -> R {
    // SAFETY: as in `debug`. Nothing is switched meanwhile: an interrupt is not preempted.
    let words = unsafe { &(*cpu::current()).debug };
    let outer = (words.handler.swap(0, Ordering::Relaxed), MDSCR_EL1.get());
    let result = debug(handler, work);
    // D is masked again: these count from the return to the thread on.
    words.handler.store(outer.0, Ordering::Relaxed);
    MDSCR_EL1.set(outer.1);
    result
}

/// Takes a synchronous exception if it is one of debugging. Returns whether it was. Context: exception entry.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn on_debug_exception(frame: &mut ExceptionFrame) -> bool {
    // SAFETY: as in `debug`; SP_EL0 and the stack in use belong to one task wherever D is clear (`switch_context`).
    let words = unsafe { &(*cpu::current()).debug };
    let address = words.handler.load(Ordering::Relaxed);
    if address == 0 {
        return false;
    }
    const BRK: u64 = 0x3c;
    const BREAKPOINT: u64 = 0x31;
    const STEP: u64 = 0x33;
    const WATCHPOINT: u64 = 0x35;
    let stop = match (ESR_EL1.read(ESR_EL1::EC), ESR_EL1.read(ESR_EL1::ISS) & 0xffff) {
        (BRK, BEGIN) => {
            frame.elr += 4;
            frame.spsr &= !SPSR_D;
            Stop::Began
        }
        (BRK, END) => {
            frame.elr += 4;
            go_on(frame, words, Then::Leave, false);
            return true;
        }
        (STEP, _) if words.passing_by.load(Ordering::Relaxed) => {
            words.passing_by.store(false, Ordering::Relaxed);
            go_on(frame, words, Then::Go, false);
            return true;
        }
        (STEP, _) => Stop::Stepped,
        (BREAKPOINT, _) => Stop::Breakpoint,
        (WATCHPOINT, _) => Stop::Watchpoint(FAR_EL1.get() as usize),
        _ => return false,
    };
    // SAFETY: only `debug` stores to it, and it stores a `Handler`.
    let handler = unsafe { core::mem::transmute::<usize, Handler>(address) };
    let then = handler(frame, stop);
    let is_at_point = matches!(stop, Stop::Breakpoint | Stop::Watchpoint(_));
    go_on(frame, words, then, is_at_point);
    true
}

/// Sets MDSCR of this thread, and what its exception return makes of D and SS.
#[inline(always)]
fn go_on(frame: &mut ExceptionFrame, words: &DebugWords, then: Then, is_at_point: bool) {
    let mut mdscr = MDSCR_EL1::KDE::SET.value;
    if points::are_in_use() && !is_at_point {
        mdscr |= MDSCR_EL1::MDE::SET.value; // else it would stop here once more
    }
    let steps = then == Then::Step || then == Then::Go && is_at_point;
    words.passing_by.store(then == Then::Go && is_at_point, Ordering::Relaxed);
    // D stays as the thread has it: the stop behind an instruction that masked it must not undo that.
    frame.spsr &= !SPSR_SS;
    if steps {
        frame.spsr |= SPSR_SS;
        mdscr |= MDSCR_EL1::SS::SET.value;
    }
    if then == Then::Leave {
        frame.spsr |= SPSR_D;
        mdscr = 0;
    }
    // The exception return synchronises context (SCTLR_EL1.EOS): MDSCR counts from there on. D is masked until then.
    MDSCR_EL1.set(mdscr);
}
