//! The verdict of a run, from what was counted; also in the middle of a violation, in any context.

use super::{FREED, TASKS, load, sleepers, updaters};
use crate::arch::relax::SpinMutex;
use crate::fault::Fault;
use crate::irq::{entry, serial};
use crate::lab::chains;
use crate::lab::oracle::{COVERAGE, Property};
use crate::lab::progress;
use crate::lab::report::{Coverage, Replay, StressLine, Verdict, percentile};
use crate::platform::bootargs::Exact;
use crate::platform::{BootArgs, Mode, PreemptModel, SchemeName};
use crate::println;
use crate::sched::{self, now_ns};
use crate::sync::atomic::{AtomicU64, Ordering};

/// From this many seconds on, a situation that was never met is a FAIL.
pub(super) const COVERAGE_FROM_SECS: u32 = 5;

/// What the verdict says about the run's terms.
#[derive(Clone, Copy)]
struct Plan {
    seed: u64,
    scheme: SchemeName,
    preempt: PreemptModel,
    cpus: usize,
    secs: u32,
    fault: Option<Fault>,
    is_exact: bool,
    began_ns: u64,
    tramp_before: u64,
    nested_before: u64,
}

static PLAN: SpinMutex<Option<Plan>> = SpinMutex::new(None);
static GRACE_PERIODS_BEFORE: AtomicU64 = AtomicU64::new(0);

/// The exact machine that was booted, and its line: a verdict may come when the arguments are gone.
static EXACT: spin::Once<Exact<'static>> = spin::Once::new();

/// Notes that this machine is exact. Context: boot.
pub fn note_exact(exact: Exact<'static>) {
    EXACT.call_once(|| exact);
}

/// Notes the run's terms.
pub(super) fn plan(args: &BootArgs<'_>, seed: u64) {
    GRACE_PERIODS_BEFORE.store(crate::rcu::nr_ended(), Ordering::Relaxed);
    *PLAN.lock() = Some(Plan {
        seed,
        scheme: args.scheme(),
        preempt: args.preempt,
        cpus: sched::nr_cpus(),
        secs: args.secs,
        fault: args.fault,
        is_exact: args.exact.is_some(),
        began_ns: now_ns(),
        tramp_before: entry::total(|statistics| &statistics.preempted_in_trampoline),
        nested_before: entry::total(|statistics| &statistics.on_softirq),
    });
}

/// Swaps of ops so far: they are counted where they are noted in the schedule, so that its digest leaves none out.
fn nr_swaps() -> u64 {
    sched::nr_noted_in_schedule()
}

fn coverage(plan: &Plan) -> Coverage {
    let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Coverage {
        preempted_in_tramp: entry::total(|statistics| &statistics.preempted_in_trampoline) - plan.tramp_before,
        preempted_in_func: count(&COVERAGE.preempted),
        migrated_holders: count(&COVERAGE.migrated),
        softirq_nested: entry::total(|statistics| &statistics.on_softirq) - plan.nested_before,
        irq_holders: count(&COVERAGE.in_irq),
        exited_holders: count(&COVERAGE.exiting),
        blocked_in_func: count(&COVERAGE.slept),
    }
}

/// The counts that the terms allow to be zero.
fn may_be_zero(plan: &Plan, key: &str) -> bool {
    let preempts = matches!(plan.preempt, PreemptModel::Full | PreemptModel::Lazy);
    let keeps_holders = plan.scheme == SchemeName::Nopreempt; // nobody is preempted between its two counter updates
    match key {
        "preempted_in_tramp" => !preempts,
        "preempted_in_func" => !preempts || keeps_holders,
        "migrated_holders" => !preempts || keeps_holders || plan.cpus == 1,
        "blocked_in_func" => !crate::rcu::lets_funcs_block(),
        _ => false,
    }
}

