//! Looks for those who hold, and waits for nobody: the machine of `depth` and `scan`, which differ in how they look.
//!
//! A grace period is one *look*. It meets whoever could hold something that was retired before it began, notes what each of them
//! holds, and ends; what nobody was seen to hold elapses, the rest waits for a later look. A look is due when somebody who was
//! seen to hold something retired has come to hold another set. So what one holder holds keeps that alone, however long it stays.
//!
//! 1. A round ([`World::visit_every_cpu`]): every CPU passes a barrier after the literals were swapped, and its handler
//!    looks at the whole chain of contexts that it interrupted (O4, O7).
//! 2. After the last answer (O12) the tasks that left a CPU before it answered are taken off its list, one by one. Who is off
//!    its CPU is kept there, examined, and remembered for as long as it stays: no later look comes back to it.
//! 3. Whoever goes on while the look is under way looks at itself first, or marks what the walker has found it to hold, and is let
//!    go on then: its old CPU may have answered as another task, its new one as well (rows 15 and 18 of the theory).
//!
//! After the round nobody loads a retired ops, so holders only become fewer, and sampling cannot be outrun.
//!
//! # Where a task stands
//! One word, changed by compare-and-swap: `RUNNING`, perhaps `LISTED`; `OFF` its CPU and not examined, always listed;
//! `LOOKING` at itself, and listed; `PINNED` by the walker; `EXAMINED` and remembered, on no list. A task is listed by the CPU
//! that it leaves, with its context saved and IRQs masked, before that CPU can answer as another task (O11). It stays listed
//! when it goes on, and the walker takes it off: taken off then, it would be met neither by its new CPU's answer, which may be
//! given already, nor by the walker. So a switch costs a list operation once per look at most, and else a compare-and-swap.
//!
//! INVARIANT `own-or-pinned`: what is noted of a task is written by the CPU that it runs on, is leaving or is about to run on,
//! IRQs masked; or by the walker, while the word says `PINNED`.
//!
//! # Why a resumed task looks before its word says that it runs
//! The walker passes over who runs, and must not pass, and the look be judged, while the task still reads its own frames. So the
//! word says `LOOKING` meanwhile, and the walker comes back to the task. The frames stand above the hooks' own.
//!
//! # Why nobody examines a chain under a lock
//! Every switch may take a list's lock, so it is held for a few instructions. Who goes on waits for the walker only where that has
//! pinned this very task, and then does not read the task's frames again, but for one that holds more than is remembered.
//!
//! # Why a task is looked at once from a visit to the switch behind it
//! INVARIANT `fresh`: a task that says so is inside an interrupt, and what is noted of it is so since it last ran itself. A visit or
//! the exit of the IRQ says so, and whoever comes behind them, the switch included, takes their word: in between nobody runs the
//! task, and softirqs leave its frames as they are. The very end of the IRQ takes it back ([`super::irq_out`]), whatever scheme
//! is selected by then. (The grace-period task visits itself in no interrupt, and holds nothing.)
//! So one stretch with IRQs masked examines two chains at most, each once: in a switch that of the task that is left, and that of
//! the one that goes on.
//!
//! # Why nobody is pinned while a task sees no look
//! A walker pins behind the answers of all CPUs. A task that goes on behind its CPU's answer sees the look until it is judged; one
//! that goes on before it, with IRQs masked, keeps the answer back. So only under a look may a task meet the walker.
//!
//! # Why an examined task is on no list
//! A look would have to go through all of them. What it holds is counted in the ops itself until it goes on, so a look beside a
//! thousand sleeping holders costs what it costs beside none.
//!
//! # Why a stamp
//! Tasks keep leaving while the lists are emptied. Whoever leaves a CPU behind its answer was met by the answer, or went on
//! after it: the stamp tells, and the walk ends.
//!
//! Cost: a look is a round, one examination for each task that left a CPU since the look before, and the judging of what was
//! retired since; one that is due judges some of what is held again. A holder that is preempted, or found preempted, with something
//! retired is boosted until it holds nothing retired (`depth`: whoever a look finds inside); one that was examined before its ops
//! was retired has its turns like anybody.

mod list;
mod probe;
mod standing;
mod walk;

