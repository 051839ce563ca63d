//! Chains of frames that do not reach their base: counted, and the first one kept and told.
//!
//! Such a chain holds everything that is retired, until a look finds it whole or its task dies; so memory grows meanwhile, and
//! somebody must hear of it. Whoever finds one stands in a switch or in the visit's SGI, where nobody prints: the grace-period task
//! tells it at the end of its look. Notrace (O8), but for the telling.

use crate::arch::relax::SpinMutex;
use crate::arch::unwind::Frames;
use crate::console::epitaph::Place;
use crate::println;
use crate::sched::Task;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Return addresses of the first one that are kept.
const MOST_KEPT: usize = 12;

static NR_MET: AtomicU64 = AtomicU64::new(0);
/// Tasks have numbers below it; 0 is an idle task's.
const NOBODY: u64 = u64::MAX;
/// The task of the last one.
static LAST: AtomicU64 = AtomicU64::new(NOBODY);
static FIRST: SpinMutex<Option<First>> = SpinMutex::new(None);
static IS_TOLD: AtomicBool = AtomicBool::new(true);

struct First {
    task: u32,
    name: heapless::String<15>,
    pcs: heapless::Vec<usize, MOST_KEPT>,
}

/// How many chains were met that did not reach their base: none, while the image's frame records are honest. Context: any.
pub fn nr_broken_chains() -> u64 {
    NR_MET.load(Ordering::Relaxed)
}

/// The number of the task whose chain was the last such one. Context: any.
pub fn last_broken() -> Option<u32> {
    u32::try_from(LAST.load(Ordering::Relaxed)).ok()
}

/// A chain of `task` that is not whole. Context: IRQs masked; it does not go on meanwhile.
#[cold]
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn note(task: &Task, frames: Frames) {
    LAST.store(u64::from(task.id), Ordering::Relaxed);
    if NR_MET.fetch_add(1, Ordering::Relaxed) > 0 {
        return;
    }
    let mut first = First { task: task.id, name: heapless::String::new(), pcs: heapless::Vec::new() };
    // A name is as long as that.
    let _ = first.name.push_str(task.name());
    for step in frames {
        if first.pcs.push(step.pc).is_err() {
            break;
        }
    }
    *FIRST.lock() = Some(first);
    // Order: Release pairs with `tell_once`, which finds the lock free and the chain there.
    IS_TOLD.store(false, Ordering::Release);
}

/// Tells of the first one, once. Context: the grace-period task.
#[inline(always)]
pub(super) fn tell_once() {
    if !IS_TOLD.swap(true, Ordering::Acquire) {
        tell();
    }
}

#[inline(never)]
fn tell() {
    let Some(First { task, name, pcs }) = FIRST.lock().take() else { return };
    println!(
        "rcu: the frames of task {task} {name} do not lead to their base: it holds all that is retired until they do, or it ends"
    );
    for (number, pc) in pcs.iter().enumerate() {
        println!("  #{number:<2} {pc:#012x} {}", Place(*pc));
    }
    if !pcs.is_full() {
        println!("  and nothing that can be followed");
    }
}
