//! How what is retired is judged: an object part by part, and those that are held a few in each look.
//!
//! The parts of an object are what a frame may name of it: an ops, and each fan-out node that is freed with it. An object is held
//! while one of them is.
//!
//! # Why part by part
//! Whoever retires something, or calls it, waits for the graveyard's lock, IRQs masked. An ops of five hundred callsites may have as
//! many nodes; so the lock is let go of between parts.
//!
//! # Why a few in each look
//! A look is due when somebody has come to hold less, and then all that is held may be free. But what comes anew waits for the
//! look, and must not wait for thousands that are held. So a look judges what comes anew, and goes on with its *pass* over the
//! held ones by [`AGAIN_AT_ONCE`] parts; while a pass is open the next look is due. Who comes to hold less meanwhile makes another pass
//! due behind it.
//!
//! # Why a pass needs looks
//! What an old look has found says nothing about an object whose sleeper has gone on since: a task leaves its mark only while a look
//! is under way. What a part was found to be stays so if it was found unheld: nobody comes to hold it any more.
//!
//! Context: the graveyard's lock. Pure.

use core::ptr::NonNull;

use super::retired::Link;

/// Parts of held objects that one look judges again, at least: an object is judged whole.
pub const AGAIN_AT_ONCE: usize = 128;

/// Whether an object is still held, asked at the end of a grace period.
pub trait Judge {
    /// The number of the look.
    fn look(&self) -> u64;
    /// Whether the look has found somebody who may hold anything: then all is kept, and what parts say is not asked for.
    fn keeps_all(&self) -> bool {
        false
    }
    /// Whether an object is kept that look number `first_look` was the first to judge. `is_held` says what its own words say.
    fn keeps(&self, first_look: u64, is_held: bool) -> bool;
    /// Whether what is kept keeps all that was judged first by the same look or a later one: holders cannot be told apart.
    fn keeps_what_is_behind(&self) -> bool {
        false
    }
}

/// What a grace period left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stands {
    /// The number of the oldest retirement that was judged and is held.
    pub oldest_held: Option<u64>,
    /// Some of the held ones are to be judged again: the next look is due.
    pub is_pass_open: bool,
}

/// Which retirements have elapsed: of those numbers modulo 64, as bits. Who waits for one waits beside one of 64 others at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ended(pub u64);

impl Ended {
    /// How many kinds there are.
    pub const KINDS: usize = 64;

    /// The kind of a retirement's number.
    #[inline(always)]
    pub const fn kind(number: u64) -> usize {
        number as usize % Self::KINDS
    }

    #[inline(always)]
    pub(super) fn note(&mut self, number: u64) {
        self.0 |= 1 << Self::kind(number);
    }

    /// Takes out a kind of which one has elapsed.
    #[inline(always)]
    pub fn take_kind(&mut self) -> Option<usize> {
        if self.0 == 0 {
            return None;
        }
        let kind = self.0.trailing_zeros() as usize;
        self.0 &= self.0 - 1;
        Some(kind)
    }
}

/// The object that is being judged.
#[derive(Debug)]
pub(super) struct Hearing {
    /// Some of its parts were asked.
    has_begun: bool,
    /// One of them is held.
    is_held: bool,
}

impl Hearing {
    pub(super) const fn new() -> Self {
        Self { has_begun: false, is_held: false }
    }

    /// Asks the next part of the object at hand; when all were asked, says whether the object is kept.
    #[inline(always)]
    pub(super) fn hear(&mut self, link: &mut Link, judge: &dyn Judge) -> Option<bool> {
        if link.first_look == 0 {
            link.first_look = judge.look();
        }
        let keeps_all = judge.keeps_all();
        if !keeps_all {
            let answer = link.ask(!self.has_begun, judge.look());
            self.is_held |= answer.is_held;
            self.has_begun = true;
            if !answer.is_last {
                return None;
            }
        }
        self.has_begun = false;
        let is_held = core::mem::replace(&mut self.is_held, false);
        Some(keeps_all || judge.keeps(link.first_look, is_held))
    }
}

/// The way through the held ones, oldest first.
#[derive(Debug)]
pub(super) struct Pass {
    next: Option<NonNull<Link>>,
    /// Parts that this look may judge again.
    left: usize,
    /// Somebody has come to hold less since it began.
    another: bool,
}

impl Pass {
    pub(super) const fn new() -> Self {
        Self { next: None, left: 0, another: false }
    }

    /// A look has met everybody; `first` is held.
    #[inline(always)]
    pub(super) fn meet(&mut self, first: Option<NonNull<Link>>, somebody_holds_less: bool) {
        self.another |= somebody_holds_less;
        if self.next.is_none() && self.another {
            self.next = first;
            self.another = false;
        }
        self.left = AGAIN_AT_ONCE;
    }

    /// The next one, unless this look has done its share. An object that it has begun with it ends.
    #[inline(always)]
    pub(super) fn next(&self, hearing: &Hearing) -> Option<NonNull<Link>> {
        if self.left == 0 && !hearing.has_begun { None } else { self.next }
    }

    /// A part is judged.
    #[inline(always)]
    pub(super) fn count(&mut self, is_anew: bool) {
        self.left = self.left.saturating_sub(usize::from(!is_anew));
    }

    /// The object is judged; `behind` is behind it.
    #[inline(always)]
    pub(super) fn go_on(&mut self, behind: Option<NonNull<Link>>, is_over: bool) {
        self.next = if is_over { None } else { behind };
    }

    #[inline(always)]
    pub(super) fn is_open(&self) -> bool {
        self.next.is_some() || self.another
    }
}
