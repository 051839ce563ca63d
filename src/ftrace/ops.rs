//! An ops: heap memory with a func, private data and a generation; and the fan-out node, an array of them.
//!
//! Dropping one buries it: its memory is poisoned, its generation is bumped, and its func points to a stub that
//! reports the late entry. So a hit that comes too late is seen, not served (P1, P2).

use crate::arch::hold_words::HoldWords;
use crate::arch::site::{Func, OpsHeader};
use crate::mm::fallible::{self, NoMemory};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use alloc::alloc::handle_alloc_error;
use alloc::boxed::Box;
use core::alloc::Layout;
use core::cell::Cell;
use core::ptr::NonNull;

/// The most ops that one callsite can have: see [`super::registry`], which says why there is a limit.
pub const MOST_OPS_PER_SITE: usize = 64;

/// What is called at a hit. The header comes first: its address is the ops'.
#[repr(C)]
#[derive(Debug)]
pub struct Ops {
    header: OpsHeader,
    /// The tracer's own word.
    pub private: usize,
    /// Calls, where func counts them.
    pub hits: AtomicU64,
    /// Hits that were skipped because func, or the fan-out, was running already in the same context level.
    pub skipped: AtomicU64,
    /// What it is called.
    pub name: &'static str,
}

/// An ops on the heap, owned. Its address does not change.
#[derive(Debug)]
pub struct OpsBox(NonNull<Ops>);

// SAFETY: an ops is shared data by design: its fields are atomics or constant.
unsafe impl Send for OpsBox {}
// SAFETY: as above.
unsafe impl Sync for OpsBox {}

impl OpsBox {
    /// An ops that calls `func`.
    pub fn try_new(name: &'static str, func: Func, private: usize) -> Result<Self, NoMemory> {
        let ops =
            Ops { header: OpsHeader::new(func), private, hits: AtomicU64::new(0), skipped: AtomicU64::new(0), name };
        Ok(Self(NonNull::from(Box::leak(fallible::boxed(ops)?))))
    }

    /// The same, where no memory is the end: in experiments.
    pub fn new(name: &'static str, func: Func, private: usize) -> Self {
        Self::try_new(name, func, private).unwrap_or_else(|NoMemory| handle_alloc_error(Layout::new::<Ops>()))
    }

    /// Where it is: what literals and fan-out nodes hold.
    pub const fn address(&self) -> *const Ops {
        self.0.as_ptr()
    }
}

impl core::ops::Deref for OpsBox {
    type Target = Ops;
    fn deref(&self) -> &Ops {
        // SAFETY: owned, alive until dropped.
        unsafe { self.0.as_ref() }
    }
}

impl Ops {
    /// Address of the func.
    pub fn func(&self) -> usize {
        self.header.func.load(Ordering::Relaxed)
    }

    /// The generation, for the oracle.
    pub fn generation(&self) -> u64 {
        self.header.generation.load(Ordering::Relaxed)
    }

    /// Who was seen to hold it.
    #[inline(always)]
    pub const fn holds(&self) -> &HoldWords {
        &self.header.holds
    }
}

/// An immutable array of ops behind an ops header whose func calls each of them: what the literal of a
/// callsite with several ops points to. Shared by all callsites with the same set.
#[repr(C)]
pub struct Node {
    header: OpsHeader,
    /// The members count the node: from its retirement until it is judged to be held by nobody.
    is_told: AtomicBool,
    /// Members that there is room for.
    capacity: usize,
    /// The node below on a stack of [`Nodes`]: its owner's own.
    below: Cell<Option<NodeBox>>,
    /// Past the last member.
    end: *const *const Ops,
    members: [*const Ops; 0],
}

impl Node {
    /// The bytes that it takes.
    pub fn bytes(&self) -> usize {
        NodeBox::layout(self.capacity).size()
    }

    /// Who was seen to hold it.
    #[inline(always)]
    pub const fn holds(&self) -> &HoldWords {
        &self.header.holds
    }

    /// The node was unlinked: whoever meets it in a frame tells when that is gone, and its members are kept for it from here on.
    ///
    /// Who holds a node holds its members, so each counts the retired nodes that name it, until they are judged. Context: task; the
    /// members are registered, or retired later than the node, or with it.
    pub fn note_retired(&self) {
        self.is_told.store(true, Ordering::Relaxed);
        for &member in self.members() {
            // SAFETY: the caller: a member lives.
            unsafe { &*member }.holds().count_node(true);
        }
        self.holds().note_retired();
    }

    /// The node below it on its stack.
    #[inline(always)]
    pub const fn below(&self) -> Option<&Self> {
        // SAFETY: 1. What lies below a node is changed by `Nodes` alone, which is borrowed as long. 2. It lives as long.
        match unsafe { &*self.below.as_ptr() } {
            Some(below) => Some(below.node()),
            None => None,
        }
    }

    /// Whether somebody holds the node by look number `look`. Its members hear when nobody does: that stays so. Context: the
    /// grace-period task; the node is retired, and the look has found nobody who may hold anything.
    #[inline(always)]
    pub fn judge(&self, look: u64) -> bool {
        let is_held = self.holds().is_held(look);
        if !is_held && self.is_told.swap(false, Ordering::Relaxed) {
            let members = self.member_range();
            let mut at = members.start;
            while at != members.end {
                // SAFETY: 1. Inside the array. 2. A member is kept while it counts the node.
                unsafe {
                    (**at).holds().count_node(false);
                    at = at.add(1);
                }
            }
        }
        is_held
    }

