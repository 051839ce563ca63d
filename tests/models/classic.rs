//! `classic`, and `none` as its control: the old ops is freed in no interleaving while a context holds it, and the
//! grace period ends in all of them.
//!
//! World: two CPUs (three for migration), one task (two where said), one swap, one grace period.

use crate::kernel::{Fault, Task, World};
use crate::rcu::schemes::classic::Classic;
use crate::rcu::schemes::none;
use crate::scripts as does;
use crate::sync::atomic::Weaken;
use crate::verdict::{Model, frees_early, holds, waits_for_ever};

const WORLD: World = World {
    scheme: || Box::new(Classic::new()),
    fault: Fault::None,
    preempts: true,
    nr_swaps: 1,
    overlaps: false,
    tasks: &[Task::Running],
    scripts: &[does::runs_and_sleeps],
};

const IS_PREEMPTED: World = World { scripts: &[does::is_preempted_in_func], ..WORLD };
const EXITS: World = World { scripts: &[does::exits], ..WORLD };
const WAKES_UP: World = World { tasks: &[Task::Sleeping], scripts: &[does::wakes_up], ..WORLD };
const TAKES_AN_IRQ: World = World { tasks: &[], scripts: &[does::takes_an_irq], ..WORLD };
const MIGRATES: World = World { scripts: &[does::migrates_in_func, does::idles], ..WORLD };
const TWO_TASKS: World =
    World { tasks: &[Task::Running, Task::Sleeping], scripts: &[does::is_preempted_by_another], ..WORLD };
const NO_SCHEME: World = World { scheme: || Box::new(none::None), ..IS_PREEMPTED };

const FIRST_BRACKET: Fault = Fault::StepLeftOut(0);
const HOLDOUTS: Fault = Fault::StepLeftOut(1);
const LAST_BRACKET: Fault = Fault::StepLeftOut(2);

/// First what holds, then what each planted fault does.
pub const MODELS: [Model; 19] = [
    holds("classic_waits_for_a_task_that_runs_and_sleeps", |b| WORLD.explore(b)),
    holds("classic_is_safe_from_a_sleeper_that_wakes_up", |b| WAKES_UP.explore(b)),
    holds("classic_waits_for_a_preempted_task", |b| IS_PREEMPTED.explore(b)),
    holds("classic_waits_for_an_exiting_task", |b| EXITS.explore(b)),
    holds("classic_waits_for_an_interrupt_on_top_of_idle", |b| TAKES_AN_IRQ.explore(b)),
    holds("classic_tells_a_preempted_task_from_the_one_that_preempted_it", |b| TWO_TASKS.explore(b)).bounded(3),
    holds("classic_follows_a_holder_to_another_cpu", |b| MIGRATES.explore(b)).bounded(2),
    holds("release_and_acquire_suffice_without_the_last_bracket", |b| WORLD.with(LAST_BRACKET).explore(b)),
    holds("the_last_bracket_suffices_without_release", |b| WORLD.explore(b)).without(Weaken::Releases),
    frees_early("fault_neither_release_nor_last_bracket", |b| WORLD.with(LAST_BRACKET).explore(b))
        .without(Weaken::Releases),
    waits_for_ever("fault_no_fence_between_mark_and_look", |b| WORLD.explore(b)).without(Weaken::Fences),
    frees_early("fault_no_first_bracket", |b| WAKES_UP.with(FIRST_BRACKET).explore(b)),
    frees_early("fault_no_holdout_list", |b| IS_PREEMPTED.with(HOLDOUTS).explore(b)),
    frees_early("fault_exiting_task_missed", |b| EXITS.with(Fault::ExitingMissed).explore(b)),
    frees_early("fault_preemption_taken_for_voluntary", |b| {
        IS_PREEMPTED.with(Fault::PreemptionIsVoluntary).explore(b);
    }),
    frees_early("fault_mark_taken_back_for_a_preempted_task", |b| {
        IS_PREEMPTED.with(Fault::PreemptedSpared).explore(b);
    }),
    frees_early("fault_migrated_holder_spared", |b| MIGRATES.with(Fault::PreemptedSpared).explore(b)).bounded(2),
    frees_early("fault_acknowledgement_taken_for_quiescence", |b| {
        TAKES_AN_IRQ.with(Fault::AcknowledgementIsQuiescence).explore(b);
    }),
    frees_early("none_frees_early", |b| NO_SCHEME.explore(b)),
];
