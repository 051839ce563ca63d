//! The x29 chain: return addresses from the innermost frame outward, across exceptions and the trampoline.
//!
//! Nothing is trusted: a record is read only in the mapped half of the stack that the chain began on, or in the image
//! (boot and overflow stacks, not their guards), and the chain must rise. Only an exception may lead to another stack.
//! Context: any, the panic path included.

mod holds;

pub use holds::{Hold, Holds};

use super::site::FrameRecord;
use super::{image, mmu, vectors};
use core::arch::asm;
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

/// Where the chain goes on, and on what of its stack.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    fp: usize,
    /// How many records there is room for between the last one that was read and the end: the chain rises.
    room: usize,
    /// The end of the stack.
    end: usize,
}

/// An iterator over return addresses.
#[derive(Clone, Copy, Debug)]
pub struct Frames {
    cursor: Cursor,
    /// How often it may still go on on another stack.
    stacks_left: u8,
    is_at_base: bool,
    next: Option<Step>,
    /// Behind `next`: who called what is no text.
    caller: Option<Step>,
}

/// A task's, an overflow stack, and once more.
const MOST_STACKS: u8 = 4;

/// The stack that `address` is on, as far as it is mapped; empty if it is on none.
#[inline(always)]
fn stack_around(address: usize) -> Range<usize> {
    if mmu::STACK_WINDOW.contains(&address) {
        // The upper half of a slot is mapped while its task is listed; the lower one never is.
        let top = (address | (2 * vectors::STACK_SIZE - 1)) + 1;
        return top - vectors::STACK_SIZE..top;
    }
    image::room_around(address)
}

impl Cursor {
    /// At `fp`, with all of the stack before it.
    #[inline(always)]
    const fn new(fp: usize, stack: &Range<usize>) -> Self {
        Self { fp, room: (stack.end - stack.start) / size_of::<FrameRecord>(), end: stack.end }
    }

    /// Whether a record at `address` is one that the chain may go on with; how many fit above it.
    #[inline(always)]
    const fn room_above(&self, address: usize) -> Option<usize> {
        let room = FrameRecord::nr_above(address, self.end);
        if room < self.room { Some(room) } else { None }
    }

    /// The next record, if the chain leads to one, and the cursor behind it.
    #[inline(always)]
    fn next(&self) -> Option<(FrameRecord, Self)> {
        let room = self.room_above(self.fp)?;
        let (fp, lr);
        // SAFETY: 1. Aligned, and inside a stack, as far as that is mapped. 2. Each word is loaded once, as by a volatile read, be it
        // written meanwhile or not.
        unsafe {
            asm!(
                "ldp {fp}, {lr}, [{at}]",
                at = in(reg) self.fp, fp = lateout(reg) fp, lr = lateout(reg) lr,
                options(readonly, nostack, preserves_flags),
            );
        }
        Some((FrameRecord { fp, lr }, Self { fp, room, ..*self }))
    }
}

impl Frames {
    /// From an interrupted context.
    #[inline(always)]
    pub fn of_exception(frame: &vectors::ExceptionFrame) -> Self {
        let first = Step { pc: frame.elr as usize, interrupted: true, record: (&raw const frame.record).addr() };
        // A jump to what is no text: it has pushed no record, so x30 alone says who jumped.
        let jumped = !mmu::text().contains(&first.pc) && mmu::text().contains(&(frame.lr as usize));
        let caller = jumped.then_some(Step { pc: frame.lr as usize, interrupted: false, record: 0 });
        Self { next: Some(first), caller, ..Self::from_fp(frame.x[29] as usize) }
    }

    /// From a frame pointer, as an off-CPU task's saved x29.
    #[inline(always)]
    pub fn from_fp(fp: usize) -> Self {
        let cursor = Cursor::new(fp, &stack_around(fp));
        Self { cursor, stacks_left: MOST_STACKS, is_at_base: false, next: None, caller: None }
    }

    /// From the caller's own frame.
    #[inline(always)]
    pub fn here() -> Self {
        let fp: usize;
        // SAFETY: reads a register.
        unsafe { asm!("mov {}, x29", out(reg) fp, options(nomem, nostack, preserves_flags)) };
        Self::from_fp(fp)
    }

    /// Whether the chain was followed to its base: once the iterator has ended, that no frame is missing.
    #[inline(always)]
    pub const fn is_at_base(&self) -> bool {
        self.is_at_base
    }

    /// The next record, if the chain leads to one.
    #[inline(always)]
    fn read(&mut self) -> Option<FrameRecord> {
        let (record, behind) = self.cursor.next()?;
        self.cursor = behind;
        Some(record)
    }

    /// One step outward along x29.
    #[inline(always)]
    fn follow(&mut self) -> Option<Step> {
        let at = self.cursor.fp;
        let record = self.read()?;
        if record.lr == 0 {
            self.is_at_base = true;
            return None;
        }
        if !vectors::is_exception_return(record.lr) {
            return Some(Step { pc: record.lr, interrupted: false, record: at });
        }
        // The handler's record leads to the ExceptionFrame's own record, whose lr is the interrupted PC.
        let at = self.cursor.fp;
        let inner = self.read()?;
        if self.cursor.room_above(inner.fp).is_none() {
            self.change_stack();
        }
        Some(Step { pc: inner.lr, interrupted: true, record: at })
    }

    /// An overflow is handled on a stack of its own: the chain goes on on the one that it interrupted.
    #[cold]
    #[inline(never)]
    #[unsafe(link_section = ".text.notrace")]
    fn change_stack(&mut self) {
        let Cursor { fp, end, .. } = self.cursor;
        let stack = stack_around(fp);
        // Not further down on the same one.
        let is_other = stack.end != end && self.stacks_left > 0;
        self.cursor = Cursor::new(fp, &if is_other { stack } else { 0..0 });
        self.stacks_left = self.stacks_left.saturating_sub(1);
    }
}

impl Iterator for Frames {
    type Item = Step;

    #[unsafe(link_section = ".text.notrace")]
    fn next(&mut self) -> Option<Step> {
        self.next.take().or_else(|| self.caller.take()).or_else(|| self.follow())
    }
}
