//! The explorer with two that stand at once: a grace period outlasts both, and whom it waits for is whom it waits for alone.

use super::{SOUND, whole};
use crate::guest::{Ended, Guest};
use crate::verdict::Pairs;
use std::collections::BTreeMap;

/// Schemes that look at a context itself, not at whether its task has switched: of them each context is judged alone.
const LOOK: [&str; 4] = ["none", "nopreempt", "depth", "scan"];

/// The lines of pairs.
pub(super) fn lines(ended: &Ended) -> Vec<Pairs> {
    ended.lines().filter_map(|line| line.strip_prefix("pairs: ")).map(Pairs::parse).collect()
}

/// What a boundary came to alone, when a task was preempted there.
struct Alone {
    is_held: bool,
    is_waited_for: bool,
}

fn alone(ended: &Ended) -> BTreeMap<(String, u64), Alone> {
    let lines = super::lines(ended).into_iter();
    let lines = lines.filter(|line| (line.text("func"), line.text("scenario")) == ("callee", "preempted"));
    let one = |line: Pairs| {
        let alone = Alone {
            is_held: line.text("held") != "none",
            is_waited_for: matches!(line.text("verdict"), "waits" | "late"),
        };
        ((line.text("scheme").to_owned(), line.number("n")), alone)
    };
    lines.map(one).collect()
}

/// The second's boundaries and cells of a `pairs:` line, and whether in a cell the second goes on first.
fn cells(line: &Pairs) -> Vec<(u64, char, bool)> {
    let with: Vec<u64> = line.text("with").split(',').map(|number| number.parse().expect("a number")).collect();
    let is_on_top = line.text("scenario") == "pair-on-top";
    let of = |key: &str, is_second_first: bool| -> Vec<(u64, char, bool)> {
        let cells: Vec<char> = line.text(key).chars().collect();
        assert_eq!(with.len(), cells.len(), "{line:?}");
        with.iter().zip(cells).map(|(&m, cell)| (m, cell, is_second_first)).collect()
    };
    let reversed = of("reversed", true);
    if is_on_top {
        assert!(reversed.iter().all(|(_, cell, _)| *cell == '-'), "what is on top goes on first: {line:?}");
        return of("cells", true);
    }
    [of("cells", false), reversed].concat()
}

/// What two come to of whom each is judged alone, when `first` goes on first.
fn expected(first: &Alone, second: &Alone) -> char {
    let both = (first.is_held || second.is_held, first.is_waited_for || second.is_waited_for);
    match (both, second.is_held, second.is_waited_for) {
        ((true, false), ..) => 'u',
        ((false, false), ..) => 'r',
        // It waited for the first, and then did not for the second.
        ((true, true), true, false) => 'u',
        ((true, true), false, true) | ((false, true), ..) => 'l',
        ((true, true), ..) => 'w',
    }
}

#[test]
fn a_grace_period_outlasts_both_of_two_that_stand() {
    let ended = whole();
    let alone = alone(ended);
    let mut nr_seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    for line in lines(ended) {
        let (scheme, scenario) = (line.text("scheme").to_owned(), line.text("scenario").to_owned());
        let at = |n: u64| &alone[&(scheme.clone(), n)];
        let first = at(line.number("n"));
        for (m, cell, is_second_first) in cells(&line) {
            // Two that cannot leave their CPUs leave none to the director.
            assert!(cell != '-' || scheme == "nopreempt" && scenario == "pair", "{m}: {line:?}");
            let second = at(m);
            let is_held = first.is_held || second.is_held;
            let allowed: &[char] = match (cell, is_held, SOUND.contains(&&*scheme)) {
                ('-', ..) => continue,
                _ if scenario == "pair" && LOOK.contains(&&*scheme) => {
                    &[if is_second_first { expected(second, first) } else { expected(first, second) }]
                }
                (_, true, true) => &['w', 'l'],
                (_, true, false) => &['w', 'l', 'u'],
                (_, false, _) if scheme == "scan" => &['r'],
                (_, false, _) => &['r', 'l'],
            };
            assert!(allowed.contains(&cell), "with {m} it is {cell}, not one of {allowed:?}: {line:?}");
            *nr_seen.entry((scheme.clone(), scenario.clone())).or_default() += 1;
        }
    }
    assert_eq!(nr_seen.len(), 20, "ten schemes, two scenarios: {nr_seen:?}");
    let least = |scenario: &str| if scenario == "pair" { 1400 } else { 700 };
    let is_enough = |((scheme, scenario), &seen): (&(String, String), &usize)| {
        seen >= if scheme == "nopreempt" { 700 } else { least(scenario) }
    };
    assert!(nr_seen.iter().all(is_enough), "{nr_seen:?}");
}

#[test]
fn the_order_in_which_two_go_on_can_be_named() {
    let whole = Guest::with_cpus(2).boot(&["windows", "tasks_rcu=none", "seed=1", "only=callee,pair,18+19,19+18r"]);
    let whole = whole.expect_status(1);
    let of = |n: u64| -> (String, String) {
        let lines = lines(&whole);
        let line = lines.iter().find(|line| line.number("n") == n).expect("a line of the first boundary");
        (line.text("cells").to_owned(), line.text("reversed").to_owned())
    };
    assert_eq!(of(18), ("u".into(), "u".into()), "both orders");
    assert_eq!(of(19), ("-".into(), "u".into()), "the reversed order alone");
}

#[test]
fn a_pair_is_done_again_by_its_line() {
    let parts = "only=callee,pair-on-top";
    let ended = Guest::with_cpus(2).boot(&["windows", "tasks_rcu=none", parts]).expect_status(1);
    let line = ended.lines().find_map(|line| line.strip_prefix("story: replay: ")).expect("a replay line").to_owned();
    assert!(line.contains("only=callee,pair-on-top,2+"), "{line}");
    let again = Guest::with_cpus(2).boot(&line.split(' ').collect::<Vec<_>>()).expect_status(1);
    let [pairs] = &again.lines().filter(|line| line.starts_with("pairs: ")).collect::<Vec<_>>()[..] else {
        panic!("more than one line: {}", again.story())
    };
    assert!(pairs.ends_with("cells=u reversed=-"), "{pairs}");
    let says = |text: &str| again.lines().any(|line| line.starts_with("story: ") && line.contains(text));
    assert!(says("a softirq on top of it stands at boundary"), "{}", again.story());
    assert!(says("it goes on first"), "{}", again.story());
    assert!(says("the task goes on: p"), "{}", again.story());
}
