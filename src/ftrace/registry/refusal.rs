//! Why the registry refuses: nothing was done. Pure; callable from any context.

use crate::ftrace::ops::MOST_OPS_PER_SITE;
use crate::ftrace::table::SiteId;
use crate::mm::fallible::NoMemory;
use crate::rcu::room::Full;
use alloc::boxed::Box;

/// Why an ops was not registered. Nothing was done.
#[derive(Debug, PartialEq, Eq)]
pub enum RegisterError<E> {
    /// The filter matches no traceable callsite.
    NoSite,
    /// A callsite has as many ops as it can.
    TooManyOps {
        /// The first such callsite.
        site: SiteId,
    },
    /// The registry is closed: another scheme is being selected, which finds every callsite off at its end.
    Closed,
    /// Too much is retired and not yet freed.
    Full(Box<Full>),
    /// The heap is full.
    NoMemory,
    /// The text could not be patched.
    Text(E),
}

impl<E> From<NoMemory> for RegisterError<E> {
    fn from(_: NoMemory) -> Self {
        Self::NoMemory
    }
}

impl<E: core::fmt::Display> core::fmt::Display for RegisterError<E> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSite => f.write_str("no traceable function matches"),
            Self::TooManyOps { site } => write!(f, "callsite {site} has {MOST_OPS_PER_SITE} ops already"),
            Self::Closed => {
                f.write_str("another scheme is being selected: nothing can be registered until that is done")
            }
            Self::Full(full) => full.fmt(f),
            Self::NoMemory => NoMemory.fmt(f),
            Self::Text(error) => error.fmt(f),
        }
    }
}

/// Why the registry cannot be closed: nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CloseError {
    /// Ops are registered.
    Registered {
        /// So many.
        ops: usize,
    },
    /// The registry is closed already, by somebody else.
    Closed,
}
