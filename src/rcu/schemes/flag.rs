//! `flag`: as `classic`, but a preemption also ends the wait for a task whose `TIF_IN_TRAMPOLINE` is clear.
//!
//! Rutland's proposal (2024-02-22). An IRQ entry that finds the flag clear and the interrupted PC in the trampoline
//! sets it and remembers so in its own `irqentry_state.entered_trampoline`; that same entry clears it at its exit, *after*
//! the preemption point, maybe on another CPU. So it nests through softirqs and survives migration.
//! Against it: the flag says where the outermost interrupt hit, and a context that is in func has its PC outside the
//! trampoline (rows 3 to 5, 7). Its author withdrew it for another reason: a task can be found in some trampoline each
//! time it is looked at. Sound only where nobody is preempted. Cost: a load and a compare per interrupt.

use super::Interrupted;
use super::holdouts::{Listed, Rule};
use crate::fault::{self, Fault};
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::Ordering;

/// The task's flag; entries keep what they set in their own state.
#[derive(Debug, Default)]
pub struct InTrampoline;

impl Rule for InTrampoline {
    const NAME: &'static str = "flag";

    #[inline(always)]
    fn irq_in(&self, entered_trampoline: &mut bool, at: &Interrupted, task: &TaskWords) {
        if at.is_in_trampoline && !task.in_trampoline.load(Ordering::Relaxed) {
            task.in_trampoline.store(true, Ordering::Relaxed);
            *entered_trampoline = true;
        }
    }

    #[inline(always)]
    fn irq_out(&self, entered_trampoline: &mut bool, task: &TaskWords) {
        if *entered_trampoline || fault::is(Fault::MarkClearedInside) {
            task.in_trampoline.store(false, Ordering::Relaxed);
        }
    }

    #[inline(always)]
    fn lets_go(&self, prev: &TaskWords, _: usize) -> bool {
        !prev.in_trampoline.load(Ordering::Relaxed)
    }
}

/// Tasks RCU that also looks at `TIF_IN_TRAMPOLINE`.
pub type Flag = Listed<InTrampoline>;
