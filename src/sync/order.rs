//! The order of locks: which were taken while which were held, and whether that can deadlock.
//!
//! Locks that are made at one place form a class: it is classes that have an order. The graph keeps one edge for each
//! pair of classes that was ever nested, with the two places where it happened first. An edge that would close a cycle
//! is refused, and the cycle told: some order of events deadlocks there, even if none has yet.
//! A class nested in itself (two run queues) is a cycle of one.
//! Only waiting counts: what a try-lock takes is held like any other, but nobody waits for it there.
//! INVARIANT `acyclic`: the edges never form a cycle; [`Order::add`] alone adds them, one caller at a time.
//! Context: any. Pure; nothing is allocated.

use crate::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use core::fmt;
use core::panic::Location;
use core::ptr;

/// A place in the sources.
pub type Place = &'static Location<'static>;

/// Where a lock was made: what it has in common with others of its kind. Part of every lock, and its address.
#[derive(Debug)]
pub struct Class {
    /// Where it was made.
    pub born: Place,
    /// Its number in the graph, from 1; 0 until it is asked for.
    number: AtomicU8,
}

impl Class {
    /// The class of what the caller makes.
    #[track_caller]
    pub const fn new() -> Self {
        Self { born: Location::caller(), number: AtomicU8::new(0) }
    }
}

impl Default for Class {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// Most classes that the graph holds: about three times as many as there are.
const CLASSES: usize = 128;
/// Most pairs of classes that are nested.
const EDGES: usize = 256;

/// `inner` was taken while `outer` was held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nesting {
    /// The class of the lock that was held, and where that was taken.
    pub outer: (Place, Place),
    /// The class of the lock that was taken then, and where.
    pub inner: (Place, Place),
}

impl fmt::Display for Nesting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ((outer, held), (inner, taken)) = (self.outer, self.inner);
        write!(f, "the lock of {inner} is taken at {taken} while that of {outer}, taken at {held}, is held")
    }
}

/// Why a nesting is refused.
#[derive(Debug)]
pub enum Refused<'a> {
    /// It closes a cycle.
    Cycle {
        /// What the numbers in `chain` mean.
        order: &'a Order,
        /// The nesting that is refused.
        new: Nesting,
        /// The classes on the way from what is taken to what is held, both included.
        chain: Chain,
    },
    /// There are more classes or pairs than the graph was made for.
    Full,
}

/// Numbers of classes, each nested in the one before. A longer chain than fits is cut; its first links are told.
type Chain = heapless::Vec<u8, 16>;

impl Refused<'_> {
    /// The earlier nestings that the refused one contradicts; none where a class is nested in itself.
    pub fn earlier(&self) -> impl Iterator<Item = Nesting> {
        let links = match self {
            Self::Cycle { order, chain, .. } => Some((order, chain)),
            Self::Full => None,
        };
        links.into_iter().flat_map(|(order, chain)| {
            chain.windows(2).map(|link| order.nesting(usize::from(link[0]), usize::from(link[1])))
        })
    }
}

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("more lock classes or pairs of them than `sync::order` was made for"),
            Self::Cycle { new, .. } => {
                write!(f, "lock order that can deadlock: {new}")?;
                if new.outer.0 == new.inner.0 {
                    f.write_str(", and both are of one class, which has no order")?;
                }
                self.earlier().try_for_each(|earlier| write!(f, ";\n  but before, {earlier}"))
            }
        }
    }
}

#[derive(Debug)]
struct Edge {
    /// The numbers of the two classes: outer, inner.
    ends: AtomicU64,
    held: AtomicPtr<Location<'static>>,
    taken: AtomicPtr<Location<'static>>,
}

/// The graph.
#[derive(Debug)]
pub struct Order {
    classes: [AtomicPtr<Location<'static>>; CLASSES],
    nr_classes: AtomicUsize,
    /// For each class, one bit for each that was taken while it was held.
    inside: [[AtomicU64; CLASSES / 64]; CLASSES],
    edges: [Edge; EDGES],
    nr_edges: AtomicUsize,
}

impl Order {
    /// No class, no edge.
    pub const fn new() -> Self {
        Self {
            classes: [const { AtomicPtr::new(ptr::null_mut()) }; CLASSES],
            nr_classes: AtomicUsize::new(0),
            inside: [const { [const { AtomicU64::new(0) }; CLASSES / 64] }; CLASSES],
            edges: [const {
                Edge {
                    ends: AtomicU64::new(0),
                    held: AtomicPtr::new(ptr::null_mut()),
                    taken: AtomicPtr::new(ptr::null_mut()),
                }
            }; EDGES],
            nr_edges: AtomicUsize::new(0),
        }
    }