    /// The ops, in the order in which they are called: from the first to past the last, at least two.
    #[inline(always)]
    pub fn member_range(&self) -> core::ops::Range<*const *const Ops> {
        self.members.as_ptr()..self.end
    }

    /// The ops, in the order in which they are called.
    #[inline(always)]
    pub fn members(&self) -> &[*const Ops] {
        let range = self.member_range();
        // SAFETY: `NodeBox::fill` has filled the members from the start of the array to `end`.
        unsafe { core::slice::from_raw_parts(range.start, range.end.offset_from_unsigned(range.start)) }
    }
}

impl core::fmt::Debug for Node {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Node")
    }
}

/// A node on the heap, owned.
#[derive(Debug)]
pub struct NodeBox(NonNull<Node>);

// SAFETY: as for `OpsBox`.
unsafe impl Send for NodeBox {}

impl NodeBox {
    /// Room for `capacity` members, none of them filled yet.
    pub fn with_capacity(capacity: usize) -> Result<Self, NoMemory> {
        let node = fallible::memory(Self::layout(capacity))?.cast::<Node>();
        let empty = Node {
            header: OpsHeader::unfilled(),
            is_told: AtomicBool::new(false),
            capacity,
            below: Cell::new(None),
            end: core::ptr::null(),
            members: [],
        };
        // SAFETY: freshly allocated with room for a node.
        unsafe { node.write(empty) };
        Ok(Self(node))
    }

    fn layout(capacity: usize) -> Layout {
        Layout::new::<Node>()
            .extend(Layout::array::<*const Ops>(capacity).expect("few members"))
            .expect("few members")
            .0
            .pad_to_align()
    }

    /// Fills an unpublished node with `len` members, which come from the last to the first. Afterwards it does not change.
    ///
    /// # Panics
    /// When there is no room for so many members, when they are fewer than two, or fewer than `len`.
    pub fn fill(&mut self, fan_out: Func, len: usize, last_first: impl Iterator<Item = *const Ops>) {
        let capacity = self.node().capacity;
        assert!((2..=capacity).contains(&len), "a node for {capacity} ops gets {len}");
        // SAFETY: `&mut self`: unpublished, so nobody reads it; the member array has room for `len`.
        unsafe {
            let array = (&raw mut (*self.0.as_ptr()).members).cast::<*const Ops>();
            let mut left = len;
            for member in last_first.take(len) {
                left -= 1;
                array.add(left).write(member);
            }
            assert!(left == 0, "{left} of {len} ops are missing");
            (*self.0.as_ptr()).end = array.add(len);
            (*self.0.as_ptr()).header = OpsHeader::new(fan_out);
        }
    }

    /// Where it is: what literals hold.
    pub const fn address(&self) -> *const Node {
        self.0.as_ptr()
    }

    /// The node.
    #[inline(always)]
    pub const fn node(&self) -> &Node {
        // SAFETY: owned, alive until dropped.
        unsafe { self.0.as_ref() }
    }
}

/// A stack of nodes, linked through themselves: to put one on allocates nothing.
#[derive(Debug, Default)]
pub struct Nodes(Option<NodeBox>);

impl Nodes {
    /// Puts a node on top.
    pub fn push(&mut self, node: NodeBox) {
        node.node().below.set(self.0.take());
        self.0 = Some(node);
    }

    /// Takes the top one off.
    pub fn pop(&mut self) -> Option<NodeBox> {
        let top = self.0.take()?;
        self.0 = top.node().below.take();
        Some(top)
    }

    /// The top one.
    #[inline(always)]
    pub const fn top(&self) -> Option<&Node> {
        match &self.0 {
            Some(top) => Some(top.node()),
            None => None,
        }
    }

    /// All of them, the top one first.
    pub fn iter(&self) -> impl Iterator<Item = &Node> {
        core::iter::successors(self.top(), |node| node.below())
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        while self.pop().is_some() {}
    }
}

/// What late users find at the place of func: reports them. Set by `live`; 0 on the host.
pub(super) static LATE_ENTRY: AtomicUsize = AtomicUsize::new(0);

/// Frees memory whose first words are an [`OpsHeader`] and a generation.
///
/// # Safety
/// Allocated with `layout`, given up by its owner, and its grace period has ended (or it was never published).
unsafe fn bury(memory: NonNull<u8>, layout: Layout, generation: u64) {
    // SAFETY: the caller.
    unsafe { grave(memory, layout, [LATE_ENTRY.load(Ordering::Relaxed) as u64, generation + 1]) };
}

#[cfg_attr(target_os = "none", path = "grave.rs")]
#[cfg_attr(not(target_os = "none"), path = "grave_host.rs")]
mod grave_yard;
use grave_yard::grave;

impl Drop for OpsBox {
    fn drop(&mut self) {
        let generation = self.generation();
        // SAFETY: owned; `rcu` gives a retired one back only after its grace period. `Ops` has no drop glue.
        unsafe { bury(self.0.cast(), Layout::new::<Ops>(), generation) };
    }
}

impl Drop for NodeBox {
    fn drop(&mut self) {
        let Node { header, capacity, .. } = self.node();
        let (generation, layout) = (header.generation.load(Ordering::Relaxed), Self::layout(*capacity));
        // SAFETY: as for `OpsBox`; allocated with this layout. No node lies below: `Nodes` has taken it off.
        unsafe { bury(self.0.cast(), layout, generation) };
    }
}
