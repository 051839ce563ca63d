//! Which ops a chain of frames holds: what makes the scheme `scan` exact, and names the ops in a stall report.
//!
//! Only a callsite's `bl T0` makes F+8 a return address, so a record whose lr is an F+8 *is* a live trampoline's, and T3
//! made its frame name the ops. It holds them unless the trampoline itself is where its context stands, at or before T2
//! (not loaded yet) or at or after T7 (func has returned); between T2 and T3 the ops is still in x2. Each exception frame
//! begins a context of its own.
//!
//! It stands on rules that `tests/image` holds for the linked image: whatever calls has a frame record, x29 heads it, and
//! `mov x9, x30` stands at callsites alone.
//! Context: any; the chain is the caller's own, or of a task that is kept off its CPU.

use super::{Frames, Step};
use crate::arch::insn::Insn;
use crate::arch::mmu;
use crate::arch::site::{CallSite, OpsHeader, RECORD_TO_OPS, Regs};
use crate::arch::text::read_insn;
use crate::arch::trampoline;
use crate::arch::vectors::ExceptionFrame;
use crate::fault::{self, Fault};
use core::mem::offset_of;

/// x2 carries the ops from T2 to func.
const OPS_REGISTER: usize = 2;

/// One trampoline that a context is inside of, and the ops that it holds.
#[derive(Clone, Copy, Debug)]
pub struct Hold {
    /// The ops, or the fan-out node: live as long as the chain is.
    pub ops: *const OpsHeader,
    /// The callsite that was hit.
    pub site: CallSite,
}

/// The holds of a chain, innermost first.
#[derive(Clone, Copy, Debug)]
pub struct Holds {
    frames: Frames,
    inner: Option<Step>,
    nr_passing: u32,
    /// Exception frames met: counted for a deliberate fault alone.
    nr_contexts: u32,
}

impl Holds {
    /// Those of a chain that begins at a frame pointer: an off-CPU task's, or our own.
    #[inline(always)]
    pub fn of(frames: Frames) -> Self {
        debug_assert!(frames.next.is_none(), "what an exception interrupted is met on the way, or not at all");
        Self { frames, inner: None, nr_passing: 0, nr_contexts: 0 }
    }

    /// Passes over what no rule below says anything of: records whose return address lies in compiled code and is no F+8. A chain may
    /// have as many as fit on a stack, and IRQs are masked meanwhile, so each costs as few instructions as it can.
    #[inline(always)]
    fn pass_calls(&mut self) {
        let (mut cursor, compiled) = (self.frames.cursor, compiled());
        while let Some((record, behind)) = cursor.next()
            && is_in(compiled, record.lr)
            && !is_behind_callsite(record.lr)
        {
            cursor = behind;
        }
        if cursor.room != self.frames.cursor.room {
            // A call like any other stands between.
            self.inner = None;
        }
        self.frames.cursor = cursor;
    }

    /// Whether the chain was followed to its base: once the iterator has ended, that no hold is missing.
    #[inline(always)]
    pub const fn is_whole(&self) -> bool {
        self.frames.is_at_base()
    }

    /// Contexts met so far that stand in a trampoline and hold nothing there.
    #[inline(always)]
    pub const fn nr_passing(&self) -> u32 {
        self.nr_passing
    }
}

/// Where compiled code lies, and how many instructions it has: all text but boot code, exception entry and the trampolines, which
/// stand below (`linker.ld`).
#[inline(always)]
fn compiled() -> (usize, usize) {
    let start = trampoline::end();
    (start, (mmu::text().end - start) / size_of::<Insn>())
}

/// Whether `pc` is a place in compiled code: one comparison, since what is misaligned shows in the uppermost bits.
#[inline(always)]
fn is_in((start, nr_insns): (usize, usize), pc: usize) -> bool {
    pc.wrapping_sub(start).rotate_right(size_of::<Insn>().trailing_zeros()) < nr_insns
}

/// Whether `pc`, a place in compiled code, is an F+8.
#[inline(always)]
fn is_behind_callsite(pc: usize) -> bool {
    read_insn(pc - 8) == Insn::MOV_X9_LR
}

/// Whether `pc` is in a trampoline, where that one holds nothing.
#[inline(always)]
fn is_outside_of_hold(pc: usize) -> bool {
    trampoline::around(pc).is_some_and(|variant| pc <= variant.t2 || pc >= variant.t7)
}

/// Where a trampoline stands that the innermost step shows, as to its own record.
enum Stand {
    /// It holds what its frame names.
    Named,
    /// It holds what x2 names.
    InRegister(usize),
    /// It holds nothing.
    Passing,
}

/// Func's record returns to T7; what returns further on was called on the way out.
#[inline(always)]
fn stand_in_callee(returns_to: usize) -> Stand {
    match trampoline::around(returns_to) {
        Some(variant) if returns_to != variant.t7 => Stand::Passing,
        _ => Stand::Named,
    }
}

/// What the step inward of a trampoline's record says of that trampoline.
#[inline(always)]
fn stand(inner: &Step, record: usize) -> Stand {
    if !inner.interrupted {
        return stand_in_callee(inner.pc);
    }
    let frame = inner.record - offset_of!(ExceptionFrame, record);
    // SAFETY: the step is an interrupted one: its record lies in an exception frame, on the same stack, which lives.
    let frame = unsafe { &*core::ptr::with_exposed_provenance::<ExceptionFrame>(frame) };
    let Some(variant) = trampoline::around(inner.pc) else {
        return stand_in_callee(frame.lr as usize); // it has no record of its own, so x30 says whither it returns
    };
    // The sp alone does not tell: where func jumps to a traced function, it is the outer trampoline's there.
    let is_own = variant.has_frame_at(inner.pc) && frame.sp as usize + offset_of!(Regs, callsite) == record;
    if !is_own {
        return Stand::Named; // an outer trampoline's: this one has no record yet, or none any more
    }
    let is_in_register = inner.pc <= variant.t3;
    if is_outside_of_hold(inner.pc) || is_in_register && fault::is(Fault::RegisterOverlooked) {
        Stand::Passing
    } else if is_in_register {
        Stand::InRegister(frame.x[OPS_REGISTER] as usize)
    } else {
        Stand::Named
    }
}

impl Iterator for Holds {
    type Item = Hold;

    #[unsafe(link_section = ".text.notrace")]
    fn next(&mut self) -> Option<Hold> {
        loop {
            self.pass_calls();
            let step = self.frames.follow()?;
            let inner = self.inner.replace(step);
            if fault::is(Fault::OuterContextsOverlooked) {
                self.nr_contexts += u32::from(step.interrupted);
                if self.nr_contexts > 1 {
                    continue;
                }
            }
            if step.interrupted || !is_in(compiled(), step.pc) || !is_behind_callsite(step.pc) {
                self.nr_passing += u32::from(step.interrupted && is_outside_of_hold(step.pc));
                continue;
            }
            if fault::is(Fault::InnermostRecordOnly) && inner.is_none_or(|inner| !inner.interrupted) {
                continue;
            }
            let ops = match inner.map_or(Stand::Named, |inner| stand(&inner, step.record)) {
                Stand::Passing => continue,
                Stand::InRegister(ops) => ops,
                Stand::Named => {
                    let slot = core::ptr::with_exposed_provenance::<usize>(step.record - RECORD_TO_OPS);
                    // SAFETY: the record is the one in the trampoline's frame, which has the slot at this distance.
                    unsafe { slot.read_volatile() }
                }
            };
            let site = CallSite::from_return_address(step.pc);
            return Some(Hold { ops: core::ptr::with_exposed_provenance(ops), site });
        }
    }
}
