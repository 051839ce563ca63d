//! Who holds what, and where it was taken: what the lock helps and the watchdog's report look at.
//!
//! Each lock has a [`Claim`]; what an owner (a CPU, or a task) holds is linked through the claims, newest first.
//! INVARIANT `own-claims`: a list is changed by its owner alone: a CPU that stays itself (IRQs masked), or a task. So
//! plain stores do; an interrupt that comes between them takes back all that it puts down. Only the owner follows the
//! links, or who knows that it stands still: a linked claim is held, so it lives.
//! No time is read here: the watchdog, which looks at each of its beats, notes at which one it first saw a claim.
//! Context: any. Pure. Below: `order`. Above: `lock`, `sched::mutex`, the watchdog.

use super::order::{Class, Place};
use crate::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use core::panic::Location;
use core::ptr;

/// The part of a lock that says who holds it.
#[derive(Debug)]
pub struct Claim {
    /// What kind of lock it is.
    pub class: Class,
    /// The claim that its owner made before.
    outer: AtomicPtr<Claim>,
    place: AtomicPtr<Location<'static>>,
    seen_at: AtomicU64,
    owner: AtomicUsize,
}

impl Claim {
    /// The claim of a new lock; the caller's place is its class.
    #[track_caller]
    pub const fn new() -> Self {
        Self {
            class: Class::new(),
            outer: AtomicPtr::new(ptr::null_mut()),
            place: AtomicPtr::new(ptr::null_mut()),
            seen_at: AtomicU64::new(0),
            owner: AtomicUsize::new(0),
        }
    }

    /// Where the lock was taken last; where it was made, if never.
    pub fn place(&self) -> Place {
        place_in(&self.place).unwrap_or(self.class.born)
    }

    /// The CPU, or the task, that took the lock last.
    pub fn owner(&self) -> usize {
        self.owner.load(Ordering::Relaxed)
    }

    /// Notes that the watchdog sees it held at this beat of its own, from 1, and gives the beat when it did first.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn seen_since(&self, beat: u64) -> u64 {
        first_seen(&self.seen_at, beat)
    }
}

impl Default for Claim {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

/// What an owner holds.
#[derive(Debug)]
pub struct Held(AtomicPtr<Claim>);

impl Held {
    /// Nothing is held.
    pub const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()))
    }

    /// `owner` took the lock of `claim` at `place`. Context: the owner.
    #[inline(always)]
    pub fn push(&self, claim: &Claim, place: Place, owner: usize) {
        claim.outer.store(self.0.load(Ordering::Relaxed), Ordering::Relaxed);
        claim.place.store(ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
        claim.seen_at.store(0, Ordering::Relaxed);
        claim.owner.store(owner, Ordering::Relaxed);
        self.0.store(ptr::from_ref(claim).cast_mut(), Ordering::Relaxed);
    }

    /// The lock of `claim` is about to be given back: mostly the one that was taken last. Context: the owner.
    #[inline(always)]
    pub fn pop(&self, claim: &Claim) {
        if ptr::eq(self.0.load(Ordering::Relaxed), claim) {
            self.0.store(claim.outer.load(Ordering::Relaxed), Ordering::Relaxed);
        } else {
            self.pop_older(claim);
        }
    }

    #[cold]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn pop_older(&self, claim: &Claim) {
        let newer = self.claims().find(|newer| ptr::eq(newer.outer.load(Ordering::Relaxed), claim));
        if let Some(newer) = newer {
            newer.outer.store(claim.outer.load(Ordering::Relaxed), Ordering::Relaxed);
        }
    }

    /// The claims, newest first. Context: `own-claims`.
    #[inline(always)]
    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        let claim = |link: &AtomicPtr<Claim>| {
            // SAFETY: null, or a claim that is held, since it is linked; so it lives, and stays so while its owner
            // does not go on.
            unsafe { link.load(Ordering::Relaxed).as_ref() }
        };
        core::iter::successors(claim(&self.0), move |newer| claim(&newer.outer))
    }

    /// Whether nothing is held.
    #[inline(always)]
    pub fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed).is_null()
    }
}

impl Default for Held {
    fn default() -> Self {
        Self::new()
    }
}

/// What a CPU waits for: a lock, and where it asks for it.
#[derive(Debug)]
pub struct Wanted {
    claim: AtomicPtr<Claim>,
    place: AtomicPtr<Location<'static>>,
    seen_at: AtomicU64,
}

