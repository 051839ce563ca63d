//! The fan-out: the func of a node. Calls each member with the hit's arguments. On the hit path: no lock, no
//! allocation, no barrier. Notrace.

use super::ops::{Node, Ops};
use super::recursion::{self, Guard};
use crate::arch::site::{Func, OpsHeader, Regs};
use crate::arch::trampoline::call_func;
use crate::fault::{self, Fault};
use crate::sync::atomic::Ordering;

/// Calls every ops of the node, in order.
///
/// # Safety
/// Called by the trampoline alone: `node` is the header of a live [`Node`], whose members live as long.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub unsafe extern "C" fn fan_out(ip: usize, parent_ip: usize, node: *const OpsHeader, regs: *mut Regs) {
    // SAFETY: the caller; a node's header is its first field.
    let node = unsafe { &*node.cast::<Node>() };
    let Some(_inside) = recursion::enter(Guard::FanOut) else {
        skip(node);
        return;
    };
    let members = node.member_range();
    let mut at = members.start;
    // At least two members: the loop looks at its end behind the call, which saves a test.
    loop {
        // SAFETY: the caller: members live as long as the node; `at` is before their end.
        unsafe {
            if fault::is(Fault::FanOutTorn) {
                call_torn(&**at, *members.start, ip, parent_ip, regs);
            } else {
                call_func((*at).cast(), ip, parent_ip, regs);
            }
            at = at.add(1);
        }
        if at == members.end {
            break;
        }
    }
}

/// Whether a function of this file begins at `address`: those whose loads are from nodes and ops alone. Context: any.
pub fn begins_at(address: usize) -> bool {
    [fan_out as *const () as usize, skip as *const () as usize].contains(&address)
}

/// Calls the func of `callee` with the ops of another: a deliberate fault.
///
/// # Safety
/// As for [`call_func`], of both.
#[inline(always)]
unsafe fn call_torn(callee: &Ops, ops: *const Ops, ip: usize, parent_ip: usize, regs: *mut Regs) {
    // SAFETY: the caller: an ops' func word holds a func.
    let func = unsafe { core::mem::transmute::<usize, Func>(callee.func()) };
    // SAFETY: the caller: both live.
    unsafe { func(ip, parent_ip, ops.cast(), regs) };
}

/// Counts the skip with each ops that misses the hit.
#[cold]
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn skip(node: &Node) {
    if fault::is(Fault::SkipUncounted) {
        return;
    }
    for &member in node.members() {
        // SAFETY: as in `fan_out`.
        unsafe { &*member }.skipped.fetch_add(1, Ordering::Relaxed);
    }
}
