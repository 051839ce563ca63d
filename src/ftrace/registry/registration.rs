//! What the registry keeps of one ops, and gives back when the ops is unlinked.

use super::index::{Index, Indexed, Place};
use super::link::Link;
use super::set::Set;
use crate::ftrace::ops::{Nodes, Ops, OpsBox};
use crate::ftrace::table::SiteId;
use alloc::vec::Vec;
use core::cell::Cell;

/// An ops that is, or was, registered, with the callsites that it has and the nodes that its going unlinked.
#[derive(Debug)]
pub struct Registration<R> {
    /// Nodes to be dropped before the ops: they name it.
    pub(super) nodes: Nodes,
    /// The ops.
    pub ops: OpsBox,
    pub(super) sites: Vec<SiteId>,
    /// The sets that it is the last ops of.
    pub(super) sets: Index<Set>,
    /// The one that was registered before, and the one behind.
    pub(super) beside: [Cell<Option<Link<Self>>>; 2],
    below: [Place<Self>; 2],
    /// Room for what the reclaimer keeps.
    pub reclaim: R,
}

// SAFETY: 1. Its links are followed by the registry alone, under one lock. 2. What was taken out of the registry has none.
unsafe impl<R: Send> Send for Registration<R> {}

impl<R> Indexed for Registration<R> {
    fn key(&self) -> usize {
        self.ops.address().addr()
    }
    fn below(&self) -> &[Place<Self>; 2] {
        &self.below
    }
}

impl<R> Registration<R> {
    /// One that is listed nowhere.
    pub(super) fn new(ops: OpsBox, sites: Vec<SiteId>, reclaim: R) -> Self {
        Self {
            nodes: Nodes::default(),
            ops,
            sites,
            sets: Index::new(),
            beside: [const { Cell::new(None) }; 2],
            below: [const { Cell::new(None) }; 2],
            reclaim,
        }
    }

    /// The callsites, in the order of addresses. None are left where another ops has come in its place.
    pub fn sites(&self) -> &[SiteId] {
        &self.sites
    }

    /// The bytes that freeing it gives back.
    pub fn bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(|node| node.bytes()).sum();
        size_of::<Self>() + size_of::<Ops>() + nodes + size_of::<SiteId>() * self.sites.capacity()
    }

    /// Notes in the ops and in each node that they are unlinked: whoever meets them in a frame tells when that is gone.
    pub fn note_retired(&self) {
        self.ops.holds().note_retired();
        self.nodes.iter().for_each(|node| node.holds().note_retired());
    }

    /// Whether look number `look` found somebody who holds the ops, or one of the nodes, which are freed with it.
    /// Context: the grace-period task.
    #[inline(always)]
    pub fn is_held(&self, look: u64) -> bool {
        let mut is_held = false;
        for node in self.nodes.iter() {
            is_held |= node.judge(look);
        }
        // The nodes first: they tell the ops, too.
        is_held || self.ops.holds().is_held(look)
    }
}
