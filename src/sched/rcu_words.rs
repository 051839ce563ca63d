//! The words of a task that `rcu` owns: `sched` embeds them in every task and touches none of them.
//!
//! They stand on this floor because a task holds them; what they mean is decided by the schemes above, through the
//! hooks of the scheme seam. Pure: `tests/models.rs` enumerates the protocol over these very words.
//!
//! INVARIANT `away-is-clean`: while `away` is true, its task holds no ops, if the selected scheme forbids funcs to block.
//! It left the CPU by a voluntary switch, which no func makes then, and everything that it runs between setting the word
//! and the switch itself is `notrace`.

use crate::sync::atomic::AtomicBool;
use core::cell::UnsafeCell;

/// What Tasks RCU keeps about one task.
#[derive(Debug)]
pub struct TaskWords {
    /// The running grace period waits for this task. Who may set and take the mark is the scheme's affair: a list of
    /// all tasks has one protocol (`rcu::schemes::holdouts`), a list of holders another (`rcu::schemes::holders`).
    pub holdout: AtomicBool,
    /// The task is off its CPU by a voluntary switch, or has not run yet. Written by the task's own CPU alone, with
    /// IRQs masked: true before the switch, false before the resumed task runs anything that can be traced.
    pub away: AtomicBool,
    /// `TIF_IN_TRAMPOLINE` of scheme `flag`. Written by the task's own CPU alone, in IRQ entry and exit.
    pub in_trampoline: AtomicBool,
    /// The task is on the list of holders. Written by the CPU that it leaves or runs on, under the list's lock.
    pub listed: AtomicBool,
    /// Its place there. The list's lock guards it.
    pub place: UnsafeCell<Place>,
    /// A change of schemes waits to see it outside of every trampoline. Set by whoever makes the change; taken by it, or by
    /// the CPU that the task runs on.
    pub unseen: AtomicBool,
}

// SAFETY: 1. All words but `place` are atomics. 2. `place` is touched under the lock of the one list that it is of.
unsafe impl Sync for TaskWords {}
// SAFETY: 1. The pointers in `place` are followed under the list's lock alone, wherever the task is.
unsafe impl Send for TaskWords {}

/// A place on the list of holders.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The task before this one, or null.
    pub before: *const TaskWords,
    /// The task behind it, or null.
    pub behind: *const TaskWords,
    /// It is on a CPU again, so that its saved context means nothing.
    pub is_on_cpu: bool,
}

impl TaskWords {
    /// The words of a task that has not run yet; for the task that runs already (a boot or idle task) see
    /// [`TaskWords::running`].
    pub fn new() -> Self {
        Self {
            holdout: AtomicBool::new(false),
            away: AtomicBool::new(true),
            in_trampoline: AtomicBool::new(false),
            listed: AtomicBool::new(false),
            unseen: AtomicBool::new(false),
            place: UnsafeCell::new(Place { before: core::ptr::null(), behind: core::ptr::null(), is_on_cpu: false }),
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
