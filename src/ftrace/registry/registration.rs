//! What the registry keeps of one ops, and gives back when the ops is unlinked.

use crate::ftrace::ops::{NodeBox, OpsBox};
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

    /// Notes in the ops and in each node which grace period may free them, the first one that may.
    pub fn note_retired(&self, number: u64) {
        self.ops.note_retired(number);
        self.nodes.iter().for_each(|node| node.node().note_retired(number));
    }
}

impl<R> Drop for Registration<R> {
    fn drop(&mut self) {
        // The nodes name the ops: they go first.
        self.nodes.clear();
    }
}
