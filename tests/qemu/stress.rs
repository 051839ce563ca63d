//! The stress run: sound schemes pass on every machine, the negative control is caught and its story can be replayed.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::guest::{Ended, Guest, each};
use crate::verdict::{FirstLine, Verdict};

/// The keys of a verdict as the boot contract fixes them; others may only follow.
const KEYS: &str = "seed scheme preempt cpus tasks ops secs calls swaps freed gps gp_p50_us gp_max_us p1 p2 p3 p4 p5 p6 \
                    preempted_in_tramp preempted_in_func migrated_holders softirq_nested irq_holders exited_holders";
/// The least length of a run whose coverage is judged.
const SECS: &str = "5";
/// Swaps that the whole suite makes at least.
const SWAPS_OF_THE_SUITE: u64 = 500_000;

/// Swaps of all passing runs of this process.
pub(crate) static SWAPS: AtomicU64 = AtomicU64::new(0);

/// A verdict of `stress` whose keys are those of the contract.
#[track_caller]
fn verdict(ended: &Ended) -> Verdict {
    let verdict = Verdict::of("stress", ended);
    let keys: Vec<&str> = KEYS.split_whitespace().collect();
    assert!(verdict.pairs.keys().starts_with(&keys), "not the keys of the contract, in order, in {}", ended.story());
    verdict
}

/// Boots one run of a sound scheme and asserts all that its verdict claims.
#[track_caller]
fn passes(guest: &Guest, cpus: u32, model: &str, seed: u64) {
    let words =
        ["stress", "tasks_rcu=scan", &format!("preempt={model}"), &format!("seed={seed}"), &format!("secs={SECS}")];
    let ended = guest.boot(&words).expect_status(0);
    let line = FirstLine::of(&ended);
    assert_eq!((line.preempt.as_str(), line.seed, line.cpus), (model, seed, u64::from(cpus)), "{line:?}");
    let verdict = verdict(&ended);
    assert!(verdict.passed, "{}", ended.story());
    assert_eq!((verdict.pairs.text("scheme"), verdict.pairs.text("preempt")), ("scan", model), "{}", ended.story());
    verdict.pairs.expect("seed", |found| found == seed, "the seed that was given");
    verdict.pairs.expect("cpus", |found| found == u64::from(cpus), "the CPUs of the machine");
    verdict.pairs.expect("secs", |found| found == 5, "5");
    for property in ["p1", "p2", "p3", "p4", "p5", "p6"] {
        verdict.pairs.expect(property, |violations| violations == 0, "0");
    }
    verdict.pairs.expect("tasks", |tasks| tasks >= 25, "25 or more");
    let ops = verdict.pairs.number("ops");
    verdict.pairs.expect("freed", |freed| freed <= ops, "no more than there were ops");
    for counted in ["ops", "calls", "swaps", "freed", "gps"] {
        verdict.pairs.expect(counted, |count| count > 0, "more than 0");
    }
    verdict.pairs.expect("gp_max_us", |longest| longest >= verdict.pairs.number("gp_p50_us"), "no less than gp_p50_us");
    let can_preempt = matches!(model, "full" | "lazy");
    for window in ["preempted_in_tramp", "preempted_in_func"] {
        verdict.pairs.expect(
            window,
            |count| (count > 0) == can_preempt,
            "non-zero where tasks are preempted, and only there",
        );
    }
    verdict.pairs.expect(
        "migrated_holders",
        |count| (count > 0) == (cpus > 1),
        "non-zero where holders can migrate: under scan a func may sleep, and go on elsewhere",
    );
    for window in ["softirq_nested", "irq_holders"] {
        verdict.pairs.expect(window, |count| count > 0, "more than 0");
    }
    SWAPS.fetch_add(verdict.pairs.number("swaps"), Ordering::Relaxed);
}

macro_rules! passes {
    ($($fact:ident: $model:literal on $cpus:literal, seed $seed:literal;)*) => {
        $(
            #[test]
            fn $fact() {
                passes(&Guest::with_cpus($cpus), $cpus, $model, $seed);
            }
        )*
    };
}

// Where nobody is preempted, each number of CPUs under one of the two models.
passes! {
    scan_passes_under_none_on_1_cpu: "none" on 1, seed 101;
    scan_passes_under_none_on_8_cpus: "none" on 8, seed 108;
    scan_passes_under_voluntary_on_2_cpus: "voluntary" on 2, seed 202;
    scan_passes_under_voluntary_on_4_cpus: "voluntary" on 4, seed 204;
    scan_passes_under_full_on_1_cpu: "full" on 1, seed 301;
    scan_passes_under_full_on_2_cpus: "full" on 2, seed 302;
    scan_passes_under_full_on_4_cpus: "full" on 4, seed 304;
    scan_passes_under_full_on_8_cpus: "full" on 8, seed 308;
    scan_passes_under_lazy_on_1_cpu: "lazy" on 1, seed 401;
    scan_passes_under_lazy_on_2_cpus: "lazy" on 2, seed 402;
    scan_passes_under_lazy_on_4_cpus: "lazy" on 4, seed 404;
    scan_passes_under_lazy_on_8_cpus: "lazy" on 8, seed 408;
}

#[test]
fn scan_passes_when_interrupts_can_come_after_each_instruction() {
    passes(&Guest::with_cpus(4).option("--one-insn-per-tb").patience(300), 4, "full", 501);
}

