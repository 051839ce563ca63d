//! Sets: callsites with the same ops share one, and with it what their literals name. Pure.
//!
//! Sets form a tree. Below the set of callsites that are off hang those of one ops, and below each set those with one more, which was
//! registered later than its others: so the way up from a set names its ops, the last first, and no two sets have the same ops.
//! A set without callsites is *idle*: it stands while it is on the way up from another. Its node, if it had one, was unlinked, may
//! still be read, and goes with the first of its ops; or it is used again.
//!
//! INVARIANT `successor-ready`: a set of n ops with callsites has a spare node for each of the sizes 2 to n - 1.

use super::index::{Indexed, Place};
use super::link::Link;
use crate::arch::site::{Branch, Func, OpsHeader};
use crate::ftrace::ops::{NodeBox, Nodes, Ops};
use crate::mm::fallible::{self, NoMemory};
use core::cell::Cell;

pub(super) struct Set {
    /// The set without its last ops; `None` for the one of callsites that are off.
    parent: Cell<Option<Link<Set>>>,
    /// The ops that was registered last.
    last: Cell<*const Ops>,
    /// How many ops there are.
    nr_ops: Cell<usize>,
    /// What the literals of these callsites name: the ops, the node, or the no-op ops.
    target: Cell<*const OpsHeader>,
    /// The node of a set of two or more.
    node: Cell<Option<NodeBox>>,
    /// Nodes for the sizes below, the largest on top: `successor-ready`.
    spares: Cell<Nodes>,
    /// Callsites that have this set.
    nr_sites: Cell<usize>,
    /// Links of the index of those that end with the same ops, by their parents.
    below: [Place<Set>; 2],
    /// The change that is under way.
    pub(super) change: Change,
}

/// What a change does to a set. Empty while none is under way.
pub(super) struct Change {
    /// How many of the set's callsites change.
    nr_sites: Cell<usize>,
    /// The set that these move to.
    pub(super) next: Cell<Option<Link<Set>>>,
    /// What their literals name then, and what becomes of their branches.
    pub(super) target: Cell<*const OpsHeader>,
    pub(super) branch: Cell<Branch>,
    /// The node that a swap makes.
    node: Cell<Option<NodeBox>>,
    /// The next of the sets that change.
    beside: Cell<Option<Link<Set>>>,
    /// The next of those that are reduced behind it: one below it.
    pub(super) waiting: Cell<Option<Link<Set>>>,
}

impl Indexed for Set {
    fn key(&self) -> usize {
        self.parent.get().map_or(0, Link::address)
    }
    fn below(&self) -> &[Place<Self>; 2] {
        &self.below
    }
}

impl Change {
    /// Whether callsites of the set change.
    pub(super) fn has_sites(&self) -> bool {
        self.nr_sites.get() > 0
    }

    /// Says where callsites move to, what their literals name then, and what becomes of their branches.
    pub(super) fn plan(&self, next: Option<Link<Set>>, target: *const OpsHeader, branch: Branch) {
        self.next.set(next);
        self.target.set(target);
        self.branch.set(branch);
    }
}

/// Sets that change, linked through themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Changing(Option<Link<Set>>);

impl Changing {
    /// The sets of these callsites, each with the number of them that it has.
    pub(super) fn of(sets: impl Iterator<Item = Link<Set>>) -> Self {
        let mut all = Self(None);
        for set in sets {
            let nr_sites = set.change.nr_sites.get();
            if nr_sites == 0 {
                all.add(set);
            }
            set.change.nr_sites.set(nr_sites + 1);
        }
        all
    }

    pub(super) fn add(&mut self, set: Link<Set>) {
        set.change.beside.set(self.0);
        self.0 = Some(set);
    }

    /// All of them. What was given out may be freed.
    pub(super) fn iter(self) -> impl Iterator<Item = Link<Set>> {
        core::iter::successors(self.0, |set| set.change.beside.get())
    }
}

impl Set {
    /// The set of callsites that are off: so many have it.
    pub(super) fn off(nop: *const OpsHeader, nr_sites: usize) -> Self {
        let off = Self::with_ops(core::ptr::null(), 0, nop);
        off.nr_sites.set(nr_sites);
        off
    }

    /// Without a callsite, below nothing.
    fn with_ops(last: *const Ops, nr_ops: usize, target: *const OpsHeader) -> Self {
        Self {
            parent: Cell::new(None),
            last: Cell::new(last),
            nr_ops: Cell::new(nr_ops),
            target: Cell::new(target),
            node: Cell::new(None),
            spares: Cell::new(Nodes::default()),
            nr_sites: Cell::new(0),
            below: [const { Cell::new(None) }; 2],
            change: Change {
                nr_sites: Cell::new(0),
                next: Cell::new(None),
                target: Cell::new(target),
                branch: Cell::new(Branch::Keep),
                node: Cell::new(None),
                beside: Cell::new(None),
                waiting: Cell::new(None),
            },
        }
    }

    pub(super) fn nr_ops(&self) -> usize {
        self.nr_ops.get()
    }

    pub(super) fn last(&self) -> *const Ops {
        self.last.get()
    }

    pub(super) fn target(&self) -> *const OpsHeader {
        self.target.get()
    }

    /// The set without its last ops.
    pub(super) fn parent(&self) -> Link<Set> {
        self.parent.get().expect("a set with ops has a parent")
    }

    /// Hangs it below another parent. It is listed nowhere meanwhile.
    pub(super) fn hang_below(&self, parent: Link<Set>) {
        self.parent.set(Some(parent));
    }

