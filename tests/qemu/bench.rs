//! The measures, held to their limits: counted instructions on one CPU, so that they are the same on every host.

mod registry;

mod beside;

use crate::guest::{Ended, Guest, each, image, run_on_one_cpu};
use crate::verdict::Pairs;
use std::sync::OnceLock;

/// Host seconds for the release build and the whole of `bench`.
const SECS: u64 = 600;
/// Instructions that a traced call may cost beyond an untraced one: by ops on the callsite, and what its func is.
const PERCALL_LIMITS: [(u64, Option<&str>, u64); 4] =
    [(1, Some("ret"), 28), (1, None, 31), (2, None, 75), (10, None, 185)];
/// Instructions of a traced call that a scheme's trampoline may add to the plain one's; all others none.
const MORE_PER_CALL: [(&str, u64); 2] = [("nopreempt", 8), ("depth", 8)];
/// The schemes that wait for tasks which never switch, and walk all tasks.
const SLOW: [&str; 2] = ["classic", "linux"];
/// The schemes that wait for holders alone.
const PRECISE: [&str; 2] = ["depth", "scan"];
/// What an idle grace period of those may take, and a swap of any but the slow ones: instructions, and nanoseconds.
const PRECISE_LIMIT: u64 = 20_000;
/// What an idle grace period without a single step may take: to ask, to be woken, and to find out by one's frames that one is not
/// inside of a func.
const NOTHING_LIMIT: u64 = 2_700;
/// Instructions that a look may take for each task that ran since the look before.
const FIRST_LOOK_LIMIT: u64 = 700;
/// What it may take to take a mutex and give it back, alone and where it is handed over.
const MUTEX_LIMIT: u64 = 60;
const HAND_OVER_LIMIT: u64 = 4_200;
const MS: u64 = 1_000_000;
const TICK_NS: u64 = 4 * MS;

/// The measurements of one run, in their order.
#[derive(Debug)]
struct Measurements {
    ended: Ended,
    lines: Vec<(String, Pairs)>,
}

impl Measurements {
    fn take(words: &[&str]) -> Self {
        image();
        let mut arguments = vec!["--raw".to_owned()];
        arguments.extend(words.iter().map(|&word| word.to_owned()));
        let ended = run_on_one_cpu(SECS, "scripts/bench", &arguments).unwrap_or_else(|error| panic!("{error}"));
        Self::of_run(ended.expect_status(0))
    }

    fn of_run(ended: Ended) -> Self {
        let is_verdict = |line: &str| line.starts_with("PASS") || line.starts_with("FAIL");
        let measured = ended.lines().filter_map(|line| line.strip_prefix("bench: ")).filter(|line| !is_verdict(line));
        let lines: Vec<(String, Pairs)> = measured
            .map(|line| {
                let (name, rest) = line.split_once(' ').unwrap_or_else(|| panic!("no keys in: {line}"));
                (name.to_owned(), Pairs::parse(rest))
            })
            .collect();
        let verdict = format!("bench: PASS n={}", lines.len());
        assert_eq!(ended.lines().next_back(), Some(verdict.as_str()), "the verdict of {}", ended.story());
        Self { ended, lines }
    }

    /// The lines of one measurement; there must be some.
    #[track_caller]
    fn of(&self, name: &str) -> Vec<&Pairs> {
        let found: Vec<&Pairs> = self.lines.iter().filter(|line| line.0 == name).map(|line| &line.1).collect();
        assert!(!found.is_empty(), "no line of {name} in {}", self.ended.story());
        found
    }

    /// The lines of grace periods with so many sleeping tasks, holders and busy ones, with their schemes.
    #[track_caller]
    fn grace_periods(&self, tasks: u64, holders: u64, busy: u64) -> Vec<(&str, &Pairs)> {
        let wanted = [("tasks", tasks), ("holders", holders), ("busy", busy)];
        let is_it = |line: &&Pairs| wanted.iter().all(|&(key, number)| line.number(key) == number);
        self.of("gp").into_iter().filter(is_it).map(|line| (line.text("scheme"), line)).collect()
    }

