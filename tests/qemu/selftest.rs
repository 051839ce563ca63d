//! The kernel's own tests, inside the guest: each scenario's line is there, says ok, and shows what it is there for.
//!
//! The whole list on four CPUs, on one and on an odd number of them, the tortures under each preemption model, scale on
//! eight CPUs and on little memory.

use std::sync::OnceLock;

use crate::guest::{Ended, Guest, each};
use crate::verdict::{FirstLine, Pairs, Verdict};

/// The keys of the verdict as the boot contract fixes them; others may only follow.
const KEYS: [&str; 7] = ["seed", "preempt", "cpus", "n", "failed", "ms", "skipped"];
const TORTURES: [&str; 4] = ["softirq-storm", "fairness", "mutex-torture", "wait-torture"];
const SCALE: [&str; 3] = ["tasks-10000", "switches", "timers"];

/// `test: <name> ok|skipped|FAILED key=value … [why=<words>]`.
#[derive(Debug)]
struct Line {
    name: String,
    outcome: String,
    facts: Pairs,
    why: Option<String>,
}

fn scenarios(ended: &Ended) -> Vec<Line> {
    let lines = ended.lines().filter_map(|line| line.strip_prefix("test: "));
    lines
        .map(|line| {
            let (line, why) = match line.split_once(" why=") {
                Some((line, why)) => (line, Some(why.to_owned())),
                None => (line, None),
            };
            let mut words = line.splitn(3, ' ');
            let (name, outcome) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            assert!(["ok", "skipped", "FAILED"].contains(&outcome), "neither ok nor skipped nor FAILED: {line}");
            let facts = Pairs::parse(words.next().unwrap_or_default());
            Line { name: name.to_owned(), outcome: outcome.to_owned(), facts, why }
        })
        .collect()
}

/// The facts of one scenario.
#[track_caller]
fn facts<'a>(lines: &'a [Line], name: &str) -> &'a Pairs {
    &lines.iter().find(|line| line.name == name).unwrap_or_else(|| panic!("no line of {name} in {lines:?}")).facts
}

/// Boots a run that must pass, and returns its lines: those of `only`, in its order, or of all scenarios.
#[track_caller]
fn passes(guest: &Guest, cpus: u64, model: &str, seed: u64, only: &[&str]) -> (Ended, Vec<Line>) {
    let only_words = format!("only={}", only.join(","));
    let (model_word, seed_word) = (format!("preempt={model}"), format!("seed={seed}"));
    let mut words = vec!["selftest", &model_word, &seed_word];
    if !only.is_empty() {
        words.push(&only_words);
    }
    let ended = guest.boot(&words).expect_status(0);
    let verdict = Verdict::of("selftest", &ended);
    assert_eq!(verdict.pairs.keys()[..KEYS.len()], KEYS, "{}", ended.story());
    assert!(verdict.passed && verdict.pairs.text("preempt") == model, "{}", ended.story());
    let lines = scenarios(&ended);
    for (key, value) in [("seed", seed), ("cpus", cpus), ("failed", 0), ("skipped", 0), ("n", lines.len() as u64)] {
        verdict.pairs.expect(key, |found| found == value, &value.to_string());
    }
    for line in &lines {
        assert!(line.outcome == "ok" && line.why.is_none(), "{line:?} in {}", ended.story());
    }
    let names: Vec<&str> = lines.iter().map(|line| line.name.as_str()).collect();
    assert!(only.is_empty() || names == only, "{names:?} ran, asked for {only:?}");
    (ended, lines)
}

/// What the scale scenarios must show on so many CPUs.
#[track_caller]
fn expect_scale(lines: &[Line], cpus: u64) {
    let tasks = facts(lines, "tasks-10000");
    for count in ["n", "ran", "blocked", "woken", "reaped"] {
        tasks.expect(count, |count| count == 10_000, "10000");
    }
    let switches = facts(lines, "switches");
    switches.expect("switches", |count| count >= 1_000_000, "a million or more");
    let sum = switches.number("voluntary") + switches.number("involuntary");
    assert_eq!(switches.number("switches") + switches.number("unanswered"), sum, "{switches:?}");
    switches.expect("migrations", |count| (count > 0) == (cpus > 1), "non-zero where there is another CPU");
}

