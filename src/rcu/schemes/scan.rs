//! `scan`: an object is kept by those whose frames name it, and by nobody else.
//!
//! For it: only a callsite's `bl T0` makes its return address, so a frame record with that address is a live
//! trampoline's, and the frame names the ops (`arch::unwind::Holds` has the exact rules, at each of the trampoline's
//! instructions). A look leaves its number in each ops that it meets on a CPU, and counts those that sleep in its func in the
//! ops itself ([`HoldWords`]); so an ops that no frame names elapses, whatever else is held, by whomever, for however long. After
//! the round nobody can newly load a retired ops: its holders only become fewer.
//! A chain that does not reach its base holds everything that is retired. Who holds a fan-out node holds its members: a node that is
//! retired counts in them until it is judged to be held by nobody (`ftrace::ops`), so that a look need not go through them.
//! It needs honest frame records in everything that a func can call: `tests/image` holds that for the linked image.
//! Cost: nothing per call; a switch costs no walk; a look walks the frames of who runs, and once of who sleeps. See
//! [`super::holders`] for the rest.

use super::holders::{Holders, Probe};
use super::{At, Context, Meet, Trampoline};
use crate::arch::hold_words::HoldWords;
use crate::sched::rcu_words::{MOST_REMEMBERED, TaskWords};
use crate::sync::atomic::Ordering;
use core::cell::Cell;

/// Looks at the frames.
#[derive(Debug)]
pub struct Frames {
    /// What a chain holds that does not reach its base: all that is retired.
    everything: HoldWords,
}

impl Default for Frames {
    fn default() -> Self {
        let everything = HoldWords::new();
        everything.note_retired();
        Self { everything }
    }
}

/// What a retired one adds to the number that stands for a set: mixed, so that sums of addresses at equal distances differ.
#[inline(always)]
fn share(words: &HoldWords) -> usize {
    const ODD: usize = 0x9e37_79b9_7f4a_7c15;
    let mixed = core::ptr::from_ref(words).addr().wrapping_mul(ODD);
    if words.is_retired() { mixed ^ mixed >> 32 } else { 0 }
}

/// What an examined task holds is counted no more, since the task goes on: if a look is under way, that has met it.
#[inline(always)]
fn let_go(words: &HoldWords, look: u64) {
    if look != 0 {
        words.see(look);
    }
    words.discount_sleeper();
}

/// What is done with what a chain holds.
enum Deed<'a> {
    /// A look has met it.
    See(u64),
    /// A task that stays off its CPU holds it.
    Remember(&'a TaskWords),
    /// That task goes on, while this look is under way, or none: 0.
    Forget(u64),
    /// It is counted.
    Count,
}

/// Whoever is told of what a chain holds.
struct Tally<'a> {
    deed: Deed<'a>,
    nr_held: Cell<usize>,
    retired: Cell<usize>,
}

impl Meet for Tally<'_> {
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn meet(&self, words: &HoldWords) {
        match self.deed {
            Deed::See(look) => words.see(look),
            Deed::Remember(task) => {
                words.count_sleeper();
                if self.nr_held.get() < MOST_REMEMBERED {
                    let slot = &task.held[self.nr_held.get()];
                    slot.store(core::ptr::from_ref(words).cast_mut(), Ordering::Relaxed);
                }
            }
            Deed::Forget(look) => let_go(words, look),
            Deed::Count => {}
        }
        self.nr_held.set(self.nr_held.get() + 1);
        self.retired.set(self.retired.get().wrapping_add(share(words)));
    }
}

impl Frames {
    /// Does it to all that the chain holds.
    #[inline(always)]
    fn each<'a>(&self, context: &Context<'_>, at: At, deed: Deed<'a>) -> Tally<'a> {
        let tally = Tally { deed, nr_held: Cell::new(0), retired: Cell::new(0) };
        if !context.eyes.each_hold(context.task, at, &tally) {
            tally.meet(&self.everything);
        }
        tally
    }
}

impl Probe for Frames {
    const NAME: &'static str = "scan";
    const TELLS_OPS_APART: bool = true;
    const TRAMPOLINE: Trampoline = Trampoline::Plain;

    /// Frames alone tell, and nobody reads them at a switch.
    #[inline(always)]
    fn may_hold(_: &Context<'_>) -> bool {
        true
    }

    #[inline(always)]
    fn see(&self, context: &Context<'_>, look: u64) -> usize {
        self.each(context, At::Here, Deed::See(look)).retired.get()
    }

    /// Order: relaxed. The task's word, which says `EXAMINED` next, is a release.
    #[inline(always)]
    fn examine(&self, context: &Context<'_>, _: u64) -> usize {
        let tally = self.each(context, At::Saved, Deed::Remember(context.task));
        context.task.nr_counted.store(tally.nr_held.get(), Ordering::Relaxed);
        tally.retired.get()
    }

    #[inline(always)]
    fn count(&self, context: &Context<'_>, at: At) -> usize {
        self.each(context, at, Deed::Count).retired.get()
    }

    #[inline(always)]
    fn goes_on(&self, context: &Context<'_>, look: u64) -> Option<usize> {
        let task = context.task;
        let nr_counted = task.nr_counted.load(Ordering::Relaxed);
        if nr_counted == 0 {
            return None;
        }
        task.nr_counted.store(0, Ordering::Relaxed);
        if nr_counted > MOST_REMEMBERED {
            // It has run nothing since, so its frames hold what they held.
            return Some(self.each(context, At::Here, Deed::Forget(look)).retired.get());
        }
        let (mut index, mut retired) = (0, 0usize);
        while index < nr_counted {
            // SAFETY: 1. The walker noted what the task's frames hold. 2. It is counted there, so it is not freed.
            let words = unsafe { &*task.held[index].load(Ordering::Relaxed) };
            retired = retired.wrapping_add(share(words));
            let_go(words, look);
            index += 1;
        }
        Some(retired)
    }

    #[inline(always)]
    fn keeps_all(&self, look: u64) -> bool {
        self.everything.is_held(look)
    }

    #[inline(always)]
    fn keeps(&self, _: u64, is_held: bool) -> bool {
        is_held
    }
}

/// Who reads frames.
pub type Scan = Holders<Frames>;
