//! Objects that are unlinked but may still be in use: the type rule, and the node that queues them.
//!
//! INVARIANT `retired-is-unlinked`: no reader that starts after the cookie was taken finds the object.
//! Promises: a [`Retired`] becomes memory again only against an [`Elapsed`] that covers its cookie; dropping it leaks,
//! nothing frees early. The drop runs in the task that reclaims, never in a context switch or an interrupt.
//! Nothing on the way to freeing allocates: an object that is freed by callback embeds its own [`Node`].
//!
//! A fan-out node and the ops that it held share one cookie, taken after the last literal was swapped; they are
//! queued node first, and the queue keeps that order, so the node is dropped before the ops it points to.
//!
//! # Why not a node inside `Retired`
//! A queued node must stay where it is. `Retired` is a value that moves; the object behind it does not.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::mem::ManuallyDrop;
use core::ptr::NonNull;

use super::cookie::{Cookie, Elapsed};

/// Unlinked: no new reader finds it, an old one may be inside. Dropping leaks; only [`Retired::reclaim`] frees.
#[must_use = "leaks unless reclaimed after a grace period"]
#[derive(Debug)]
pub struct Retired<T> {
    object: NonNull<T>,
    cookie: Cookie,
}

// SAFETY: 1. `Retired` owns its object as a `Box` would. 2. It hands out no reference to it.
unsafe impl<T: Send> Send for Retired<T> {}

impl<T> Retired<T> {
    /// Takes over an object that was made by `Box::into_raw` and has been unlinked.
    ///
    /// # Safety
    /// 1. `object` came from `Box::into_raw`, and nobody else will free it.
    /// 2. `cookie` was taken after the last store that made the object reachable was overwritten, and that overwrite
    ///    was followed by a full barrier: `retired-is-unlinked`.
    pub unsafe fn new(object: NonNull<T>, cookie: Cookie) -> Self {
        Self { object, cookie }
    }

    /// The grace period that this object waits for.
    pub fn cookie(&self) -> Cookie {
        self.cookie
    }

    /// Where the object is, for the oracle and for listings.
    pub fn address(&self) -> usize {
        self.object.as_ptr().addr()
    }

    /// Turns the object back into memory; or gives `self` back if `elapsed` is not about its grace period.
    pub fn reclaim(self, elapsed: Elapsed) -> Result<Box<T>, Self> {
        if !elapsed.covers(self.cookie) {
            return Err(self);
        }
        // SAFETY: 1. From `Box::into_raw`, owned by us alone: the contract of `new`. 2. No reader is left, since the
        // grace period of the cookie has ended and the object was unlinked before: `retired-is-unlinked`, `elapsed`.
        Ok(unsafe { Box::from_raw(self.object.as_ptr()) })
    }
}

/// An object that embeds the node by which it is queued for its grace period.
pub trait Reclaim: Send + Sized + 'static {
    /// The node; always the same one of this object.
    fn node(&self) -> &Node<Self>;
}

/// Room in an object for what the callback queue must remember about it.
pub struct Node<T> {
    link: UnsafeCell<Link>,
    then: UnsafeCell<fn(Box<T>)>,
}

// SAFETY: 1. Both cells are written only while the object is queued, by the holder of the queue's lock or of the
// object itself. 2. Readers of the object never look at its node.
unsafe impl<T> Sync for Node<T> {}
// SAFETY: 1. The pointers in the link are followed by the queue alone, whose objects are all `Send`: `Reclaim`.
unsafe impl<T> Send for Node<T> {}

impl<T: Reclaim> Node<T> {
    /// A node that is in no queue.
    pub const fn new() -> Self {
        let link = Link { next: None, cookie: None, object: core::ptr::null_mut(), finish: finish::<T> };
        Self { link: UnsafeCell::new(link), then: UnsafeCell::new(drop::<Box<T>>) }
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

/// The part of a node that does not know its object's type.
pub(super) struct Link {
    pub(super) next: Option<NonNull<Link>>,
    pub(super) cookie: Option<Cookie>,
    object: *mut (),
    finish: unsafe fn(*mut ()),
}

impl Link {
    /// Makes the link of a retired object ready to be queued; the link owns the object from here on.
    pub(super) fn of<T: Reclaim>(retired: Retired<T>, then: fn(Box<T>)) -> NonNull<Link> {
        let retired = ManuallyDrop::new(retired);
        // SAFETY: 1. The object lives: `retired` owns it. 2. Readers that are still inside share it with us.
        let node = unsafe { retired.object.as_ref() }.node();
        let link = node.link.get();
        // SAFETY: 1. Nobody else touches the node: we hold the `Retired`, which exists once (contract of `new`),
        // and readers never look at it.
        unsafe {
            *node.then.get() = then;
            (*link).next = None;
            (*link).cookie = Some(retired.cookie);
            (*link).object = retired.object.as_ptr().cast();
        }
        // SAFETY: 1. The address of a live cell is not null.
        unsafe { NonNull::new_unchecked(link) }
    }

    /// Hands the object to its `then`. Context: the reclaiming task.
    ///
    /// # Safety
    /// 1. `link` came from [`Link::of`] and is in no queue any more.
    /// 2. The grace period of its cookie has ended.
    pub(super) unsafe fn run(link: NonNull<Link>) {
        // SAFETY: 1. The link lives inside its object, which nobody has freed: obligation 1.
        let (object, finish) = unsafe { (link.as_ref().object, link.as_ref().finish) };
        // SAFETY: 1. `finish` and `object` were set for the same type by `Link::of` and `Node::new`. 2. No reader is
        // left: obligation 2.
        unsafe { finish(object) }
    }
}

/// Gives a queued object back as the box it was, to the function that was named when it was queued.
///
/// # Safety
/// 1. `object` is a queued `T` whose grace period has ended. 2. It is used for nothing else.
unsafe fn finish<T: Reclaim>(object: *mut ()) {
    // SAFETY: 1. A `Retired<T>` owned it, so it came from `Box::into_raw`. 2. Nobody uses it: obligations 1 and 2.
    let object = unsafe { Box::from_raw(object.cast::<T>()) };
    // SAFETY: 1. The box is ours alone.
    let then = unsafe { *object.node().then.get() };
    then(object);
}
