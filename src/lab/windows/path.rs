//! A call's boundaries, as one recorded call went: found by stepping, never listed by hand.
//!
//! | phase | where, in the theory's table |
//! |---|---|
//! | 1a, 1b | the callsite; the trampoline up to T2, which is not executed |
//! | 2 | behind T2, up to the call of func |
//! | 3 | func's text, T7 in x30 alone |
//! | 4 | func's text, or what it called |
//! | 10 | the same, behind the last instruction that reads the ops |
//! | 11 | T7 and on |
//! | - | behind all that; or in the call of another ops, around the one that is explored |
//! | 20 | the target that func sent the trampoline on to is to come, or runs |

use super::funcs::{PageOf, page_of};
use super::order::ENTRY;
use super::record::{FACTS, HELD, INSIDE, LENGTH, MOST, PCS, READS, RETURNS_TO_T7};
use crate::arch::insn::Insn;
use crate::arch::mmu::PAGE_SIZE;
use crate::arch::site::CallSite;
use crate::arch::text::read_insn;
use crate::arch::trampoline::{self, Trampoline};
use crate::console::epitaph::Place;
use crate::lab::report::HeldWhat;
use crate::lab::walk::label;
use crate::mm::text_page::place_of;
use crate::platform::WindowFunc;
use crate::sync::atomic::Ordering;
use alloc::vec::Vec;
use core::fmt::{self, Write};

/// One boundary: the instruction at it is not executed yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Boundary {
    /// Where. In a func's page the address is another in each call; the offset is the same.
    pub(super) pc: usize,
    pub(super) insn: Insn,
    pub(super) step: &'static str,
    pub(super) phase: &'static str,
    pub(super) held: HeldWhat,
}

impl Boundary {
    /// Whether `pc` is this boundary, in a call whose func lies in another page maybe.
    pub(super) fn is_at(&self, pc: usize) -> bool {
        match (page_of(self.pc), page_of(pc)) {
            (Some(own), Some(its)) => own == its && self.pc % PAGE_SIZE == pc % PAGE_SIZE,
            _ => self.pc == pc,
        }
    }
}

/// What the recorded call went through, unless that was too much. Context: the director, after the call, its ops still registered.
pub(super) fn recorded(func: WindowFunc, trampoline: &Trampoline) -> Option<Vec<Boundary>> {
    let length = LENGTH.load(Ordering::Relaxed);
    if length > MOST {
        return None;
    }
    let fact = |number: usize| FACTS[number].load(Ordering::Relaxed);
    let last_read = (0..length).rev().find(|&number| fact(number) & READS != 0).unwrap_or(length);
    let site = CallSite::from_return_address(ENTRY.load(Ordering::Relaxed) + 8);
    let (mut was_held, mut has_called) = (false, false);
    let mut is_redirected = false;
    // A trampoline's call of the fan-out, or of another member, leaves the same in x30.
    let is_of_func = |pc: usize| place_of(pc).is_some() || func == WindowFunc::Compiled && !trampoline.contains(pc);
    let one = |number: usize| {
        let pc = PCS[number].load(Ordering::Relaxed);
        let is_held = fact(number) & HELD != 0;
        was_held |= is_held;
        let is_in_trampoline = trampoline.contains(pc);
        let phase = match () {
            () if is_held && !has_called => "2",
            () if is_held && is_redirected => "20",
            () if is_held && number > last_read => "10",
            () if is_held && fact(number) & RETURNS_TO_T7 != 0 && is_of_func(pc) => "3",
            () if is_held => "4",
            () if was_held && is_redirected && (is_in_trampoline || place_of(pc).is_some()) => "20",
            () if was_held && is_in_trampoline => "11",
            () if !was_held && is_in_trampoline && pc <= trampoline.t2 => "1b",
            () if was_held || fact(number) & INSIDE != 0 => "-",
            () => "1a",
        };
        has_called |= is_held && pc == trampoline.t6;
        // A store through x3, func's fourth argument, changes where the trampoline goes.
        is_redirected |= func == WindowFunc::Redirect && is_held && read_insn(pc).base_register() == Some(3);
        let held = match (is_held, number > last_read) {
            (true, false) => HeldWhat::Ops,
            (true, true) => HeldWhat::Text,
            (false, _) if phase == "20" => HeldWhat::Text,
            (false, _) => HeldWhat::Nothing,
        };
        Boundary { pc, insn: read_insn(pc), step: label(pc, site, trampoline), phase, held }
    };
    Some((0..length).map(one).collect())
}

/// Whether a path goes the trampoline's slow exit, which lies behind its return.
pub(super) fn is_long(path: &[Boundary], trampoline: &Trampoline) -> bool {
    path.iter().any(|at| is_behind(at, trampoline))
}

/// Whether a boundary is one of the slow exit.
pub(super) fn is_behind(at: &Boundary, trampoline: &Trampoline) -> bool {
    trampoline.contains(at.pc) && at.pc > trampoline.ret
}

/// Prints a place in one word: in the trampoline, in the page of the explored func or of the other, or in other text.
#[derive(Clone, Copy)]
pub(super) struct At(pub(super) usize);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pc = self.0;
        match (page_of(pc), trampoline::around(pc)) {
            (Some(PageOf::Explored), _) => write!(f, "func+{:#x}", pc % PAGE_SIZE),
            (Some(PageOf::Other), _) => write!(f, "other+{:#x}", pc % PAGE_SIZE),
            (None, Some(variant)) => write!(f, "trampoline+{:#x}", pc - variant.t0),
            (None, None) => write!(OneWord(f), "{}", Place(pc)),
        }
    }
}

/// Writes a name without its spaces: `<A as B>` has them.
struct OneWord<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneWord<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.split(' ').enumerate().try_for_each(|(index, word)| {
            self.0.write_str(if index == 0 { "" } else { "_" })?;
            self.0.write_str(word)
        })
    }
}
