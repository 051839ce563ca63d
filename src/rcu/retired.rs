//! Objects that are unlinked but may still be in use: the type rule, and the node by which they are listed.
//!
//! INVARIANT `retired-is-unlinked`: no reader that starts after the object was retired finds it.
//! Promises: a [`Retired`] becomes memory again only against the [`Elapsed`] that was made for it alone; dropping it leaks,
//! nothing frees early. The drop runs in the task that reclaims, never in a context switch or an interrupt.
//! Nothing on the way to freeing allocates: an object embeds its own [`Node`], by which the graveyard lists it.
//!
//! # Why the proof is for one object
//! What one holder holds keeps that object and nothing else, so objects elapse in any order. A proof that said "all up to this
//! number" would free an older one that is still held.
//!
//! # Why not a node inside `Retired`
//! A listed node must stay where it is. `Retired` is a value that moves; the object behind it does not.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use crate::sync::atomic::{AtomicBool, Ordering};

/// Proof that nobody uses one retired object any more. Made by [`Retired::poll`], for that one.
#[must_use = "only the proof turns the object back into memory"]
#[derive(Debug)]
pub struct Elapsed(u64);

/// Unlinked: no new reader finds it, an old one may be inside. Dropping leaks; only [`Retired::reclaim`] frees.
#[must_use = "leaks unless reclaimed after a grace period"]
#[derive(Debug)]
pub struct Retired<T: Reclaim> {
    object: NonNull<T>,
    number: u64,
}

// SAFETY: 1. `Retired` owns its object as a `Box` would. 2. It hands out no reference to it.
unsafe impl<T: Reclaim> Send for Retired<T> {}

impl<T: Reclaim> Retired<T> {
    /// Takes over an object.
    ///
    /// # Safety
    /// 1. The graveyard has listed it under this number. 2. No other object has that number. 3. Nobody else will free it.
    pub(super) unsafe fn listed(object: NonNull<T>, number: u64) -> Self {
        Self { object, number }
    }

    /// The number of its retirement: a later one's is larger.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Where the object is, for the oracle and for listings.
    pub fn address(&self) -> usize {
        self.object.as_ptr().addr()
    }

    /// The proof that nobody uses the object any more, if that is so.
    ///
    /// Order: `Acquire`, pairing with the store in `Link::elapse`: what every reader did before it left comes before
    /// whatever the holder of the proof does to the memory (O5). Context: any.
    pub fn poll(&self) -> Option<Elapsed> {
        // SAFETY: 1. The object lives: we own it. 2. Readers that are still inside share it with us.
        let node = unsafe { self.object.as_ref() }.node();
        node.has_elapsed.load(Ordering::Acquire).then_some(Elapsed(self.number))
    }

    /// Turns the object back into memory; or gives `self` back if `elapsed` is another's.
    pub fn reclaim(self, elapsed: Elapsed) -> Result<Box<T>, Self> {
        if elapsed.0 != self.number {
            return Err(self);
        }
        // SAFETY: 1. From `Box::into_raw`, owned by us alone: the contract of `Graveyard::retire`. 2. No reader is left:
        // `elapsed` was made for this object, whose number no other has.
        Ok(unsafe { Box::from_raw(self.object.as_ptr()) })
    }
}

/// An object that embeds the node by which it is listed until nobody uses it.
pub trait Reclaim: Send + Sized + 'static {
    /// The node; always the same one of this object.
    fn node(&self) -> &Node<Self>;

    /// Whether look number `look`, which has met everybody, found somebody who uses its next part; of several parts, from the first
    /// one on. Context: the grace-period task, the graveyard's lock held.
    #[inline(always)]
    fn ask(&self, _is_first: bool, _look: u64) -> Answer {
        Answer { is_held: false, is_last: true }
    }

    /// The bytes that freeing it gives back.
    fn bytes(&self) -> usize {
        size_of::<Self>()
    }
}

/// Room in an object for what the graveyard must remember about it.
pub struct Node<T> {
    link: UnsafeCell<Link>,
    then: UnsafeCell<fn(Box<T>)>,
    has_elapsed: AtomicBool,
}

// SAFETY: 1. The cells are written by the holder of the graveyard's lock. 2. Readers of the object never look at its node.
unsafe impl<T> Sync for Node<T> {}
// SAFETY: 1. The pointers in the link are followed by the graveyard alone, whose objects are all `Send`: `Reclaim`.
unsafe impl<T> Send for Node<T> {}

impl<T: Reclaim> Node<T> {
    /// A node that is on no list.
    pub fn new() -> Self {
        let link = Link {
            beside: [None; 2],
            beside_called: [None; 2],
            number: 0,
            first_look: 0,
            call: 0,
            bytes: 0,
            object: core::ptr::null_mut(),
            finish: finish::<T>,
            ask: ask::<T>,
            has_elapsed: core::ptr::null(),
        };
        let then: fn(Box<T>) = drop::<Box<T>>;
        Self { link: UnsafeCell::new(link), then: UnsafeCell::new(then), has_elapsed: AtomicBool::new(false) }
    }
}

impl<T: Reclaim> Default for Node<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> core::fmt::Debug for Node<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Node")
    }
}