use super::{At, Context, Left, Nudge, Scheme, Sighting, Trampoline, Wake, World};
use crate::fault::{self, Fault};
use crate::rcu::bracket::MAX_CPUS;
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;
use list::List;
use standing::Word;

pub(super) use list::Tasks;
pub use probe::Probe;

/// The lists of those that have left their CPU, and the look that is under way.
#[derive(Debug)]
pub struct Holders<P> {
    lists: [IrqLock<List>; MAX_CPUS],
    /// The last look that each CPU has answered: its own.
    answered: [AtomicU64; MAX_CPUS],
    nr_cpus: AtomicUsize,
    /// The number of the look that meets holders, until it is judged; 0 while there is none.
    look: AtomicU64,
    /// Somebody has come to hold another set since the last look began.
    due: AtomicBool,
    /// The running look was due.
    was_due: AtomicBool,
    /// Tasks that something retired waits for; for reports.
    nr_holdouts: AtomicUsize,
    /// Held while a task is pinned, so that nobody waits for a walker that was interrupted. Nobody else takes it.
    walker: IrqLock<()>,
    probe: P,
}

impl<P: Probe> Default for Holders<P> {
    /// With nobody listed; takes nobody in until it is selected.
    fn default() -> Self {
        Self {
            lists: core::array::from_fn(|_| IrqLock::new(List::default())),
            answered: core::array::from_fn(|_| AtomicU64::new(0)),
            nr_cpus: AtomicUsize::new(0),
            look: AtomicU64::new(0),
            due: AtomicBool::new(false),
            was_due: AtomicBool::new(false),
            nr_holdouts: AtomicUsize::new(0),
            walker: IrqLock::new(()),
            probe: P::default(),
        }
    }
}

impl<P: Probe> Holders<P> {
    /// The task is found to hold this that is retired. Context: `own-or-pinned`.
    ///
    /// A look is due when that is another set than before, not only a smaller one: who has left one and come to hold another has
    /// left one. It is not due where [`Probe::left`] knows that it would free nothing.
    ///
    /// Order: `AcqRel`, pairing with the exchange in `begin`: the look that is due finds what the task has left. An exchange here
    /// as well: loom lets a load behind both find what a plain store has overwritten.
    #[inline(always)]
    fn note(&self, context: &Context<'_>, held: usize) -> Wake {
        let task = context.task;
        let before = task.held_retired.load(Ordering::Relaxed);
        if held == before {
            return Wake::Nobody;
        }
        task.held_retired.store(held, Ordering::Relaxed);
        task.holdout.store(held != 0, Ordering::Relaxed);
        if before == 0 {
            self.nr_holdouts.fetch_add(1, Ordering::Relaxed);
            return Wake::Nobody;
        }
        if held == 0 {
            self.nr_holdouts.fetch_sub(1, Ordering::Relaxed);
            let is_of_use = self.probe.left(context);
            context.eyes.boost(task, false);
            if !is_of_use {
                return Wake::Nobody;
            }
        }
        self.due.swap(true, Ordering::AcqRel);
        Wake::GracePeriodTask
    }

    /// A task that something retired waits for looks at itself again, unless it has just done so. Context: `own-or-pinned`.
    #[inline(always)]
    fn look_again(&self, context: &Context<'_>, at: At) -> Wake {
        if !context.task.holdout.load(Ordering::Relaxed) || context.task.is_fresh.load(Ordering::Relaxed) {
            return Wake::Nobody;
        }
        self.note(context, self.probe.count(context, at))
    }

    /// The look meets a task on its CPU, or one that is about to go on.
    #[inline(always)]
    fn see(&self, context: &Context<'_>, look: u64) -> Wake {
        self.note(context, self.probe.see(context, look))
    }