    /// Whether this pair was nested before: then there is nothing to look at. Any number of callers at once.
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn knows(&self, outer: &Class, inner: &Class) -> bool {
        let (outer, inner) = (outer.number.load(Ordering::Relaxed), inner.number.load(Ordering::Relaxed));
        outer != 0 && inner != 0 && self.has_edge(usize::from(outer - 1), usize::from(inner - 1))
    }

    /// Adds that `inner` is about to be waited for while `outer` is held. Context: one caller at a time.
    ///
    /// # Errors
    /// When that closes a cycle; then nothing is added.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn add(&self, outer: (&Class, Place), inner: (&Class, Place)) -> Result<(), Refused<'_>> {
        let from = self.number(outer.0).ok_or(Refused::Full)?;
        let to = self.number(inner.0).ok_or(Refused::Full)?;
        let new = Nesting { outer: (outer.0.born, outer.1), inner: (inner.0.born, inner.1) };
        if self.has_edge(from, to) {
            return Ok(()); // somebody was faster
        }
        if let Some(chain) = self.path(to, from) {
            return Err(Refused::Cycle { order: self, new, chain });
        }
        let nr_edges = self.nr_edges.load(Ordering::Relaxed);
        let edge = self.edges.get(nr_edges).ok_or(Refused::Full)?;
        edge.ends.store((from as u64) << 32 | to as u64, Ordering::Relaxed);
        edge.held.store(ptr::from_ref(outer.1).cast_mut(), Ordering::Relaxed);
        edge.taken.store(ptr::from_ref(inner.1).cast_mut(), Ordering::Relaxed);
        self.nr_edges.store(nr_edges + 1, Ordering::Relaxed);
        self.inside[from][to / 64].fetch_or(1 << (to % 64), Ordering::Relaxed);
        Ok(())
    }

    #[inline]
    fn has_edge(&self, from: usize, to: usize) -> bool {
        self.inside[from][to / 64].load(Ordering::Relaxed) & 1 << (to % 64) != 0
    }

    /// The number of a class, from 0; a new one for a place that has none.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn number(&self, class: &Class) -> Option<usize> {
        let known = class.number.load(Ordering::Relaxed);
        if known != 0 {
            return Some(usize::from(known - 1));
        }
        let nr_classes = self.nr_classes.load(Ordering::Relaxed);
        let number = match (0..nr_classes).find(|&number| self.born(number) == class.born) {
            Some(number) => number,
            None => {
                self.classes.get(nr_classes)?.store(ptr::from_ref(class.born).cast_mut(), Ordering::Relaxed);
                self.nr_classes.store(nr_classes + 1, Ordering::Relaxed);
                nr_classes
            }
        };
        class.number.store(number as u8 + 1, Ordering::Relaxed);
        Some(number)
    }

    /// The shortest chain of edges from class `start` to class `goal`: the classes on it, both ends included.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn path(&self, start: usize, goal: usize) -> Option<Chain> {
        const UNSEEN: u8 = u8::MAX;
        // Breadth first from the goal backwards, so that following the links from the start reads forwards.
        let mut towards = [UNSEEN; CLASSES];
        let mut queue = heapless::Vec::<u8, CLASSES>::new();
        towards[goal] = goal as u8;
        // There is room: each class goes in once.
        let _ = queue.push(goal as u8);
        let mut done = 0;
        while let Some(&at) = queue.get(done) {
            done += 1;
            for (from, next) in towards.iter_mut().enumerate() {
                if *next == UNSEEN && self.has_edge(from, usize::from(at)) {
                    *next = at;
                    let _ = queue.push(from as u8);
                }
            }
        }
        if towards[start] == UNSEEN {
            return None;
        }
        let mut chain = Chain::new();
        let mut at = start as u8;
        while chain.push(at).is_ok() && usize::from(at) != goal {
            at = towards[usize::from(at)];
        }
        Some(chain)
    }

    /// The edge between two classes, which is there.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn nesting(&self, from: usize, to: usize) -> Nesting {
        let ends = (from as u64) << 32 | to as u64;
        let edges = &self.edges[..self.nr_edges.load(Ordering::Relaxed)];
        let edge = edges.iter().find(|edge| edge.ends.load(Ordering::Relaxed) == ends);
        let edge = edge.expect("a bit in `inside` has its edge");
        let place = |slot: &AtomicPtr<Location<'static>>| {
            // SAFETY: `add` stored a reference that is never taken away, before it counted the edge.
            unsafe { &*slot.load(Ordering::Relaxed) }
        };
        Nesting { outer: (self.born(from), place(&edge.held)), inner: (self.born(to), place(&edge.taken)) }
    }

    /// Where the locks of class `number` are made.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn born(&self, number: usize) -> Place {
        // SAFETY: `number` counts what `number()` stored: references that are never taken away.
        unsafe { &*self.classes[number].load(Ordering::Relaxed) }
    }
}

impl Default for Order {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
