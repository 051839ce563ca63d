//! What is retired and not yet free: one list, in which each object waits for its own holders and for nobody else's.
//!
//! An object goes `fresh` → `looked` → (`held` →) elapsed. A grace period takes over all that is fresh when it begins; at its
//! end each of those is judged: it elapses, or it is held and waits for a later one. Where the scheme knows of numbers alone all
//! elapse together. A held object is judged again when somebody who held something has come to hold another set; until then it
//! costs nothing, so that a thousand held ones do not slow down the one that nobody holds. The look that is due judges them all.
//!
//! Promises: an object elapses only by a grace period that began after it was retired; it is run once, when it has elapsed
//! *and* was called; [`Graveyard::barrier`] names everything that was called before. An object that is neither called nor
//! reclaimed leaks, and is listed until it has elapsed: who waits for all that was retired waits for it, too.
//! Plain data under its owner's lock; the owner runs what it takes out *without* that lock and in one task, so that
//! destructors may sleep. Pure.
//!
//! # Why a list of its own for those that were called
//! They elapse in any order, so a count of finished ones says nothing about which. The oldest called one that is left does.
//!
//! # A node before its ops
//! A fan-out node and the ops whose going unlinked it are one object, whose drop frees the nodes first. Another member of that
//! node, retired later, is held while the node is, and free of it as soon as nobody holds the node: nobody reads a node that
//! is not held.

use alloc::boxed::Box;
use core::ptr::NonNull;

use super::extent::Extent;
use super::judging::{Ended, Hearing, Judge, Pass, Stands};
use super::links::{Called, Own};
use super::retired::{Link, Reclaim, Retired};
use super::room::Kept;
use crate::fault::{self, Fault};

/// An object that may be freed now: taken out, not yet run.
#[must_use = "the object leaks unless it is run"]
pub struct Expired(NonNull<Link>);

impl Expired {
    /// Frees the object, or whatever its owner asked for. Context: the reclaiming task, no lock held.
    pub fn run(self) {
        // SAFETY: 1. `take_expired` took it off its lists, where it came to when it was called and had elapsed.
        unsafe { Link::run(self.0) }
    }
}

/// Everything called before some instant.
#[derive(Clone, Copy, Debug)]
pub struct Barrier(u64);

/// All that is retired.
#[derive(Debug)]
pub struct Graveyard {
    /// Retired since the running grace period began, or since the last one did.
    fresh: Own,
    /// What the running grace period judges for the first time.
    looked: Own,
    /// Judged, and held.
    held: Own,
    /// How far the held ones have been judged again.
    pass: Pass,
    /// The object that is being judged.
    hearing: Hearing,
    /// Whose owners are to be woken.
    ended: Ended,
    /// Elapsed and called.
    expired: Own,
    /// Called and not yet taken out, in the order of the calls.
    called: Called,
    /// The number of the call that is being run, and the bytes that it gives back.
    running: Option<(u64, usize)>,
    /// Bytes of all that is not elapsed, and of what is called and not run to its end.
    bytes: usize,
    nr_retired: u64,
    nr_called: u64,
    nr_finished: u64,
    /// A grace period runs: kept for a deliberate fault.
    is_running: bool,
}

// SAFETY: 1. Every link is inside an object that is `Send` (trait `Reclaim`).
unsafe impl Send for Graveyard {}

impl Graveyard {
    /// With nothing in it.
    ///
    /// # Safety
    /// Its proofs free memory. 1. Between [`Graveyard::begin`] and [`Graveyard::judge_one`] a grace period really passes, and the
    /// judge says what it has found. 2. What one graveyard has retired is called at that one.
    pub const unsafe fn new() -> Self {
        Self {
            fresh: Own::new(),
            looked: Own::new(),
            held: Own::new(),
            pass: Pass::new(),
            hearing: Hearing::new(),
            ended: Ended(0),
            expired: Own::new(),
            called: Called::new(),
            running: None,
            bytes: 0,
            nr_retired: 0,
            nr_called: 0,
            nr_finished: 0,
            is_running: false,
        }
    }

