//! Where a debugger stops: `replay` of `qemu/gdbinit` knows this file's function by its name and its arguments.

use super::party::FIRST;
use super::seen::Spot;
use crate::lab::report::{Cell, HeldWhat};
use crate::lab::scenario::Scenario;
use crate::mm::text_page::place_of;
use crate::sync::atomic::Ordering;
use core::hint::black_box;

/// The thread stands at its boundary, and it, or another that stands as well, is about to go on; what the scheme lets be freed is freed.
///
/// `pc` and `sp` are the thread's, and 0 where it is not stepped to its boundary: its func waits there by itself, and no instruction is waited for.
/// `facts`: bits 0 to 7 what is held (0 nothing, 1 ops, 2 text); bit 8 whether the ops was freed; bit 9 whether `pc` lies in
/// func's own page, which goes with the ops.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn window_stands(pc: usize, sp: usize, ops: usize, n: usize, facts: usize) {
    black_box((pc, sp, ops, n, facts));
}

/// Tells a debugger, if there is one, where the first party stands; `text` is the page of the explored func. Context: the director.
pub(super) fn tell(spot: &Spot<'_>, ops: usize, text: Option<usize>, scenario: &Scenario, cell: Cell) {
    let held = match spot.at.held {
        HeldWhat::Nothing => 0,
        HeldWhat::Ops => 1,
        HeldWhat::Text => 2,
    };
    let is_freed = matches!(cell, Cell::Right | Cell::Unsafe);
    let is_stepped = !scenario.is_in_helper();
    let at = |word: usize| if is_stepped { word } else { 0 };
    let (pc, sp) = (FIRST.pc.load(Ordering::Relaxed), FIRST.sp.load(Ordering::Relaxed));
    let is_in_func = place_of(pc).is_some() && place_of(pc) == text.and_then(place_of);
    window_stands(at(pc), at(sp), ops, spot.n, held | usize::from(is_freed) << 8 | usize::from(is_in_func) << 9);
}
