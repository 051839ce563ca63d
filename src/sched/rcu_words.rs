//! The words of a task that `rcu` owns: `sched` embeds them in every task and touches none of them.
//!
//! They stand on this floor because a task holds them; what they mean is decided by the schemes above, through the
//! hooks of the scheme seam. Pure: `tests/models.rs` enumerates the protocol over these very words.
//!
//! INVARIANT `away-is-clean`: while `away` is true, its task holds no ops. It left the CPU by a voluntary switch,
//! which no func makes, and everything that it runs between setting the word and the switch itself is `notrace`.

use crate::sync::atomic::AtomicBool;

/// What Tasks RCU keeps about one task.
#[derive(Debug)]
pub struct TaskWords {
    /// The running grace period waits for this task. Set by the grace-period task; whoever swaps it to false has
    /// taken the mark and owes the one decrement of the holdout count.
    pub holdout: AtomicBool,
    /// The task is off its CPU by a voluntary switch, or has not run yet. Written by the task's own CPU alone, with
    /// IRQs masked: true before the switch, false before the resumed task runs anything that can be traced.
    pub away: AtomicBool,
    /// `TIF_IN_TRAMPOLINE` of scheme `flag`. Written by the task's own CPU alone, in IRQ entry and exit.
    pub in_trampoline: AtomicBool,
}

impl TaskWords {
    /// The words of a task that has not run yet; for the task that runs already (a boot or idle task) see
    /// [`TaskWords::running`].
    pub fn new() -> Self {
        Self { holdout: AtomicBool::new(false), away: AtomicBool::new(true), in_trampoline: AtomicBool::new(false) }
    }

    /// The words of a context that is on its CPU when it becomes a task.
    pub fn running() -> Self {
        Self { holdout: AtomicBool::new(false), away: AtomicBool::new(false), in_trampoline: AtomicBool::new(false) }
    }
}

impl Default for TaskWords {
    fn default() -> Self {
        Self::new()
    }
}