    /// Takes in an object that was unlinked.
    ///
    /// # Safety
    /// 1. `object` came from `Box::into_raw`, and nobody else will free it.
    /// 2. The last store that made it reachable was overwritten, and that overwrite was followed by a full barrier:
    ///    `retired-is-unlinked`.
    pub unsafe fn retire<T: Reclaim>(&mut self, object: NonNull<T>) -> Retired<T> {
        self.nr_retired += 1;
        // SAFETY: obligation 1.
        let link = unsafe { Link::of(object, self.nr_retired) };
        // SAFETY: the object lives; nobody else touches its link.
        self.bytes += unsafe { link.as_ref() }.bytes;
        let is_too_early = fault::is(Fault::CookieEarly) || fault::is(Fault::CookieOfRunning);
        if is_too_early && self.is_running {
            self.looked.push(link);
        } else if fault::is(Fault::CookieEarly) {
            self.elapse(link);
        } else {
            self.fresh.push(link);
        }
        // SAFETY: 1. Listed just now. 2. The number is new. 3. The caller gives the object away.
        unsafe { Retired::listed(object, self.nr_retired) }
    }

    /// When the object has elapsed, `then` gets it in the reclaiming task. Says whether that is so already: then the task is
    /// to be woken.
    #[must_use = "nobody else wakes the reclaimer for it"]
    pub fn call<T: Reclaim>(&mut self, retired: Retired<T>, then: fn(Box<T>)) -> bool {
        let mut link = Link::hand_over(retired, then);
        self.nr_called += 1;
        self.called.push(link);
        // SAFETY: 1. It was handed over, so it lives. 2. The lock: `&mut self`.
        let link_words = unsafe { link.as_mut() };
        link_words.call = self.nr_called;
        let has_elapsed = link_words.has_elapsed();
        if has_elapsed {
            self.bytes += link_words.bytes;
            self.expired.push(link);
        }
        has_elapsed
    }

    /// A grace period begins: it judges all that was retired before now.
    #[inline(always)]
    pub fn begin(&mut self) {
        self.is_running = true;
        self.looked.append(&mut self.fresh);
    }

    /// It has met everybody. Held objects are judged again, if somebody has come to hold less.
    #[inline(always)]
    pub fn meet(&mut self, somebody_holds_less: bool) {
        self.is_running = false;
        self.pass.meet(self.held.first, somebody_holds_less);
    }

    /// Judges the next part of an object; says whether there was one. What comes anew goes first, so that it waits for nothing that
    /// is held.
    #[inline(always)]
    pub fn judge_one(&mut self, judge: &dyn Judge) -> bool {
        let (link, is_anew) = match (self.looked.first, self.pass.next(&self.hearing)) {
            (Some(link), _) => (link, true),
            (None, Some(link)) => (link, false),
            (None, None) => return false,
        };
        self.pass.count(is_anew);
        // SAFETY: 1. Listed and not elapsed, so it lives. 2. The lock.
        let Some(is_kept) = self.hearing.hear(unsafe { &mut *link.as_ptr() }, judge) else { return true };
        if is_anew {
            self.looked.unlink(link);
            if is_kept {
                self.held.push(link);
            }
        } else {
            let [_, behind] = *self.held.beside(link);
            self.pass.go_on(behind, is_kept && judge.keeps_what_is_behind());
            if !is_kept {
                self.held.unlink(link);
            }
        }
        if !is_kept {
            self.elapse(link);
        }
        true
    }

