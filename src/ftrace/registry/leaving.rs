//! What sets become when one of their ops is taken off: each is what is left of it, or moves to the set that is that already. Pure.
//!
//! Nothing here can fail: the nodes are there (`successor-ready`), and what is listed is linked through itself.

use super::link::Link;
use super::registrations::Registrations;
use super::set::{Changing, Set};
use crate::arch::site::{Branch, Func};
use crate::fault::{self, Fault};
use crate::ftrace::ops::{Nodes, Ops};

/// Takes `ops`, which is not among `registrations` any more, out of `sets`, those of its callsites, and says what these change to.
/// Returns all sets that had it, idle ones too, and the nodes that were unlinked.
pub(super) fn plan<R>(
    ops: *const Ops,
    sets: Changing,
    registrations: &Registrations<R>,
    fan_out: Func,
) -> (Changing, Nodes) {
    let mut leaving = Leaving { ops, registrations, fan_out, sets, nodes: Nodes::default() };
    for set in sets.iter() {
        leaving.reduce_from_top(set);
        let Some(next) = set.change.next.get() else { continue };
        let branch = if next.nr_ops() == 0 { Branch::Off } else { Branch::Keep };
        set.change.plan(Some(next), next.target(), branch);
    }
    (leaving.sets, leaving.nodes)
}

/// Ends the plan, once its callsites have moved: frees the sets that nothing is left in.
pub(super) fn finish(sets: Changing) {
    for set in sets.iter() {
        if set.move_back() {
            // SAFETY: 1. Its callsites have moved, those below it hang elsewhere, and it is listed no more. 2. No loan of it is used
            // any more.
            drop(unsafe { set.take() });
        }
    }
}

/// An ops that is being taken off.
struct Leaving<'a, R> {
    ops: *const Ops,
    registrations: &'a Registrations<R>,
    fan_out: Func,
    /// The sets with the ops that were met.
    sets: Changing,
    /// Nodes that name it.
    nodes: Nodes,
}

impl<R> Leaving<'_, R> {
    /// Reduces `set`, behind those on its way up that have the ops.
    fn reduce_from_top(&mut self, set: Link<Set>) {
        let mut waiting = None;
        for set in set.way_up() {
            if set.change.next.get().is_some() {
                break;
            }
            set.change.waiting.set(waiting);
            waiting = Some(set);
            if set.last() == self.ops {
                break;
            }
        }
        while let Some(set) = waiting {
            waiting = set.change.waiting.take();
            self.reduce(set);
        }
    }

    /// Reduces a set whose parent is reduced already, unless the ops is its last: then the parent is what is left.
    fn reduce(&mut self, set: Link<Set>) {
        if !set.change.has_sites() {
            self.sets.add(set);
        }
        let next = if set.last() == self.ops { set.parent() } else { self.rehang(set) };
        let is_left_in = next == set && fault::is(Fault::NodeAfterOps) && set.nr_ops() > 2;
        if !is_left_in && let Some(node) = set.unlink() {
            self.nodes.push(node);
        }
        set.reduce_to(next, !is_left_in, self.fan_out);
    }

    /// The set that hangs below the reduced parent with the same last ops: `set` itself, where there is no other.
    fn rehang(&self, set: Link<Set>) -> Link<Set> {
        let parent = set.parent().change.next.get().expect("parents come first");
        let ending_alike = &self.registrations.find(set.last()).expect("ops of sets are registered").sets;
        let twin = ending_alike.find(parent.address());
        if twin != Some(set) {
            ending_alike.remove(set.parent().address());
            if twin.is_none() {
                set.hang_below(parent);
                ending_alike.insert(set);
            }
        }
        twin.unwrap_or(set)
    }
}
