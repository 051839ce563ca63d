//! Whether anybody is inside a trampoline, whatever scheme runs: for a change of schemes, whose trampolines differ.
//!
//! Nothing may be registered meanwhile: then nobody enters, and who is inside holds the immortal no-op ops, or what is
//! retired. Every CPU looks at the contexts that it interrupts. A task that is off its CPU is walked without keeping it
//! there, so the walk counts only if it has not run since: its switches tell.
//! Context: task.

use crate::arch::unwind::{Frames, Holds};
use crate::sched::{self, Task, Visit};
use crate::sync::atomic::{AtomicBool, Ordering};

/// How long to wait between two looks.
const PAUSE_NS: u64 = 1_000_000;

/// Somebody was met inside, in the look that is under way.
static MET: AtomicBool = AtomicBool::new(false);

/// Blocks until nobody is inside a trampoline.
pub fn until_nobody_is_inside() {
    while is_anybody_inside() {
        sched::sleep(PAUSE_NS);
    }
}

fn is_anybody_inside() -> bool {
    MET.store(false, Ordering::Relaxed);
    // Those off their CPU first: who goes on meanwhile is then met by the visit, or has gone on under our eyes.
    sched::for_each_task(|task| {
        if !is_outside(task) {
            MET.store(true, Ordering::Relaxed);
        }
    });
    sched::visit_every_cpu(look);
    MET.load(Ordering::Relaxed)
}

/// Whether the task runs, which the visit will find out more about, or is off its CPU and outside.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn is_outside(task: &Task) -> bool {
    if !task.is_off_cpu() {
        return true;
    }
    let switches = || task.nvcsw.load(Ordering::Acquire) + task.nivcsw.load(Ordering::Acquire);
    let before = switches();
    let is_outside = is_clean(Holds::of(Frames::from_fp(task.saved_fp())));
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
    if !is_clean(Holds::of(Frames::here())) {
        MET.store(true, Ordering::Relaxed);
    }
}
