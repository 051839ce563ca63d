//! Sets: callsites with the same ops share one, and with it what their literals name. Pure.

use crate::arch::site::OpsHeader;
use crate::ftrace::ops::{MOST_OPS_PER_SITE, NodeBox, Ops};
use alloc::vec::Vec;

/// The number of a set.
pub(super) type SetId = u16;
/// The ops of a set, in the order in which they are called.
pub(super) type Members = heapless::Vec<*const Ops, MOST_OPS_PER_SITE>;
/// The set of callsites that are off.
pub(super) const EMPTY: SetId = 0;

#[derive(Debug)]
pub(super) struct Set {
    pub(super) members: heapless::Vec<*const Ops, MOST_OPS_PER_SITE>,
    /// What the literals of these callsites name: the ops, the node, or the no-op ops.
    pub(super) target: *const OpsHeader,
    /// The published node of a set of two or more.
    pub(super) node: Option<NodeBox>,
    /// Nodes for the sizes below, smallest first: `successor-ready`.
    pub(super) spares: Vec<NodeBox>,
    /// Callsites that have this set.
    pub(super) sites: u32,
    /// During a change: the set that these callsites move to, its target, and how many move.
    pub(super) next: Option<SetId>,
    pub(super) next_target: *const OpsHeader,
    pub(super) moving: u32,
    /// During a change: some set's callsites move here.
    pub(super) is_wanted: bool,
    /// During a change: the set was made for it, and nothing of it has been seen outside.
    pub(super) is_new: bool,
}

impl Set {
    /// A set that no callsite has yet.
    pub(super) fn new(members: Members, target: *const OpsHeader) -> Self {
        Self {
            members,
            target,
            node: None,
            spares: Vec::new(),
            sites: 0,
            next: None,
            next_target: target,
            moving: 0,
            is_wanted: false,
            is_new: false,
        }
    }
}
