//! `depth`: a task stops being waited for when its trampoline depth is 0, or has been 0 since the round.
//!
//! For it: the trampoline counts before the literal is loaded and after func has returned, in a word of the task, so depth
//! 0 means that no context on top of the task holds anything, wherever it was preempted, migrated or blocked. The store
//! is ordered before the load of the literal by the round, whose handler has a barrier (O4, row 19), the leaving store is
//! a release (O5).
//! The depth is looked at after the round only, and a task that is in some trampoline at each look keeps nobody waiting:
//! where somebody waits, the trampoline reports when the depth falls to 0 (O10). What is behind that, loads new literals.
//! Against it: it waits for readers of any ops that were inside before the round, a func of another ops that blocks for
//! an hour included. Cost: 8 instructions a call; see [`super::holders`] for a grace period's.
//! In `checked` builds each look is compared with the frames (see [`super::scan`]): both know who holds.

use super::holders::{Holders, Probe};
use super::{At, Context, Trampoline};

/// Looks at the count.
#[derive(Debug)]
pub struct Counts;

#[inline(always)]
fn is_inside(context: &Context<'_>, at: At) -> bool {
    debug_assert!(context.eyes.agree(context.task, at), "depth and frames disagree about who holds");
    context.eyes.depth(context.task) != 0
}

impl Probe for Counts {
    const NAME: &'static str = "depth";
    const TRAMPOLINE: Trampoline = Trampoline::Counted;

    #[inline(always)]
    fn may_hold(context: &Context<'_>, at: At) -> bool {
        is_inside(context, at)
    }

    #[inline(always)]
    fn holds(context: &Context<'_>, at: At, _: u64) -> bool {
        is_inside(context, at)
    }

    #[inline(always)]
    fn watch(context: &Context<'_>, is_waited_for: bool) {
        context.eyes.want_report(context.task, is_waited_for);
    }
}

/// Who counts.
pub type Depth = Holders<Counts>;
