//! Where a task may run, changed while it runs or waits.

use super::runqueue::{enqueue, want_eviction};
use super::task::Task;
use crate::sync::atomic::{Ordering, fence};
use crate::sync::irqs;

/// Moves `task` to the CPUs of `mask` (bit n for CPU n); it leaves another one at the next chance there.
pub fn set_affinity(task: &Task, mask: u32) {
    let existing = (1_u32 << super::ipi::nr_cpus()) - 1;
    let mask = if mask & existing == 0 { existing } else { mask & existing };
    confine(task, mask);
}

/// Lets `task` run nowhere, whatever its class, until its next [`set_affinity`]: it leaves its CPU at the next chance, and is
/// on no run queue meanwhile. For experiments: a boost, or a class, moves it as little as time does.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn hold_back(task: &Task) {
    confine(task, 0);
}

#[inline(always)]
fn confine(task: &Task, mask: u32) {
    task.affinity.store(mask, Ordering::Relaxed);
    // Pairs with the fence of `enqueue`: it sees the new mask, or this sees where it was queued.
    fence(Ordering::SeqCst);
    for cpu in [task.cpu(), task.place().cpu] {
        if !task.may_run_on(cpu) {
            want_eviction(cpu);
        }
    }
    if mask != 0 && task.is_left_over.swap(false, Ordering::Acquire) {
        irqs::with_masked(|_| enqueue(task));
    }
}
