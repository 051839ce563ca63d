//! Where a task stands towards looks: one word, so that the CPU that it goes on on and the walker agree who was first.
//!
//! | state | on a list | who changes it |
//! |---|---|---|
//! | `RUNNING` | no | its CPU, when it leaves |
//! | `RUNNING \| LISTED` | yes | its CPU, when it leaves; the walker, under the list's lock, takes it off |
//! | `OFF` | yes | whoever lets it go on, under the list's lock if it looks at itself first; the walker, under that lock, pins it |
//! | `LOOKING` | yes | the CPU that it goes on on, when it has looked at itself |
//! | `PINNED` | no | the walker |
//! | `EXAMINED` | no | whoever lets it go on |
//!
//! A task that holds nothing for certain may be off its CPU and `RUNNING`: nobody has to look at it.

use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::{AtomicUsize, Ordering};

const LISTED: usize = 1;
pub(super) const RUNNING: usize = 0;
const RUNNING_LISTED: usize = RUNNING | LISTED;
const OFF: usize = 2 | LISTED;
const LOOKING: usize = 4 | LISTED;
const PINNED: usize = 4;
pub(super) const EXAMINED: usize = 6;
const STATE: usize = 7;
/// Above: the CPU whose list the task is on, or was on when it was pinned.
const HOME: u32 = 3;

/// The word of a task.
pub(super) struct Word<'a>(&'a AtomicUsize);

impl<'a> Word<'a> {
    #[inline(always)]
    pub(super) fn of(task: &'a TaskWords) -> Self {
        Self(&task.standing)
    }

    #[inline(always)]
    fn load(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// Whether nobody has to look at the task off its CPU.
    #[inline(always)]
    pub(super) fn is_on_cpu(&self) -> bool {
        self.0.load(Ordering::Relaxed) & (STATE & !LISTED) == RUNNING
    }

    /// The CPU whose list it is on, or was on when it was pinned.
    ///
    /// Order: `Acquire`, so that whoever does not find the task examined finds the right lock.
    #[inline(always)]
    pub(super) fn home(&self) -> usize {
        self.load() >> HOME
    }

    /// Whether the walker is done with the task. Order: `Acquire`: what was noted of it is found, too.
    #[inline(always)]
    pub(super) fn is_examined(&self) -> bool {
        self.load() & STATE == EXAMINED
    }

    /// Whether the walker examines the task just now. Order: as above.
    #[inline(always)]
    pub(super) fn is_pinned(&self) -> bool {
        self.load() & STATE == PINNED
    }

    /// Whether the task looks at itself just now. Context: the list's lock.
    #[inline(always)]
    pub(super) fn is_looking(&self) -> bool {
        self.load() & STATE == LOOKING
    }

    #[inline(always)]
    pub(super) fn is_listed(&self) -> bool {
        self.0.load(Ordering::Relaxed) & LISTED != 0
    }

    /// Order: `Release`: what the walker has noted comes before.
    #[inline(always)]
    pub(super) fn set(&self, state: usize) {
        self.0.store(state, Ordering::Release);
    }

    /// The word becomes `to` unless it is no longer `from`.
    ///
    /// Order: `AcqRel`, so that all changes of the word are one chain: whoever finds a state finds what was noted under the
    /// states before, and the frames that were saved (O11).
    #[inline(always)]
    fn change(&self, from: usize, to: usize) -> bool {
        self.0.compare_exchange(from, to, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// The task has left CPU number `cpu`, its context is saved. Says whether it is to be listed there: it is on no list.
    #[inline(always)]
    pub(super) fn leave(&self, cpu: usize) -> bool {
        let now = self.load();
        // The walker may take it off its list meanwhile; nobody else touches the word.
        if now & LISTED != 0 && self.change(now, now & !STATE | OFF) {
            return false;
        }
        self.set(cpu << HOME | OFF);
        true
    }

    /// The task is about to go on, and looks at itself before the walker can pin it. Says no where the walker has. Context: the
    /// list's lock, IRQs masked until the task goes on.
    #[inline(always)]
    pub(super) fn look(&self) -> bool {
        let now = self.load();
        now & STATE == OFF && self.change(now, now & !STATE | LOOKING)
    }

    /// The task goes on. Says whether it was examined.
    #[inline(always)]
    pub(super) fn go_on(&self) -> bool {
        loop {
            let now = self.load();
            debug_assert!(now & STATE != PINNED, "a task goes on that the walker keeps off its CPU");
            let to = if now & LISTED != 0 { now & !STATE | RUNNING_LISTED } else { RUNNING };
            if self.change(now, to) {
                return now & STATE == EXAMINED;
            }
        }
    }

    /// The task has been taken off its list: pins it there if it is off its CPU, and says whether it is. Context: the list's lock.
    #[inline(always)]
    pub(super) fn pin(&self) -> bool {
        loop {
            let now = self.load();
            let is_off = now & STATE == OFF;
            let to = if is_off { now & !STATE | PINNED } else { RUNNING };
            if self.change(now, to) {
                return is_off;
            }
        }
    }
}
