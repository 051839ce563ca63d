//! Whether anybody is inside a trampoline, whatever scheme runs: for a change of schemes, whose trampolines differ.
//!
//! Nothing may be registered meanwhile: then nobody enters, and who is inside holds the immortal no-op ops, or what is
//! retired. Every CPU looks at the contexts that it interrupts. A task that is off its CPU is walked without keeping it
//! there, so the walk counts only if it has not run since: its switches tell. Whom to look at, `outside` decides.
//! Context: task.

use super::outside::{self, Sights};
use crate::arch::unwind::{Frames, Holds};
use crate::sched::rcu_words::TaskWords;
use crate::sched::{self, Task, Visit};
use crate::sync::atomic::{AtomicBool, Ordering, fence};

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
        sched::for_each_task(|task| show(&task.rcu, &|| is_outside(task)));
    }

    fn visit_every_cpu(&self) -> bool {
        MET.store(false, Ordering::Relaxed);
        sched::visit_every_cpu(look);
        !MET.load(Ordering::Relaxed)
    }
}

/// Whether the task is off its CPU and outside.
///
/// Order: the fence keeps what was read of the stack before the second look at the task. It pairs with the one in
/// `sched::switch::schedule`: if we read what the task wrote since it went on, we see that it has.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn is_outside(task: &Task) -> bool {
    if !task.is_off_cpu() {
        return false;
    }
    let switches = || task.nvcsw.load(Ordering::Acquire) + task.nivcsw.load(Ordering::Acquire);
    let (before, fp) = (switches(), task.saved_fp());
    let has_never_run = fp == 0;
    let is_outside = has_never_run || is_clean(Holds::of(Frames::from_fp(fp)));
    fence(Ordering::Acquire);
    is_outside && task.is_off_cpu() && switches() == before
}

/// Whether a chain stands in no trampoline at all.
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
