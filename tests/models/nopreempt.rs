//! `nopreempt`: a call raises the preempt count of its task before it loads the literal and lowers it after func has
//! returned; a sighting carries the count. Nobody is switched out in between (the world asserts it).
//!
//! World: two CPUs, one task, one swap, one grace period, preemption wherever the count allows it: at the exit of an
//! interrupt, and on the way out of the trampoline. The count is its CPU's own here, as it is nobody else's while it is up.

use crate::kernel::{Fault, Task, World};
use crate::rcu::schemes::nopreempt::Nopreempt;
use crate::scripts as does;
use crate::sync::atomic::Weaken;
use crate::verdict::{Model, frees_early, holds};

const WORLD: World = World {
    scheme: || Box::new(Nopreempt::new()),
    fault: Fault::None,
    preempts: true,
    nr_swaps: 1,
    overlaps: false,
    tasks: &[Task::Running],
    scripts: &[does::runs_and_sleeps],
};

const IN_TRAMPOLINE: World = World { scripts: &[does::is_interrupted_in_the_trampoline], ..WORLD };
const BETWEEN_CALLS: World = World { scripts: &[does::is_preempted_between_two_calls], ..WORLD };
const AFTER_CALL: World = World { scripts: &[does::is_interrupted_after_its_call], ..WORLD };
const WAKES_UP: World = World { tasks: &[Task::Sleeping], scripts: &[does::wakes_up], ..WORLD };
const EXITS: World = World { scripts: &[does::exits], ..WORLD };
const TAKES_AN_IRQ: World = World { tasks: &[], scripts: &[does::takes_an_irq], ..WORLD };

/// First what holds, then what each planted fault does.
pub const MODELS: [Model; 13] = [
    holds("nopreempt_waits_for_a_task_in_func", |b| WORLD.explore(b)),
    holds("nopreempt_waits_for_a_task_in_the_trampoline", |b| IN_TRAMPOLINE.explore(b)),
    holds("nopreempt_waits_for_a_task_that_is_preempted_between_two_calls", |b| BETWEEN_CALLS.explore(b)),
    holds("nopreempt_is_safe_from_a_sleeper_that_wakes_up", |b| WAKES_UP.explore(b)),
    holds("nopreempt_waits_for_an_exiting_task", |b| EXITS.explore(b)),
    holds("nopreempt_waits_for_an_interrupt_on_top_of_idle", |b| TAKES_AN_IRQ.explore(b)),
    holds("nopreempt_waits_for_a_task_that_is_interrupted_after_its_call", |b| AFTER_CALL.explore(b)),
    frees_early("fault_trampoline_does_not_count", |b| WORLD.with(Fault::NotCounted).explore(b)),
    frees_early("fault_trampoline_counts_after_its_load", |b| WORLD.with(Fault::CountedLate).explore(b)),
    frees_early("fault_trampoline_uncounts_before_func_returns", |b| WORLD.with(Fault::UncountedEarly).explore(b)),
    frees_early("fault_count_is_not_sighted", |b| WORLD.with(Fault::CountNotSighted).explore(b)),
    frees_early("fault_nopreempt_takes_an_acknowledgement_for_quiescence", |b| {
        TAKES_AN_IRQ.with(Fault::AcknowledgementIsQuiescence).explore(b);
    }),
    frees_early("fault_nopreempt_reports_without_release", |b| AFTER_CALL.explore(b)).without(Weaken::Releases),
];