impl Wanted {
    /// Nothing.
    pub const fn new() -> Self {
        Self {
            claim: AtomicPtr::new(ptr::null_mut()),
            place: AtomicPtr::new(ptr::null_mut()),
            seen_at: AtomicU64::new(0),
        }
    }

    /// Waits for the lock of `claim` from now on. Context: the owner.
    #[inline(always)]
    pub fn set(&self, claim: &Claim, place: Place) {
        self.place.store(ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
        self.seen_at.store(0, Ordering::Relaxed);
        self.claim.store(ptr::from_ref(claim).cast_mut(), Ordering::Relaxed);
    }

    /// Waits for nothing any more. Context: the owner.
    #[inline(always)]
    pub fn clear(&self) {
        self.claim.store(ptr::null_mut(), Ordering::Relaxed);
    }

    /// The lock that is waited for, and where. Context: the owner, or who knows that it stands still.
    pub fn get(&self) -> Option<(&Claim, Place)> {
        // SAFETY: null, or the claim of a lock that is waited for by reference; so it lives.
        let claim = unsafe { self.claim.load(Ordering::Relaxed).as_ref() }?;
        Some((claim, place_in(&self.place)?))
    }

    /// Notes that the watchdog sees the wait at this beat of its own, from 1, and gives the beat when it did first.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn seen_since(&self, beat: u64) -> u64 {
        first_seen(&self.seen_at, beat)
    }
}

impl Default for Wanted {
    fn default() -> Self {
        Self::new()
    }
}

fn place_in(slot: &AtomicPtr<Location<'static>>) -> Option<Place> {
    // SAFETY: null, or a reference that is never taken away: only places are stored.
    unsafe { slot.load(Ordering::Relaxed).as_ref() }
}

#[cfg_attr(target_os = "none", patchable_function_entry(prefix_nops = 0, entry_nops = 0))]
fn first_seen(seen_at: &AtomicU64, beat: u64) -> u64 {
    match seen_at.load(Ordering::Relaxed) {
        0 => {
            seen_at.store(beat, Ordering::Relaxed);
            beat
        }
        first => first,
    }
}

#[cfg(test)]
mod tests {
    use super::{Claim, Held, Wanted};
    use core::panic::Location;

    fn claims(held: &Held) -> Vec<*const Claim> {
        held.claims().map(core::ptr::from_ref).collect()
    }

    #[test]
    fn what_is_unlocked_out_of_order_leaves_the_others_with_their_places_and_times() {
        let [a, b, c] = [const { Claim::new() }; 3];
        let (held, place) = (Held::new(), Location::caller());
        held.push(&a, Location::caller(), 2);
        held.push(&b, place, 3);
        held.push(&c, Location::caller(), 2);
        assert_eq!(b.seen_since(7), 7);
        held.pop(&a);
        assert_eq!(claims(&held), [&raw const c, &raw const b]);
        held.pop(&c);
        assert_eq!(claims(&held), [&raw const b]);
        assert_eq!((b.place(), b.owner(), b.seen_since(9)), (place, 3, 7));
        held.pop(&b);
        assert!(held.is_empty());
    }

    #[test]
    fn a_lock_that_is_taken_again_was_not_seen_yet() {
        let (a, held, wanted) = (Claim::new(), Held::new(), Wanted::new());
        held.push(&a, Location::caller(), 0);
        assert_eq!((a.seen_since(5), a.seen_since(9)), (5, 5));
        held.pop(&a);
        held.push(&a, Location::caller(), 0);
        assert_eq!(a.seen_since(9), 9, "another claim");
        wanted.set(&a, Location::caller());
        assert_eq!((wanted.seen_since(5), wanted.seen_since(6)), (5, 5));
        wanted.set(&a, Location::caller());
        assert_eq!(wanted.seen_since(6), 6, "another wait");
    }

    #[test]
    fn a_wait_tells_what_and_where_until_it_is_over() {
        let (a, wanted, place) = (Claim::new(), Wanted::new(), Location::caller());
        assert!(wanted.get().is_none());
        wanted.set(&a, place);
        assert!(wanted.get().is_some_and(|(claim, at)| core::ptr::eq(claim, &a) && at == place));
        wanted.clear();
        assert!(wanted.get().is_none());
    }

    #[test]
    fn a_lock_that_was_never_taken_names_the_place_where_it_was_made() {
        let claim = Claim::new();
        assert_eq!(claim.place(), claim.class.born);
    }
}