/// What is said of a part.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// A look has found somebody who uses it, as far as looks can tell.
    pub is_held: bool,
    /// It is the last part.
    pub is_last: bool,
}

/// A neighbour before, and one behind.
pub(super) type Beside = [Option<NonNull<Link>>; 2];

/// The part of a node that does not know its object's type. The graveyard's lock guards it.
pub(super) struct Link {
    /// On the list that the object is on.
    pub(super) beside: Beside,
    /// On the list of those that were called.
    pub(super) beside_called: Beside,
    /// The number of its retirement.
    pub(super) number: u64,
    /// The first look that it was judged by, or 0.
    pub(super) first_look: u64,
    /// The number of its call, or 0: its owner waits itself.
    pub(super) call: u64,
    /// What freeing the object gives back.
    pub(super) bytes: usize,
    object: *mut (),
    finish: unsafe fn(*mut ()),
    ask: unsafe fn(*const (), bool, u64) -> Answer,
    /// Beside the link, in the node.
    has_elapsed: *const AtomicBool,
}

impl Link {
    /// The link of an object that is being retired.
    ///
    /// # Safety
    /// 1. `object` came from `Box::into_raw`, and is listed nowhere.
    pub(super) unsafe fn of<T: Reclaim>(object: NonNull<T>, number: u64) -> NonNull<Link> {
        // SAFETY: 1. The object lives, and readers that are still inside share it with us.
        let (node, bytes) = unsafe { (object.as_ref().node(), object.as_ref().bytes()) };
        let link = node.link.get();
        // SAFETY: 1. Nobody else touches the link: the object is listed nowhere, and readers never look at it.
        unsafe {
            // What an earlier retirement of the same object has left is of no account.
            (*link).number = number;
            (*link).first_look = 0;
            (*link).call = 0;
            (*link).bytes = bytes;
            (*link).object = object.as_ptr().cast();
            (*link).has_elapsed = &raw const node.has_elapsed;
            node.has_elapsed.store(false, Ordering::Relaxed);
            NonNull::new_unchecked(link)
        }
    }

    /// The link of a retired object that is handed over, with what is to be done with it. Context: the graveyard's lock.
    pub(super) fn hand_over<T: Reclaim>(retired: Retired<T>, then: fn(Box<T>)) -> NonNull<Link> {
        let retired = ManuallyDrop::new(retired);
        // SAFETY: 1. The object lives: `retired` owns it, and is forgotten here.
        let node = unsafe { retired.object.as_ref() }.node();
        // SAFETY: 1. The lock: nobody else touches the node's cells. 2. The address of a live cell is not null.
        unsafe {
            *node.then.get() = then;
            NonNull::new_unchecked(node.link.get())
        }
    }

    /// Asks about the next part of the object.
    #[inline(always)]
    pub(super) fn ask(&self, is_first: bool, look: u64) -> Answer {
        // SAFETY: 1. The object is listed, so it lives. 2. Both were set for the same type by `of` and `Node::new`.
        unsafe { (self.ask)(self.object, is_first, look) }
    }

    /// Whether it has elapsed.
    pub(super) fn has_elapsed(&self) -> bool {
        // SAFETY: the object was handed over, so it lives.
        unsafe { &*self.has_elapsed }.load(Ordering::Relaxed)
    }

    /// Nobody uses the object any more: its owner may free it from here on, so the link was taken off its list before, and
    /// nobody touches it any more unless it was called.
    ///
    /// Order: `Release`, pairing with [`Retired::poll`].
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub(super) fn elapse(link: NonNull<Link>) {
        // SAFETY: 1. Not elapsed yet, so the object lives: until the store, behind which it is not touched.
        unsafe { &*link.as_ref().has_elapsed }.store(true, Ordering::Release);
    }

    /// Hands the object to its `then`. Context: the reclaiming task.
    ///
    /// # Safety
    /// 1. The object was called, has elapsed, and is on no list any more.
    pub(super) unsafe fn run(link: NonNull<Link>) {
        // SAFETY: 1. The link lives inside its object, which nobody has freed: obligation 1.
        let (object, finish) = unsafe { (link.as_ref().object, link.as_ref().finish) };
        // SAFETY: 1. `finish` and `object` were set for the same type. 2. No reader is left: it has elapsed.
        unsafe { finish(object) }
    }
}

/// Asks a listed object.
///
/// # Safety
/// 1. `object` is a listed `T`.
#[cfg_attr(target_os = "none", patchable_function_entry(prefix_nops = 0, entry_nops = 0))]
unsafe fn ask<T: Reclaim>(object: *const (), is_first: bool, look: u64) -> Answer {
    // SAFETY: the caller.
    unsafe { &*object.cast::<T>() }.ask(is_first, look)
}

/// Gives a called object back as the box it was, to the function that was named when it was called.
///
/// # Safety
/// 1. `object` is a called `T` that has elapsed. 2. It is used for nothing else.
unsafe fn finish<T: Reclaim>(object: *mut ()) {
    // SAFETY: 1. A `Retired<T>` owned it, so it came from `Box::into_raw`. 2. Nobody uses it: obligations 1 and 2.
    let object = unsafe { Box::from_raw(object.cast::<T>()) };
    // SAFETY: 1. The box is ours alone.
    let then = unsafe { *object.node().then.get() };
    then(object);
}
