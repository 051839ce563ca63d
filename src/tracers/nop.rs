//! The tracer that does nothing: what remains is the price of the hit itself.

use crate::arch::site::{OpsHeader, Regs};
use crate::arch::trampoline::FUNC_RET;
use crate::ftrace::ops::OpsBox;

/// An ops whose func is an empty Rust function.
pub fn empty() -> OpsBox {
    OpsBox::new("nop", func, 0)
}

/// An ops whose func is a single `ret`.
pub fn ret() -> OpsBox {
    OpsBox::new("ret", FUNC_RET, 0)
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {}