    /// Asserts that the rows of busy CPUs are stalled for these schemes and no others, and that each stall was reported
    /// by a line that names a spinner; returns the rows of the others.
    #[track_caller]
    fn expect_stalls(&self, of: impl Fn(&str) -> bool) -> Vec<(&str, &Pairs)> {
        let rows = self.grace_periods(0, 0, 1);
        assert!(!rows.is_empty(), "no rows of busy CPUs in {}", self.ended.story());
        let (stalled, ended): (Vec<_>, Vec<_>) = rows.into_iter().partition(|(_, line)| line.find("stalled").is_some());
        for (scheme, line) in &stalled {
            assert!(of(scheme), "{scheme} is stalled: {line:?}");
            line.expect("ns", |ns| (100 * MS..200 * MS).contains(&ns), "what it waited for until the spinner let go");
        }
        for (scheme, line) in &ended {
            assert!(!of(scheme), "{scheme} is not stalled: {line:?}");
        }
        let names_it = |line: &&str| line.starts_with("rcu:   task ") && line.contains(" spinner on CPU 0");
        let reports = self.ended.lines().filter(names_it).count();
        assert_eq!(reports, stalled.len(), "lines that name a spinner in {}", self.ended.story());
        ended
    }

    /// Asserts that every line of `name` keeps to `limit`, in instructions and in virtual nanoseconds.
    #[track_caller]
    fn expect_at_most(&self, name: &str, limit: u64) {
        for line in self.of(name) {
            line.expect("insns", |insns| insns <= limit, &format!("at most {limit}"));
            line.expect("ns", |ns| ns <= limit, &format!("at most {limit}"));
        }
    }
}

/// One run of what is measured for each scheme.
fn of_each_scheme() -> &'static Measurements {
    static OF_EACH_SCHEME: OnceLock<Measurements> = OnceLock::new();
    OF_EACH_SCHEME.get_or_init(|| Measurements::take(&["only=percall,swap,gp"]))
}

/// The lines of one scheme's traced calls.
fn percall(scheme: &str) -> Vec<&'static Pairs> {
    of_each_scheme().of("percall").into_iter().filter(|line| line.text("scheme") == scheme).collect()
}

#[test]
fn a_traced_call_keeps_to_its_instructions() {
    let lines = percall("classic");
    let untraced = lines[0];
    let holds = |line: &Pairs, ops, other_ops| line.number("ops") == ops && line.number("other_ops") == other_ops;
    assert!(holds(untraced, 0, 0), "the first line is not the untraced call: {untraced:?}");
    for (ops, func, limit) in PERCALL_LIMITS {
        let rows: Vec<&&Pairs> = lines.iter().filter(|line| holds(line, ops, 0) && line.find("func") == func).collect();
        let [row] = rows[..] else { panic!("{} lines of ops={ops} func={func:?}: {lines:#?}", rows.len()) };
        for unit in ["insns", "ns"] {
            let most = untraced.number(unit) + limit;
            row.expect(unit, |found| found <= most && found > untraced.number(unit), &format!("at most {most}"));
        }
    }
    for line in of_each_scheme().of("percall") {
        line.expect("n", |n| n >= 10, "10 or more");
        // What an instruction count hides: the hit path has none of these.
        for hidden in ["barriers", "atomics", "sysregs"] {
            line.expect(hidden, |count| count == 0, "0");
        }
        // A store-release is how a task says that it left, where that is said at all (O5).
        let most = u64::from(line.text("scheme") == "depth" && line.number("ops") > 0);
        line.expect("ordered", |count| count == most, &most.to_string());
    }
    let elsewhere: Vec<&&Pairs> = lines.iter().filter(|line| line.number("other_ops") > 0).collect();
    assert!(!elsewhere.is_empty(), "no line with ops on other callsites: {lines:#?}");
    for line in elsewhere {
        let same = |other: &&&Pairs| holds(other, line.number("ops"), 0) && other.find("func") == line.find("func");
        let alone = lines.iter().find(same).unwrap_or_else(|| panic!("nothing to compare with {line:?}"));
        line.expect("insns", |insns| insns == alone.number("insns"), "what it is without ops elsewhere");
    }
}

