//! Grace-period numbers: which grace period a caller must wait for.
//!
//! One word counts half grace periods: even, none is running; odd, one is. A caller takes a [`Cookie`], the even value that
//! proves a *full* grace period since then; one that arrives while a grace period runs is not served by it, because that one
//! may have looked already, and waits for the next. A grace period of a scheme that looks for holders ends when it has looked,
//! while held objects wait on: so a cookie names the last retirement before it, too (see [`super::graveyard`]).
//! Context: everything here is lock-free and callable anywhere; [`Sequence::begin`] and [`Sequence::end`] belong to the
//! grace-period task.
//!
//! # Why not a lock
//! `has_ended` runs in spinning updaters and in wait conditions; as one load it needs no place in the lock order.

use crate::sync::atomic::{AtomicU64, Ordering, fence};

/// Names the grace period that covers everything unlinked before the cookie was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cookie(u64);

impl Cookie {
    /// The bare number, for traces and listings.
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// The count of grace periods, and how far somebody wants it to go.
#[derive(Debug)]
pub struct Sequence {
    state: AtomicU64,
    wanted: AtomicU64,
}

impl Default for Sequence {
    fn default() -> Self {
        Self::new()
    }
}

impl Sequence {
    /// A sequence in which no grace period has run.
    pub fn new() -> Self {
        Self { state: AtomicU64::new(0), wanted: AtomicU64::new(0) }
    }

    /// Takes the cookie of the first grace period that starts from now on; asks nobody to run it.
    ///
    /// Order: the fence pairs with the one in [`Sequence::begin`]. Either the load below sees that a grace period
    /// has begun, and the next one is named, or that grace period sees every store the caller made before.
    pub fn cookie(&self) -> Cookie {
        fence(Ordering::SeqCst);
        Cookie((self.state.load(Ordering::Relaxed) + 3) & !1)
    }

    /// Asks that grace periods run until `cookie` is covered; true if the grace-period task must be woken for it.
    ///
    /// Order: `Release`, pairing with the load in [`Sequence::is_wanted`]; the wait queue's lock makes the wake-up
    /// itself reliable.
    #[must_use = "the grace-period task sleeps until it is woken"]
    pub fn request(&self, cookie: Cookie) -> bool {
        self.wanted.fetch_max(cookie.0, Ordering::Release) < cookie.0
    }

    /// Whether the grace period of `cookie` has ended.
    ///
    /// Order: `Acquire`, pairing with [`Sequence::end`].
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn has_ended(&self, cookie: Cookie) -> bool {
        self.state.load(Ordering::Acquire) >= cookie.0
    }

    /// How many grace periods have ended. Context: any; takes no lock.
    pub fn nr_ended(&self) -> u64 {
        self.state.load(Ordering::Relaxed) >> 1
    }

    /// Whether somebody waits for a grace period that has not begun.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) > self.state.load(Ordering::Relaxed)
    }

    /// The number of the running grace period, and of its look. Only the grace-period task, or what it waits for.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn running(&self) -> u64 {
        self.state.load(Ordering::Relaxed) + 1
    }

    /// A grace period begins. Only the grace-period task, with none running.
    ///
    /// Order: the fence pairs with the one in [`Sequence::cookie`].
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn begin(&self) {
        let state = self.state.load(Ordering::Relaxed);
        assert!(state & 1 == 0, "a grace period begins inside another");
        self.state.store(state + 1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }

    /// The running grace period ends; everything that waited for it is served at once.
    ///
    /// Order: `Release`, pairing with [`Sequence::has_ended`].
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn end(&self) {
        let state = self.state.load(Ordering::Relaxed);
        assert!(state & 1 == 1, "a grace period ends that never began");
        self.state.store(state + 1, Ordering::Release);
    }
}
