//! The seam for grace-period schemes: what they are told about interrupts and switches.
//!
//! `rcu` sets the hooks; before that nothing is called. All hooks are notrace and short. They run where the event
//! happens: `irq_*` in IRQ entry and exit, `switch` before the switch, on the stack of the task that is left, `resume` and
//! `off_cpu` behind it, on that of the next one. There IRQs are masked, no queue is locked, and the task that is left can
//! be run by nobody yet; hooks take locks of their own, but wake nobody themselves, see [`super::defer_wake`].

use super::task::Task;
use crate::sync::atomic::{AtomicPtr, Ordering};

/// What one IRQ entry remembers of its own, for a scheme that marks the task: Rutland's `irqentry_state`.
#[derive(Clone, Copy, Debug, Default)]
pub struct IrqMark {
    /// This entry set the task's mark, and must undo it.
    pub entered_trampoline: bool,
}

/// What a scheme hears.
pub trait Hooks: Sync {
    /// An IRQ interrupted `task` at `interrupted_pc`. Context: IRQ entry.
    fn irq_in(&self, mark: &mut IrqMark, interrupted_pc: usize, task: &Task);
    /// That entry is about to return, after its preemption point; maybe on another CPU. Context: IRQ exit.
    fn irq_out(&self, mark: &mut IrqMark, task: &Task);
    /// The outermost IRQ of `cpu` is over and no softirq runs: the interrupted context has `preempt_count`.
    /// Context: IRQ exit, before the preemption point.
    fn irq_exit_outermost(&self, cpu: usize, preempt_count: u32);
    /// `cpu` switches away from `prev`, which asked for it (`voluntary`: it blocks, yields or exits) or not.
    fn switch(&self, prev: &Task, cpu: usize, voluntary: bool);
    /// `next` goes on.
    fn resume(&self, next: &Task);
    /// `prev` is off its CPU, its context saved, and nobody can run it yet; never again if it is `dead`. Idle tasks are
    /// left out: they are in no func, and nobody switches at interrupt level. Context: inside the switch, IRQs masked,
    /// behind `resume` of the next task.
    fn off_cpu(&self, prev: &Task, dead: bool);
    /// `task`, which runs, is about to block with preemption disabled. If it is its scheme's trampoline that disabled it,
    /// this says so and does not return.
    fn blocks_atomic(&self, task: &Task);
    /// `task` begins to exit: it is on the exiting list. Context: that task.
    fn exit(&self, task: &Task);
}

/// A fat pointer cannot be stored at once: this holds one, and the seam points to it.
struct Slot(&'static dyn Hooks);

static HOOKS: AtomicPtr<Slot> = AtomicPtr::new(core::ptr::null_mut());

/// Sets the hooks. Context: boot.
pub fn set_hooks(hooks: &'static dyn Hooks) {
    let slot = alloc::boxed::Box::leak(alloc::boxed::Box::new(Slot(hooks)));
    // Order: Release pairs with the Acquire of `with`.
    HOOKS.store(slot, Ordering::Release);
}

/// Calls `tell` with the hooks, if there are any.
#[inline(always)]
pub(crate) fn with(tell: impl FnOnce(&'static dyn Hooks)) {
    // SAFETY: only `set_hooks` stores, and what it stores lives for ever.
    if let Some(slot) = unsafe { HOOKS.load(Ordering::Acquire).as_ref() } {
        tell(slot.0);
    }
}