    /// The task is off its CPU from here on, which is CPU number `cpu`.
    #[inline(always)]
    fn leave(&self, task: &TaskWords, cpu: usize) {
        if Word::of(task).leave(cpu) {
            self.lists[cpu].lock().push(task, self.answered[cpu].load(Ordering::Relaxed));
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
    fn tells_ops_apart(&self) -> bool {
        P::TELLS_OPS_APART
    }

    #[inline(always)]
    fn boosts_holdouts(&self) -> bool {
        true
    }

    #[inline(always)]
    fn nr_steps(&self) -> usize {
        1
    }

    /// Takes tasks in from now on, or forgets those that are listed: by then none of them holds anything.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn select(&self, is_selected: bool) {
        let mut cpu = 0;
        while cpu < MAX_CPUS {
            self.lists[cpu].lock().open(is_selected);
            cpu += 1;
        }
    }

    /// Order: the number is stored before the round, so each handler finds it (O4). Whoever goes on finds it if its CPU has
    /// answered; if not, its answer meets the task. `Release`, pairing with the load in `resume`: whoever finds the number finds
    /// what was retired before.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn begin(&self, step: usize, world: &dyn World) {
        debug_assert!(step == 0);
        self.was_due.store(self.due.swap(false, Ordering::AcqRel), Ordering::Relaxed);
        self.nr_cpus.store(world.nr_cpus(), Ordering::Relaxed);
        self.look.store(world.number(), Ordering::Release);
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
    }

    /// Nobody is ever waited for: what is held waits by itself.
    #[inline(always)]
    fn outstanding(&self, _: usize) -> usize {
        0
    }

    #[inline(always)]
    fn nr_holdouts(&self, _: usize) -> usize {
        self.nr_holdouts.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn is_due(&self) -> bool {
        self.due.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn somebody_holds_less(&self) -> bool {
        self.was_due.load(Ordering::Relaxed) || self.due.load(Ordering::Acquire)
    }

    #[inline(always)]
    fn keeps_all(&self, look: u64) -> bool {
        self.probe.keeps_all(look)
    }

    #[inline(always)]
    fn keeps(&self, first_look: u64, is_held: bool) -> bool {
        self.probe.keeps(first_look, is_held)
    }

    /// Only now: whoever went on before its count was read has left its mark.
    ///
    /// Order: `Release`, pairing with the load in `resume`: who sees no look sees what the walker has left, and that is no pin.
    #[inline(always)]
    fn judged(&self) {
        self.look.store(0, Ordering::Release);
    }

    #[inline(always)]
    fn visited(&self, sighting: &Sighting, context: &Context<'_>) -> Nudge {
        let look = self.look.load(Ordering::Relaxed);
        self.answered[sighting.cpu].store(look, Ordering::Relaxed);
        // The grace-period task waits for our answer, and asks whether a look is due before it sleeps.
        let _ = self.see(context, look);
        // On top of a softirq, what that holds is noted as well.
        context.task.is_fresh.store(sighting.is_outermost, Ordering::Relaxed);
        Nudge::Nothing
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, _: &Sighting, context: &Context<'_>) -> Wake {
        let wake = self.look_again(context, At::Here);
        context.task.is_fresh.store(true, Ordering::Relaxed);
        wake
    }

    #[inline(always)]
    fn report(&self, context: &Context<'_>) -> Wake {
        self.look_again(context, At::Here)
    }

    #[inline(always)]
    fn resume(&self, next: &Context<'_>) -> Wake {
        let word = Word::of(next.task);
        if word.is_on_cpu() {
            return Wake::Nobody;
        }
        let look = self.look.load(Ordering::Acquire);
        let is_missed = fault::is(Fault::DelistedAtSwitchIn);
        let mut wake = Wake::Nobody;
        if look != 0 && self.comes_before_walker(next) && !is_missed {
            wake = self.see(next, look);
        }
        if word.go_on()
            && let Some(held) = self.probe.goes_on(next, if is_missed { 0 } else { look })
        {
            wake = wake.and(self.note(next, held));
        }
        wake
    }

    #[inline(always)]
    fn off_cpu(&self, prev: &Context<'_>, cpu: usize, left: Left) -> Wake {
        let task = prev.task;
        if left == Left::Dead {
            if Word::of(task).is_listed() {
                self.lists[Word::of(task).home()].lock().unlink(task);
            }
            return self.note(prev, 0);
        }
        let mut wake = Wake::Nobody;
        if task.holdout.load(Ordering::Relaxed) {
            wake = self.look_again(prev, At::Saved);
            if task.holdout.load(Ordering::Relaxed) {
                prev.eyes.boost(task, true);
            }
        }
        if P::may_hold(prev) {
            self.leave(task, cpu);
        }
        wake
    }
}