#[track_caller]
fn expect_timers(lines: &[Line]) {
    let timers = facts(lines, "timers");
    timers.expect("n", |count| count >= 1_000_000, "a million or more");
    assert_eq!(timers.number("n"), timers.number("fired") + timers.number("cancelled"), "{timers:?}");
    for counted in ["fired", "cancelled", "armed_in_irq"] {
        timers.expect(counted, |count| count > 0, "more than 0");
    }
}

/// What the tortures must show.
#[track_caller]
fn expect_tortures(lines: &[Line], cpus: u64) {
    let storm = facts(lines, "softirq-storm");
    assert_eq!(storm.number("raised"), storm.number("ran"), "{storm:?}");
    storm.expect("nested", |nested| nested == 2, "2");
    for counted in ["sgis", "ran", "interrupted", "stack_bytes", "least_steps"] {
        storm.expect(counted, |count| count > 0, "more than 0");
    }
    let fairness = facts(lines, "fairness");
    for counted in ["late", "late_boosts", "idle_ticks"] {
        fairness.expect(counted, |count| count == 0, "0");
    }
    for counted in ["boosts", "boosts_before_a_tick", "boosted_rounds"] {
        fairness.expect(counted, |count| count > 0, "more than 0");
    }
    for range in ["share_ticks", "borrowed_ticks"] {
        let (least, most) = fairness.text(range).split_once("..").expect("least..most");
        let [least, most] = [least, most].map(|ticks| ticks.parse::<u64>().expect("ticks"));
        // The scenario holds them to its own bound; a turn that is lost time and again would show here too.
        assert!(least > 0 && most <= 2 * least, "{range} in {fairness:?}");
    }
    for (percent, least) in [("across_ticks_percent", 20), ("beside_yielder_percent", 33)] {
        fairness.expect(percent, |percent| percent >= least, &format!("{least} or more"));
    }
    let mutex = facts(lines, "mutex-torture");
    mutex.expect("tasks", |tasks| tasks == 4 * cpus, "four for each CPU");
    mutex.expect("locks", |locks| locks >= 24_000, "24000 or more");
    mutex.expect("registry_looks", |looks| looks >= 10, "10 or more");
    mutex.expect("registry_overtaken", |overtaken| overtaken <= 1, "once at the most");
    let waits = facts(lines, "wait-torture");
    waits.expect("tokens", |tokens| tokens >= 24_000, "24000 or more");
    waits.expect("timeouts", |timeouts| timeouts > 0, "more than 0");
}

/// The one run of all scenarios on four CPUs.
fn whole() -> &'static (Ended, Vec<Line>) {
    static WHOLE: OnceLock<(Ended, Vec<Line>)> = OnceLock::new();
    WHOLE.get_or_init(|| passes(&Guest::with_cpus(4), 4, "full", 11, &[]))
}

#[test]
fn all_scenarios_pass_on_four_cpus_and_show_what_they_are_there_for() {
    let (ended, lines) = whole();
    expect_scale(lines, 4);
    expect_timers(lines);
    expect_tortures(lines, 4);
    let ground = [("clock", "cpus", 4), ("visits", "rounds", 2000), ("callsites", "on", 0)];
    for (name, key, value) in ground {
        facts(lines, name).expect(key, |found| found == value, &value.to_string());
    }
    let callsites = FirstLine::of(ended).callsites;
    facts(lines, "callsites").expect("callsites", |count| count > 0 && count <= callsites, "some of the first line's");
    facts(lines, "w-xor-x").expect("executable_pages", |pages| pages > 0, "more than 0");
    let boundaries = facts(lines, "step-hit-path").number("boundaries");
    facts(lines, "step-hit-path").expect("preempted", |count| count == boundaries, "at every boundary");
    facts(lines, "overlaps").expect("freed", |count| count == 1_000, "1000");
    facts(lines, "overlaps").expect("changes", |count| count == 11, "each of ten schemes, and the one that was");
}

