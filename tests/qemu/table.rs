//! The question of 2024 as a table: which scheme is sound under which preemption model.
//!
//! Sound everywhere: classic, linux, nopreempt, depth, scan. Sound only where nobody is preempted: sched, rude, ip, flag; under full and
//! lazy they have to be caught, soon, by one property, with a story and a replay line.

use std::sync::atomic::Ordering;

use crate::guest::{Guest, each};
use crate::stress::SWAPS;
use crate::verdict::Verdict;

/// And `scan`, whose cells are `stress::scan_passes_under_…`.
const SOUND: [&str; 4] = ["classic", "linux", "nopreempt", "depth"];
const BROKEN: [&str; 4] = ["sched", "rude", "ip", "flag"];
const PREEMPTS: [&str; 2] = ["full", "lazy"];
const PREEMPTS_NOT: [&str; 2] = ["none", "voluntary"];

/// Seconds of load.
const SECS: u32 = 2;
/// So many that a kind of holder that was never met is a FAIL (`lab::stress::verdict`).
const SECS_WITH_COVERAGE: u32 = 5;

/// Boots one cell of the table.
fn run(guest: &Guest, scheme: &str, model: &str, secs: u32, seed: u64) -> (crate::guest::Ended, Verdict) {
    let words =
        [format!("tasks_rcu={scheme}"), format!("preempt={model}"), format!("secs={secs}"), format!("seed={seed}")];
    let words: Vec<&str> = std::iter::once("stress").chain(words.iter().map(String::as_str)).collect();
    let ended = guest.boot(&words);
    let verdict = Verdict::of("stress", &ended);
    assert_eq!((verdict.pairs.text("scheme"), verdict.pairs.text("preempt")), (scheme, model), "{}", ended.story());
    (ended, verdict)
}

/// No violation, and something was swapped and freed. On a machine that runs free: CPUs at once, as much load as there can be.
fn passes(scheme: &str, model: &str, secs: u32, seed: u64) {
    let (ended, verdict) = run(&Guest::with_cpus(4), scheme, model, secs, seed);
    assert!(ended.status == 0 && verdict.passed, "{}", ended.story());
    for property in ["p1", "p2", "p3", "p4", "p5", "p6"] {
        verdict.pairs.expect(property, |violations| violations == 0, "0");
    }
    for counted in ["swaps", "freed", "gps", "calls"] {
        verdict.pairs.expect(counted, |count| count > 0, "more than 0");
    }
    SWAPS.fetch_add(verdict.pairs.number("swaps"), Ordering::Relaxed);
}

#[test]
fn sound_schemes_pass_under_every_model() {
    for scheme in SOUND {
        for model in PREEMPTS {
            passes(scheme, model, SECS_WITH_COVERAGE, 31);
        }
        for model in PREEMPTS_NOT {
            passes(scheme, model, SECS, 32);
        }
    }
}

#[test]
fn schemes_that_look_at_cpus_or_at_the_pc_pass_where_nobody_is_preempted() {
    for scheme in BROKEN {
        for model in PREEMPTS_NOT {
            passes(scheme, model, SECS, 33);
        }
    }
}

#[test]
fn schemes_that_look_at_cpus_or_at_the_pc_are_caught_where_tasks_are_preempted() {
    let is_caught = |(scheme, model)| {
        let (ended, verdict) = run(&Guest::with_cpus(4).option("--exact"), scheme, model, SECS, 34);
        assert!(ended.status == 1 && !verdict.passed, "{scheme} under {model}: {}", ended.story());
        let broken: u64 = ["p1", "p2", "p3"].iter().map(|property| verdict.pairs.number(property)).sum();
        assert_eq!(broken, 1, "the first early free is told: {}", ended.story());
        assert!(ended.lines().any(|line| line.starts_with("violation of p")), "no story: {}", ended.story());
        let words = format!("stress tasks_rcu={scheme} preempt={model} secs={SECS} seed=34");
        let replay = format!("replay: scripts/run --profile checked --exact --smp=4 {words}");
        assert_eq!(ended.lines().last(), Some(replay.as_str()), "{}", ended.story());
    };
    each(BROKEN.into_iter().flat_map(|scheme| PREEMPTS.map(|model| (scheme, model))), is_caught);
}

#[test]
fn the_scheme_stays_while_a_callsite_branches_to_its_trampoline() {
    let change = "stress tasks_rcu=nopreempt secs=1";
    let traced = format!("cmds=trace tracees::alpha on; {change}");
    let ended = Guest::with_cpus(2).boot(&["shell", &traced]).expect_status(1);
    ended.line_with(&["stress: the scheme stays while 1 ops are registered: switch tracing off first"]);
    assert!(!ended.lines().any(|line| line.starts_with("stress: PASS")), "{}", ended.story());
    let untraced = format!("cmds=trace tracees::alpha on; trace tracees::alpha off; {change}; rcu");
    let ended = Guest::with_cpus(2).boot(&["shell", &untraced]).expect_status(0);
    assert_eq!(Verdict::of("stress", &ended).pairs.text("scheme"), "nopreempt", "{}", ended.story());
    ended.line_with(&["scheme ", "nopreempt"]);
}
