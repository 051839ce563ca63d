//! `scan`: a task stops being waited for when its frames show no holder *of the retired ops*.
//!
//! For it: only a callsite's `bl T0` makes its return address, so a frame record with that address is a live
//! trampoline's, and the frame names the ops (`arch::unwind::Holds` has the exact rules, at each of the trampoline's
//! instructions). An ops says by which grace period it is freed, so a look tells holders of what this one frees from
//! holders of anything else: long or blocking funcs of other ops keep nobody waiting, and since after the round nobody can
//! newly load a retired ops its holders only become fewer.
//! A chain that does not reach its base holds everything. A fan-out node is retired with the ops that it names, so a
//! frame that names the node is waited for as long.
//! It needs honest frame records in everything that a func can call: `tests/image` holds that for the linked image.
//! Cost: nothing per call; a walk of the own stack per switch, as a func may block. See [`super::holders`] for the rest.

use super::holders::{Holders, Probe};
use super::{At, Context, Trampoline, What};

/// Looks at the frames.
#[derive(Debug)]
pub struct Frames;

impl Probe for Frames {
    const NAME: &'static str = "scan";
    const TRAMPOLINE: Trampoline = Trampoline::Plain;

    #[inline(always)]
    fn may_hold(context: &Context<'_>, at: At) -> bool {
        context.eyes.holds(context.task, at, What::Anything)
    }

    #[inline(always)]
    fn holds(context: &Context<'_>, at: At, number: u64) -> bool {
        context.eyes.holds(context.task, at, What::RetiredBy(number))
    }
}

/// Who reads frames.
pub type Scan = Holders<Frames>;
