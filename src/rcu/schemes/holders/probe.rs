//! How `depth` and `scan` find out who holds: all that they differ in.

use crate::rcu::schemes::{At, Context, Trampoline};

/// How a scheme finds out who holds. All of it runs in hooks: notrace.
pub trait Probe: Default + Sync {
    /// The scheme's name.
    const NAME: &'static str;
    /// Whether who holds one ops keeps that, and no other one.
    const TELLS_OPS_APART: bool;
    /// What it needs of the trampoline.
    const TRAMPOLINE: Trampoline;

    /// Whether a task that leaves its CPU may hold anything, now or retired later.
    fn may_hold(context: &Context<'_>) -> bool;

    /// Look number `look` meets a task on its CPU, or one that is about to go on and was not examined. Notes what the task holds; says
    /// which of that is retired, as one number: 0 for nothing, and for another set another one, but for a chance of one in 2^64. Were
    /// two the same, what the task has left would wait until somebody else makes a look due: late, and never early.
    fn see(&self, context: &Context<'_>, look: u64) -> usize;

    /// The same for a task that is kept off its CPU. What it holds stays noted until [`Probe::goes_on`].
    fn examine(&self, context: &Context<'_>, look: u64) -> usize;

    /// What that is retired the task holds, as [`Probe::see`] says it.
    fn count(&self, context: &Context<'_>, at: At) -> usize;

    /// A task that was examined goes on, while look number `look` is under way, or none: 0. What that is retired it holds, if it was
    /// noted to hold anything.
    #[inline(always)]
    fn goes_on(&self, _context: &Context<'_>, _look: u64) -> Option<usize> {
        None
    }

    /// The task holds nothing retired any more, or has died. Whether something that is kept may be free now.
    #[inline(always)]
    fn left(&self, _context: &Context<'_>) -> bool {
        true
    }

    /// See [`crate::rcu::schemes::Scheme::keeps_all`].
    #[inline(always)]
    fn keeps_all(&self, _look: u64) -> bool {
        false
    }

    /// See [`crate::rcu::schemes::Scheme::keeps`].
    fn keeps(&self, first_look: u64, is_held: bool) -> bool;
}
