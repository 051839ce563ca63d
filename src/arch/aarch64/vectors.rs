//! Exception entry: frames, and the way up to whoever handles them.
//!
//! Everything here is `notrace` (O8). Above: `irq::entry` takes IRQs by [`IRQ`], `irq::watchdog` takes FIQs by [`FIQ`],
//! `kernel` takes faults by [`FAULT`]. FIQs come at any instruction but those of an exception's entry and return and of
//! a fault's handler, IRQs masked or not; nobody but the watchdog may use them. PSTATE.D stays masked on every path here; a frame's SPSR keeps SS and D of what it interrupted.

use super::cpu;
use super::exit::SEMIHOSTING_HLT;
use super::site::FrameRecord;
use super::{image, mmu};
use crate::hook::Hook;
use aarch64_cpu::registers::{ESR_EL1, FAR_EL1};
use core::arch::global_asm;
use core::cell::UnsafeCell;
use core::mem::offset_of;
use core::ops::Range;
use tock_registers::LocalRegisterCopy;
use tock_registers::interfaces::Readable;

/// log2 of a stack's size. A stack is the upper half of a slot of twice this size.
pub const STACK_SHIFT: usize = 14;
/// Bytes of a task's stack.
pub const STACK_SIZE: usize = 1 << STACK_SHIFT;

/// What was interrupted: every register, and a frame record that keeps the x29 chain whole.
#[repr(C)]
#[derive(Debug)]
pub struct ExceptionFrame {
    /// x0 to x29.
    pub x: [u64; 30],
    /// x30.
    pub lr: u64,
    /// The stack pointer.
    pub sp: u64,
    /// Where it was interrupted.
    pub elr: u64,
    /// PSTATE, with SS and D.
    pub spsr: u64,
    /// {x29, ELR}: x29 points here while the exception is handled.
    pub record: FrameRecord,
}

impl ExceptionFrame {
    /// Whether IRQs were masked where it was interrupted.
    pub const fn masks_irqs(&self) -> bool {
        self.spsr & 1 << 7 != 0
    }
}

const _: () = assert!(size_of::<ExceptionFrame>().is_multiple_of(16), "sp stays on 16 bytes");

/// Which vector took the exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A synchronous exception: see ESR.
    Synchronous,
    /// The stack ran over into its guard.
    StackOverflow,
    /// sp is misaligned, or in no stack at all.
    BadStack,
    /// SError: an external abort.
    SystemError,
    /// A vector that nothing should come through (SP_EL0, a lower level).
    Unexpected,
}

/// A fault, as the syndrome registers tell it.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// The vector.
    pub kind: Kind,
    /// ESR_EL1.
    pub syndrome: u64,
    /// FAR_EL1, where the class defines it.
    pub address: u64,
}

impl Fault {
    /// The exception class, ESR_EL1.EC.
    pub fn class(&self) -> u64 {
        LocalRegisterCopy::<u64, ESR_EL1::Register>::new(self.syndrome).read(ESR_EL1::EC)
    }

    /// What happened, in words. Source: Arm ARM DDI 0487, ESR_EL1.
    pub fn describe(&self) -> &'static str {
        match (self.kind, self.class()) {
            (Kind::StackOverflow, _) => "stack overflow",
            (Kind::BadStack, _) => "bad stack pointer",
            (Kind::SystemError, _) => "external abort (SError)",
            (Kind::Unexpected, _) => "exception through an unused vector",
            (_, 0x00) => "undefined instruction",
            (_, 0x07) => "floating-point instruction",
            (_, 0x0e) => "illegal execution state",
            (_, 0x20 | 0x21) => "instruction fetch",
            (_, 0x22) => "misaligned pc",
            (_, 0x24 | 0x25) if self.syndrome & 1 << 6 != 0 => "store",
            (_, 0x24 | 0x25) => "load",
            (_, 0x26) => "misaligned sp",
            (_, 0x30 | 0x31) => "hardware breakpoint",
            (_, 0x32 | 0x33) => "software step",
            (_, 0x34 | 0x35) => "watchpoint",
            (_, 0x3c) => "brk instruction",
            _ => "synchronous exception",
        }
    }

    /// Why a load, store or fetch failed, in words. Source: Arm ARM DDI 0487, ESR_EL1 ISS, xFSC.
    pub fn reason(&self) -> &'static str {
        match (self.class(), self.syndrome & 0x3f) {
            (0x20 | 0x21 | 0x24 | 0x25, code) => match code {
                0x04..=0x07 => "not mapped",
                0x08..=0x0b => "access flag",
                0x0c..=0x0f => "not permitted",
                0x10 => "external abort",
                0x14..=0x17 => "external abort of a table walk",
                0x21 => "misaligned",
                _ => "see the syndrome",
            },
            _ => "",
        }
    }
}

/// Handles an IRQ. Wired by `kernel` to `irq::entry`.
pub static IRQ: Hook<fn(&mut ExceptionFrame)> = Hook::new();

/// Handles a FIQ, on top of anything. Wired by `kernel` to `irq::watchdog`.
pub static FIQ: Hook<fn(&mut ExceptionFrame)> = Hook::new();

/// Handles a fault: returns to what it interrupted, if it returns. Wired by `kernel`.
pub static FAULT: Hook<fn(&mut ExceptionFrame, &Fault)> = Hook::new();