    /// Judges so many parts; says whether there may be more. Whoever waits for the lock waits for no more than these.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn judge_some(&mut self, judge: &dyn Judge, most: usize) -> bool {
        let mut nr_judged = 0;
        while nr_judged < most && self.judge_one(judge) {
            nr_judged += 1;
        }
        nr_judged == most
    }

    #[inline(always)]
    fn elapse(&mut self, link: NonNull<Link>) {
        // SAFETY: not elapsed yet, so it lives.
        let link_words = unsafe { link.as_ref() };
        self.ended.note(link_words.number);
        if link_words.call == 0 {
            self.bytes -= link_words.bytes;
        } else {
            self.expired.push(link);
        }
        Link::elapse(link);
    }

    /// Whether something is to be taken out.
    #[inline(always)]
    pub fn has_expired(&self) -> bool {
        self.expired.first.is_some()
    }

    /// Takes out an object that was called and has elapsed; [`Graveyard::finished_one`] when it was run.
    pub fn take_expired(&mut self) -> Option<Expired> {
        let link = self.expired.pop()?;
        self.called.unlink(link);
        if fault::is(Fault::CallbackCut) {
            self.lose_one();
        }
        // SAFETY: 1. Called and not run, so it lives.
        let link_words = unsafe { link.as_ref() };
        self.running = Some((link_words.call, link_words.bytes));
        Some(Expired(link))
    }

    /// The next one is taken out too, and is counted, but nobody runs it.
    fn lose_one(&mut self) {
        if let Some(link) = self.expired.pop() {
            self.called.unlink(link);
            // SAFETY: 1. Called and not run, so it lives.
            self.bytes -= unsafe { link.as_ref() }.bytes;
            self.nr_finished += 1;
        }
    }

    /// The object that was taken out has been run to its end.
    pub fn finished_one(&mut self) {
        if let Some((_, bytes)) = self.running.take() {
            self.bytes -= bytes;
        }
        self.nr_finished += 1;
    }

    /// Names everything that was called and has not been run to its end.
    pub fn barrier(&self) -> Barrier {
        Barrier(self.nr_called - u64::from(fault::is(Fault::BarrierShort)).min(self.nr_called))
    }

    /// Whether all that `barrier` names has been run.
    pub fn has_passed(&self, barrier: Barrier) -> bool {
        [self.called.oldest_call(), self.running.map(|(call, _)| call)].iter().flatten().all(|&call| call > barrier.0)
    }

    /// How many objects were called and are not finished.
    pub const fn nr_pending(&self) -> u64 {
        self.nr_called - self.nr_finished
    }

    /// How many objects are retired and have not elapsed.
    pub const fn nr_retired(&self) -> usize {
        self.fresh.len + self.looked.len + self.held.len
    }

    /// What is retired and not yet freed. What has elapsed and was not called is its owner's.
    #[inline(always)]
    pub const fn kept(&self) -> Kept {
        let objects = self.nr_retired() + self.expired.len + self.running.is_some() as usize;
        Kept { objects, bytes: self.bytes }
    }

    /// Whether nothing is retired, and nothing waits to be run.
    #[inline(always)]
    pub const fn is_empty(&self) -> bool {
        self.nr_retired() == 0 && self.nr_pending() == 0
    }

    /// Tells whoever waits without the lock how far it is. Context: behind every change of what is retired.
    #[inline(always)]
    pub fn tell(&self, extent: &Extent) {
        let mut oldest: Option<u64> = None;
        // Each list has its oldest first.
        for first in [self.held.oldest(), self.looked.oldest(), self.fresh.oldest()] {
            oldest = match (oldest, first) {
                (Some(oldest), Some(first)) => Some(if first < oldest { first } else { oldest }),
                (oldest, first) => {
                    if oldest.is_some() {
                        oldest
                    } else {
                        first
                    }
                }
            };
        }
        extent.set(oldest, self.nr_retired);
    }

    /// What has elapsed since this was asked before.
    #[inline(always)]
    pub fn take_ended(&mut self) -> Ended {
        core::mem::take(&mut self.ended)
    }

    /// What the grace period left.
    #[inline(always)]
    pub fn stands(&self) -> Stands {
        Stands { oldest_held: self.held.oldest(), is_pass_open: self.pass.is_open() }
    }
}
