//! `depth`: an object is kept by tasks whose trampoline depth has not been 0 since the look that came after it was retired.
//!
//! For it: the trampoline counts before the literal is loaded and after func has returned, in a word of the task, so depth
//! 0 means that no context on top of the task holds anything, wherever it was preempted, migrated or blocked. The store
//! is ordered before the load of the literal by the round, whose handler has a barrier (O4, row 19), the leaving store is
//! a release (O5).
//! A look notes its number in each task that it finds inside, unless an earlier one has: the task is inside *since* that look.
//! What was retired before look r and judged by it first is kept while some task is inside since r or an earlier look. A task
//! that was outside when look r met it keeps none of it, however often it comes back later: it loads new literals (O10). One that
//! comes in behind its CPU's answer, and leaves its CPU and goes on before that look is judged, counts as inside since that look:
//! that is late, and never early.
//! Where somebody waits, the trampoline reports when the depth falls to 0, so no task is looked at twice. Who leaves makes a look
//! due only if that can free something: no other task is inside since the same look or an earlier one, and something that was
//! judged by that look or a later one is kept. Else tasks that come and go would have looks follow each other for ever.
//! Against it: it cannot tell ops apart, and waits for readers of any ops that were inside before the round, a func of another
//! ops that blocks for an hour included. Cost: 8 instructions a call; see [`super::holders`] for a look's.
//! In `checked` builds each look is compared with the frames (see [`super::scan`]): both know who holds.

use super::holders::{Holders, Probe, Tasks};
use super::{At, Context, Trampoline};
use crate::sync::atomic::Ordering;
use crate::sync::lock::IrqLock;

/// Looks at the count.
#[derive(Debug)]
pub struct Counts(IrqLock<Inside>);

#[derive(Debug)]
struct Inside {
    /// Those first that are inside since the earliest look.
    tasks: Tasks<true>,
    /// The newest of the looks that first judged something that was kept, free by now or not: once that is free, whoever is inside
    /// is so since a later look.
    newest_kept: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self(IrqLock::new(Inside { tasks: Tasks::new(), newest_kept: 0 }))
    }
}

#[inline(always)]
fn is_inside(context: &Context<'_>, at: At) -> bool {
    debug_assert!(context.eyes.agree(context.task, at), "depth and frames disagree about who holds");
    context.eyes.depth(context.task) != 0
}

impl Counts {
    #[inline(always)]
    fn note(&self, context: &Context<'_>, at: At, look: u64) -> usize {
        let task = context.task;
        if !is_inside(context, at) {
            return 0;
        }
        if task.since.load(Ordering::Relaxed) == 0 {
            task.since.store(look, Ordering::Relaxed);
            self.0.lock().tasks.push(task, look);
            context.eyes.want_report(task, true);
        }
        1
    }
}

impl Probe for Counts {
    const NAME: &'static str = "depth";
    const TELLS_OPS_APART: bool = false;
    const TRAMPOLINE: Trampoline = Trampoline::Counted;

    #[inline(always)]
    fn may_hold(context: &Context<'_>) -> bool {
        context.eyes.depth(context.task) != 0
    }

    #[inline(always)]
    fn see(&self, context: &Context<'_>, look: u64) -> usize {
        self.note(context, At::Here, look)
    }

    #[inline(always)]
    fn examine(&self, context: &Context<'_>, look: u64) -> usize {
        self.note(context, At::Saved, look)
    }

    #[inline(always)]
    fn count(&self, context: &Context<'_>, at: At) -> usize {
        usize::from(is_inside(context, at))
    }

    /// Order: the lock. What the task did inside comes before, and the judge takes it (O5). The judge says what is kept under the
    /// same lock: what it keeps for the task it has said before, what it judges behind it does not keep for the task.
    #[inline(always)]
    fn left(&self, context: &Context<'_>) -> bool {
        let task = context.task;
        context.eyes.want_report(task, false);
        let since = task.since.load(Ordering::Relaxed);
        if since == 0 {
            return false;
        }
        task.since.store(0, Ordering::Relaxed);
        let mut inside = self.0.lock();
        let was_first = inside.is_first(since);
        inside.tasks.unlink(task);
        was_first && !inside.is_first(since) && since <= inside.newest_kept
    }

    #[inline(always)]
    fn keeps(&self, first_look: u64, _: bool) -> bool {
        let mut inside = self.0.lock();
        let is_kept = inside.tasks.first().is_some_and(|(_, since)| since <= first_look);
        if is_kept {
            inside.newest_kept = inside.newest_kept.max(first_look);
        }
        is_kept
    }
}

impl Inside {
    /// Whether the first is inside since that look.
    #[inline(always)]
    fn is_first(&self, since: u64) -> bool {
        self.tasks.first().is_some_and(|(_, of_first)| of_first == since)
    }
}

/// Who counts.
pub type Depth = Holders<Counts>;
