//! What the registry keeps of one ops, and gives back when the ops is unlinked.

use super::index::{Index, Indexed, Place};
use super::link::Link;
use super::set::Set;
use crate::ftrace::ops::{Node, Nodes, Ops, OpsBox};
use crate::ftrace::table::SiteId;
use crate::rcu::retired::Answer;
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
    /// The node that is asked next whether somebody holds it, or null.
    next_asked: Cell<*const Node>,
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
            next_asked: Cell::new(core::ptr::null()),
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

    /// Notes in the ops and in each node that they are unlinked: see [`crate::ftrace::ops::Node::note_retired`].
    pub fn note_retired(&self) {
        self.nodes.iter().for_each(Node::note_retired);
        self.ops.holds().note_retired();
    }

    /// Whether look number `look` found somebody who holds its next part, from the first one on: what a frame may name of it, the nodes
    /// and then the ops, which is told by them. Context: the grace-period task, the lock of whoever lists it held.
    #[inline(always)]
    pub fn ask(&self, is_first: bool, look: u64) -> Answer {
        let node = if is_first {
            self.nodes.top()
        } else {
            // SAFETY: null, or one of `nodes`, which stay what they are from the retirement on.
            unsafe { self.next_asked.get().as_ref() }
        };
        let Some(node) = node else { return Answer { is_held: self.ops.holds().is_held(look), is_last: true } };
        self.next_asked.set(match node.below() {
            Some(below) => below,
            None => core::ptr::null(),
        });
        Answer { is_held: node.judge(look), is_last: false }
    }
}
