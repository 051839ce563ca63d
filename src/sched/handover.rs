//! Handing over: who has a mutex next. Pure: `tests/models.rs` enumerates the protocol over this very word.
//!
//! | word | means | lock | unlock |
//! |---|---|---|---|
//! | free | nobody has the mutex, nobody is in the queue | takes it | – |
//! | held | somebody has it, nobody is in the queue | wants it, and queues | frees it |
//! | wanted | somebody has it, others may be in the queue | queues | hands it over, or frees it where nobody is in the queue |
//!
//! INVARIANT `wanted-while-queued`: under the queue's lock, the word is *wanted* whenever somebody is in the queue. Only
//! [`Word::take_or_queue`] lets somebody in, which makes it so; only [`Word::hand_over`] makes it free again, once the queue is
//! empty. So nobody takes a mutex past the queue, and no unlock misses who is in it.
//!
//! # What bounds the wait
//! A waiter is *overtaken* by who takes the mutex though it came to the queue, or to the mutex, later than the waiter came to the
//! queue. None does: whoever waits longest is granted the mutex before its holder lets go of it. Before the waiter is in the
//! queue, while it runs from the first look to the push, one may. So a waiter waits for the one who has the mutex and those who were
//! in the queue before it: once each.
//!
//! # Why not wake the oldest and let it try
//! Whoever unlocks is on a CPU and takes the mutex again before the other runs: a task that does so in a loop keeps it for good.
//!
//! # Why not hand over only to who was overtaken once
//! A task that takes the mutex in a loop would then need a switch for every other time, not for each. That is half of the price
//! of a convoy, for a second rule about whom the mutex may be taken past.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// Who has the mutex, and whether others may be in its queue.
#[derive(Debug)]
pub struct Word(pub AtomicUsize);

impl Word {
    /// Nobody has it.
    pub const FREE: usize = 0;
    const HELD: usize = 1;
    const WANTED: usize = 2;

    /// Takes the mutex if it is free. Order: acquire; pairs with the releases below.
    #[inline(always)]
    pub fn take(&self) -> bool {
        self.0.compare_exchange(Self::FREE, Self::HELD, Ordering::Acquire, Ordering::Relaxed).is_ok()
    }

    /// Takes the mutex if it is free by now, else has the caller queue by `push`. Returns whether it was taken.
    /// Context: the queue is locked. Order: acquire, as [`Word::take`].
    #[inline(always)]
    pub fn take_or_queue(&self, push: impl FnOnce()) -> bool {
        let is_free = self.0.swap(Self::WANTED, Ordering::Acquire) == Self::FREE;
        if !is_free {
            push();
        }
        is_free
    }

    /// Frees the mutex, unless others may be in the queue: then it is to be handed over. Order: release.
    #[inline(always)]
    pub fn free(&self) -> bool {
        self.0.compare_exchange(Self::HELD, Self::FREE, Ordering::Release, Ordering::Relaxed).is_ok()
    }

    /// Hands the mutex over: `grant_oldest` takes whoever waits longest out of the queue, makes it the holder, and wakes it; it
    /// says whether anybody was there. If nobody was, the mutex is free.
    ///
    /// Context: the queue is locked, which orders what the two holders do. Order: release.
    #[inline(always)]
    pub fn hand_over(&self, grant_oldest: impl FnOnce() -> bool) {
        if !grant_oldest() {
            self.0.store(Self::FREE, Ordering::Release);
        }
    }

    /// Whether nobody has it, which those in its queue never see. Context: the queue is locked.
    #[inline(always)]
    pub fn is_free(&self) -> bool {
        self.0.load(Ordering::Relaxed) == Self::FREE
    }
}