fn line(plan: &Plan, verdict: Verdict, violations: [u64; 6], waits: &mut [u64]) -> StressLine {
    StressLine {
        verdict,
        seed: plan.seed,
        scheme: plan.scheme,
        preempt: plan.preempt,
        cpus: plan.cpus,
        tasks: TASKS.load(Ordering::Relaxed),
        ops: nr_swaps() + updaters::LANES as u64 + sleepers::nr_first(),
        secs: plan.secs,
        calls: COVERAGE.calls.load(Ordering::Relaxed),
        swaps: nr_swaps(),
        freed: FREED.load(Ordering::Relaxed),
        gps: crate::rcu::nr_ended() - GRACE_PERIODS_BEFORE.load(Ordering::Relaxed),
        gp_p50_us: percentile(waits, 50).unwrap_or(0) / 1000,
        gp_max_us: percentile(waits, 100).unwrap_or(0) / 1000,
        violations,
        coverage: coverage(plan),
        schedule: sched::schedule_digest(),
        unheld_max_us: sleepers::unheld_max_us(),
    }
}

/// Tells who watches how far the run is.
pub(super) fn tell_progress() {
    let Some(plan) = *PLAN.lock() else { unreachable!("planned at the start") };
    let (passed, swaps) = ((now_ns() - plan.began_ns) / 1_000_000_000, nr_swaps());
    let freed = FREED.load(Ordering::Relaxed);
    progress::tell(format_args!("stress: {passed} of {} s, {swaps} ops swapped, {freed} freed", plan.secs));
}

/// A run that ended by itself: its verdict line, and its status.
pub(super) fn conclude(secs: u32) -> u8 {
    let Some(plan) = *PLAN.lock() else { unreachable!("planned at the start") };
    let mut waits = core::mem::take(&mut *updaters::WAITS.lock());
    let mut line = line(&plan, Verdict::Pass, [0; 6], &mut waits);
    let is_interrupted = serial::is_interrupted();
    for (key, count) in line.coverage.counts() {
        if count == 0 && secs >= COVERAGE_FROM_SECS && !is_interrupted && !may_be_zero(&plan, key) {
            println!("stress: {key} is 0: the run did not meet what it is for");
            line.verdict = Verdict::Fail;
        }
    }
    let (most, sleepers) = sleepers::most_inside();
    if sleepers > 0 {
        println!("slept in func at once: {most} of {sleepers} tasks");
    }
    if most < sleepers / 2 && secs >= COVERAGE_FROM_SECS && !is_interrupted {
        println!("stress: too few slept in func at once: the run did not meet what it is for");
        line.verdict = Verdict::Fail;
    }
    if line.freed == 0 && !is_interrupted {
        println!("stress: nothing was freed");
        line.verdict = Verdict::Fail;
    }
    if chains::were_broken(Mode::Stress) {
        line.verdict = Verdict::Fail;
    }
    if is_interrupted && line.verdict == Verdict::Pass {
        line.verdict = Verdict::Interrupted;
    }
    println!("{line}");
    if line.verdict == Verdict::Fail {
        println!("{}", Replay::Run(replay(&plan)));
    }
    line.verdict.status()
}

/// The verdict of a run that was violated. Context: any; takes no lock that somebody may hold for long.
pub(super) fn on_violation(property: Property) {
    let Some(plan) = PLAN.try_lock().and_then(|plan| *plan) else { return };
    let mut violations = [0; 6];
    violations[property.index()] = 1;
    println!("after {} ms", now_ns().saturating_sub(plan.began_ns) / 1_000_000);
    println!("{}", line(&plan, Verdict::Fail, violations, &mut []));
    println!("{}", Replay::Run(replay(&plan)));
}

fn replay(plan: &Plan) -> BootArgs<'static> {
    BootArgs {
        tasks_rcu: Some(plan.scheme),
        preempt: plan.preempt,
        secs: plan.secs,
        cpus: plan.cpus,
        seed: Some(plan.seed),
        fault: plan.fault,
        exact: EXACT.get().copied().filter(|_| plan.is_exact),
        ..BootArgs::new(Mode::Stress, plan.cpus)
    }
}

const _: () = assert!(load::TRACEES >= 25, "at least 25 tracee tasks");
