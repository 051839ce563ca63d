//! Waits without a deadline, watched for lost wake-ups: who makes a condition true and wakes nobody.
//!
//! Once a second the watchdog's task looks at every waiting task. One that has waited for long it nudges: wakes it for
//! no reason, which is allowed. The waiter, whose entry stays in its queue meanwhile, looks at its condition:
//! 1. It does not hold: the task blocks again, in its old place in the queue.
//! 2. It holds, though nobody took the entry out, and nobody was woken from this queue since it did not hold. The waker
//!    may be between making it true and waking: so the task *doubts*: it blocks until a waker comes, and is nudged each
//!    round to see whether one did. If none does for as long again, the wake-up is lost.
//!
//! In a queue that is woken one by one, a wake-up of another task may be the one that came with the condition (a mutex
//! that was handed to nobody in particular): such a wait ends without a doubt, and the next one is watched.
//!
//! The price on the way into a wait is two stores, and no timer. It takes that no condition becomes true without a
//! wake-up; a wait for what does so by itself takes a deadline, and is not watched.
//! Rounds of looking are counted, not time: a guest that was stopped has not waited.
//! Context: as each function says. Pure.

use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, Ordering};
use crate::sync::held::Claim;
use crate::sync::order::Place;
use core::panic::Location;
use core::ptr;

/// Rounds that a wait may last before its task is nudged, and as many that a doubt may.
pub const PATIENCE_ROUNDS: u64 = 10;

/// What a task waits for without a deadline, and what the watchdog has seen of it.
#[derive(Debug)]
pub struct Waiting {
    /// Where it waits; null while it does not.
    place: AtomicPtr<Location<'static>>,
    /// The lock of its queue.
    queue: AtomicPtr<Claim>,
    /// Its condition holds, and it waits for a waker.
    doubts: AtomicBool,
    // The watchdog's own.
    /// Voluntary switches of the task when the wait was first seen.
    switches: AtomicU64,
    rounds: AtomicU64,
    nudges: AtomicU64,
    doubtful_rounds: AtomicU64,
}

/// What the watchdog does about a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing.
    Leave,
    /// Wake the task, so that it looks at its condition.
    Nudge,
    /// Report: its wake-up is lost.
    Lost,
}

impl Waiting {
    /// For nothing.
    pub const fn new() -> Self {
        Self {
            place: AtomicPtr::new(ptr::null_mut()),
            queue: AtomicPtr::new(ptr::null_mut()),
            doubts: AtomicBool::new(false),
            switches: AtomicU64::new(0),
            rounds: AtomicU64::new(0),
            nudges: AtomicU64::new(0),
            doubtful_rounds: AtomicU64::new(0),
        }
    }

    /// The task waits at `place` in the queue that `queue` locks. Context: that task.
    #[inline(always)]
    pub fn begin(&self, queue: &Claim, place: Place) {
        self.queue.store(ptr::from_ref(queue).cast_mut(), Ordering::Relaxed);
        self.place.store(ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
    }

    /// The wait is over. Context: that task.
    #[inline(always)]
    pub fn end(&self) {
        self.place.store(ptr::null_mut(), Ordering::Relaxed);
        self.doubts.store(false, Ordering::Relaxed);
    }

    /// Whether its condition holds although nobody woke it. Context: that task.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn set_doubts(&self, doubts: bool) {
        self.doubts.store(doubts, Ordering::Relaxed);
    }

    /// Where the task waits, where its queue was made, and for how many rounds it has been seen to.
    ///
    /// Context: the task is blocked; then its queue lives.
    pub fn get(&self) -> Option<(Place, Place, u64)> {
        // SAFETY: null, or a reference that is never taken away: `begin` stores places alone.
        let place = unsafe { self.place.load(Ordering::Relaxed).as_ref() }?;
        // SAFETY: null, or the lock of the queue that the task is waiting in, which it refers to.
        let queue = unsafe { self.queue.load(Ordering::Relaxed).as_ref() }?;
        Some((place, queue.class.born, self.rounds.load(Ordering::Relaxed)))
    }

