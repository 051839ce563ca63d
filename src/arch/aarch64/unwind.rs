//! The x29 chain: return addresses from the innermost frame outward, across exceptions and the trampoline.
//!
//! Nothing is trusted: a record is read only in the mapped half of the stack that the chain began on, or in the image
//! (boot and overflow stacks, not their guards), and the chain must rise. Only an exception may lead to another stack.
//! Context: any, the panic path included.

mod holds;

pub use holds::{Hold, Holds};

use super::site::FrameRecord;
use super::{image, mmu, vectors};
use core::ops::Range;

/// One step of a backtrace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// The address: an interrupted PC, or a return address.
    pub pc: usize,
    /// Whether an exception interrupted this function here (then `pc` is exact).
    pub interrupted: bool,
    /// The frame record that said so; an interrupted one's lies in its [`vectors::ExceptionFrame`]. 0 if none did.
    pub record: usize,
}

/// An iterator over return addresses.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    fp: usize,
    lowest: usize,
    /// The stack that the chain is on.
    slot: usize,
    next: Option<Step>,
    /// Behind `next`: who called what is no text.
    caller: Option<Step>,
    left: usize,
    is_at_base: bool,
}

/// The stack slot that an address lies in.
const fn slot_of(address: usize) -> usize {
    address & !(2 * vectors::STACK_SIZE - 1)
}

/// No stack holds more.
const MOST_FRAMES: usize = 4 * vectors::STACK_SIZE / size_of::<FrameRecord>();

impl Frames {
    /// From an interrupted context.
    pub fn of_exception(frame: &vectors::ExceptionFrame) -> Self {
        let first = Step { pc: frame.elr as usize, interrupted: true, record: (&raw const frame.record).addr() };
        // A jump to what is no text: it has pushed no record, so x30 alone says who jumped.
        let jumped = !mmu::text().contains(&first.pc) && mmu::text().contains(&(frame.lr as usize));
        let caller = jumped.then_some(Step { pc: frame.lr as usize, interrupted: false, record: 0 });
        Self { next: Some(first), caller, ..Self::from_fp(frame.x[29] as usize) }
    }

    /// From a frame pointer, as an off-CPU task's saved x29.
    pub const fn from_fp(fp: usize) -> Self {
        Self { fp, lowest: 0, slot: slot_of(fp), next: None, caller: None, left: MOST_FRAMES, is_at_base: false }
    }

    /// From the caller's own frame.
    #[inline(always)]
    pub fn here() -> Self {
        let fp: usize;
        // SAFETY: reads a register.
        unsafe { core::arch::asm!("mov {}, x29", out(reg) fp, options(nomem, nostack, preserves_flags)) };
        Self::from_fp(fp)
    }

    /// Whether the chain was followed to its base: once the iterator has ended, that no frame is missing.
    pub const fn is_at_base(&self) -> bool {
        self.is_at_base
    }

    #[inline(always)]
    fn readable(&self, record: usize) -> bool {
        let fits = |range: &Range<usize>| range.start <= record && record + size_of::<FrameRecord>() <= range.end;
        // The upper half of a slot is mapped while its task is listed; the lower one never is.
        let on_stack = fits(&mmu::STACK_WINDOW) && slot_of(record) == self.slot && record & vectors::STACK_SIZE != 0;
        let in_image = fits(&mmu::image()) && !image::is_stack_guard(record);
        record.is_multiple_of(16) && record >= self.lowest && (on_stack || in_image)
    }
}

impl Iterator for Frames {
    type Item = Step;

    #[unsafe(link_section = ".text.notrace")]
    fn next(&mut self) -> Option<Step> {
        if let Some(step) = self.next.take().or_else(|| self.caller.take()) {
            return Some(step);
        }
        if self.left == 0 || !self.readable(self.fp) {
            return None;
        }
        self.left -= 1;
        // SAFETY: aligned, and inside memory that holds stacks; see `readable`.
        let record = unsafe { core::ptr::with_exposed_provenance::<FrameRecord>(self.fp).read_volatile() };
        let at = self.fp;
        // An overflow goes on from its own stack to the task's: the one place where the chain may fall.
        self.lowest = if vectors::is_exception_return(record.lr) { 0 } else { self.fp + 1 };
        let interrupted = vectors::is_exception_return(record.lr);
        self.fp = record.fp;
        if record.lr == 0 {
            self.is_at_base = true;
            return None;
        }
        if interrupted {
            // The handler's record leads to the ExceptionFrame's own record, whose lr is the interrupted PC.
            if !self.readable(self.fp) {
                return None;
            }
            let at = self.fp;
            // SAFETY: as above.
            let inner = unsafe { core::ptr::with_exposed_provenance::<FrameRecord>(at).read_volatile() };
            self.fp = inner.fp;
            self.slot = slot_of(inner.fp);
            return Some(Step { pc: inner.lr, interrupted: true, record: at });
        }
        Some(Step { pc: record.lr, interrupted: false, record: at })
    }
}
