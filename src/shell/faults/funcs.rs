//! What a func may not do, done by one without a recursion guard: frames alone show that somebody is inside of it. Context: task.

use crate::arch::site::{Func, OpsHeader, Regs};
use crate::ftrace::live;
use crate::ftrace::ops::OpsBox;
use crate::rcu;
use core::hint::black_box;

/// The traced function.
#[inline(never)]
fn traced() {
    black_box(21);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn wait(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    rcu::synchronize();
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn change(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    // What is refused comes back, and that is reported.
    let _ = live::set_scheme(rcu::scheme_name());
}

fn call(func: Func) {
    let sites = alloc::vec![live::site_at(traced as *const () as usize).expect("this function is traceable")];
    if let Err(error) = live::register_at(OpsBox::new("forbidden", func, 0), sites) {
        panic!("cannot register: {error}");
    }
    traced();
}

/// Waits for a grace period inside of a func, which that grace period may wait for.
#[inline(never)]
pub(super) fn wait_in_func() {
    call(wait);
}

/// Changes schemes inside of a func, which that change waits to be left.
#[inline(never)]
pub(super) fn change_in_func() {
    call(change);
}