#[test]
fn a_hundred_thousand_ops_are_freed_beside_one_that_is_held_and_memory_comes_back() {
    let guest = Guest::with_cpus(1);
    let (_, lines) = passes(&guest, 1, "full", 18, &["overlaps"]);
    facts(&lines, "overlaps").expect("freed", |count| count == 100_000, "100000");
}

#[test]
fn nothing_is_registered_while_a_sleeper_keeps_as_much_as_may_be_kept_and_the_refusal_names_it() {
    let guest = Guest::with_cpus(1);
    let ended = guest.boot(&["selftest", "only=overlaps", "tasks_rcu=depth"]).expect_status(0);
    let lines = scenarios(&ended);
    let seen = facts(&lines, "overlaps");
    let is_full = seen.number("kept") == 65_536 || seen.number("kept_bytes") >= 16 << 20;
    assert!(is_full && seen.number("kept") > 50_000, "neither as many as may be kept, nor as many bytes: {seen:?}");
}

#[test]
fn whoever_waits_for_holders_keeps_nobody_else_from_the_cpu_under_any_scheme_that_waits_for_them() {
    for (cpus, model, scheme) in
        [(1, "full", "scan"), (4, "lazy", "depth"), (2, "full", "classic"), (1, "none", "scan")]
    {
        let guest = Guest::with_cpus(cpus);
        let words = ["selftest", "only=bystanders", &format!("preempt={model}"), &format!("tasks_rcu={scheme}")];
        let ended = guest.boot(&words).expect_status(0);
        let lines = scenarios(&ended);
        let seen = facts(&lines, "bystanders");
        seen.expect("beside_spinners", |ticks| ticks > 0, "some");
        let is_seen = |key: &str| seen.keys().contains(&key);
        assert_eq!(is_seen("longest_wait_ticks"), model != "none", "{}", ended.story());
        assert_eq!(is_seen("helped_yielder_ms"), model != "none" && scheme != "classic", "{}", ended.story());
    }
}

#[test]
fn whoever_asks_for_visits_all_the_time_has_no_more_of_them_than_another_cpu() {
    for cpus in [2, 4] {
        let (_, lines) = passes(&Guest::with_cpus(cpus).option("--exact"), cpus.into(), "full", 19, &["visits"]);
        let visits = facts(&lines, "visits");
        visits.expect("visits_beside", |had| (30..=120).contains(&had), "about the 60 that the other CPU had");
    }
}

#[test]
fn the_list_names_the_scenarios_that_run_in_their_order() {
    let ended = Guest::with_cpus(1).boot(&["selftest", "list"]).expect_status(0);
    let listed: Vec<&str> = ended.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let ran: Vec<&str> = whole().1.iter().map(|line| line.name.as_str()).collect();
    assert_eq!(listed, ran);
    assert!(ended.lines().skip(1).all(|line| line.split_whitespace().count() > 3), "{}", ended.story());
}

#[test]
fn scale_and_tortures_hold_on_one_cpu_without_preemption() {
    let only: Vec<&str> = SCALE.iter().chain(&TORTURES).copied().collect();
    let (_, lines) = passes(&Guest::with_cpus(1), 1, "none", 12, &only);
    expect_scale(&lines, 1);
    expect_timers(&lines);
    expect_tortures(&lines, 1);
    facts(&lines, "switches").expect("involuntary", |count| count == 0, "0 where nobody is preempted");
}

#[test]
fn the_tortures_hold_under_voluntary_preemption_on_two_cpus() {
    let (_, lines) = passes(&Guest::with_cpus(2), 2, "voluntary", 13, &TORTURES);
    expect_tortures(&lines, 2);
}

#[test]
fn the_tortures_hold_under_lazy_preemption_on_three_cpus() {
    let (_, lines) = passes(&Guest::with_cpus(3), 3, "lazy", 14, &TORTURES);
    expect_tortures(&lines, 3);
}

#[test]
fn ten_thousand_tasks_and_a_million_switches_hold_on_eight_cpus() {
    let (_, lines) = passes(&Guest::with_cpus(8), 8, "full", 15, &SCALE[..2]);
    expect_scale(&lines, 8);
}

