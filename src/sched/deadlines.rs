//! Deadlines in order: a leftist heap through nodes that their owners keep. Pure.
//!
//! Nothing is allocated, so nothing that is put in can be lost for want of memory, whatever the context. Putting in,
//! taking the first and taking any other out each follow right spines, and a right spine of n nodes is no longer than
//! log2(n + 1): a bound for each single operation, which an interrupt handler needs. Equal deadlines come out in the
//! order in which they went in.
//!
//! # Why not …
//! - a map of the standard library: it allocates and frees, and timers are armed and go off in interrupts.
//! - a wheel: what shares a slot goes off in any order, or is sorted, or is late by the width of the slot.
//! - a pairing heap: less code, but taking the first may touch every node once.
//! - an intrusive tree of a crate: its generic code is compiled into this one and gets callsites, which waits of the
//!   grace period must not meet (O8).

use core::cell::Cell;
use core::ptr::NonNull;

type Link = Cell<Option<NonNull<Node>>>;

/// One deadline. Its owner keeps it in one place while it is in a [`Deadlines`], and whoever owns that one alone
/// touches it meanwhile.
#[derive(Debug, Default)]
pub struct Node {
    deadline_ns: Cell<u64>,
    /// Keeps equal deadlines apart: when it was put in.
    serial: Cell<u64>,
    parent: Link,
    left: Link,
    right: Link,
    /// One more than the right child's; the left child's is no less.
    rank: Cell<u32>,
}

impl Node {
    /// A node that is nowhere.
    pub const fn new() -> Self {
        Self {
            deadline_ns: Cell::new(0),
            serial: Cell::new(0),
            parent: Link::new(None),
            left: Link::new(None),
            right: Link::new(None),
            rank: Cell::new(0),
        }
    }

    #[inline(always)]
    fn key(&self) -> (u64, u64) {
        (self.deadline_ns.get(), self.serial.get())
    }
}

/// A set of nodes, the earliest deadline first.
#[derive(Debug, Default)]
pub struct Deadlines {
    root: Option<NonNull<Node>>,
    serial: u64,
}

/// The node behind `link`, which lives as long as whoever put it in promised.
#[inline(always)]
fn at<'a>(link: NonNull<Node>) -> &'a Node {
    // SAFETY: `insert`'s caller promised that nodes live until they are taken out, and only linked ones are followed.
    unsafe { link.as_ref() }
}

#[inline(always)]
fn rank(link: &Link) -> u32 {
    link.get().map_or(0, |child| at(child).rank.get())
}

impl Deadlines {
    /// None.
    pub const fn new() -> Self {
        Self { root: None, serial: 0 }
    }

    /// The node of the earliest deadline.
    #[inline(always)]
    pub const fn first(&self) -> Option<NonNull<Node>> {
        self.root
    }

    /// The earliest deadline, far away if there is none.
    #[inline(always)]
    pub fn first_deadline_ns(&self) -> u64 {
        self.root.map_or(u64::MAX, |root| at(root).deadline_ns.get())
    }

    /// How many were ever put in: [`Deadlines::first_of`] tells by it what came later.
    #[inline(always)]
    pub const fn serial(&self) -> u64 {
        self.serial
    }

    /// The first node, if its deadline is `now_ns` or before, and it is among the first `serial` ever put in.
    #[inline(always)]
    pub fn first_of(&self, now_ns: u64, serial: u64) -> Option<NonNull<Node>> {
        self.root.filter(|&root| at(root).deadline_ns.get() <= now_ns && at(root).serial.get() <= serial)
    }

    /// Puts `node` in.
    ///
    /// # Safety
    /// It is in no set, and stays where it is, alive and touched by nobody else, until it is taken out.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub unsafe fn insert(&mut self, node: NonNull<Node>, deadline_ns: u64) {
        self.serial += 1;
        let new = at(node);
        new.deadline_ns.set(deadline_ns);
        new.serial.set(self.serial);
        new.left.set(None);
        new.right.set(None);
        new.rank.set(1);
        self.root = merge(self.root, Some(node));
    }

    /// Takes `node` out.
    ///
    /// # Safety
    /// It is in this set.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub unsafe fn remove(&mut self, node: NonNull<Node>) {
        let gone = at(node);
        let below = merge(gone.left.get(), gone.right.get());
        let parent = gone.parent.get();
        if let Some(below) = below {
            at(below).parent.set(parent);
        }
        match parent {
            None => self.root = below,
            Some(above) => {
                let was_left = at(above).left.get() == Some(node);
                if was_left { &at(above).left } else { &at(above).right }.set(below);
                restore_ranks(Some(above), false);
            }
        }
    }
}

