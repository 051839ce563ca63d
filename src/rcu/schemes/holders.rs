//! Waits for those who hold, and for nobody else: the machine of `depth` and `scan`, which differ in how they look.
//!
//! 1. A round ([`World::visit_every_cpu`]): every CPU passes a barrier after the literals were swapped, and its handler
//!    looks at the whole chain of contexts that it interrupted (O4, O7). Whoever holds there is marked and counted.
//! 2. The list of tasks that left their CPU while they held something is walked *after* the last answer (O12). Those that
//!    are off their CPU are looked at; those that run again were, by their CPU's answer or when they were resumed.
//! 3. A mark is taken when its task is seen without a hold: at its next switch, at the exit of an outermost IRQ on top of
//!    it, when it reports, when it dies. Whoever takes the last one wakes the grace-period task.
//!
//! After the round nobody loads a retired ops, so holders only become fewer, and a grace period ends however busy the
//! trampoline is.
//!
//! A task is listed with its context saved and IRQs masked, before its CPU can answer as another task (O12, O11), and
//! stays listed when it is resumed: taken off then, it would be seen neither by its new CPU's answer, which may be given
//! already, nor by the walk. It is taken off when it leaves a CPU without a hold.
//!
//! INVARIANT `own-or-pinned`: a task's mark and its place are changed by the CPU that it runs on or is leaving, IRQs
//! masked; or, by the walk, while it is off its CPU: a listed task takes the list's lock before it goes on, so the walk,
//! under that lock, reads a context that stays saved (row 15 of the theory). So plain loads and stores do for marks. It
//! takes the lock on its own stack: what is saved is a chain that stands above the hooks' frames (`context.S`).
//!
//! Cost: a grace period is a round and one look at each listed holder, however many tasks sleep. A preempted holder that
//! somebody waits for is boosted until its mark is taken.

mod list;

use super::{At, Context, Left, Nudge, Scheme, Sighting, Trampoline, Wake, World};
use crate::fault::{self, Fault};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;
use core::marker::PhantomData;
use list::List;

/// How a scheme finds out who holds. All of it runs in hooks: notrace.
pub trait Probe: Sync {
    /// The scheme's name.
    const NAME: &'static str;
    /// What it needs of the trampoline.
    const TRAMPOLINE: Trampoline;

    /// Whether the task may hold what some grace period, now or later, waits for.
    fn may_hold(context: &Context<'_>, at: At) -> bool;

    /// Whether it holds what the grace period of this number frees. Asked after the literals were swapped and its CPU
    /// passed a barrier, or of a task that is off its CPU.
    fn holds(context: &Context<'_>, at: At, number: u64) -> bool;

    /// From now on somebody waits for the task, or does not any more.
    #[inline(always)]
    fn watch(_context: &Context<'_>, _is_waited_for: bool) {}
}

/// The list of holders, and who of them is waited for.
#[derive(Debug)]
pub struct Holders<P> {
    list: IrqLock<List>,
    /// The running grace period's: it waits for holders of what it frees, not of what was retired since.
    number: AtomicU64,
    nr_holdouts: AtomicUsize,
    probe: PhantomData<P>,
}

impl<P: Probe> Default for Holders<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Probe> Holders<P> {
    /// With nobody listed; takes nobody in until it is selected.
    pub fn new() -> Self {
        Self {
            list: IrqLock::new(List::default()),
            number: AtomicU64::new(0),
            nr_holdouts: AtomicUsize::new(0),
            probe: PhantomData,
        }
    }

    #[inline(always)]
    fn holds(&self, context: &Context<'_>, at: At) -> bool {
        P::holds(context, at, self.number.load(Ordering::Relaxed))
    }

    /// Waits for this task from now on. Context: `own-or-pinned`, while holders are collected.
    #[inline(always)]
    fn mark(&self, context: &Context<'_>) {
        if !context.task.holdout.load(Ordering::Relaxed) {
            self.nr_holdouts.fetch_add(1, Ordering::Relaxed);
            context.task.holdout.store(true, Ordering::Relaxed);
            P::watch(context, true);
        }
    }

    /// Waits for this task no longer. Context: `own-or-pinned`.
    ///
    /// Order: `AcqRel`. What the task did inside funcs comes before the decrement, and every decrement before the load in
    /// `outstanding` that finds zero (O5). Where the hold ended on another CPU, the switch away from there and back was
    /// release and acquire.
    #[inline(always)]
    fn take(&self, context: &Context<'_>) -> Wake {
        if !context.task.holdout.load(Ordering::Relaxed) {
            return Wake::Nobody;
        }
        context.task.holdout.store(false, Ordering::Relaxed);
        P::watch(context, false);
        context.eyes.boost(context.task, false);
        if self.nr_holdouts.fetch_sub(1, Ordering::AcqRel) == 1 { Wake::GracePeriodTask } else { Wake::Nobody }
    }

    /// The running task looks at itself: its mark is taken if it holds nothing any more. Context: IRQs masked.
    #[inline(always)]
    fn look_again(&self, context: &Context<'_>) -> Wake {
        if context.task.holdout.load(Ordering::Relaxed) && !self.holds(context, At::Here) {
            return self.take(context);
        }
        Wake::Nobody
    }

    /// Marks the listed holders that are off their CPU, and lets them run.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn walk(&self, world: &dyn World) {
        let mut list = self.list.lock();
        // Whoever is resumed from here on finds that the walk has seen it, or will: the lock decides.
        list.is_collecting = false;
        let mut next = list.first();
        while let Some(task) = next {
            let context = Context { task, eyes: world };
            if !list.is_on_cpu(task) && self.holds(&context, At::Saved) {
                self.mark(&context);
                world.boost(task, true);
            }
            next = list.behind(task);
        }
    }
}

impl<P: Probe> Scheme for Holders<P> {
    #[inline(always)]
    fn name(&self) -> &'static str {
        P::NAME
    }

    #[inline(always)]
    fn trampoline(&self) -> Trampoline {
        P::TRAMPOLINE
    }

    #[inline(always)]
    fn lets_funcs_block(&self) -> bool {
        true
    }

    #[inline(always)]
    fn boosts_holdouts(&self) -> bool {
        true
    }

    #[inline(always)]
    fn nr_steps(&self) -> usize {
        1
    }

    /// Takes holders in from now on, or forgets those that are listed: by then none of them holds anything.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn select(&self, is_selected: bool) {
        let mut list = self.list.lock();
        list.is_open = is_selected;
        if !is_selected {
            list.forget_all();
        }
    }