    /// Its node, which is not its own any more.
    pub(super) fn unlink(&self) -> Option<NodeBox> {
        self.node.take()
    }

    fn is_idle(&self) -> bool {
        self.nr_sites.get() == 0
    }

    /// Gives a set that has come to have callsites, or other ops, what its literals name.
    fn equip(&self, ops: impl Iterator<Item = *const Ops>, fan_out: Func) {
        match self.nr_ops() {
            0 => {}
            1 => self.target.set(self.last().cast()),
            nr_ops => {
                let mut spares = self.spares.take();
                let mut spare = spares.pop().expect("successor-ready");
                self.spares.set(spares);
                let node = self.node.take().unwrap_or_else(|| {
                    spare.fill(fan_out, nr_ops, ops);
                    spare
                });
                self.target.set(node.address().cast());
                self.node.set(Some(node));
            }
        }
    }
}

impl Link<Set> {
    /// The set and those on its way up that have ops.
    pub(super) fn way_up(self) -> impl Iterator<Item = Self> {
        core::iter::successors(Some(self), |set| set.parent.get()).take(self.nr_ops())
    }

    /// The ops, the last first.
    pub(super) fn ops(self) -> impl Iterator<Item = *const Ops> {
        self.way_up().map(|set| set.last())
    }

    /// Makes a set with `ops` as well, for those callsites that change.
    pub(super) fn plan_with(self, ops: *const Ops, fan_out: Func) -> Result<(), NoMemory> {
        let nr_ops = self.nr_ops() + 1;
        let mut set = Set::with_ops(ops, nr_ops, ops.cast());
        set.parent = Cell::new(Some(self));
        if nr_ops >= 2 {
            let mut node = NodeBox::with_capacity(nr_ops)?;
            node.fill(fan_out, nr_ops, core::iter::once(ops).chain(self.ops()));
            set.target = Cell::new(node.address().cast());
            set.node = Cell::new(Some(node));
            // Where all its callsites change, the spares of this set come over in the end.
            let is_left = self.change.nr_sites == self.nr_sites;
            for capacity in if is_left { nr_ops - 1 } else { 2 }.max(2)..nr_ops {
                set.spares.get_mut().push(NodeBox::with_capacity(capacity)?);
            }
        }
        let set = Link::new(fallible::boxed(set)?);
        self.change.plan(Some(set), set.target(), if self.nr_ops() == 0 { Branch::On } else { Branch::Keep });
        Ok(())
    }

    /// Makes what [`Self::plan_with`] has planned so; returns the set that it made.
    pub(super) fn move_on(self) -> Option<Self> {
        let (next, moved) = (self.change.next.take()?, self.change.nr_sites.take());
        next.nr_sites.set(moved);
        self.nr_sites.set(self.nr_sites.get() - moved);
        if self.is_idle() {
            let mut spares = self.spares.take();
            if let Some(largest) = next.spares.take().pop() {
                spares.push(largest);
            }
            next.spares.set(spares);
        }
        Some(next)
    }

    /// Makes a node with `new` in the place of `old`.
    pub(super) fn plan_instead(self, [old, new]: [*const Ops; 2], fan_out: Func) -> Result<(), NoMemory> {
        let mut target = new.cast();
        if self.nr_ops() >= 2 {
            let mut node = NodeBox::with_capacity(self.nr_ops())?;
            node.fill(fan_out, self.nr_ops(), self.ops().map(|ops| if ops == old { new } else { ops }));
            target = node.address().cast();
            self.change.node.set(Some(node));
        }
        self.change.plan(None, target, Branch::Keep);
        Ok(())
    }

    /// Makes what [`Self::plan_instead`] has planned so, on the way up as well; what that unlinks goes to `nodes`.
    pub(super) fn replace(self, [old, new]: [*const Ops; 2], nodes: &mut Nodes) {
        self.change.nr_sites.set(0);
        self.target.set(self.change.target.get());
        if let Some(unlinked) = self.node.replace(self.change.node.take()) {
            nodes.push(unlinked);
        }
        for set in self.way_up() {
            if set.is_idle()
                && let Some(unlinked) = set.node.take()
            {
                nodes.push(unlinked);
            }
            // The new one where another set has come by before.
            if [old, new].contains(&set.last()) {
                set.last.set(new);
                break;
            }
        }
    }

    /// Says that `next`, this set or another, is what is left without one of the ops. Where callsites come to `next`, or stay,
    /// it gets its node now: only a deliberate fault leaves it as it was.
    pub(super) fn reduce_to(self, next: Self, gets_node: bool, fan_out: Func) {
        self.change.next.set(Some(next));
        if next == self {
            self.nr_ops.set(self.nr_ops() - 1);
        } else if next.is_idle() {
            next.spares.set(self.spares.take());
        } else {
            return;
        }
        if !self.is_idle() && gets_node {
            next.equip(next.ops(), fan_out);
        }
    }

    /// Lets the callsites of a reduced set move to what is left; returns whether that is another set.
    pub(super) fn move_back(self) -> bool {
        let (next, moved) = (self.change.next.take(), self.change.nr_sites.take());
        let Some(next) = next.filter(|&next| next != self) else { return false };
        next.nr_sites.set(next.nr_sites.get() + moved);
        true
    }

    /// Drops what was planned.
    pub(super) fn abandon(self) {
        self.change.nr_sites.set(0);
        self.change.node.set(None);
        if let Some(next) = self.change.next.take() {
            // SAFETY: 1. Made by `plan_with`: this link alone leads to it. 2. The loans of it have ended.
            drop(unsafe { next.take() });
        }
    }
}
