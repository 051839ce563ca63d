//! The words of a task that `rcu` owns: `sched` embeds them in every task and touches none of them.
//!
//! They stand on this floor because a task holds them; what they mean is decided by the schemes above, through the
//! hooks of the scheme seam. Pure: `tests/models.rs` enumerates the protocol over these very words.
//!
//! INVARIANT `away-is-clean`: while `away` is true, its task holds no ops, if the selected scheme forbids funcs to block.
//! It left the CPU by a voluntary switch, which no func makes then, and everything that it runs between setting the word
//! and the switch itself is `notrace`.

use crate::arch::hold_words::HoldWords;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize};
use core::cell::UnsafeCell;

/// How many ops a sleeping task may hold before its frames have to be read again when it goes on.
pub const MOST_REMEMBERED: usize = 4;

/// What Tasks RCU keeps about one task.
#[derive(Debug)]
pub struct TaskWords {
    /// Something retired waits for this task. Who may set and take the mark is the scheme's affair: a list of
    /// all tasks has one protocol (`rcu::schemes::holdouts`), a look another (`rcu::schemes::holders`).
    pub holdout: AtomicBool,
    /// The task is off its CPU by a voluntary switch, or has not run yet. Written by the task's own CPU alone, with
    /// IRQs masked: true before the switch, false before the resumed task runs anything that can be traced.
    pub away: AtomicBool,
    /// `TIF_IN_TRAMPOLINE` of scheme `flag`. Written by the task's own CPU alone, in IRQ entry and exit.
    pub in_trampoline: AtomicBool,
    /// Where the task stands for looks: see `rcu::schemes::holders::standing`.
    pub standing: AtomicUsize,
    /// What the task holds where it was examined off its CPU. Written by the walker while it keeps the task there.
    pub held: [AtomicPtr<HoldWords>; MOST_REMEMBERED],
    /// How many ops are counted there. As `held`, and taken back by the CPU that it goes on on.
    pub nr_counted: AtomicUsize,
    /// What that is retired it was last seen to hold, as one number: see `rcu::schemes::holders::Probe::see`. As `holdout`.
    pub held_retired: AtomicUsize,
    /// The task is inside an interrupt, and what is noted of it is so since it last ran itself: `fresh`, of `rcu::schemes::holders`.
    /// Written by the task's own CPU alone, in the task's interrupts.
    pub is_fresh: AtomicBool,
    /// `depth`: the look that found the task inside, or 0. As `holdout`.
    pub since: AtomicU64,
    /// The list of its CPU's that it is on.
    pub place: Place,
    /// Its place among those that `depth` waits for.
    pub mark: Place,
    /// A change of schemes waits to see it outside of every trampoline. Set by whoever makes the change; taken by it, or by
    /// the CPU that the task runs on.
    pub unseen: AtomicBool,
}

/// A place on a list of tasks. The list's lock guards it.
#[derive(Debug)]
pub struct Place(pub UnsafeCell<Links>);

/// What a place says.
#[derive(Clone, Copy, Debug)]
pub struct Links {
    /// The task before this one, or null.
    pub before: *const TaskWords,
    /// The task behind it, or null.
    pub behind: *const TaskWords,
    /// The last look that had been answered when the task came here.
    pub stamp: u64,
}

// SAFETY: 1. The links are touched under the lock of the one list that the place is of, and followed there alone.
unsafe impl Sync for Place {}
// SAFETY: as above.
unsafe impl Send for Place {}

impl Place {
    fn nowhere() -> Self {
        Self(UnsafeCell::new(Links { before: core::ptr::null(), behind: core::ptr::null(), stamp: 0 }))
    }
}

impl TaskWords {
    /// The words of a task that has not run yet; for the task that runs already (a boot or idle task) see
    /// [`TaskWords::running`].
    pub fn new() -> Self {
        Self {
            holdout: AtomicBool::new(false),
            away: AtomicBool::new(true),
            in_trampoline: AtomicBool::new(false),
            standing: AtomicUsize::new(0),
            held: core::array::from_fn(|_| AtomicPtr::new(core::ptr::null_mut())),
            nr_counted: AtomicUsize::new(0),
            held_retired: AtomicUsize::new(0),
            is_fresh: AtomicBool::new(false),
            since: AtomicU64::new(0),
            place: Place::nowhere(),
            mark: Place::nowhere(),
            unseen: AtomicBool::new(false),
        }
    }

    /// The words of a context that is on its CPU when it becomes a task.
    pub fn running() -> Self {
        Self { away: AtomicBool::new(false), ..Self::new() }
    }
}

impl Default for TaskWords {
    fn default() -> Self {
        Self::new()
    }
}
