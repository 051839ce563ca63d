//! A first-in, first-out list through its entries: nothing is allocated, and an entry in the middle is taken out in a
//! few steps, however long the list is. Notrace (O8). Pure.
//!
//! INVARIANT `linked-once`: an entry is on one list at most, and lives and stays in its place until it is taken out.
//! Context: any; whoever owns the list, or holds the lock around it, is the only one who touches its entries' links.

use crate::sync::atomic::{AtomicPtr, Ordering};
use core::ptr::{self, NonNull};

/// The links of an entry. Meaningful while it is on a list, whose owner guards them.
#[derive(Debug)]
pub struct Links<T> {
    before: AtomicPtr<T>,
    /// Its owner's while it is on no list.
    pub after: AtomicPtr<T>,
}

impl<T> Links<T> {
    /// On no list.
    pub const fn new() -> Self {
        Self { before: AtomicPtr::new(ptr::null_mut()), after: AtomicPtr::new(ptr::null_mut()) }
    }
}

impl<T> Default for Links<T> {
    fn default() -> Self {
        Self::new()
    }
}

/// What can be on a list.
pub trait Linked: Sized {
    /// Its links.
    fn links(&self) -> &Links<Self>;
}

/// The list.
#[derive(Debug)]
pub struct Fifo<T> {
    head: Option<NonNull<T>>,
    tail: Option<NonNull<T>>,
}

/// What `entry` points to.
///
/// # Safety
/// It is on a list, or about to be, so that it lives (`linked-once`).
#[inline(always)]
unsafe fn live<'a, T>(entry: NonNull<T>) -> &'a T {
    // SAFETY: the caller.
    unsafe { entry.as_ref() }
}

#[inline(always)]
fn raw<T>(entry: Option<NonNull<T>>) -> *mut T {
    entry.map_or(ptr::null_mut(), NonNull::as_ptr)
}

impl<T: Linked> Fifo<T> {
    /// Nobody is on it.
    pub const fn new() -> Self {
        Self { head: None, tail: None }
    }

    /// Whether nobody is on it.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.head.is_none()
    }

    /// Puts `entry` behind all others.
    ///
    /// # Safety
    /// `linked-once`: it is on no list, and lives in its place until it is taken out.
    #[inline(always)]
    pub unsafe fn push(&mut self, entry: &T) {
        let before = self.tail;
        self.join(before, Some(NonNull::from(entry)));
        self.join(Some(NonNull::from(entry)), None);
    }

    /// Puts `entry` before all others.
    ///
    /// # Safety
    /// As [`Fifo::push`].
    #[inline(always)]
    pub unsafe fn push_first(&mut self, entry: &T) {
        let after = self.head;
        self.join(Some(NonNull::from(entry)), after);
        self.join(None, Some(NonNull::from(entry)));
    }

    /// Takes `entry` out.
    ///
    /// # Safety
    /// It is on this list.
    #[inline(always)]
    pub unsafe fn remove(&mut self, entry: &T) {
        let links = entry.links();
        let before = NonNull::new(links.before.load(Ordering::Relaxed));
        let after = NonNull::new(links.after.load(Ordering::Relaxed));
        self.join(before, after);
    }

    /// Takes out the first entry that `fits`. It is alive for as long as whoever put it here has promised.
    #[inline(always)]
    pub fn take<'a>(&mut self, fits: impl Fn(&T) -> bool) -> Option<&'a T> {
        let mut at = self.head;
        while let Some(entry) = at {
            // SAFETY: on this list.
            let entry = unsafe { live(entry) };
            if fits(entry) {
                // SAFETY: on this list.
                unsafe { self.remove(entry) };
                return Some(entry);
            }
            at = NonNull::new(entry.links().after.load(Ordering::Relaxed));
        }
        None
    }

    /// Makes the two neighbours; no entry stands for the list's own end on that side.
    #[inline(always)]
    fn join(&mut self, before: Option<NonNull<T>>, after: Option<NonNull<T>>) {
        match before {
            // SAFETY: on this list, or about to be.
            Some(entry) => unsafe { live(entry) }.links().after.store(raw(after), Ordering::Relaxed),
            None => self.head = after,
        }
        match after {
            // SAFETY: as above.
            Some(entry) => unsafe { live(entry) }.links().before.store(raw(before), Ordering::Relaxed),
            None => self.tail = before,
        }
    }
}

impl<T: Linked> Default for Fifo<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Fifo, Linked, Links};
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use std::collections::VecDeque;

    struct Entry {
        number: usize,
        links: Links<Entry>,
    }

    impl Linked for Entry {
        fn links(&self) -> &Links<Self> {
            &self.links
        }
    }

    /// Entries, the list, and what should be on it.
    struct Both {
        entries: Vec<Entry>,
        list: Fifo<Entry>,
        model: VecDeque<usize>,
    }

    impl Both {
        fn new(n: usize) -> Self {
            let entries = (0..n).map(|number| Entry { number, links: Links::new() }).collect();
            Self { entries, list: Fifo::new(), model: VecDeque::new() }
        }

        fn push(&mut self, number: usize, first: bool) {
            let entry = &self.entries[number];
            // SAFETY: the callers push nobody twice; the vector does not grow.
            unsafe { if first { self.list.push_first(entry) } else { self.list.push(entry) } };
            if first { self.model.push_front(number) } else { self.model.push_back(number) }
        }

        fn remove(&mut self, number: usize) {
            // SAFETY: the callers remove whom they pushed.
            unsafe { self.list.remove(&self.entries[number]) };
            self.model.retain(|&other| other != number);
        }

        /// Takes all out, from the front.
        fn expect_the_same(&mut self) {
            let taken: Vec<usize> =
                core::iter::from_fn(|| self.list.take(|_| true)).map(|entry| entry.number).collect();
            assert_eq!(taken, self.model.drain(..).collect::<Vec<_>>());
        }
    }

    #[test]
    fn an_entry_is_taken_out_of_the_front_the_middle_and_the_end() {
        for gone in 0..4 {
            let mut both = Both::new(4);
            (0..4).for_each(|number| both.push(number, false));
            both.remove(gone);
            both.push(gone, false); // the ends are right: it is last again
            both.expect_the_same();
        }
    }

    #[test]
    fn the_only_entry_leaves_an_empty_list() {
        for first in [false, true] {
            let mut both = Both::new(2);
            both.push(0, first);
            both.remove(0);
            assert!(both.list.take(|_| true).is_none());
            both.push(1, !first);
            both.expect_the_same();
        }
    }

    #[test]
    fn whoever_does_not_fit_keeps_its_place() {
        let mut both = Both::new(3);
        (0..3).for_each(|number| both.push(number, false));
        assert_eq!(both.list.take(|entry| entry.number == 1).map(|entry| entry.number), Some(1));
        both.model.remove(1);
        assert!(both.list.take(|entry| entry.number == 1).is_none());
        both.expect_the_same();
    }

    #[test]
    fn any_sequence_of_changes_leaves_the_order_that_a_plain_queue_has() {
        const ENTRIES: usize = 6;
        for seed in 0..200 {
            let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut both = Both::new(ENTRIES);
            for _ in 0..40 {
                let number = random.next_u32() as usize % ENTRIES;
                match both.model.contains(&number) {
                    true => both.remove(number),
                    false => both.push(number, random.next_u32() % 2 == 0),
                }
            }
            both.expect_the_same();
        }
    }
}
