//! Whether anybody is inside a trampoline, whatever scheme runs: for a change of schemes, whose trampolines differ.
//!
//! Nothing may be registered meanwhile: then nobody enters, and who is inside holds the immortal no-op ops, or what is
//! retired. Every CPU looks at the contexts that it interrupts. A task that is off its CPU is walked without keeping it
//! there, so the walk counts only if it has not run since (`sched::Stay`). Whom to look at, `outside` decides.
//! Context: task.
//!
//! A chain is clean if it is whole, holds nothing, and no context of it was interrupted in a trampoline that holds nothing: one
//! that has not loaded the ops yet, or has let go of it. What a trampoline *calls* behind T7, a report or a reschedule that
//! was put off, does not count: a task may stand there off its CPU while the scheme changes. It goes on to the trampoline's
//! return, which loads no literal, and has undone before that call what the variant counts.

use super::outside::{self, Sights};
use crate::arch::unwind::{Frames, Holds};
use crate::sched::rcu_words::TaskWords;
use crate::sched::roll::Stretch;
use crate::sched::{self, Stay, Task, Visit, Walk};
use crate::sync::atomic::{AtomicBool, Ordering};
use core::cell::Cell;

/// How long to wait between two looks.
const PAUSE_NS: u64 = 1_000_000;

/// Somebody was met inside, in the visit that is under way.
static MET: AtomicBool = AtomicBool::new(false);

/// Blocks until nobody is inside a trampoline. One caller at a time.
pub fn until_nobody_is_inside() {
    outside::begin(&Running);
    while outside::is_anybody_inside(&Running) {
        sched::sleep(PAUSE_NS);
    }
}

/// The running kernel.
struct Running;

impl Sights for Running {
    fn for_each_task(&self, show: &dyn Fn(&TaskWords, &dyn Fn() -> bool)) {
        let mut walk = Walk::begin();
        while walk.visit_some(|task| {
            let stretch = Cell::new(Stretch::GoesOn);
            show(&task.rcu, &|| {
                stretch.set(Stretch::Ends);
                is_outside(task)
            });
            stretch.get()
        }) {}
    }

    fn visit_every_cpu(&self) -> bool {
        MET.store(false, Ordering::Relaxed);
        sched::visit_every_cpu(look);
        !MET.load(Ordering::Relaxed)
    }
}

/// Whether the task is off its CPU and outside.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn is_outside(task: &Task) -> bool {
    let Some(stay) = Stay::of(task) else { return false };
    let has_never_run = stay.fp() == 0;
    let is_outside = has_never_run || is_clean(Holds::of(Frames::from_fp(stay.fp())));
    is_outside && stay.lasts()
}

/// Whether a chain is clean.
#[inline(always)]
fn is_clean(mut holds: Holds) -> bool {
    holds.next().is_none() && holds.is_whole() && holds.nr_passing() == 0
}

/// On each CPU, in the visit's SGI.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn look(_: &Visit) {
    if is_clean(Holds::of(Frames::here())) {
        outside::seen(&sched::current().rcu);
    } else {
        MET.store(true, Ordering::Relaxed);
    }
}