#[repr(C, align(32768))]
struct OverflowStacks(UnsafeCell<[[u8; 2 * STACK_SIZE]; cpu::MAX_CPUS]>);
// SAFETY: each CPU uses its own slot, and only as a stack.
unsafe impl Sync for OverflowStacks {}
static OVERFLOW_STACKS: OverflowStacks = OverflowStacks(UnsafeCell::new([[0; 2 * STACK_SIZE]; cpu::MAX_CPUS]));

global_asm!(
    include_str!("vectors.S"),
    FRAME_SIZE = const size_of::<ExceptionFrame>(),
    FRAME_LR = const offset_of!(ExceptionFrame, lr),
    FRAME_ELR = const offset_of!(ExceptionFrame, elr),
    FRAME_RECORD = const offset_of!(ExceptionFrame, record),
    STACK_SHIFT = const STACK_SHIFT,
    OVERFLOW_STACKS = sym OVERFLOW_STACKS,
    STACK_WINDOW_HIGH = const STACK_WINDOW_HIGH,
    IMAGE_SHIFT = const IMAGE_SHIFT,
);

/// The upper 32 bits of every address in the stack window.
const STACK_WINDOW_HIGH: usize = mmu::STACK_WINDOW.start >> 32;
const _: () = assert!((mmu::STACK_WINDOW.end - 1) >> 32 == STACK_WINDOW_HIGH && mmu::STACK_WINDOW.start << 32 == 0);
/// log2 of what the image has room in.
const IMAGE_SHIFT: usize = 23;

/// The overflow stack of CPU number `cpu`: its guard, which is never mapped, and past the guard the stack.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn overflow_slot(cpu: usize) -> (Range<usize>, Range<usize>) {
    let start = OVERFLOW_STACKS.0.get().addr() + cpu * 2 * STACK_SIZE;
    (start..start + STACK_SIZE, start + STACK_SIZE..start + 2 * STACK_SIZE)
}

unsafe extern "C" {
    fn exception_return_sync();
    fn exception_return_overflow();
}

/// Whether `return_address` is that of an exception handler: the record above it is an [`ExceptionFrame`]'s.
#[inline(always)]
pub fn is_exception_return(return_address: usize) -> bool {
    let (first, last) = (exception_return_sync as *const (), exception_return_overflow as *const ());
    // Nothing else between them, in `vectors.S`, is where a call returns to.
    (first.addr()..=last.addr()).contains(&return_address)
}

#[unsafe(no_mangle)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn exception_irq(frame: &mut ExceptionFrame) {
    match IRQ.get() {
        Some(handle) => {
            cpu::unmask_fiqs();
            handle(frame);
            cpu::mask_fiqs();
        }
        None => fault(frame, Kind::Unexpected),
    }
}

#[unsafe(no_mangle)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn exception_fiq(frame: &mut ExceptionFrame) {
    match FIQ.get() {
        Some(handle) => handle(frame),
        None => fault(frame, Kind::Unexpected),
    }
}

#[unsafe(no_mangle)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn exception_sync(frame: &mut ExceptionFrame) {
    const UNDEFINED: u64 = 0;
    if ESR_EL1.read(ESR_EL1::EC) == UNDEFINED {
        let is_probe = super::timer::is_probe(frame.elr);
        let answer = if is_probe { Some(0) } else { unanswered(frame) };
        if let Some(answer) = answer {
            frame.x[0] = answer;
            frame.elr += 4;
            return;
        }
    }
    if super::step::on_debug_exception(frame) {
        return;
    }
    fault(frame, Kind::Synchronous);
}

/// What stands in x0 behind an instruction that is undefined because nobody is there to answer it: the caller has
/// another way. HLT is semihosting's; a call of firmware is answered as firmware answers one that it does not know.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn unanswered(frame: &ExceptionFrame) -> Option<u64> {
    const HVC: u32 = 0xd400_0002;
    const SMC: u32 = 0xd400_0003;
    /// Source: Arm DEN 0028, SMC Calling Convention, 5.2.
    const NOT_SUPPORTED: u64 = u64::MAX;
    // SAFETY: the CPU just fetched an instruction from there: the address is mapped and aligned.
    match unsafe { core::ptr::with_exposed_provenance::<u32>(frame.elr as usize).read_volatile() } {
        SEMIHOSTING_HLT => Some(frame.x[0]),
        HVC | SMC => Some(NOT_SUPPORTED),
        _ => None,
    }
}

#[unsafe(no_mangle)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn exception_overflow(frame: &mut ExceptionFrame) {
    let below = (frame.sp as usize).wrapping_sub(size_of::<ExceptionFrame>());
    let is_guard = mmu::STACK_WINDOW.contains(&below) || image::is_stack_guard(below);
    let ran_over = frame.sp.is_multiple_of(16) && below & STACK_SIZE == 0 && is_guard;
    fault(frame, if ran_over { Kind::StackOverflow } else { Kind::BadStack });
}

#[unsafe(no_mangle)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn exception_serror(frame: &mut ExceptionFrame) {
    fault(frame, Kind::SystemError);
}

#[unsafe(no_mangle)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn exception_unexpected(frame: &mut ExceptionFrame) {
    fault(frame, Kind::Unexpected);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn fault(frame: &mut ExceptionFrame, kind: Kind) {
    let fault = Fault { kind, syndrome: ESR_EL1.get(), address: FAR_EL1.get() };
    match FAULT.get() {
        Some(handle) => handle(frame, &fault),
        // Before the console: nothing can be said.
        None => super::exit::exit(super::exit::STATUS_PANIC),
    }
}