/// One tree of two; its root has no parent.
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
fn merge(one: Option<NonNull<Node>>, other: Option<NonNull<Node>>) -> Option<NonNull<Node>> {
    let (mut one, mut other) = (one, other);
    let mut root = None;
    let mut above: Option<NonNull<Node>> = None;
    // Down both right spines: the earlier node stays, its right subtree is merged with the other tree.
    loop {
        let next = match (one, other) {
            (Some(a), Some(b)) => Some(if at(a).key() < at(b).key() { (a, b) } else { (b, a) }),
            _ => None,
        };
        let top = next.map(|(first, _)| first).or(one).or(other);
        if let Some(top) = top {
            at(top).parent.set(above);
        }
        match above {
            None => root = top,
            Some(above) => at(above).right.set(top),
        }
        let Some((first, second)) = next else { break };
        above = Some(first);
        (one, other) = (at(first).right.get(), Some(second));
    }
    // And up again: all of them may have another rank now.
    restore_ranks(above, true);
    root
}

/// Makes the heap leftist again from `node` upwards: to the root, or `to_root` being false, to the first node whose
/// rank stays as it was. Ranks grow on the way up, so that is not far.
#[inline(always)]
fn restore_ranks(node: Option<NonNull<Node>>, to_root: bool) {
    let mut next = node;
    while let Some(node) = next {
        let node = at(node);
        if rank(&node.left) < rank(&node.right) {
            node.left.swap(&node.right);
        }
        let new = rank(&node.right) + 1;
        if node.rank.replace(new) == new && !to_root {
            return;
        }
        next = node.parent.get();
    }
}

#[cfg(test)]
mod tests {
    use super::{Deadlines, Node, at, rank};
    use core::ptr::NonNull;
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use std::collections::BTreeSet;

    /// Checks the subtree and returns its size.
    fn check(node: Option<NonNull<Node>>, parent: Option<NonNull<Node>>) -> usize {
        let Some(link) = node else { return 0 };
        let node = at(link);
        assert_eq!(node.parent.get(), parent);
        assert!(parent.is_none_or(|parent| at(parent).key() < node.key()), "a child is earlier than its parent");
        assert!(rank(&node.left) >= rank(&node.right) && node.rank.get() == rank(&node.right) + 1, "not leftist");
        1 + check(node.left.get(), Some(link)) + check(node.right.get(), Some(link))
    }

    #[test]
    fn what_comes_out_is_what_a_sorted_set_says() {
        for seed in 0..50 {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let nodes: Vec<Box<Node>> = (0..300).map(|_| Box::default()).collect();
            let (mut deadlines, mut model) = (Deadlines::new(), BTreeSet::new());
            let mut keys = vec![None; nodes.len()];
            for _ in 0..2_000 {
                let index = random.next_u32() as usize % nodes.len();
                let node = NonNull::from(&*nodes[index]);
                match keys[index].take() {
                    None => {
                        // SAFETY: boxed, in no set; taken out below, or the set goes first.
                        unsafe { deadlines.insert(node, random.next_u64() % 50) };
                        keys[index] = Some(node_key(node));
                        model.insert(node_key(node));
                    }
                    Some(key) => {
                        // SAFETY: in this set.
                        unsafe { deadlines.remove(node) };
                        assert!(model.remove(&key));
                    }
                }
                assert_eq!(check(deadlines.first(), None), model.len(), "seed {seed}");
                assert_eq!(deadlines.first().map(node_key), model.first().copied(), "seed {seed}");
            }
            while let Some(first) = deadlines.first() {
                assert_eq!(model.pop_first(), Some(node_key(first)), "seed {seed}");
                // SAFETY: in this set.
                unsafe { deadlines.remove(first) };
            }
            assert!(model.is_empty() && deadlines.first_deadline_ns() == u64::MAX);
        }
    }

    fn node_key(node: NonNull<Node>) -> (u64, u64) {
        at(node).key()
    }

    #[test]
    fn only_what_is_due_and_was_there_before_is_the_first_of_a_round() {
        let nodes = [Node::new(), Node::new()];
        let mut deadlines = Deadlines::new();
        // SAFETY: the nodes outlive the set.
        unsafe { deadlines.insert(NonNull::from(&nodes[0]), 10) };
        let round = deadlines.serial();
        assert_eq!(deadlines.first_of(9, round), None, "not due");
        assert_eq!(deadlines.first_of(10, round), Some(NonNull::from(&nodes[0])));
        // SAFETY: as above.
        unsafe { deadlines.insert(NonNull::from(&nodes[1]), 5) };
        assert_eq!(deadlines.first_of(10, round), None, "the one that came later waits for its own round");
        assert_eq!(deadlines.first_of(10, deadlines.serial()), Some(NonNull::from(&nodes[1])));
    }
}
