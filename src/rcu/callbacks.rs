//! The queue of retired objects whose owners do not wait themselves.
//!
//! Promises: first in, first out, also among objects of one cookie (a fan-out node goes before its ops); an object
//! leaves the queue only when the grace period of its own cookie has ended; [`Callbacks::barrier`] names everything that
//! was queued before it. The queue is plain data under its owner's lock; the owner runs what it takes out *without*
//! that lock and in one task, so that destructors may sleep.

use alloc::boxed::Box;
use core::ptr::NonNull;

use super::cookie::Sequence;
use super::retired::{Link, Reclaim, Retired};
use crate::fault::{self, Fault};

/// Retired objects in the order in which they were queued.
#[derive(Debug, Default)]
pub struct Callbacks {
    head: Option<NonNull<Link>>,
    tail: Option<NonNull<Link>>,
    queued: u64,
    finished: u64,
}

// SAFETY: 1. Every link is inside an object that is `Send` (trait `Reclaim`) and that the queue owns.
unsafe impl Send for Callbacks {}

/// An object that may be freed now: taken out of the queue, not yet run.
#[must_use = "the object leaks unless it is run"]
pub struct Expired(NonNull<Link>);

impl Expired {
    /// Frees the object, or whatever its owner asked for. Context: the reclaiming task, no lock held.
    pub fn run(self) {
        // SAFETY: 1. `take_expired` unlinked it. 2. It found that the grace period of its cookie has ended.
        unsafe { Link::run(self.0) }
    }
}

/// Everything queued before some instant.
#[derive(Clone, Copy, Debug)]
pub struct Barrier(u64);

impl Callbacks {
    /// Queues an object; when its grace period has ended, `then` gets it back in the reclaiming task.
    pub fn push<T: Reclaim>(&mut self, retired: Retired<T>, then: fn(Box<T>)) {
        let link = Link::of(retired, then);
        match self.tail {
            // SAFETY: 1. The tail is queued, so it lives and is ours alone: `&mut self`.
            Some(mut tail) => unsafe { tail.as_mut() }.next = Some(link),
            None => self.head = Some(link),
        }
        self.tail = Some(link);
        self.queued += 1;
    }

    /// Whether the grace period of the oldest object has ended. Its cookie decides, not the time of queuing: an object
    /// that was queued while a grace period ran is not freed by that one, and one whose grace period had ended before
    /// it was queued is free at once.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn has_expired(&self, sequence: &Sequence) -> bool {
        // SAFETY: 1. The head is queued, so it lives.
        let oldest = self.head.and_then(|head| unsafe { head.as_ref() }.cookie);
        oldest.is_some_and(|cookie| sequence.poll(cookie).is_some())
    }

    /// Takes the oldest object out if its grace period has ended.
    pub fn take_expired(&mut self, sequence: &Sequence) -> Option<Expired> {
        let head = self.head.filter(|_| self.has_expired(sequence))?;
        // SAFETY: 1. The head is queued, so it lives.
        self.head = unsafe { head.as_ref() }.next;
        if fault::is(Fault::CallbackCut) {
            self.lose_one(sequence);
        }
        if self.head.is_none() {
            self.tail = None;
        }
        Some(Expired(head))
    }

    /// The next one leaves the queue too, and is counted, but nobody runs it.
    fn lose_one(&mut self, sequence: &Sequence) {
        if let Some(head) = self.head.filter(|_| self.has_expired(sequence)) {
            // SAFETY: 1. The head is queued, so it lives.
            self.head = unsafe { head.as_ref() }.next;
            self.finished += 1;
        }
    }

    /// One object that was taken out has been run to its end.
    pub fn finished_one(&mut self) {
        self.finished += 1;
    }

    /// Names everything that is queued or running now.
    pub fn barrier(&self) -> Barrier {
        Barrier(self.queued - u64::from(fault::is(Fault::BarrierShort)).min(self.queued))
    }

    /// Whether all that `barrier` names has been run. They finish in order, so one count tells.
    pub fn has_passed(&self, barrier: Barrier) -> bool {
        self.finished >= barrier.0
    }

    /// How many objects wait or are being freed.
    pub fn nr_pending(&self) -> u64 {
        self.queued - self.finished
    }
}
