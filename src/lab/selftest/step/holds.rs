//! What the stepped thread holds: by the instructions that it executed, and by its frames.

use crate::arch::site::{Func, OpsHeader, Regs};
use crate::arch::unwind::{Frames, Holds};
use crate::ftrace::ops::OpsBox;
use crate::lab::held::Held;
use crate::lab::tracees;

/// The innermost ops that is held, and how many are, in one word: an ops lies on 8 bytes, and fewer trampolines nest here.
pub(super) type Seen = usize;

/// A chain that is not whole.
const BROKEN: Seen = usize::MAX;

/// What the thread holds by the instructions that it executed.
#[inline(always)]
pub(super) fn by_steps(held: &Held) -> Seen {
    held.innermost().unwrap_or(0) | held.depth()
}

/// What it holds by its frames.
#[inline(always)]
pub(super) fn by_frames(frames: Frames) -> Seen {
    let mut holds = Holds::of(frames);
    let innermost = holds.next();
    let mut depth = usize::from(innermost.is_some());
    while holds.next().is_some() {
        depth += 1;
    }
    if !holds.is_whole() {
        return BROKEN;
    }
    innermost.map_or(0, |hold| hold.ops.addr()) | depth
}

/// The tracee that a func jumps to.
pub(super) const TARGET: usize = 1;

// A compiler makes such a jump of a call in the last place: the tracee returns to the trampoline, as func would.
core::arch::global_asm!(
    ".pushsection .text.notrace, \"ax\", %progbits",
    ".global jumping_func",
    ".type jumping_func, %function",
    "jumping_func:",
    "b {target}",
    ".size jumping_func, . - jumping_func",
    ".popsection",
    target = sym tracees::bravo,
);

unsafe extern "C" {
    fn jumping_func(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs);
}

/// An ops whose func jumps to that tracee.
pub(super) fn jumping_ops() -> OpsBox {
    const FUNC: Func = jumping_func;
    OpsBox::new("jumping", FUNC, 0)
}
