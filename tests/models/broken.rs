//! `sched`, `rude`, `ip` and `flag`: sound where nobody is preempted, and found to free early where somebody is, row by row
//! of the theory's windows.
//!
//! World: two CPUs (three for migration), one task, one swap, one grace period. The trampoline is one place and func another,
//! so rows 3, 4 and 10 are one. Not covered: row 15, since their list is walked under the lock that a switch would need here;
//! and what a stale `away` of a resumed task can do, which `classic` has.

use crate::kernel::{Fault, Script, Task, World};
use crate::rcu::schemes::Scheme;
use crate::rcu::schemes::flag::Flag;
use crate::rcu::schemes::ip::Ip;
use crate::rcu::schemes::rude::Rude;
use crate::rcu::schemes::sched::Sched;
use crate::scripts as does;
use crate::verdict::{Model, frees_early, holds};

const fn world(scheme: fn() -> Box<dyn Scheme + Send>) -> World {
    World {
        scheme,
        fault: Fault::None,
        preempts: true,
        nr_swaps: 1,
        overlaps: false,
        tasks: &[Task::Running],
        scripts: &[does::runs_and_sleeps],
    }
}

const SCHED: World = world(|| Box::new(Sched::new()));
const RUDE: World = world(|| Box::new(Rude::new()));
const IP: World = world(|| Box::new(Ip::new()));
const FLAG: World = world(|| Box::new(Flag::new()));

/// Interrupts hit the trampoline or func, and nobody is preempted.
const fn nobody_is_preempted(world: World) -> World {
    World { preempts: false, ..world }
}

/// An interrupt on top of idle holds.
const fn takes_an_irq(world: World) -> World {
    World { tasks: &[], scripts: &[does::takes_an_irq], ..world }
}

/// Only what the scheme itself brings about interrupts the task.
const fn with(world: World, scripts: &'static [Script]) -> World {
    World { scripts, ..world }
}

const IN_TRAMPOLINE: &[Script] = &[does::is_interrupted_in_the_trampoline];
const ROW_2: &[Script] = &[does::is_preempted_in_the_trampoline];
const ROW_4: &[Script] = &[does::is_preempted_in_func];
const ROW_5: &[Script] = &[does::is_preempted_by_func];
const ROW_6: &[Script] = &[does::is_preempted_in_the_trampoline_after_a_softirq];
const ROW_7: &[Script] = &[does::is_preempted_in_func_after_a_softirq];
const ROW_13: &[Script] = &[does::migrates_in_func, does::idles];
const ROW_13_IN_TRAMPOLINE: &[Script] = &[does::migrates_in_the_trampoline, does::idles];
const ROW_14: &[Script] = &[does::exits];

/// For each scheme first what holds, then where it frees early.
pub const MODELS: [Model; 34] = [
    holds("sched_waits_where_nobody_is_preempted", |b| nobody_is_preempted(SCHED).explore(b)),
    holds("sched_waits_for_an_interrupt_on_top_of_idle", |b| takes_an_irq(SCHED).explore(b)),
    frees_early("sched_frees_early_when_its_own_nudge_preempts", |b| SCHED.explore(b)),
    frees_early("sched_frees_early_at_row_2_in_the_trampoline", |b| with(SCHED, ROW_2).explore(b)),
    frees_early("sched_frees_early_at_row_4_in_func", |b| with(SCHED, ROW_4).explore(b)),
    frees_early("sched_frees_early_at_row_13_elsewhere", |b| with(SCHED, ROW_13).explore(b)),
    holds("rude_waits_where_nobody_is_preempted", |b| nobody_is_preempted(RUDE).explore(b)),
    holds("rude_waits_for_an_interrupt_on_top_of_idle", |b| takes_an_irq(RUDE).explore(b)),
    frees_early("rude_frees_early_at_row_12_when_its_worker_preempts", |b| RUDE.explore(b)),
    frees_early("rude_frees_early_at_row_2_in_the_trampoline", |b| with(RUDE, ROW_2).explore(b)),
    frees_early("rude_frees_early_at_row_4_in_func", |b| with(RUDE, ROW_4).explore(b)),
    frees_early("rude_frees_early_at_row_13_elsewhere", |b| with(RUDE, ROW_13).explore(b)).bounded(2),
    holds("ip_waits_where_nobody_is_preempted", |b| nobody_is_preempted(IP).explore(b)).bounded(3),
    holds("ip_waits_at_row_2_in_the_trampoline", |b| with(IP, ROW_2).explore(b)).bounded(3),
    holds("ip_waits_at_row_8_on_top_of_idle", |b| takes_an_irq(IP).explore(b)).bounded(3),
    holds("ip_waits_at_row_14_for_an_exiting_task", |b| nobody_is_preempted(with(IP, ROW_14)).explore(b)).bounded(3),
    frees_early("ip_frees_early_at_row_4_in_func", |b| with(IP, ROW_4).explore(b)),
    frees_early("ip_frees_early_at_row_5_without_an_irq", |b| with(IP, ROW_5).explore(b)),
    frees_early("ip_frees_early_at_row_6_after_a_softirq", |b| with(IP, ROW_6).explore(b)),
    frees_early("ip_frees_early_at_row_7_after_a_softirq", |b| with(IP, ROW_7).explore(b)),
    frees_early("ip_frees_early_at_row_13_elsewhere", |b| with(IP, ROW_13_IN_TRAMPOLINE).explore(b)).bounded(2),
    holds("flag_waits_where_nobody_is_preempted", |b| nobody_is_preempted(FLAG).explore(b)).bounded(3),
    holds("flag_waits_at_row_2_in_the_trampoline", |b| with(FLAG, ROW_2).explore(b)).bounded(3),
    holds("flag_waits_at_row_6_after_a_softirq", |b| with(FLAG, ROW_6).explore(b)).bounded(3),
    holds("flag_waits_at_row_8_on_top_of_idle", |b| takes_an_irq(FLAG).explore(b)).bounded(3),
    holds("flag_waits_at_row_13_elsewhere", |b| with(FLAG, ROW_13_IN_TRAMPOLINE).explore(b)).bounded(2),
    holds("flag_waits_at_row_14_for_an_exiting_task", |b| nobody_is_preempted(with(FLAG, ROW_14)).explore(b))
        .bounded(3),
    frees_early("flag_frees_early_at_row_4_in_func", |b| with(FLAG, ROW_4).explore(b)),
    frees_early("flag_frees_early_at_row_5_without_an_irq", |b| with(FLAG, ROW_5).explore(b)),
    frees_early("flag_frees_early_at_row_7_after_a_softirq", |b| with(FLAG, ROW_7).explore(b)),
    frees_early("fault_flag_cleared_by_the_inner_irq", |b| with(FLAG, ROW_6).with(Fault::MarkOfTheInner).explore(b)),
    frees_early("fault_flag_cleared_before_the_preemption", |b| {
        with(FLAG, ROW_2).with(Fault::MarkUndoneEarly).explore(b)
    }),
    holds("sched_waits_in_the_trampoline_where_nobody_is_preempted", |b| {
        nobody_is_preempted(with(SCHED, IN_TRAMPOLINE)).explore(b);
    }),
    holds("rude_waits_in_the_trampoline_where_nobody_is_preempted", |b| {
        nobody_is_preempted(with(RUDE, IN_TRAMPOLINE)).explore(b);
    }),
];
