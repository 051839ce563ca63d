//! What a trampoline's frame names: copied while that lives, and told when nothing is locked any more.
//!
//! To look up the names of functions and to print takes ten thousands of instructions; what is told is read in some hundred.

use crate::arch::site::{CallSite, OpsHeader};
use crate::arch::unwind::{Frames, Hold};
use crate::console::epitaph::Place;
use crate::hook::Hook;
use core::fmt;

/// Members of a fan-out node that are told by name.
pub const MOST_MEMBERS: usize = 16;

/// Says what a frame names. Context: any. The frame is that of a context which stays where it is, and nothing elapses meanwhile; or
/// every CPU stands still. Wired by `kernel` to `ftrace`.
pub static OPS: Hook<fn(ops: *const OpsHeader) -> Named> = Hook::new();

/// What a frame names.
#[derive(Clone, Debug)]
pub struct Named {
    /// Its address.
    pub address: usize,
    /// What is there.
    pub what: What,
    /// The ops, or a node's members; nobody where there is neither.
    pub names: heapless::Vec<OpsName, MOST_MEMBERS>,
    /// How many members more the node has.
    pub nr_more: usize,
    /// Whether it was unlinked, where something is there.
    pub is_retired: bool,
}

/// See [`Named`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// No ops can be there.
    Nothing,
    /// An ops was there.
    Freed,
    /// The ops of callsites that are off.
    NoOp,
    /// An ops.
    Ops,
    /// A fan-out node.
    FanOut,
}

/// What an ops is called.
#[derive(Clone, Copy, Debug)]
pub struct OpsName {
    /// Its address.
    pub address: usize,
    /// Its name.
    pub name: &'static str,
    /// The address of its func.
    pub func: usize,
}

impl fmt::Display for OpsName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ops `{}` at {:#x} (func {})", self.name, self.address, Place(self.func))
    }
}

/// One trampoline that a context is inside of.
#[derive(Clone, Debug)]
pub(super) struct Held {
    site: CallSite,
    /// Where the func that was called stands, or what that called: 0 where it called nothing.
    inside: usize,
    named: Option<Named>,
}

impl Held {
    /// The trampoline of `hold`, which these frames lead through. Context: as [`OPS`].
    #[inline(never)]
    pub(super) fn of(hold: Hold, frames: Frames) -> Self {
        // From outside to inside: the trampoline, its func, what that called.
        let mut inner = [0; 3];
        for step in frames {
            if !step.interrupted && step.pc == hold.site.body() {
                break;
            }
            inner = [step.pc, inner[0], inner[1]];
        }
        Self { site: hold.site, inside: inner[2], named: OPS.get().map(|describe| describe(hold.ops)) }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in the trampoline of {}, holds ", Place(self.site.entry()))?;
        let Some(Named { address, what, names, nr_more, is_retired }) = &self.named else {
            return f.write_str("an ops");
        };
        match what {
            What::Nothing => return write!(f, "{address:#x}, where no ops can be"),
            What::Freed => return write!(f, "{address:#x}, which is freed"),
            What::NoOp => return write!(f, "the no-op ops at {address:#x}"),
            What::Ops => names.iter().try_for_each(|ops| write!(f, "{ops}"))?,
            What::FanOut => {
                write!(f, "the fan-out at {address:#x} to:")?;
                names.iter().try_for_each(|member| write!(f, " {member}"))?;
                if *nr_more > 0 {
                    write!(f, " and {nr_more} more")?;
                }
                write!(f, ", in {}", Place(self.inside))?;
            }
        }
        f.write_str(if *is_retired { ", retired" } else { ", in use" })
    }
}
