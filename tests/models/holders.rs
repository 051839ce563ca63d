//! `depth` and `scan`: one machine of looks, and two ways to look.
//!
//! World: two CPUs (three for migration), one task (two where said), one swap (two or three where said, be what was swapped out held or not); the scheme was selected
//! before. A holder is preempted, resumed here or elsewhere, or blocks, at any time against the round and the walk, so
//! rows 15 and 18 of the theory's windows are in each world that switches. Frames are plain memory: a walk that reads them
//! while their task goes on is found by loom.
//! Not covered: the exact rules of a frame at each instruction of the trampoline (unit tests and the real thing have them),
//! chains that are not whole, fan-out nodes (unit tests have them), two holders of one ops of whom one goes on between two looks (a
//! unit test has what that can do to the mark), what the hooks of a switch write on the stack of the task that goes on (`stress` counts the
//! chains that break), boosts, a change of schemes.

use crate::kernel::{Fault, Script, Task, World};
use crate::rcu::schemes::Scheme;
use crate::rcu::schemes::depth::Depth;
use crate::rcu::schemes::scan::Scan;
use crate::scripts as does;
use crate::sync::atomic::Weaken;
use crate::verdict::{Model, frees_early, holds, reads_live_frames, waits_for_ever};

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

const DEPTH: World = world(|| Box::new(Depth::default()));
const SCAN: World = world(|| Box::new(Scan::default()));

const fn with(world: World, scripts: &'static [Script]) -> World {
    World { scripts, ..world }
}

/// An interrupt on top of idle holds.
const fn on_idle(world: World) -> World {
    World { tasks: &[], scripts: &[does::takes_an_irq], ..world }
}

/// Two tasks are preempted, each in its call.
const fn two(world: World) -> World {
    World { tasks: &[Task::Running, Task::Sleeping], scripts: &[does::are_both_preempted], ..world }
}

/// The same, and the one that was listed last is taken off first.
const fn reverse(world: World) -> World {
    World { scripts: &[does::are_both_preempted_and_leave_in_reverse], ..two(world) }
}

/// One ops after the other, each when the one before is free, and a call of each.
const fn twice(world: World) -> World {
    World { nr_swaps: 2, scripts: &[does::is_preempted_in_two_calls], ..world }
}

/// One ops after the other, be the one before held or not.
const fn overlapping(world: World, nr_swaps: usize, scripts: &'static [Script]) -> World {
    World { nr_swaps, overlaps: true, scripts, ..world }
}

const ROW_4: &[Script] = &[does::is_preempted_in_func];
const VISITED: &[Script] = &[does::is_interrupted_and_then_preempted];
const ROW_9: &[Script] = &[does::blocks_in_func];
const TWO_CALLS: &[Script] = &[does::is_preempted_in_two_calls];
const AGAIN: &[Script] = &[does::is_preempted_again_behind_its_answer];
const ROW_13: &[Script] = &[does::migrates_in_func, does::idles];
const ROW_14: &[Script] = &[does::exits_and_is_preempted];
const EXITS: &[Script] = &[does::exits];
const SOFTIRQ: &[Script] = &[does::is_interrupted_in_func_by_a_softirq];
const IRQ_AFTER: &[Script] = &[does::is_interrupted_after_its_call];
const EACH_LOOK: &[Script] = &[does::is_in_some_trampoline_at_each_look];
const LAST_STEPS: &[Script] = &[does::is_visited_at_the_end_of_its_call];
const ANOTHER: &[Script] = &[does::stays_in_another_func];

