//! How far what is retired has come, for waits without a name: the number of the last retirement, and of the oldest one that has not
//! elapsed.
//!
//! Context: lock-free. The graveyard's owner tells, behind every change of what is retired; anybody reads. Pure.

use crate::sync::atomic::{AtomicU64, Ordering};

/// No retirement's number.
const NONE: u64 = u64::MAX;

/// Both numbers.
#[derive(Debug)]
pub struct Extent {
    last: AtomicU64,
    oldest: AtomicU64,
}

impl Default for Extent {
    fn default() -> Self {
        Self { last: AtomicU64::new(0), oldest: AtomicU64::new(NONE) }
    }
}

impl Extent {
    /// The number of the last retirement.
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Acquire)
    }

    /// The number of the oldest one that has not elapsed. A glance.
    #[inline(always)]
    pub fn oldest(&self) -> Option<u64> {
        let oldest = self.oldest.load(Ordering::Relaxed);
        if oldest == NONE { None } else { Some(oldest) }
    }

    /// Whether all up to this number have elapsed.
    ///
    /// Order: `Acquire`, pairing with `Extent::set`: what users of the elapsed objects did comes before. Whoever has read
    /// `number` from [`Extent::last`], or has retired it, does not find what the oldest was before.
    pub fn is_past(&self, number: u64) -> bool {
        self.oldest.load(Ordering::Acquire) > number
    }

    /// Context: the graveyard's lock is held.
    #[inline(always)]
    pub(super) fn set(&self, oldest: Option<u64>, last: u64) {
        let oldest = match oldest {
            Some(oldest) => oldest,
            None => NONE,
        };
        // The oldest first: who reads the number of the last finds it.
        self.oldest.store(oldest, Ordering::Release);
        self.last.store(last, Ordering::Release);
    }
}