    /// One round of looking, at a task that `is_blocked` and has left its CPU voluntarily so many times.
    ///
    /// Context: the watchdog's task.
    pub fn look(&self, is_blocked: bool, switches: u64) -> Verdict {
        if self.place.load(Ordering::Relaxed).is_null() {
            self.rounds.store(0, Ordering::Relaxed);
            self.nudges.store(0, Ordering::Relaxed);
            return Verdict::Leave;
        }
        if !is_blocked {
            return Verdict::Leave; // on its way out, or nudged
        }
        let nudges = self.nudges.load(Ordering::Relaxed);
        let is_same = self.rounds.load(Ordering::Relaxed) > 0
            && self.switches.load(Ordering::Relaxed).wrapping_add(nudges) == switches;
        if !is_same {
            self.switches.store(switches, Ordering::Relaxed);
            self.rounds.store(0, Ordering::Relaxed);
            self.nudges.store(0, Ordering::Relaxed);
            self.doubtful_rounds.store(0, Ordering::Relaxed);
        }
        let rounds = self.rounds.load(Ordering::Relaxed) + 1;
        self.rounds.store(rounds, Ordering::Relaxed);
        if self.doubts.load(Ordering::Relaxed) {
            let doubtful = self.doubtful_rounds.load(Ordering::Relaxed) + 1;
            self.doubtful_rounds.store(doubtful, Ordering::Relaxed);
            if doubtful > PATIENCE_ROUNDS {
                return Verdict::Lost;
            }
        } else if !rounds.is_multiple_of(PATIENCE_ROUNDS) {
            return Verdict::Leave;
        }
        self.nudges.store(self.nudges.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
        Verdict::Nudge
    }
}

impl Default for Waiting {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE_ROUNDS, Verdict, Waiting};
    use crate::sync::held::Claim;
    use core::panic::Location;

    fn begun() -> Waiting {
        static QUEUE: Claim = Claim::new();
        let waiting = Waiting::new();
        waiting.begin(&QUEUE, Location::caller());
        waiting
    }

    /// The verdicts of so many rounds in which the task stays blocked.
    fn rounds(waiting: &Waiting, n: u64, switches: u64) -> Vec<Verdict> {
        (0..n).map(|_| waiting.look(true, switches)).collect()
    }

    #[test]
    fn a_long_wait_is_nudged_once_for_each_patience_and_never_lost_while_its_condition_does_not_hold() {
        let waiting = begun();
        for nudges in 0..5 {
            let verdicts = rounds(&waiting, PATIENCE_ROUNDS, 7 + nudges);
            let (last, before) = verdicts.split_last().unwrap();
            assert!(before.iter().all(|&verdict| verdict == Verdict::Leave), "{verdicts:?}");
            assert_eq!(*last, Verdict::Nudge);
        }
        assert_eq!(waiting.get().map(|(_, _, rounds)| rounds), Some(5 * PATIENCE_ROUNDS), "one wait all the time");
    }

    #[test]
    fn a_doubt_that_no_waker_ends_is_a_lost_wake_up_and_not_before_its_time() {
        let waiting = begun();
        assert_eq!(rounds(&waiting, PATIENCE_ROUNDS, 1).last(), Some(&Verdict::Nudge));
        waiting.set_doubts(true);
        for round in 0..PATIENCE_ROUNDS {
            assert_eq!(waiting.look(true, 2 + round), Verdict::Nudge, "so that it sees whether a waker came");
        }
        assert_eq!(waiting.look(true, 2 + PATIENCE_ROUNDS), Verdict::Lost);
    }

    #[test]
    fn a_waker_that_comes_late_ends_the_doubt_and_the_next_wait_begins_anew() {
        let waiting = begun();
        let _ = rounds(&waiting, PATIENCE_ROUNDS, 1);
        waiting.set_doubts(true);
        assert_eq!(waiting.look(true, 2), Verdict::Nudge);
        waiting.end();
        assert_eq!(waiting.look(true, 3), Verdict::Leave, "blocked with a deadline: not watched");
        waiting.begin(&Claim::new(), Location::caller());
        let verdicts = rounds(&waiting, PATIENCE_ROUNDS, 3);
        assert_eq!(verdicts.iter().position(|&verdict| verdict != Verdict::Leave), Some(9), "{verdicts:?}");
    }

    #[test]
    fn a_task_that_was_woken_between_two_rounds_waits_anew_even_at_the_same_place() {
        let waiting = begun();
        for switches in 0..10 * PATIENCE_ROUNDS {
            assert_eq!(waiting.look(true, switches), Verdict::Leave);
        }
        let _ = rounds(&waiting, PATIENCE_ROUNDS - 1, 500);
        assert_eq!(waiting.look(false, 500), Verdict::Leave, "it runs");
        assert_eq!(waiting.look(true, 500), Verdict::Nudge);
    }
}
