//! The counting tracer: how often each traced function was called, all of an ops' callsites together.

use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::mm::fallible::NoMemory;
use crate::sync::atomic::Ordering;

/// An ops that counts its hits in [`Ops::hits`].
pub fn counter(name: &'static str) -> OpsBox {
    OpsBox::new(name, func, 0)
}

/// The same, if there is memory for it.
pub fn try_counter(name: &'static str) -> Result<OpsBox, NoMemory> {
    OpsBox::try_new(name, func, 0)
}

/// Calls nothing, so it cannot recurse and needs no guard.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, ops: *const OpsHeader, _: *mut Regs) {
    // SAFETY: called by the trampoline or the fan-out with the header of a live `Ops`, its first field.
    unsafe { &*ops.cast::<Ops>() }.hits.fetch_add(1, Ordering::Relaxed);
}
