//! The holdout list and its brackets, as a scheme that lacks one rule: does a preemption end the wait for a task, too?
//! `classic`, `ip` and `flag` are its answers.
//!
//! 1. A plain grace period ([`Bracket`]): every CPU has passed a barrier after the literals were swapped.
//! 2. The holdout list: each task, living or exiting, is counted and marked, and only then looked at. If it is `away`
//!    (off its CPU by a switch that counts as quiescent) the mark is taken back at once. Whoever takes a mark, the lister
//!    or the task at its next such switch or exit, owes the count one; who brings it to zero wakes the grace-period task.
//! 3. Another plain grace period.
//!
//! INVARIANT `one-decrement`: a mark is taken by a swap, so one of the lister and the task decrements, never both.
//! The end comes by events, nobody polls and nothing sleeps for a fixed time.
//!
//! # Why the last bracket
//! It is the belt to the braces. The first flushes interrupt-level holders already, since later ones load the new
//! literal. The last one gives every CPU a barrier between its tasks' last use and the free, beside the release
//! and acquire of the words; the model shows that with either of the two the free is ordered, with neither it is not.
//!
//! # Why the list may be made in pieces
//! Others run between two pieces: it takes as long as there are tasks, and nobody is kept waiting for that. Who is spawned meanwhile
//! need not be listed: the first bracket is over, so that task loads the new literal. Who was listed may leave at once, and takes its
//! mark: the lister's own count keeps the step from being over before the list is complete. Who begins to exit stays on the roll of
//! tasks until it is off its CPU for good, and holds nothing then.
//!
//! # Why not a list of holdouts
//! Nothing needs the tasks themselves before a stall report, and that walks all tasks anyway. A count has no links
//! that an exiting task would have to undo.

use super::{Context, Interrupted, Kind, Look, Nudge, Scheme, Sighting, Subject, Switch, Wake, World};
use crate::fault::{self, Fault};
use crate::rcu::bracket::Bracket;
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::{AtomicUsize, Ordering, fence};

const FIRST_BRACKET: usize = 0;
const HOLDOUTS: usize = 1;
const LAST_BRACKET: usize = 2;

/// The one thing in which schemes with a holdout list differ. All of it runs in hooks: notrace.
pub trait Rule: Default + Sync {
    /// The scheme's name.
    const NAME: &'static str;

    /// See [`Scheme::irq_in`].
    #[inline(always)]
    fn irq_in(&self, _entered_trampoline: &mut bool, _at: &Interrupted, _task: &TaskWords) {}

    /// See [`Scheme::irq_out`].
    #[inline(always)]
    fn irq_out(&self, _entered_trampoline: &mut bool, _task: &TaskWords) {}

    /// Whether the wait for `prev` ends although it is preempted.
    #[inline(always)]
    fn lets_go(&self, _prev: &TaskWords, _cpu: usize) -> bool {
        false
    }
}

/// The holdout list and its brackets, under a rule.
#[derive(Debug)]
pub struct Listed<R> {
    rule: R,
    bracket: Bracket,
    nr_holdouts: AtomicUsize,
}

impl<R: Rule> Default for Listed<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R: Rule> Listed<R> {
    /// With no holdout and no bracket under way.
    pub fn new() -> Self {
        Self { rule: R::default(), bracket: Bracket::new(), nr_holdouts: AtomicUsize::new(0) }
    }

    /// Marks every task that may be inside a func. One count is the lister's own, so that zero means both: all have
    /// left, and the list is complete.
    #[inline(always)]
    fn list(&self, world: &dyn World) {
        self.nr_holdouts.store(1, Ordering::Relaxed);
        world.for_each_task(self);
        self.nr_holdouts.fetch_sub(1, Ordering::AcqRel);
    }

    /// Takes the task's mark if it has one: it is not waited for any more.
    ///
    /// Order: `AcqRel` on both. The task's last use of a func comes before the decrement, and every decrement before
    /// the load in `outstanding` that finds zero (O5).
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn take(&self, words: &TaskWords) -> Wake {
        let is_last = words.holdout.load(Ordering::Relaxed)
            && words.holdout.swap(false, Ordering::AcqRel)
            && self.nr_holdouts.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last { Wake::GracePeriodTask } else { Wake::Nobody }
    }
}

impl<R: Rule> Look for Listed<R> {
    /// Counts, marks, then looks.
    ///
    /// Order: the mark is `Release`, so that whoever takes it decrements after our increment. The fence pairs with the
    /// one in `switch_out`: two flags, and a full barrier on both sides (O11). The load of `away` is `Acquire`, pairing with
    /// the store there. A function of its own: `tests/image` looks for these three in it.
    #[inline(never)]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn look(&self, subject: &Subject<'_>) {
        if subject.kind == Kind::Exempt {
            return;
        }
        self.nr_holdouts.fetch_add(1, Ordering::Relaxed);
        subject.words.holdout.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
        if subject.words.away.load(Ordering::Acquire) {
            // The lister's own count keeps this from being the last, and the lister looks again by itself.
            let _ = self.take(subject.words);
        }
    }
}

impl<R: Rule> Scheme for Listed<R> {
    #[inline(always)]
    fn name(&self) -> &'static str {
        R::NAME
    }

    #[inline(always)]
    fn nr_steps(&self) -> usize {
        LAST_BRACKET + 1
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn begin(&self, step: usize, world: &dyn World) {
        match step {
            FIRST_BRACKET | LAST_BRACKET => self.bracket.begin(world),
            HOLDOUTS if fault::is(Fault::HoldoutsMissing) => {}
            HOLDOUTS => self.list(world),
            _ => unreachable!("`{}` has no step {step}", R::NAME),
        }
    }

    #[inline(always)]
    fn outstanding(&self, step: usize) -> usize {
        if step == HOLDOUTS { self.nr_holdouts.load(Ordering::Acquire) } else { self.bracket.outstanding() }
    }

    #[inline(always)]
    fn waits_for_cpu(&self, cpu: usize) -> bool {
        self.bracket.waits_for(cpu)
    }

    #[inline(always)]
    fn visited(&self, sighting: &Sighting, _: &Context<'_>) -> Nudge {
        self.bracket.visited(sighting);
        Nudge::Nothing
    }

    #[inline(always)]
    fn irq_in(&self, entered_trampoline: &mut bool, at: &Interrupted, task: &TaskWords) {
        self.rule.irq_in(entered_trampoline, at, task);
    }

    #[inline(always)]
    fn irq_out(&self, entered_trampoline: &mut bool, task: &TaskWords) {
        self.rule.irq_out(entered_trampoline, task);
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, sighting: &Sighting, _: &Context<'_>) -> Wake {
        self.bracket.irq_exit_outermost(sighting)
    }

    #[inline(always)]
    fn is_quiescent_preemption(&self, prev: &TaskWords, cpu: usize) -> bool {
        self.rule.lets_go(prev, cpu)
    }

    #[inline(always)]
    fn switch(&self, prev: &TaskWords, cpu: usize, how: Switch) -> Wake {
        let lets_go = matches!(how, Switch::Voluntary) || self.rule.lets_go(prev, cpu);
        let left = if lets_go { self.take(prev) } else { Wake::Nobody };
        left.and(self.bracket.switched(cpu))
    }

    /// The task has just called `exit`, so it is in no func. It may still call traced functions; they load the new
    /// literal, and if it is listed again its last switch takes the mark.
    #[inline(always)]
    fn exit(&self, task: &TaskWords) -> Wake {
        self.take(task)
    }
}
