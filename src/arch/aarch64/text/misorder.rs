//! The deliberate fault `counted-late`: the depth trampoline counts after T2, not before. Only in the build with faults.
//!
//! Two instructions change places: the store of the count, before T2, and T3's store of the ops. That frame then names
//! nothing, which the scheme `depth` does not look at. A variant of its own would be a second trampoline in the text.

use super::{INVALIDATE_ALL_FROM, invalidate, read_insn, with_alias, write_insn};
use crate::arch::insn::Insn;
use crate::arch::trampoline;

/// `str w12, [x10]`: the count goes up.
const COUNT: Insn = Insn(0xb900_014c);

/// Changes the trampoline for good. Context: task, while nobody is in that trampoline; the caller then makes every CPU
/// synchronise its context.
///
/// # Panics
/// When there is no such instruction before T2.
pub fn count_late() {
    let variant = trampoline::depth();
    let count = (variant.t0..variant.t2).step_by(4).find(|&pc| read_insn(pc) == COUNT);
    let Some(count) = count else { panic!("the count does not go up before T2") };
    let changed = with_alias(count..variant.t3 + 4, |alias| {
        let store_ops = read_insn(variant.t3);
        // SAFETY: the alias maps both; nobody is there: the caller.
        unsafe {
            write_insn(alias, variant.t3, COUNT);
            write_insn(alias, count, store_ops);
        }
        invalidate(core::iter::empty(), INVALIDATE_ALL_FROM);
    });
    changed.unwrap_or_else(|error| panic!("the trampoline stays as it is: {error}"));
}
