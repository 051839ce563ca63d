//! The measures, held to their limits: counted instructions on one CPU, so that they are the same on every host.

use crate::guest::{Ended, image, run};
use crate::verdict::Pairs;

/// Host seconds for the release build and the whole of `bench`.
const SECS: u64 = 600;
/// Instructions that a traced call may cost beyond an untraced one: by ops on the callsite, and what its func is.
const PERCALL_LIMITS: [(u64, Option<&str>, u64); 4] =
    [(1, Some("ret"), 28), (1, None, 31), (2, None, 75), (10, None, 185)];

/// The measurements of one run, in their order.
struct Measurements {
    ended: Ended,
    lines: Vec<(String, Pairs)>,
}

impl Measurements {
    fn take(words: &[&str]) -> Self {
        image();
        let mut arguments = vec!["--raw".to_owned()];
        arguments.extend(words.iter().map(|&word| word.to_owned()));
        let ended = run(SECS, "scripts/bench", &arguments, "").unwrap_or_else(|error| panic!("{error}"));
        let ended = ended.expect_status(0);
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

    /// Asserts that every line of `name` keeps to `limit`, in instructions and in virtual nanoseconds.
    #[track_caller]
    fn expect_at_most(&self, name: &str, limit: u64) {
        for line in self.of(name) {
            line.expect("insns", |insns| insns <= limit, &format!("at most {limit}"));
            line.expect("ns", |ns| ns <= limit, &format!("at most {limit}"));
        }
    }
}

#[test]
fn a_traced_call_keeps_to_its_instructions() {
    let measurements = Measurements::take(&["tasks_rcu=classic", "only=percall"]);
    let lines = measurements.of("percall");
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
    for line in &lines {
        line.expect("n", |n| n >= 10, "10 or more");
        // What an instruction count hides: the hit path has none of these.
        for hidden in ["barriers", "atomics", "sysregs"] {
            line.expect(hidden, |count| count == 0, "0");
        }
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
fn a_grace_period_without_holders_ends_within_three_ticks() {
    const THREE_TICKS_NS: u64 = 12_000_000;
    let measurements = Measurements::take(&["tasks_rcu=classic", "only=gp"]);
    for line in measurements.of("gp") {
        line.expect("max", |ns| ns <= THREE_TICKS_NS, "at most three ticks, in the worst of its runs");
    }
}