    /// Order: the number and the count are stored before the round, so each handler finds them (O4); whoever is resumed
    /// finds them by the list's lock. One count is our own, so that zero means both: all have left, and all were looked
    /// for.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn begin(&self, step: usize, world: &dyn World) {
        debug_assert!(step == 0);
        self.number.store(world.number(), Ordering::Relaxed);
        self.nr_holdouts.store(1, Ordering::Relaxed);
        self.list.lock().is_collecting = true;
        if fault::is(Fault::ListReadEarly) {
            self.walk(world);
            fault::keep_window_open();
        }
        if !fault::is(Fault::RoundMissing) {
            world.visit_every_cpu();
        }
        if fault::is(Fault::DelistedAtSwitchIn) {
            fault::keep_window_open();
        }
        if !fault::is(Fault::ListReadEarly) {
            self.walk(world);
        }
        self.nr_holdouts.fetch_sub(1, Ordering::AcqRel);
    }

    #[inline(always)]
    fn outstanding(&self, _: usize) -> usize {
        self.nr_holdouts.load(Ordering::Acquire)
    }

    #[inline(always)]
    fn visited(&self, _: &Sighting, context: &Context<'_>) -> Nudge {
        if self.holds(context, At::Here) {
            self.mark(context);
        }
        Nudge::Nothing
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, _: &Sighting, context: &Context<'_>) -> Wake {
        self.look_again(context)
    }

    #[inline(always)]
    fn report(&self, context: &Context<'_>) -> Wake {
        self.look_again(context)
    }

    /// A task that is listed and goes on while holders are collected is looked at here: its old CPU has answered as
    /// another task, its new one may have, and the walk passes over who runs.
    #[inline(always)]
    fn resume(&self, next: &Context<'_>) {
        if !next.task.listed.load(Ordering::Relaxed) {
            return;
        }
        let mut list = self.list.lock();
        if fault::is(Fault::DelistedAtSwitchIn) {
            return list.unlink(next.task);
        }
        list.set_on_cpu(next.task, true);
        if list.is_collecting && self.holds(next, At::Here) {
            self.mark(next);
        }
    }

    #[inline(always)]
    fn off_cpu(&self, prev: &Context<'_>, left: Left) -> Wake {
        let is_listed = prev.task.listed.load(Ordering::Relaxed);
        let is_marked = prev.task.holdout.load(Ordering::Relaxed);
        if left == Left::Dead || !P::may_hold(prev, At::Saved) {
            if is_listed {
                self.list.lock().unlink(prev.task);
            }
            return self.take(prev);
        }
        let wake = if is_marked && !self.holds(prev, At::Saved) { self.take(prev) } else { Wake::Nobody };
        if prev.task.holdout.load(Ordering::Relaxed) {
            prev.eyes.boost(prev.task, true);
        }
        let mut list = self.list.lock();
        if is_listed {
            list.set_on_cpu(prev.task, false);
        } else {
            list.link(prev.task);
        }
        wake
    }
}
