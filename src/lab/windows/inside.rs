//! Whether a freed ops' call is over, by the stack that it is on: P3 as a state, where no late use shows it.
//!
//! Behind the last member of a fan-out nothing is left that goes with the ops: the node is not read again, and the fan-out's
//! text is the kernel's; so it is in a compiled func, and where the task exits inside func. All the same the call is not over, and P3
//! asks for no more than that. Other calls are not asked about: their func's text goes with its ops, so a late use is seen, or
//! something is wrong.
//! Told by the frame that the trampoline made, by no scheme and by no unwinder. Context: the director, the party standing.

use super::party::Party;
use crate::arch::site::Regs;
use crate::arch::trampoline;
use crate::sync::atomic::Ordering;

/// Whether the party stands in the func, or in what that called, of a call whose frame names `freed`.
pub(super) fn names(party: &Party, freed: usize) -> bool {
    let [pc, sp, frame] = [&party.pc, &party.sp, &party.at_t2[0].sp].map(|word| word.load(Ordering::Relaxed));
    // sp > frame: the frame is popped. sp == frame in a trampoline: it is being built, or about to be popped. Else the call is live.
    if frame == 0 || sp > frame || sp == frame && trampoline::contains(pc) {
        return false;
    }
    // SAFETY: the stack of a party that stands, and a frame of it that is not popped.
    let ops = unsafe { (&raw const (*core::ptr::with_exposed_provenance::<Regs>(frame)).ops).read_volatile() };
    ops == freed
}
