//! `linux`: `rude`, then `classic`. Workers run on their CPUs between the steps of whoever is there.
//!
//! World: two CPUs (three for migration), one task, one swap, one grace period, a worker for each CPU. Not covered: the workers as
//! holdouts of `classic`'s list; there they are tasks that sleep, as `classic_is_safe_from_a_sleeper_that_wakes_up` has one.

use crate::kernel::{Fault, Task, World};
use crate::rcu::schemes::linux::Linux;
use crate::scripts as does;
use crate::verdict::{Model, frees_early, holds, waits_for_ever};

const WORLD: World = World {
    scheme: || Box::new(Linux::new()),
    fault: Fault::None,
    preempts: true,
    nr_swaps: 1,
    overlaps: false,
    tasks: &[Task::Running],
    scripts: &[does::runs_and_sleeps],
};

const IS_PREEMPTED: World = World { scripts: &[does::is_preempted_in_func], ..WORLD };
const IS_NOT_PREEMPTED: World = World { preempts: false, ..WORLD };
const WAKES_UP: World = World { tasks: &[Task::Sleeping], scripts: &[does::wakes_up], ..WORLD };
const TAKES_AN_IRQ: World = World { tasks: &[], scripts: &[does::takes_an_irq], ..WORLD };
const MIGRATES: World = World { scripts: &[does::migrates_in_func, does::idles], ..WORLD };

const RUDE: Fault = Fault::StepLeftOut(0);
const HOLDOUTS: Fault = Fault::StepLeftOut(2);

/// First what holds, then what each planted fault does. Leaving `rude` out is none: it is in Linux for text that is no
/// trampoline.
pub const MODELS: [Model; 10] = [
    holds("linux_waits_for_a_task_that_its_worker_preempts", |b| WORLD.explore(b)).bounded(3),
    holds("linux_waits_for_a_task_that_nobody_preempts", |b| IS_NOT_PREEMPTED.explore(b)).bounded(3),
    holds("linux_waits_for_a_preempted_task", |b| IS_PREEMPTED.explore(b)).bounded(3),
    holds("linux_is_safe_from_a_sleeper_that_wakes_up", |b| WAKES_UP.explore(b)).bounded(3),
    holds("linux_waits_for_an_interrupt_on_top_of_idle", |b| TAKES_AN_IRQ.explore(b)).bounded(3),
    holds("linux_follows_a_holder_to_another_cpu", |b| MIGRATES.explore(b)).bounded(1),
    holds("linux_without_its_rude_part_is_classic", |b| IS_PREEMPTED.with(RUDE).explore(b)).bounded(3),
    frees_early("fault_linux_without_its_holdout_list", |b| IS_PREEMPTED.with(HOLDOUTS).explore(b)),
    frees_early("fault_linux_takes_a_preemption_for_voluntary", |b| {
        IS_PREEMPTED.with(Fault::PreemptionIsVoluntary).explore(b)
    }),
    waits_for_ever("fault_linux_forgets_its_workers", |b| WORLD.with(Fault::WorkersForgotten).explore(b)),
];
