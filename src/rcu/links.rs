//! Lists through the links of retired objects: one for where an object stands, one for those that were called.
//!
//! Context: the graveyard's lock, which guards every link.

use core::ptr::NonNull;

use super::retired::{Beside, Link};

/// Where an object stands.
pub(super) type Own = List<false>;
/// Those that were called.
pub(super) type Called = List<true>;

/// Links, oldest first, by one of their two places.
#[derive(Debug)]
pub(super) struct List<const CALLED: bool> {
    pub(super) first: Option<NonNull<Link>>,
    last: Option<NonNull<Link>>,
    pub(super) len: usize,
}

impl<const CALLED: bool> List<CALLED> {
    pub(super) const fn new() -> Self {
        Self { first: None, last: None, len: 0 }
    }

    /// The neighbours of a link of this list.
    #[inline(always)]
    pub(super) fn beside(&mut self, mut link: NonNull<Link>) -> &mut Beside {
        // SAFETY: 1. A listed link lives: its object is freed when it is on no list. 2. The graveyard's lock: `&mut self`.
        let link = unsafe { link.as_mut() };
        if CALLED { &mut link.beside_called } else { &mut link.beside }
    }

    #[inline(always)]
    pub(super) fn push(&mut self, link: NonNull<Link>) {
        let last = self.last.replace(link);
        *self.beside(link) = [last, None];
        match last {
            Some(last) => self.beside(last)[1] = Some(link),
            None => self.first = Some(link),
        }
        self.len += 1;
    }

    #[inline(always)]
    pub(super) fn unlink(&mut self, link: NonNull<Link>) {
        let [before, behind] = *self.beside(link);
        match before {
            Some(before) => self.beside(before)[1] = behind,
            None => self.first = behind,
        }
        match behind {
            Some(behind) => self.beside(behind)[0] = before,
            None => self.last = before,
        }
        self.len -= 1;
    }

    #[inline(always)]
    pub(super) fn pop(&mut self) -> Option<NonNull<Link>> {
        let first = self.first?;
        self.unlink(first);
        Some(first)
    }

    /// The number of the oldest one's retirement.
    #[inline(always)]
    pub(super) fn oldest(&self) -> Option<u64> {
        // SAFETY: listed, so it lives.
        self.first.map(|first| unsafe { first.as_ref() }.number)
    }

    pub(super) fn oldest_call(&self) -> Option<u64> {
        // SAFETY: listed, so it lives.
        self.first.map(|first| unsafe { first.as_ref() }.call)
    }

    /// All of `other` behind all of ours.
    #[inline(always)]
    pub(super) fn append(&mut self, other: &mut Self) {
        let Some(first) = other.first.take() else { return };
        match self.last {
            Some(last) => {
                self.beside(last)[1] = Some(first);
                self.beside(first)[0] = Some(last);
            }
            None => self.first = Some(first),
        }
        self.last = other.last.take();
        self.len += core::mem::take(&mut other.len);
    }
}