/// Boots the negative control and asserts that it is caught with a story and a replay line; gives that line.
#[track_caller]
fn is_caught(guest: &Guest, words: &[&str], model: &str) -> String {
    let ended = guest.boot(words).expect_status(1);
    let verdict = verdict(&ended);
    assert!(!verdict.passed, "{}", ended.story());
    assert_eq!((verdict.pairs.text("scheme"), verdict.pairs.text("preempt")), ("none", model), "{}", ended.story());
    let violated: Vec<&str> =
        ["p1", "p2", "p3", "p4"].into_iter().filter(|property| verdict.pairs.number(property) > 0).collect();
    assert!(!violated.is_empty(), "no safety property is violated in {}", ended.story());
    let story: Vec<&str> = ended.lines().skip(1).take_while(|line| !line.starts_with("stress: FAIL")).collect();
    let tells = |what: &str| story.iter().any(|line| line.to_lowercase().contains(what));
    assert!(violated.iter().any(|property| tells(property)), "the story does not name {violated:?}: {}", ended.story());
    assert!(tells("ops") && tells("task") && tells("cpu"), "the story lacks ops, task or CPU: {}", ended.story());
    let last = ended.lines().next_back().unwrap_or_default();
    let replay =
        last.strip_prefix("replay: ").unwrap_or_else(|| panic!("the last line is no replay: {}", ended.story()));
    assert!(replay.starts_with("stress ") && replay.contains("tasks_rcu=none"), "{replay}");
    assert!(replay.split(' ').any(|word| word == format!("seed={}", verdict.pairs.text("seed"))), "{replay}");
    replay.to_owned()
}

/// Catches the negative control, and then once more with nothing but its own replay line.
#[track_caller]
fn is_caught_and_replayed(guest: &Guest, model: &str, seed: u64) {
    let words = ["stress", "tasks_rcu=none", &format!("preempt={model}"), &format!("seed={seed}"), "secs=20"];
    let replay = is_caught(guest, &words, model);
    let again: Vec<&str> = replay.split(' ').collect();
    let second = is_caught(guest, &again, model);
    assert_eq!(replay, second, "the replay names another run");
}

#[test]
fn none_is_caught_under_full_and_its_replay_line_reproduces_it() {
    is_caught_and_replayed(&Guest::with_cpus(4), "full", 601);
}

#[test]
fn none_is_caught_under_lazy_and_its_replay_line_reproduces_it() {
    is_caught_and_replayed(&Guest::with_cpus(4), "lazy", 602);
}

#[test]
fn none_is_caught_on_one_cpu() {
    is_caught(&Guest::with_cpus(1), &["stress", "tasks_rcu=none", "preempt=full", "seed=603", "secs=20"], "full");
}

#[test]
fn none_is_caught_when_interrupts_can_come_after_each_instruction() {
    is_caught_and_replayed(&Guest::with_cpus(4).option("--one-insn-per-tb").patience(300), "full", 604);
}

#[test]
fn the_suite_as_a_whole_makes_half_a_million_swaps() {
    // What other runs of this process swapped counts, once they have ended; what is missing is made here, on one CPU each,
    // where a swap does not wait for others that the host has put aside.
    let seeds: Vec<(u64, &str)> = (1..=48).zip(["full", "none", "lazy", "voluntary"].into_iter().cycle()).collect();
    for two in seeds.chunks(2) {
        if SWAPS.load(Ordering::Relaxed) >= SWAPS_OF_THE_SUITE {
            return;
        }
        each(two, |(seed, model)| {
            let words = ["stress", &format!("seed={seed}"), &format!("preempt={model}"), "secs=10"];
            let ended = Guest::with_cpus(1).boot(&words).expect_status(0);
            let verdict = verdict(&ended);
            assert!(verdict.passed, "{}", ended.story());
            SWAPS.fetch_add(verdict.pairs.number("swaps"), Ordering::Relaxed);
        });
    }
    panic!("only {} swaps", SWAPS.load(Ordering::Relaxed));
}

/// Two dozen sleepers hold what is retired all the time. Who can tell ops apart waits for a look; a count keeps what was retired while
/// they were seen inside, for as long as they sleep.
#[test]
fn who_waits_for_an_ops_that_nobody_holds_does_not_notice_two_dozen_sleepers() {
    let longest = |scheme: &str| {
        let guest = Guest::with_cpus(1).option("--exact");
        let ended = guest.boot(&["stress", &format!("tasks_rcu={scheme}"), "secs=1", "seed=7"]).expect_status(0);
        let verdict = verdict(&ended);
        assert_eq!(verdict.pairs.keys().last(), Some(&"unheld_max_us"), "{}", ended.story());
        ended.line_with(&["slept in func at once: 24 of 24 tasks"]);
        verdict.pairs.number("unheld_max_us")
    };
    let [of_scan, of_depth] = each(["scan", "depth"], longest)[..] else { unreachable!("two were run") };
    assert!(of_scan < 5_000, "{of_scan} us under scan");
    assert!((20_000..200_000).contains(&of_depth), "{of_depth} us under depth: the sleepers sleep for 100 ms");
}

/// Where freed memory is handed out at once, a late hit finds no poison: another block's words, or a node that it can follow.
#[test]
fn an_early_free_is_a_violation_also_where_its_memory_was_handed_out_again() {
    let seeds = [1, 2, 3, 4, 5, 6].map(|seed| format!("seed={seed}"));
    each(
        ["rude", "sched"].into_iter().flat_map(|scheme| seeds.iter().map(move |seed| (scheme, seed))),
        |(scheme, seed)| {
            let scheme = format!("tasks_rcu={scheme}");
            let words = ["stress", &scheme, "fault=quarantine-skipped", "secs=2", seed];
            let ended = Guest::with_cpus(1).option("--exact").with_faults().boot(&words).expect_status(1);
            ended.line_with(&["violation of p"]);
            ended.line_with(&["replay: scripts/run ", "--exact"]);
        },
    );
}
