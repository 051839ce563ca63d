//! The scheme seam: every answer to "when has a task left the trampoline" stands behind the one trait here.
//!
//! A scheme is two things. As a *hook table* it hears of each IRQ entry and exit, switch, resume and exit, and
//! keeps what it wants to know in per-task and per-CPU words. As a *grace period* it is a sequence of steps: the
//! machine in `grace` begins a step, waits until the scheme counts nobody outstanding, and begins the next.
//!
//! | scheme | steps |
//! |---|---|
//! | `none` | no step at all: the negative control |
//! | `sched` | a switch of every CPU |
//! | `rude` | a worker on every CPU |
//! | `ip`, `flag`, `classic` | plain grace period, holdout list, plain grace period |
//! | `linux` | `rude`'s, then `classic`'s |
//! | `nopreempt` | plain grace period |
//! | `depth`, `scan` | one look: a round, and the examination of who is off its CPU |
//!
//! Who may call: the glue of `rcu` and the models. Hooks run with IRQs masked, some inside the switch: they are
//! `notrace` (O8), wake nobody themselves (they return [`Wake`]), and cost a load or two when no grace period runs.
//! Promises of the seam to every scheme: [`TaskWords::away`] is kept by [`switch_out`] and [`resume`] whatever scheme is
//! selected, so that one can be selected at run time, while no grace period runs.
//!
//! # Why not a set of phases as an enum
//! The machine would have to know every scheme's phases. As it is, a later scheme brings its steps along, combines
//! those of others (`linux` is `rude` and then `classic`), and neither the machine nor the glue changes.

pub mod built;
pub mod classic;
pub mod depth;
pub mod flag;
pub mod holders;
pub mod holdouts;
pub mod ip;
pub mod linux;
pub mod none;
pub mod nopreempt;
pub mod rude;
pub mod scan;
pub mod sched;
mod world;

pub use world::{At, Context, Eyes, Kind, Look, Meet, Subject, World};

use crate::fault::{self, Fault};
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::{Ordering, fence};

/// The schemes that are built, in the order in which they are listed and run.
pub const NAMES: [&str; 10] = ["none", "sched", "rude", "ip", "flag", "classic", "linux", "nopreempt", "depth", "scan"];

/// Which variant of the trampoline a scheme needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trampoline {
    /// Nothing beside the call.
    Plain,
    /// Preemption is disabled from before the literal is loaded until after func.
    Unpreemptible,
    /// The task's trampoline depth goes up before the literal is loaded and down after func.
    Counted,
}

/// How a task leaves its CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// By its own call: it blocks, sleeps, yields or exits.
    Voluntary,
    /// It was preempted and may stand anywhere.
    Preempted,
}

/// Whom the caller of a hook must wake, when it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a grace period waits for ever if its task is not woken"]
pub enum Wake {
    /// Nobody.
    Nobody,
    /// The task that waits for the running step.
    GracePeriodTask,
}

impl Wake {
    /// Both of two reasons.
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn and(self, other: Wake) -> Wake {
        if matches!(self, Wake::GracePeriodTask) { self } else { other }
    }
}

/// Where a CPU was found, by an SGI or at the exit of an IRQ.
#[derive(Clone, Copy, Debug)]
pub struct Sighting {
    /// The CPU, which is the one we run on.
    pub cpu: usize,
    /// No interrupt or softirq stands under the one that looks.
    pub is_outermost: bool,
    /// The interrupted task is this CPU's idle task, which is never inside a func by itself.
    pub is_idle: bool,
    /// The preemption count of the interrupted context.
    pub preempt_count: u32,
}

impl Sighting {
    /// No interrupt-level and no preemption-disabled section is under way on this CPU.
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn is_quiescent(&self) -> bool {
        self.is_outermost && (self.is_idle || self.preempt_count == 0)
    }
}

/// How a task was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// It will go on.
    Alive,
    /// It has exited.
    Dead,
}

/// What a scheme wants of a CPU that it visits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "a grace period may wait for ever if the CPU is not asked"]
pub enum Nudge {
    /// Nothing.
    Nothing,
    /// That it reschedules at the next chance, though nobody else wants to run.
    Reschedule,
}

/// Where an IRQ came in.
#[derive(Clone, Copy, Debug)]
pub struct Interrupted {
    /// The CPU, which is the one we run on.
    pub cpu: usize,
    /// The interrupted PC lies in the trampoline.
    pub is_in_trampoline: bool,
}

/// An answer to the question when nobody is inside a retired ops any more.
pub trait Scheme: Sync {
    /// Its name, as a boot argument and in verdicts.
    fn name(&self) -> &'static str;

