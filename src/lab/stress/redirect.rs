//! A func that redirects execution: the traced function's body does not run, another function does in its place.

use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live;
use crate::ftrace::ops::OpsBox;
use crate::lab::tracees;
use crate::{println, rcu};

const ANSWER: u64 = 0x401d;

/// Stands in for a tracee: gets its argument, and returns to its caller.
#[inline(never)]
fn stand_in(value: u64) -> u64 {
    value ^ ANSWER
}

/// Sends the trampoline on to [`stand_in`], which is immortal text.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, regs: *mut Regs) {
    // SAFETY: the trampoline's own frame, which it reads again when this returns.
    unsafe { (*regs).pc = stand_in as *const () as usize };
}

/// Shows it once. Context: task, while nobody else calls tracees.
///
/// # Panics
/// When the stand-in did not run, or the traced function is not itself again afterwards.
pub(super) fn scenario() {
    let before = tracees::passes(0..1);
    let plain = tracees::call(0, 5);
    let ops = live::register_at(OpsBox::new("redirect", func, 0), tracees::sites(0..1))
        .unwrap_or_else(|error| panic!("stress: {error}"));
    let redirected = tracees::call(0, 5);
    let gone = live::unregister(ops).expect("registered above");
    let elapsed = rcu::synchronize_for(&gone);
    assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
    let (again, passes) = (tracees::call(0, 5), tracees::passes(0..1) - before);
    assert!(redirected == 5 ^ ANSWER && again == plain, "redirected to {redirected:#x}, then {again:#x}");
    assert!(passes == 2, "the body ran {passes} times: it was to be passed over once");
    println!("func redirected a call, and only that call");
}
