//! The deliberate faults of `src/fault/table.rs` that small worlds can show: the ones that `fault=` plants in a kernel,
//! in the same lines of the same files. Each world holds without its fault, in `classic`, `broken` and `batching`.

use crate::batching;
use crate::fault::Fault;
use crate::kernel::{Fault as OfTheWorld, Task, World};
use crate::rcu::schemes::classic::Classic;
use crate::rcu::schemes::flag::Flag;
use crate::scripts as does;
use crate::verdict::{Model, Outcome, holds};

const IN_FUNC: World = World {
    scheme: || Box::new(Classic::new()),
    fault: OfTheWorld::None,
    preempts: true,
    nr_swaps: 1,
    overlaps: false,
    tasks: &[Task::Running],
    scripts: &[does::is_preempted_in_func],
};
const WAKES_UP: World = World { tasks: &[Task::Sleeping], scripts: &[does::wakes_up], ..IN_FUNC };
const ON_IDLE: World = World { tasks: &[], scripts: &[does::takes_an_irq], ..IN_FUNC };
const UNDER_A_SOFTIRQ: World = World {
    scheme: || Box::new(Flag::new()),
    scripts: &[does::is_preempted_in_the_trampoline_after_a_softirq],
    ..IN_FUNC
};

/// Each fails by what its fault stands for.
pub const MODELS: [Model; 8] = [
    holds("planted_brackets_missing", |b| ON_IDLE.explore(b)).planted(Fault::BracketsMissing, Outcome::FreesEarly),
    holds("planted_cpu_forgotten", |b| ON_IDLE.explore(b)).planted(Fault::CpuForgotten, Outcome::FreesEarly),
    holds("planted_holdouts_missing", |b| IN_FUNC.explore(b)).planted(Fault::HoldoutsMissing, Outcome::FreesEarly),
    holds("planted_away_stays", |b| WAKES_UP.explore(b)).planted(Fault::AwayStays, Outcome::FreesEarly),
    holds("planted_mark_cleared_inside", |b| UNDER_A_SOFTIRQ.explore(b))
        .planted(Fault::MarkClearedInside, Outcome::FreesEarly),
    holds("planted_cookie_of_running", batching::of_two_updaters).planted(Fault::CookieOfRunning, Outcome::FreesEarly),
    holds("planted_callback_cut", batching::of_two_updaters).planted(Fault::CallbackCut, Outcome::LosesCallback),
    holds("planted_barrier_short", batching::of_a_barrier).planted(Fault::BarrierShort, Outcome::BarrierPassesEarly),
];
