//! A link to a box that the registry frees by hand, when nothing leads to it any more. Pure.
//!
//! INVARIANT `link-alive`: what the registry can reach by its links lives. What changes behind a link is in cells: whoever
//! follows one has the registry, and so is alone.

use alloc::boxed::Box;
use core::ptr::NonNull;

/// Leads to a `T` on the heap. Any number of links lead there.
pub(super) struct Link<T>(NonNull<T>);

impl<T> Clone for Link<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Link<T> {}

impl<T> core::fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> PartialEq for Link<T> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<T> Link<T> {
    /// The first link to what is boxed.
    pub(super) fn new(boxed: Box<T>) -> Self {
        Self(NonNull::from(Box::leak(boxed)))
    }

    /// What it leads to.
    pub(super) fn get<'a>(self) -> &'a T {
        // SAFETY: 1. From a box. 2. `link-alive`: it was not taken back. 3. Nobody has it to change it but in its cells.
        unsafe { self.0.as_ref() }
    }

    /// A number that no other living `T` has.
    pub(super) fn address(self) -> usize {
        self.0.addr().get()
    }

    /// Makes it a box again.
    ///
    /// # Safety
    /// 1. No link to it is followed any more. 2. No reference to it is left.
    pub(super) unsafe fn take(self) -> Box<T> {
        // SAFETY: 1. From a box. 2. The caller: it is used by nobody else.
        unsafe { Box::from_raw(self.0.as_ptr()) }
    }
}

impl<T> core::ops::Deref for Link<T> {
    type Target = T;
    fn deref(&self) -> &T {
        self.get()
    }
}
