//! What the registry keeps of one ops, and gives back when the ops is unlinked.

use crate::ftrace::ops::{NodeBox, Ops, OpsBox};
use crate::ftrace::table::SiteId;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// An ops that is, or was, registered, with the callsites that it has and the nodes that its going unlinked.
#[derive(Debug)]
pub struct Registration<R> {
    /// Nodes to be dropped before the ops. Room for all is reserved at registration.
    pub(super) nodes: Vec<NodeBox>,
    /// The ops.
    pub ops: OpsBox,
    pub(super) sites: Box<[SiteId]>,
    /// Room for what the reclaimer keeps.
    pub reclaim: R,
}

impl<R> Registration<R> {
    /// The callsites, in the order of addresses.
    pub fn sites(&self) -> &[SiteId] {
        &self.sites
    }

    /// The bytes that freeing it gives back.
    pub fn bytes(&self) -> usize {
        let nodes: usize = self.nodes.iter().map(NodeBox::bytes).sum();
        size_of::<Self>() + size_of::<Ops>() + nodes + size_of_val(&*self.sites)
    }

    /// Notes in the ops and in each node that they are unlinked: see [`crate::ftrace::ops::Node::note_retired`].
    pub fn note_retired(&self) {
        self.nodes.iter().for_each(|node| node.node().note_retired());
        self.ops.holds().note_retired();
    }

    /// What a frame may name of it: the ops, and each node, which is freed with it.
    #[inline(always)]
    pub fn nr_parts(&self) -> usize {
        self.nodes.len() + 1
    }

    /// Whether look number `look` found somebody who holds this part. The nodes come first: they tell the ops, too.
    /// Context: the grace-period task.
    #[inline(always)]
    pub fn is_held(&self, part: usize, look: u64) -> bool {
        match self.nodes.get(part) {
            Some(node) => node.node().judge(look),
            None => self.ops.holds().is_held(look),
        }
    }
}

impl<R> Drop for Registration<R> {
    fn drop(&mut self) {
        // The nodes name the ops: they go first.
        self.nodes.clear();
    }
}