#[test]
fn a_trampoline_that_keeps_count_costs_eight_instructions_more_and_the_others_none() {
    let plain = percall("classic");
    let schemes: Vec<&str> = of_each_scheme().grace_periods(0, 0, 0).into_iter().map(|(scheme, _)| scheme).collect();
    assert!(schemes.len() >= 10 && schemes.ends_with(&["nopreempt", "depth", "scan"]), "{schemes:?}");
    for scheme in schemes {
        let more = MORE_PER_CALL.iter().find(|(name, _)| *name == scheme).map_or(0, |&(_, more)| more);
        let lines = percall(scheme);
        assert_eq!(lines.len(), plain.len(), "the rows of {scheme}");
        for (line, plain) in lines.iter().zip(&plain) {
            let keys = ["ops", "other_ops"];
            assert!(keys.iter().all(|key| line.number(key) == plain.number(key)), "{line:?} beside {plain:?}");
            let most = plain.number("insns") + if line.number("ops") > 0 { more } else { 0 };
            line.expect("insns", |insns| insns <= most, &format!("at most {most}"));
        }
    }
}

#[test]
fn a_swap_keeps_to_its_instructions_behind_a_full_quarantine_too() {
    let behind = of_each_scheme().of("swap");
    let alone = Measurements::take(&["only=swap"]);
    for (line, alone) in behind.iter().zip(alone.of("swap")) {
        assert_eq!(line.text("scheme"), alone.text("scheme"));
        if !SLOW.contains(&line.text("scheme")) {
            for unit in ["insns", "ns"] {
                line.expect(unit, |found| found <= PRECISE_LIMIT, &format!("at most {PRECISE_LIMIT}"));
            }
        }
        // To free a block may be to check one that was freed long ago, and no more than that.
        let most = alone.number("insns") * 3 / 2;
        line.expect("insns", |insns| insns <= most, &format!("at most half as much again as alone, {most}"));
    }
}

#[test]
fn an_idle_grace_period_is_short_and_for_the_precise_schemes_as_short_beside_10000_tasks() {
    let found = of_each_scheme();
    for line in [0, 100, 1000].into_iter().flat_map(|tasks| found.grace_periods(tasks, 0, 0)).map(|row| row.1) {
        line.expect("max", |ns| ns <= 3 * TICK_NS, "at most three ticks, in the worst of its runs");
    }
    let [(_, nothing), ..] = found.grace_periods(0, 0, 0)[..] else { panic!("no row in {}", found.ended.story()) };
    nothing.expect("insns", |insns| insns <= NOTHING_LIMIT, "what it takes to ask, to wake and to be woken");
    for scheme in PRECISE {
        let of = |tasks| {
            let rows = found.grace_periods(tasks, 0, 0);
            let row = rows.into_iter().find(|row| row.0 == scheme);
            row.unwrap_or_else(|| panic!("no row of {scheme} with {tasks} tasks in {}", found.ended.story())).1
        };
        let (few, many) = (of(100), of(10_000));
        for unit in ["insns", "ns"] {
            let most = PRECISE_LIMIT.min(few.number(unit) * 3 / 2);
            many.expect(unit, |found| found <= most, &format!("at most {most}"));
        }
        many.expect("rounds", |rounds| rounds == 1, "1");
    }
    let classic = |tasks| found.grace_periods(tasks, 0, 0).into_iter().find(|row| row.0 == "classic").expect("a row").1;
    let (few, many) = (classic(100).number("insns"), classic(10_000).number("insns"));
    assert!(
        many > 20 * few,
        "the sleeping tasks are not there: classic walks them in {many} instructions, {few} for 100"
    );
}