    /// What it needs of the trampoline.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn trampoline(&self) -> Trampoline {
        Trampoline::Plain
    }

    /// Whether a func may sleep; where it may not, a voluntary switch inside one is a panic.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn lets_funcs_block(&self) -> bool {
        false
    }

    /// Whether who holds one ops keeps that, and no other one.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn tells_ops_apart(&self) -> bool {
        false
    }

    /// It is the selected scheme from now on, or no longer. Context: task; no grace period runs, and nobody is inside a
    /// trampoline.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn select(&self, _is_selected: bool) {}

    /// Whether it lets those that it waits for run first, by itself.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn boosts_holdouts(&self) -> bool {
        false
    }

    /// How many steps a grace period has.
    fn nr_steps(&self) -> usize;

    /// Begins a step. Context: the grace-period task, no lock held.
    fn begin(&self, step: usize, world: &dyn World);

    /// How many are still waited for in this step. Order: acquires what they did before they left (O5).
    fn outstanding(&self, step: usize) -> usize;

    /// How many something waits for, in this step or behind it; for reports.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn nr_holdouts(&self, step: usize) -> usize {
        self.outstanding(step)
    }

    /// Whether a grace period is wanted although nobody asked: what was held may be free. Context: any.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn is_due(&self) -> bool {
        false
    }

    /// Whether what is held is to be judged again. Context: the grace-period task, when the last step is over.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn somebody_holds_less(&self) -> bool {
        false
    }

    /// Whether grace period number `look`, which has met everybody, has found somebody who may hold anything: what words of objects
    /// say counts for nothing then.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn keeps_all(&self, _look: u64) -> bool {
        false
    }

    /// Whether the grace period lets an object wait on that number `first_look` was the first to judge; `is_held` says what the
    /// object's own words say. A scheme that knows of numbers alone keeps nothing: its end is for all. One that does not tell ops
    /// apart goes by `first_look` alone, and keeps for whatever it keeps all that came later.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn keeps(&self, _first_look: u64, _is_held: bool) -> bool {
        false
    }

    /// All that is retired has been judged.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn judged(&self) {}

    /// Whether the running step waits for this CPU; for the stall report.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn waits_for_cpu(&self, _cpu: usize) -> bool {
        false
    }

    /// On each CPU, while [`World::visit_every_cpu`] is under way: IRQs masked, after the handler's barrier.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn visited(&self, _sighting: &Sighting, _context: &Context<'_>) -> Nudge {
        Nudge::Nothing
    }

    /// Whether this CPU's worker task is wanted. Context: that task.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn wants_worker(&self, _cpu: usize) -> bool {
        false
    }

    /// This CPU's worker task runs. Context: that task, IRQs masked.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn worker_ran(&self, _cpu: usize) -> Wake {
        Wake::Nobody
    }

    /// Whether `prev`, which is being preempted, need not be waited for all the same.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn is_quiescent_preemption(&self, _prev: &TaskWords, _cpu: usize) -> bool {
        false
    }

    /// An IRQ was taken; `entered_trampoline` belongs to this very entry.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn irq_in(&self, _entered_trampoline: &mut bool, _at: &Interrupted, _task: &TaskWords) {}

    /// The same entry returns, after the preemption point.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn irq_out(&self, _entered_trampoline: &mut bool, _task: &TaskWords) {}

    /// The outermost IRQ of this CPU is about to return, its softirqs done.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn irq_exit_outermost(&self, _sighting: &Sighting, _context: &Context<'_>) -> Wake {
        Wake::Nobody
    }

    /// `prev` is about to leave this CPU.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn switch(&self, _prev: &TaskWords, _cpu: usize, _how: Switch) -> Wake {
        Wake::Nobody
    }

    /// `next` is on this CPU again, or for the first time.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn resume(&self, _next: &Context<'_>) -> Wake {
        Wake::Nobody
    }

    /// `prev` has left this CPU: its context is saved, and nobody can run it yet.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn off_cpu(&self, _prev: &Context<'_>, _cpu: usize, _left: Left) -> Wake {
        Wake::Nobody
    }

    /// The running task has left a trampoline, and somebody waits for its outermost one: see [`Eyes::want_report`].
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn report(&self, _context: &Context<'_>) -> Wake {
        Wake::Nobody
    }

    /// The task leaves the task list; it still runs until its last switch.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn exit(&self, _task: &TaskWords) -> Wake {
        Wake::Nobody
    }
}

/// The switch hook: keeps `away`, then tells the scheme. Context: IRQs masked, on the CPU that `prev` leaves.
///
/// Order: the store is `Release`, pairing with the lister's `Acquire` load: what the task did inside funcs comes before
/// what follows a list that passed it over (O5, O11). The fence pairs with the one between the lister's mark and that
/// load: of the two, at least one sees the other's store, so a task that leaves while it is being marked is not waited
/// for in vain.
#[inline]
#[cfg_attr(target_os = "none", patchable_function_entry(prefix_nops = 0, entry_nops = 0))]
pub fn switch_out<S: Scheme + ?Sized>(scheme: &S, prev: &TaskWords, cpu: usize, how: Switch) -> Wake {
    if matches!(how, Switch::Voluntary) || scheme.is_quiescent_preemption(prev, cpu) {
        prev.away.store(true, Ordering::Release);
        fence(Ordering::SeqCst);
    }
    scheme.switch(prev, cpu, how)
}

/// The hook at the end of an IRQ entry, behind the preemption point: tells the scheme. The task may run itself again, so what was
/// noted of it is not `fresh` any more (`holders`): another scheme may have been selected since it was.
#[inline]
#[cfg_attr(target_os = "none", patchable_function_entry(prefix_nops = 0, entry_nops = 0))]
pub fn irq_out<S: Scheme + ?Sized>(scheme: &S, entered_trampoline: &mut bool, task: &TaskWords) {
    task.is_fresh.store(false, Ordering::Relaxed);
    scheme.irq_out(entered_trampoline, task);
}

/// The resume hook: `next` is on its CPU and has run nothing yet that can be traced.
///
/// Order: relaxed. A lister that still reads the old `true` reads it after every CPU has passed a barrier of the first
/// plain grace period. Had the task loaded an old literal before its CPU's barrier, that barrier would have carried this
/// store along; if it loads one after, it is the new one.
#[inline]
#[cfg_attr(target_os = "none", patchable_function_entry(prefix_nops = 0, entry_nops = 0))]
pub fn resume<S: Scheme + ?Sized>(scheme: &S, next: &Context<'_>) -> Wake {
    next.task.away.store(fault::is(Fault::AwayStays), Ordering::Relaxed);
    scheme.resume(next)
}