/// First what holds, then what each planted fault does. The last of `depth` that holds is a finding: every look at a depth is
/// its own CPU's or behind the pin, so its machine does not rest on the release of that store.
pub const MODELS: [Model; 58] = [
    holds("depth_waits_for_a_task_that_runs_and_sleeps", |b| DEPTH.explore(b)),
    holds("depth_waits_for_a_task_that_is_interrupted_after_its_call", |b| with(DEPTH, IRQ_AFTER).explore(b)),
    holds("depth_waits_at_row_4_for_a_preempted_holder", |b| with(DEPTH, ROW_4).explore(b)),
    holds("depth_waits_for_a_holder_that_is_visited_and_then_preempted", |b| {
        with(DEPTH, VISITED).explore(b);
    }),
    holds("depth_waits_at_row_8_on_top_of_idle", |b| on_idle(DEPTH).explore(b)),
    holds("depth_waits_at_row_9_for_a_func_that_blocks", |b| with(DEPTH, ROW_9).explore(b)),
    holds("depth_waits_at_row_13_elsewhere", |b| with(DEPTH, ROW_13).explore(b)).bounded(2),
    holds("depth_waits_at_row_14_for_an_exiting_task", |b| with(DEPTH, ROW_14).explore(b)),
    holds("depth_waits_for_a_task_below_a_softirq", |b| with(DEPTH, SOFTIRQ).explore(b)),
    holds("depth_waits_in_one_grace_period_after_the_other", |b| twice(DEPTH).explore(b)).bounded(3),
    holds("depth_waits_in_overlapping_looks_for_a_func_that_blocks", |b| overlapping(DEPTH, 2, ROW_9).explore(b))
        .bounded(3),
    holds("depth_waits_in_overlapping_looks_for_two_calls", |b| overlapping(DEPTH, 2, TWO_CALLS).explore(b)).bounded(3),
    holds("depth_waits_in_three_looks_for_a_preempted_holder", |b| overlapping(DEPTH, 3, ROW_4).explore(b)).bounded(2),
    holds("depth_waits_for_two_preempted_holders", |b| two(DEPTH).explore(b)).bounded(3),
    holds("depth_ends_though_its_task_is_in_some_trampoline_at_each_look", |b| with(DEPTH, EACH_LOOK).explore(b)),
    holds("depth_ends_though_its_task_is_visited_in_the_last_steps", |b| with(DEPTH, LAST_STEPS).explore(b)),
    waits_for_ever("depth_waits_for_a_func_of_another_ops", |b| with(DEPTH, ANOTHER).explore(b)),
    holds("depth_needs_no_release_of_the_depth_itself", |b| {
        with(DEPTH, IRQ_AFTER).with(Fault::DepthLowered).explore(b);
    }),
    frees_early("fault_depth_not_raised", |b| DEPTH.with(Fault::NotCounted).explore(b)),
    frees_early("fault_depth_raised_after_the_load", |b| DEPTH.with(Fault::DepthRaisedLate).explore(b)),
    frees_early("fault_depth_lowered_before_func_returns", |b| DEPTH.with(Fault::DepthLoweredEarly).explore(b)),
    frees_early("fault_depth_leaves_its_round_out", |b| DEPTH.with(Fault::RoundLeftOut).explore(b)),
    frees_early("fault_depth_reads_its_list_before_the_answers", |b| {
        with(DEPTH, ROW_4).with(Fault::AnswersNotAwaited).explore(b);
    }),
    frees_early("fault_depth_delists_a_holder_at_switch_in", |b| {
        with(DEPTH, ROW_13).with(Fault::DelistedAtSwitchIn).explore(b);
    })
    .bounded(2),
    reads_live_frames("fault_depth_is_examined_without_release", |b| overlapping(DEPTH, 2, ROW_9).explore(b))
        .without(Weaken::Releases)
        .bounded(3),
    waits_for_ever("fault_depth_does_not_report", |b| {
        with(DEPTH, EACH_LOOK).with(Fault::ReportsForgotten).explore(b);
    }),
    waits_for_ever("fault_depth_decides_to_report_before_it_is_lowered", |b| {
        with(DEPTH, LAST_STEPS).with(Fault::ReportDecidedEarly).explore(b);
    }),
    holds("scan_waits_for_a_task_that_runs_and_sleeps", |b| SCAN.explore(b)),
    holds("scan_waits_for_a_task_that_is_interrupted_after_its_call", |b| with(SCAN, IRQ_AFTER).explore(b)),
    holds("scan_waits_at_row_4_for_a_preempted_holder", |b| with(SCAN, ROW_4).explore(b)),
    holds("scan_waits_for_a_holder_that_is_visited_and_then_preempted", |b| {
        with(SCAN, VISITED).explore(b);
    }),
    holds("scan_waits_at_row_8_on_top_of_idle", |b| on_idle(SCAN).explore(b)),
    holds("scan_waits_at_row_9_for_a_func_that_blocks", |b| with(SCAN, ROW_9).explore(b)),
    holds("scan_waits_at_row_13_elsewhere", |b| with(SCAN, ROW_13).explore(b)).bounded(2),
    holds("scan_waits_at_row_14_for_an_exiting_task", |b| with(SCAN, ROW_14).explore(b)),
    holds("scan_waits_for_a_task_below_a_softirq", |b| with(SCAN, SOFTIRQ).explore(b)),
    holds("scan_waits_in_one_grace_period_after_the_other", |b| twice(SCAN).explore(b)).bounded(3),
    holds("scan_waits_in_overlapping_looks_for_a_func_that_blocks", |b| overlapping(SCAN, 2, ROW_9).explore(b))
        .bounded(3),
    holds("scan_waits_in_overlapping_looks_for_two_calls", |b| overlapping(SCAN, 2, TWO_CALLS).explore(b)).bounded(3),
    holds("scan_waits_in_three_looks_for_a_preempted_holder", |b| overlapping(SCAN, 3, ROW_4).explore(b)).bounded(2),
    holds("scan_waits_for_a_holder_that_was_listed_before", |b| with(SCAN, AGAIN).explore(b)).bounded(3),
    holds("scan_waits_for_two_preempted_holders", |b| two(SCAN).explore(b)).bounded(3),
    holds("scan_waits_for_the_first_of_two_preempted_holders", |b| reverse(SCAN).explore(b)).bounded(3),
    holds("scan_ends_though_its_task_is_in_some_trampoline_at_each_look", |b| with(SCAN, EACH_LOOK).explore(b)),
    holds("scan_does_not_wait_for_a_func_of_another_ops", |b| with(SCAN, ANOTHER).explore(b)),
    frees_early("fault_scan_leaves_its_round_out", |b| SCAN.with(Fault::RoundLeftOut).explore(b)),
    frees_early("fault_scan_reads_its_list_before_the_answers", |b| {
        with(SCAN, ROW_4).with(Fault::AnswersNotAwaited).explore(b);
    }),
    frees_early("fault_scan_knows_the_number_of_the_grace_period_before", |b| {
        SCAN.with(Fault::NumberOfTheLast).explore(b);
    }),
    waits_for_ever("fault_scan_is_not_told_that_the_ops_is_retired", |b| SCAN.with(Fault::RetiredUntold).explore(b)),
    frees_early("fault_scan_sees_only_the_interrupted_task", |b| {
        on_idle(SCAN).with(Fault::OnlyTheTaskIsSeen).explore(b);
    }),
    frees_early("fault_scan_sees_only_the_innermost_context", |b| {
        with(SCAN, SOFTIRQ).with(Fault::OnlyTheInnermostIsSeen).explore(b);
    }),
    frees_early("fault_scan_delists_a_holder_at_switch_in", |b| {
        with(SCAN, ROW_13).with(Fault::DelistedAtSwitchIn).explore(b);
    })
    .bounded(2),
    frees_early("fault_scan_lists_nobody", |b| with(SCAN, ROW_4).with(Fault::LeftUnsaid).explore(b)),
    frees_early("fault_scan_lists_a_holder_after_its_cpu_answered", |b| {
        with(SCAN, ROW_4).with(Fault::LeftSaidLate).explore(b);
    }),
    reads_live_frames("fault_scan_does_not_pin", |b| with(SCAN, ROW_4).with(Fault::ResumedUnpinned).explore(b)),
    waits_for_ever("fault_scan_does_not_hear_of_a_death", |b| with(SCAN, EXITS).with(Fault::DeathUnsaid).explore(b)),
    frees_early("fault_scan_lets_a_sleeper_go_on_without_release", |b| overlapping(SCAN, 2, ROW_9).explore(b))
        .without(Weaken::Releases)
        .bounded(3),
    waits_for_ever("fault_scan_does_not_hear_of_a_switch", |b| SCAN.with(Fault::LeftUnsaid).explore(b)),
];