#[test]
fn with_less_memory_there_are_fewer_tasks_and_the_line_says_how_many() {
    let (_, lines) = passes(&Guest::with_cpus(2).option("--memory=128M"), 2, "full", 16, &SCALE[..1]);
    let tasks = facts(&lines, "tasks-10000");
    tasks.expect("n", |n| (4_000..10_000).contains(&n), "what 128 MiB hold");
    let n = tasks.number("n");
    for count in ["ran", "blocked", "woken", "reaped"] {
        tasks.expect(count, |count| count == n, "as many as n");
    }
}

/// The outcomes of the lines, and the words of the last one.
fn outcomes(lines: &[Line]) -> (Vec<&str>, &str) {
    let why = lines.last().and_then(|line| line.why.as_deref()).unwrap_or_default();
    (lines.iter().map(|line| line.outcome.as_str()).collect(), why)
}

#[test]
fn a_scenario_that_memory_has_no_room_for_is_skipped_and_counted_and_no_failure() {
    let guest = Guest::with_cpus(1).option("--memory=64M");
    let ended = guest.boot(&["selftest", "seed=17", "only=clock,tasks-10000"]).expect_status(0);
    let lines = scenarios(&ended);
    let (outcomes, why) = outcomes(&lines);
    assert_eq!(outcomes, ["ok", "skipped"], "{}", ended.story());
    assert!(why.starts_with("memory is left for ") && why.ends_with(" tasks, needs 4000"), "{why}");
    let verdict = Verdict::of("selftest", &ended);
    assert!(verdict.passed, "{}", ended.story());
    assert_eq!(["n", "failed", "skipped"].map(|key| verdict.pairs.number(key)), [2, 0, 1], "{}", ended.story());
}

#[test]
fn all_scenarios_pass_on_the_least_memory_but_for_the_one_that_is_skipped() {
    let ended = Guest::with_cpus(2).option("--memory=64M").boot(&["selftest", "seed=20"]).expect_status(0);
    let skipped: Vec<_> = scenarios(&ended).into_iter().filter(|line| line.outcome != "ok").collect();
    assert!(matches!(&skipped[..], [only] if only.name == "tasks-10000" && only.outcome == "skipped"), "{skipped:?}");
}

/// The build with faults has one that two rounds of visits show.
#[test]
fn a_scenario_that_fails_says_why_and_how_to_replay_it() {
    let guest = Guest::with_cpus(2).with_faults().qemu(&["-icount", "shift=0,sleep=off"]);
    let only = "only=clock,visits";
    let ended = guest.boot(&["selftest", "seed=17", only, "fault=acknowledgement-stale"]).expect_status(1);
    let lines = scenarios(&ended);
    let (outcomes, why) = outcomes(&lines);
    assert_eq!(outcomes, ["ok", "FAILED"], "{}", ended.story());
    assert!(why.starts_with("CPU ") && why.contains(" was visited "), "{why}");
    let verdict = Verdict::of("selftest", &ended);
    assert!(!verdict.passed, "{}", ended.story());
    assert_eq!(["n", "failed", "skipped"].map(|key| verdict.pairs.number(key)), [2, 1, 0], "{}", ended.story());
    let replay = ended.lines().last().unwrap_or_default();
    let line = format!("replay: selftest preempt=full cpus=2 seed=17 {only} fault=acknowledgement-stale");
    assert_eq!(replay, line, "{}", ended.story());
}

#[test]
fn a_seed_replays_a_scenario_instruction_by_instruction() {
    // Instructions alone are the guest's time, also while it idles.
    let guest = Guest::with_cpus(1).option("--qemu-arg=-icount").option("--qemu-arg=shift=0,sleep=off");
    let run = |seed| {
        let (ended, _) = passes(&guest, 1, "full", seed, &["switches", "mutex-torture"]);
        ended.lines().filter(|line| line.starts_with("test: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    let runs = each([18, 18, 19], run);
    assert_eq!(runs[0], runs[1], "the same seed twice");
    assert_ne!(runs[0], runs[2], "another seed");
}
