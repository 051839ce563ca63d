//! What `bench` measures beside holders, waiters and deep stacks: looks, masked stretches and switches.

use super::{Measurements, PRECISE, PRECISE_LIMIT};
use crate::guest::Ended;
use crate::verdict::Pairs;
use std::collections::BTreeSet;

/// Instructions of a switch that those may add to the one of `classic`, tracing or not, at any depth of the stack.
const MORE_PER_SWITCH: u64 = 40;
/// And once behind each look, where the task is listed anew.
const MORE_WHERE_LISTED_ANEW: u64 = 70;
/// Frame records between a func and the end of its stack, at least, where stacks are to be as deep as they may be.
const DEEPEST: u64 = 700;
/// Instructions with IRQs masked beside such stacks: an examination of each of two chains would take 24,000 of them.
const DEEPEST_LIMIT: u64 = 24_000;

#[test]
fn an_ops_that_nobody_holds_is_free_at_once_beside_a_thousand_that_are_held() {
    let measurements = Measurements::take(&["tasks_rcu=scan", "only=overlap"]);
    let rows = measurements.of("overlap");
    let holders: Vec<u64> = rows.iter().map(|line| line.number("holders")).collect();
    assert_eq!(holders, [0, 1, 1_000, 1_000, 1_000], "{}", measurements.ended.story());
    assert!(rows.iter().all(|line| line.find("stalled").is_none()), "{rows:?}");
    let (leaves, others): (Vec<_>, Vec<_>) = rows.into_iter().partition(|line| line.find("leaves").is_some());
    let (waited, others): (Vec<_>, Vec<_>) = others.into_iter().partition(|line| line.find("waiters").is_some());
    for line in others {
        line.expect("insns", |insns| insns <= PRECISE_LIMIT, "as an idle grace period");
    }
    let [leaves, waited] = [&leaves[..], &waited[..]].map(|lines| lines.first().expect("a row each"));
    leaves.expect("insns", |insns| insns <= 200_000, "a thousand are judged again before it, at most 200 each");
    waited.expect("waiters", |count| count == 1_000, "a task for each that is held");
    waited.expect("insns", |insns| insns <= 4 * PRECISE_LIMIT, "one of 64 waiters is woken with it");
}

#[test]
fn an_interrupt_waits_for_one_chain_at_most_while_a_grace_period_looks_at_thousands_or_somebody_asks_who_holds() {
    for scheme in PRECISE {
        let measurements = Measurements::take(&[&format!("tasks_rcu={scheme}"), "only=masked"]);
        let (deep, shallow): (Vec<&Pairs>, Vec<&Pairs>) =
            measurements.of("masked").into_iter().partition(|line| line.find("frames").is_some());
        let (asked, looks): (Vec<_>, Vec<_>) = shallow.into_iter().partition(|line| line.find("during").is_some());
        let holders = |lines: &[&Pairs]| -> Vec<u64> { lines.iter().map(|line| line.number("holders")).collect() };
        assert_eq!(holders(&looks), [100, 1_000, 8_000], "{}", measurements.ended.story());
        let during: Vec<&str> = asked.iter().map(|line| line.text("during")).collect();
        assert_eq!(during, ["refusal", "holders", "stall"], "{}", measurements.ended.story());
        assert_eq!(holders(&asked), [1_000; 3], "{}", measurements.ended.story());
        let told = |what: &str| measurements.ended.lines().filter(|line| line.starts_with(what)).count();
        assert_eq!(told("holder        and 992 more"), 1, "{}", measurements.ended.story());
        assert!(told("rcu: and 992 more that do not run") > 0, "{}", measurements.ended.story());
        looks.iter().chain(&asked).for_each(|line| line.expect("insns", |insns| insns <= 20_000, "at ordinary depth"));
        expect_deep(&deep, &measurements.ended);
    }
}

/// The rows of the deepest stacks: holders that block, run and yield.
#[track_caller]
fn expect_deep(rows: &[&Pairs], ended: &Ended) {
    let holders: Vec<&str> = rows.iter().map(|line| line.text("holder")).collect();
    assert_eq!(holders, ["blocks", "runs", "yields"], "{}", ended.story());
    for row in rows {
        row.expect("frames", |frames| frames >= DEEPEST, &format!("at least {DEEPEST}"));
        row.expect("insns", |insns| insns <= DEEPEST_LIMIT, &format!("at most {DEEPEST_LIMIT}"));
    }
}

#[test]
fn an_interrupt_does_not_wait_until_ten_thousand_tasks_are_looked_at() {
    let measurements = Measurements::take(&["tasks_rcu=classic", "only=masked"]);
    let rows = measurements.of("masked");
    let tasks: Vec<u64> = rows.iter().map(|line| line.number("tasks")).collect();
    assert_eq!(tasks, [10_000], "{}", measurements.ended.story());
    measurements.expect_at_most("masked", 20_000);
}

#[test]
fn depth_keeps_what_came_while_somebody_was_inside_and_nothing_else() {
    let measurements = Measurements::take(&["tasks_rcu=depth", "only=overlap"]);
    let rows = measurements.of("overlap");
    let stalled: Vec<bool> = rows.iter().map(|line| line.find("stalled").is_some()).collect();
    assert_eq!(stalled, [false, true], "free beside nobody, kept by one sleeper of another ops: {rows:?}");
    rows[0].expect("insns", |insns| insns <= PRECISE_LIMIT, "as an idle grace period");
}

#[test]
fn a_switch_costs_what_it_does_under_classic_however_deep_the_stack_is_and_however_the_task_leaves() {
    // By the way of leaving and by the frames: an ops is no matter under `classic`, where no func may leave its CPU.
    let rows = |scheme: &str| -> Vec<(Option<String>, u64, u64)> {
        let measurements = Measurements::take(&[&format!("tasks_rcu={scheme}"), "only=switch"]);
        let row = |line: &Pairs| (line.find("way").map(str::to_owned), line.number("frames"), line.number("insns"));
        measurements.of("switch").into_iter().map(row).collect()
    };
    let classic = rows("classic");
    let ways: BTreeSet<Option<&str>> = classic.iter().map(|(way, ..)| way.as_deref()).collect();
    assert_eq!(ways, BTreeSet::from([None, Some("block"), Some("looked"), Some("preempt")]));
    assert_eq!(classic.iter().map(|&(_, frames, _)| frames).max(), Some(200));
    for scheme in PRECISE {
        for (way, frames, insns) in rows(scheme) {
            let same = |row: &&(Option<String>, u64, u64)| row.0 == way && row.1 == frames;
            let &(.., least) = classic.iter().find(same).expect("the same rows");
            let more = MORE_PER_SWITCH + if way.as_deref() == Some("looked") { MORE_WHERE_LISTED_ANEW } else { 0 };
            let way = way.as_deref().unwrap_or("yield");
            assert!(insns <= least + more, "{way} from {frames} frames: {insns} under {scheme}, {least} under classic");
        }
    }
}
