//! What is kept of each boundary of a call while it is stepped: plain words, since the handler of a stop takes no lock.

use super::party::{AtT2, FIRST};
use crate::arch::text::read_insn;
use crate::arch::vectors::ExceptionFrame;
use crate::ftrace::ops::Ops;
use crate::lab::held::Held;
use crate::lab::stepper::Marks;
use crate::sched;
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering};

/// Boundaries that are kept. A longer call is not explored.
pub(super) const MOST: usize = 384;
/// The most that a fan-out node of three takes.
const NODE_BYTES: usize = 64;
/// The memory of the explored ops and of its node, from here to there each: recorded is who reads it.
static MEMORY: [AtomicUsize; 4] = [const { AtomicUsize::new(0) }; 4];

/// The recorded call.
pub(super) static PCS: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
pub(super) static FACTS: [AtomicU32; MOST] = [const { AtomicU32::new(0) }; MOST];
pub(super) static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// What will be retired is held.
pub(super) const HELD: u32 = 1;
/// The next instruction reads it.
pub(super) const READS: u32 = 2;
/// x30 alone leads back into the trampoline.
pub(super) const RETURNS_TO_T7: u32 = 4;
/// Some ops is held.
pub(super) const INSIDE: u32 = 8;

/// From now on the explored ops is this one, and the literal names this. Context: the director, before a call.
pub(super) fn will_be_retired(ops: usize, literal: usize) {
    let ends = [ops, ops + size_of::<Ops>(), literal, literal + NODE_BYTES];
    MEMORY.iter().zip(ends).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
}

/// Keeps what func must leave as it is now. Context: exception, at T2.
#[inline(always)]
pub(super) fn note_registers(at_t2: &AtT2, frame: &ExceptionFrame) {
    for (slot, value) in at_t2.registers.iter().zip(&frame.x[19..=28]) {
        slot.store(*value as usize, Ordering::Relaxed);
    }
    at_t2.sp.store(frame.sp as usize, Ordering::Relaxed);
    at_t2.recursion.store(sched::current().header.recursion.load(Ordering::Relaxed), Ordering::Relaxed);
}

/// Keeps a boundary of the first's. Context: exception.
#[inline(always)]
pub(super) fn boundary(number: usize, pc: usize, held: &Held, marks: Marks, frame: &ExceptionFrame) {
    let (Some(place), Some(facts)) = (PCS.get(number), FACTS.get(number)) else { return };
    let base = match read_insn(pc).base_register() {
        Some(31) => frame.sp as usize,
        Some(30) => frame.lr as usize,
        Some(register) => frame.x[register] as usize,
        None => 0,
    };
    let [ops, ops_end, node, node_end] = MEMORY.each_ref().map(|word| word.load(Ordering::Relaxed));
    let reads = (ops..ops_end).contains(&base) || (node..node_end).contains(&base);
    let mut bits = if held.holds_one_of(&[ops, node]) { HELD } else { 0 };
    bits |= if held.depth() > 0 { INSIDE } else { 0 };
    bits |= if reads { READS } else { 0 };
    let is_leaf = frame.sp as usize == FIRST.at_t2[0].sp.load(Ordering::Relaxed);
    bits |= if is_leaf && frame.lr as usize == marks.1 { RETURNS_TO_T7 } else { 0 };
    place.store(pc, Ordering::Relaxed);
    facts.store(bits, Ordering::Relaxed);
}