#[test]
fn holders_are_waited_for_and_their_last_one_ends_a_precise_grace_period() {
    let found = of_each_scheme();
    let rows = found.grace_periods(0, 100, 0);
    let early: Vec<&str> = rows.iter().filter(|row| row.1.find("early").is_some()).map(|row| row.0).collect();
    // Under `nopreempt` nobody is preempted inside a func.
    assert_eq!(early, ["none", "sched", "rude", "ip", "flag"], "ended while 100 holders were inside");
    let waited: Vec<&(&str, &Pairs)> = rows.iter().filter(|row| row.1.find("early").is_none()).collect();
    assert_eq!(waited.iter().map(|row| row.0).collect::<Vec<_>>(), ["classic", "linux", "depth", "scan"]);
    for (_, line) in &rows {
        line.expect("n", |n| n >= 10, "10 or more");
    }
    for (scheme, line) in waited.into_iter().filter(|row| PRECISE.contains(&row.0)) {
        // All hundred have run since the look before, and each is examined once.
        let most = PRECISE_LIMIT + 100 * FIRST_LOOK_LIMIT;
        line.expect("ns", |ns| ns <= most, &format!("at most {most} from the last one's leaving, {scheme}"));
        line.expect("walk", |insns| insns <= 2_000 * 100, "at most 2,000 for each holder");
    }
}

#[test]
fn busy_cpus_hold_up_only_schemes_that_wait_for_a_switch_under_full_and_lazy() {
    let lazy = Measurements::take(&["preempt=lazy", "only=gp"]);
    for (found, most) in [(of_each_scheme(), 2 * MS), (&lazy, 3 * TICK_NS)] {
        for (_, line) in found.expect_stalls(|scheme| SLOW.contains(&scheme)) {
            line.expect("max", |ns| ns <= most, &format!("at most {most}"));
        }
    }
}

#[test]
fn a_busy_cpu_that_nobody_may_preempt_holds_up_every_scheme_and_the_report_names_who_runs_there() {
    each([("none", None), ("voluntary", Some("tasks_rcu=scan"))], |(model, schemes)| {
        let model = format!("preempt={model}");
        let words: Vec<&str> = [model.as_str(), "only=gp"].into_iter().chain(schemes).collect();
        let found = Measurements::take(&words);
        let ended = found.expect_stalls(|_| true);
        assert!(ended.is_empty() && found.grace_periods(0, 100, 0).is_empty(), "{model}: {}", found.ended.story());
    });
}

#[test]
fn a_precise_grace_period_of_four_cpus_takes_one_round_and_one_for_each_holder_that_leaves() {
    for scheme in PRECISE {
        let scheme = format!("tasks_rcu={scheme}");
        let ended = Guest::with_cpus(4).boot(&["bench", &scheme, "only=gp"]).expect_status(0);
        let found = Measurements::of_run(ended);
        for line in found.of("gp") {
            // Behind the look that found holders each of them makes one due when it has left; those that leave together share it.
            let most = 1 + line.number("holders");
            line.expect("rounds", |rounds| (1..=most).contains(&rounds), "one, and one for each holder that leaves");
            assert!(line.find("insns").is_none(), "instructions of other CPUs are not counted: {line:?}");
        }
    }
}

#[test]
fn enabling_and_disabling_all_callsites_keeps_to_its_instructions() {
    let measurements = Measurements::take(&["tasks_rcu=classic", "only=enable_all,disable_all"]);
    measurements.expect_at_most("enable_all", 130);
    measurements.expect_at_most("disable_all", 100);
}

#[test]
fn boot_is_short_and_leaves_the_memory_free() {
    let measurements = Measurements::take(&["tasks_rcu=classic", "only=boot,memory"]);
    measurements.expect_at_most("boot", 20_000_000);
    for line in measurements.of("memory") {
        line.expect("bytes", |bytes| bytes > 1 << 20 && bytes <= 16 << 20, "at most 16 MiB, image included");
    }
}

#[test]
fn a_mutex_is_cheap_alone_and_handed_over_by_two_switches() {
    let measurements = Measurements::take(&["only=mutex"]);
    let [alone, wanted] = measurements.of("mutex")[..] else { panic!("{}", measurements.ended.story()) };
    for (line, tasks, limit) in [(alone, 1, MUTEX_LIMIT), (wanted, 2, HAND_OVER_LIMIT)] {
        line.expect("tasks", |found| found == tasks, &tasks.to_string());
        line.expect("insns", |insns| insns <= limit, &format!("at most {limit}"));
    }
}
