//! What the scheduler and the interrupt entry tell us, handed to the selected scheme.
//!
//! Context: as `sched::seam` says; IRQs masked, no queue locked. Nothing is woken here: the grace-period task's wake-up is
//! deferred until this CPU is out of the switch or the IRQ. Notrace (O8).

use super::eyes::Kernel;
use super::gp_task::{Rcu, STEP, rcu};
use super::hurry;
use super::report::forbid_block;
use super::schemes::{self, Context, Interrupted, Left, Scheme, Sighting, Switch, Wake};
use crate::arch::unwind::{Frames, Holds};
use crate::arch::{cpu, trampoline};
use crate::fault::{self, Fault};
use crate::sched::seam::{Hooks, IrqMark};
use crate::sched::{self, Task};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::irqs;

/// What is put on the seam.
pub(super) struct Wiring(&'static Rcu);

/// The wiring of the one instance. Context: boot.
pub(super) fn wiring() -> Wiring {
    Wiring(rcu())
}

impl Hooks for Wiring {
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn irq_in(&self, mark: &mut IrqMark, interrupted_pc: usize, task: &Task) {
        let at = Interrupted { cpu: cpu::id(), is_in_trampoline: trampoline::contains(interrupted_pc) };
        self.0.scheme().irq_in(&mut mark.entered_trampoline, &at, &task.rcu);
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn irq_out(&self, mark: &mut IrqMark, task: &Task) {
        schemes::irq_out(self.0.scheme(), &mut mark.entered_trampoline, &task.rcu);
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn irq_exit_outermost(&self, cpu: usize, preempt_count: u32) {
        let task = sched::current();
        let sighting = Sighting { cpu, is_outermost: true, is_idle: task.is_idle(), preempt_count };
        wake(self.0.scheme().irq_exit_outermost(&sighting, &context(task)));
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn switch(&self, prev: &Task, cpu: usize, voluntary: bool) {
        let scheme = self.0.scheme();
        let how =
            if voluntary || fault::is(Fault::PreemptedIsVoluntary) { Switch::Voluntary } else { Switch::Preempted };
        if voluntary {
            assert_may_block(scheme, prev);
        }
        wake(schemes::switch_out(scheme, &prev.rcu, cpu, how));
        hurry::left(self.0, scheme, prev);
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn resume(&self, next: &Task) {
        wake(schemes::resume(self.0.scheme(), &context(next)));
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn off_cpu(&self, prev: &Task, dead: bool) {
        let left = if dead { Left::Dead } else { Left::Alive };
        wake(self.0.scheme().off_cpu(&context(prev), cpu::id(), left));
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn blocks_atomic(&self, task: &Task) {
        assert_may_block(self.0.scheme(), task);
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn exit(&self, task: &Task) {
        assert_may_block(self.0.scheme(), task);
        wake(self.0.scheme().exit(&task.rcu));
    }
}

/// The running task has left a trampoline, where the selected scheme wants to hear of that. Wired by `kernel` to
/// `arch::trampoline::REPORT`. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn report() {
    let wake = irqs::with_masked(|_| rcu().scheme().report(&context(sched::current())));
    if wake == Wake::GracePeriodTask {
        STEP.wake_all();
    }
}

/// How schemes see a task.
#[inline(always)]
pub(super) fn context(task: &Task) -> Context<'_> {
    Context { task: &task.rcu, eyes: &Kernel }
}

#[inline(always)]
fn wake(wake: Wake) {
    if matches!(wake, Wake::GracePeriodTask) {
        sched::defer_wake(&STEP);
    }
}

/// Funcs may block whatever the scheme forbids: somebody looks at what comes of it.
static BREAKS_RULES: AtomicBool = AtomicBool::new(false);

/// From now on a func may block, or may not, where the scheme forbids that. For experiments, which must expect that such an ops is
/// freed too early. Context: task.
pub fn let_funcs_break_rules(may: bool) {
    BREAKS_RULES.store(may, Ordering::Relaxed);
}

/// A scheme that takes a voluntary switch for the end of every call cannot let a func make one.
///
/// A func that holds the recursion guard is told by that, at no cost. In a checked build the frames of whoever switches tell of
/// any func: a walk, which a switch of a release build cannot afford.
#[inline(always)]
fn assert_may_block(scheme: &impl Scheme, task: &Task) {
    let is_guarded = task.header.recursion.load(Ordering::Relaxed) != 0;
    let may_be_in_func = is_guarded || cfg!(debug_assertions);
    if may_be_in_func
        && !scheme.lets_funcs_block()
        && (is_guarded || stands_in_func())
        && !BREAKS_RULES.load(Ordering::Relaxed)
    {
        forbid_block(task, scheme.name());
    }
}

/// Whether the running task's own frames lead through a func.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn stands_in_func() -> bool {
    Holds::of(Frames::here()).next().is_some()
}
