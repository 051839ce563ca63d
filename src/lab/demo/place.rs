//! Where a task stands: an SGI asks while it runs, its saved frames tell while it does not; and neither is believed that may be
//! about another moment, or another task.

use crate::arch::unwind::Frames;
use crate::irq::entry;
use crate::sched::{self, Task, Visit};
use crate::sync::atomic::{AtomicU32, AtomicUsize, Ordering, fence};
use crate::sync::irqs;

/// How a task was seen at one moment.
pub(super) struct Stand {
    pub(super) cpu: usize,
    pub(super) how: &'static str,
    pub(super) pc: usize,
}

/// The task that a visit looks for.
static WANTED: AtomicU32 = AtomicU32::new(0);
/// Where the visit found it: the address, 0 if it did not; and the CPU.
static FOUND_PC: AtomicUsize = AtomicUsize::new(0);
static FOUND_CPU: AtomicUsize = AtomicUsize::new(0);

/// Looks until `task` is seen: one that is being switched is seen the next time. Context: task, another one; one caller at a time.
pub(super) fn of(task: &Task) -> Stand {
    WANTED.store(task.id, Ordering::Relaxed);
    loop {
        FOUND_PC.store(0, Ordering::Relaxed);
        sched::visit_every_cpu(note);
        let pc = FOUND_PC.load(Ordering::Relaxed);
        if pc != 0 {
            return Stand { cpu: FOUND_CPU.load(Ordering::Relaxed), how: "running", pc };
        }
        if let Some((cpu, pc)) = preempted_at(task) {
            return Stand { cpu, how: "preempted", pc };
        }
    }
}

/// On each CPU: if it runs the task, where the visit interrupted it. Context: IRQ, in the visit's SGI.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn note(visit: &Visit) {
    if sched::current().id == WANTED.load(Ordering::Relaxed) {
        irqs::with_masked(|irqs| {
            // Innermost first: the last one is the task's own context.
            entry::for_each_interrupted(irqs, |state| FOUND_PC.store(state.interrupted_pc, Ordering::Relaxed));
        });
        FOUND_CPU.store(visit.cpu, Ordering::Relaxed);
    }
}

/// The CPU that `task` was taken off, and where; `None` unless it has been off its CPU all the while.
///
/// Order: the fence keeps what was read of the stack before the second look at the task. It pairs with the one in
/// `sched::switch::schedule`: if this reads what the task wrote since it went on, it sees that it has.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn preempted_at(task: &Task) -> Option<(usize, usize)> {
    if !task.is_off_cpu() {
        return None;
    }
    let switches = || task.nvcsw.load(Ordering::Acquire) + task.nivcsw.load(Ordering::Acquire);
    let (before, cpu) = (switches(), task.cpu());
    let interrupted = Frames::from_fp(task.saved_fp()).find(|step| step.interrupted);
    fence(Ordering::Acquire);
    let has_stayed = task.is_off_cpu() && switches() == before;
    interrupted.filter(|_| has_stayed).map(|step| (cpu, step.pc))
}
