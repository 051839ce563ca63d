//! The holdout list and its brackets: what `classic` is made of, and what `ip` and `flag` change one rule of.
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
//! # Why not a list of holdouts
//! Nothing needs the tasks themselves before a stall report, and that walks all tasks anyway. A count has no links
//! that an exiting task would have to undo.

use super::{Kind, Look, Sighting, Subject, Wake, World};
use crate::rcu::bracket::Bracket;
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::{AtomicUsize, Ordering, fence};

const FIRST_BRACKET: usize = 0;
const HOLDOUTS: usize = 1;
const LAST_BRACKET: usize = 2;

/// The three steps.
pub const NR_STEPS: usize = LAST_BRACKET + 1;

/// The holdout list and its brackets.
#[derive(Debug)]
pub struct Holdouts {
    bracket: Bracket,
    nr_holdouts: AtomicUsize,
}

impl Default for Holdouts {
    fn default() -> Self {
        Self::new()
    }
}

impl Holdouts {
    /// With no holdout and no bracket under way.
    pub fn new() -> Self {
        Self { bracket: Bracket::new(), nr_holdouts: AtomicUsize::new(0) }
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

impl Look for Holdouts {
    /// Counts, marks, then looks.
    ///
    /// Order: the mark is `Release`, so that whoever takes it decrements after our increment. The fence pairs with the
    /// one in `switch_out`. The load of `away` is `Acquire`, pairing with the store there.
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

impl Holdouts {
    /// Begins a step. Context: the grace-period task.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn begin(&self, step: usize, world: &dyn World) {
        match step {
            FIRST_BRACKET | LAST_BRACKET => self.bracket.begin(world),
            HOLDOUTS => self.list(world),
            _ => unreachable!("a holdout list has no step {step}"),
        }
    }

    /// Who is waited for in this step.
    #[inline(always)]
    pub fn outstanding(&self, step: usize) -> usize {
        if step == HOLDOUTS { self.nr_holdouts.load(Ordering::Acquire) } else { self.bracket.outstanding() }
    }

    /// Whether the running bracket waits for this CPU.
    #[inline(always)]
    pub fn waits_for_cpu(&self, cpu: usize) -> bool {
        self.bracket.waits_for(cpu)
    }

    /// A CPU answers a bracket's visit.
    #[inline(always)]
    pub fn visited(&self, sighting: &Sighting) {
        self.bracket.visited(sighting);
    }

    /// An outermost IRQ exit.
    #[inline(always)]
    pub fn irq_exit_outermost(&self, sighting: &Sighting) -> Wake {
        self.bracket.irq_exit_outermost(sighting)
    }

    /// `prev` leaves this CPU; `is_quiescent` says whether that ends the wait for it.
    #[inline(always)]
    pub fn switched(&self, prev: &TaskWords, cpu: usize, is_quiescent: bool) -> Wake {
        let left = if is_quiescent { self.take(prev) } else { Wake::Nobody };
        left.and(self.bracket.switched(cpu))
    }

    /// The task has just called `exit`, so it is in no func. It may still call traced functions; they load the new
    /// literal, and if it is listed again its last switch takes the mark.
    #[inline(always)]
    pub fn exit(&self, task: &TaskWords) -> Wake {
        self.take(task)
    }
}
