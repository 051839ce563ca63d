//! Ways to stand at a boundary, and ways to take the ops off there.

use super::{SCHEMES, SOUND, assert_adds_up, assert_is_the_table, explorer, lines, verdicts};
use crate::guest::{Ended, each};
use crate::verdict::Pairs;
use std::collections::BTreeSet;

/// What the first counterexample's story says of this.
fn told(ended: &Ended, start: &str) -> String {
    let line = ended.lines().find(|line| line.starts_with(&format!("story: {start}")));
    line.unwrap_or_else(|| panic!("no story tells of `{start}`: {}", ended.story())).to_owned()
}

#[test]
fn the_updater_can_be_on_the_holders_own_cpu_and_can_leave_nothing_in_the_ops_place() {
    let places =
        [("preempted", "on CPU 1 swaps"), ("preempted-here", "on CPU 0 swaps"), ("preempted-nop", "unregisters")];
    each(places, |(scenario, change)| {
        let only = format!("only=callee,fanout,{scenario}");
        let ended = explorer(2).boot(&["windows", &only]).expect_status(1);
        assert_adds_up(&ended);
        let met = assert_is_the_table(&ended);
        let is_patched = told(&ended, "task windows").ends_with("branch is d503201f");
        assert_eq!((told(&ended, "task windows").contains(change), is_patched), (true, scenario == "preempted-nop"));
        for scheme in SCHEMES {
            let rows: BTreeSet<&str> = met.iter().filter(|(of, _)| of == scheme).map(|(_, row)| row.as_str()).collect();
            let is_counted = scheme == "nopreempt" && scenario == "preempted-here";
            // Where nobody is preempted its CPU is nobody else's.
            let wanted = if is_counted { vec!["1a", "1b", "11"] } else { vec!["1a", "1b", "2", "3", "4", "10", "11"] };
            assert_eq!(rows, wanted.into_iter().collect(), "{scheme}, {scenario}");
        }
        assert!(lines(&ended).iter().all(|line| line.text("scenario") == scenario));
    });
}

#[test]
fn one_cpu_is_enough_where_the_holder_is_off_it_and_the_rest_is_left_out() {
    let ended = explorer(1).boot(&["windows"]).expect_status(1);
    assert_adds_up(&ended);
    let met = assert_is_the_table(&ended);
    let scenarios: BTreeSet<String> = lines(&ended).iter().map(|line| line.text("scenario").to_owned()).collect();
    let off_cpu = [
        "exits-inside",
        "inside",
        "irq",
        "irq-elsewhere",
        "other-first",
        "other-next",
        "preempted",
        "preempted-boosted",
        "preempted-deep",
        "preempted-exits-next",
        "preempted-here",
        "preempted-high",
        "preempted-nop",
    ];
    assert_eq!(scenarios, off_cpu.map(str::to_owned).into_iter().collect());
    for (scheme, (has_passed, verdict)) in verdicts(&ended) {
        let is_sound = SOUND.contains(&scheme.as_str());
        assert_eq!(has_passed, is_sound, "{scheme}: {verdict:?}");
        for row in ["1a", "1b", "2", "3", "4", "5", "6", "7", "9", "10", "11", "14"] {
            // With the counter up nobody leaves the one CPU, so nobody looks on; but for what its rules forbid.
            let is_seen = scheme != "nopreempt" || ["1a", "1b", "9", "11"].contains(&row);
            assert_eq!(met.contains(&(scheme.clone(), row.into())), is_seen, "{scheme}, row {row}");
        }
    }
    // Where nobody is preempted at all, only who lets go by himself can be looked at.
    // Under the other schemes that is nobody, and what nobody has seen does not pass.
    let ended = explorer(1).boot(&["windows", "preempt=none"]).expect_status(1);
    let lets_go = |line: &Pairs| matches!(line.text("scenario"), "inside" | "exits-inside");
    assert!(lines(&ended).iter().all(lets_go), "{}", ended.story());
    for (scheme, (has_passed, verdict)) in verdicts(&ended) {
        let runs = verdict.number("runs");
        assert_eq!(has_passed, runs > 0, "{scheme}: {verdict:?}");
    }
    verdicts(&ended)["scan"].1.expect("runs", |n| n == 2, "its func blocks, and exits");
    ended.line_with(&["nothing seen: under classic and preempt=none nobody stands where it may, on 1 CPUs"]);
}

#[test]
fn a_func_that_disables_preemption_or_redirects_is_explored_in_each_way_to_stand() {
    let ended = explorer(2).boot(&["windows", "only=enable,redirect"]).expect_status(1);
    assert_adds_up(&ended);
    assert_is_the_table(&ended);
    let lines = lines(&ended);
    for scenario in ["preempted", "preempted-migrated", "irq", "running"] {
        let of = |func: &str, phase: &str| -> Vec<&str> {
            let is_it = |line: &&Pairs| {
                [("scheme", "sched"), ("scenario", scenario), ("func", func), ("phase", phase)]
                    .iter()
                    .all(|(key, value)| line.text(key) == *value)
            };
            lines.iter().filter(is_it).map(|line| line.text("verdict")).collect()
        };
        // The helper is preempted before it disables preemption and after it has enabled it again, and not in between.
        let is_in_helper = of("enable", "4");
        let is_moved = scenario == "preempted-migrated";
        assert!(is_in_helper.contains(&"unsafe"), "{scenario}: {is_in_helper:?}");
        assert_eq!(is_in_helper.contains(&"waits"), !is_moved, "{scenario}: {is_in_helper:?}");
        // Its target is held in every scheme, and in none it is waited for.
        let target = of("redirect", "20");
        assert!(target.len() > 5 && target.iter().all(|verdict| *verdict == "forbidden"), "{scenario}: {target:?}");
        assert!(of("redirect", "2").contains(&"unsafe"), "{scenario}");
    }
}

#[test]
fn executed_instructions_and_the_oracle_disagreeing_is_a_failure_that_says_so() {
    let parts = "only=plain,preempted";
    let sound = explorer(2).boot(&["windows", "tasks_rcu=ip", parts]).expect_status(1);
    let is_epilogue = |line: &&Pairs| line.text("held") == "text" && line.text("oracle") == "p3";
    let lines_of = lines(&sound);
    let n = lines_of.iter().find(is_epilogue).expect("func's last instruction").text("n");
    // The text of func stays where it was, so nothing is seen of who is still inside.
    let parts = format!("{parts},{n}");
    let words = ["windows", "tasks_rcu=ip", &parts, "fault=text-kept"];
    let ended = explorer(2).with_faults().boot(&words).expect_status(1);
    let lines = lines(&ended);
    let [line] = &lines[..] else { panic!("more than one run: {}", ended.story()) };
    assert_eq!((line.text("verdict"), line.text("oracle")), ("disputed", "-"), "{}", ended.story());
    let (has_passed, verdict) = &verdicts(&ended)["ip"];
    assert!(!has_passed && verdict.number("unsafe") == 0, "{}", ended.story());
    assert!(ended.lines().any(|line| line.ends_with("what was used late do not agree")), "{}", ended.story());
}

#[test]
fn the_long_way_out_of_a_trampoline_is_found_by_stepping_and_holds_nothing() {
    let ended = explorer(2).boot(&["windows", "only=plain,preempted,wished"]).expect_status(1);
    assert_adds_up(&ended);
    assert_is_the_table(&ended);
    let lines = lines(&ended);
    for scheme in SCHEMES {
        let of = |scenario: &str| -> Vec<&Pairs> {
            let is_it = |line: &&Pairs| (line.text("scheme"), line.text("scenario")) == (scheme, scenario);
            lines.iter().filter(is_it).collect()
        };
        let wished = of("wished");
        if !matches!(scheme, "depth" | "nopreempt") {
            assert!(wished.is_empty(), "{scheme} has one way out");
            continue;
        }
        let known: BTreeSet<&str> = of("preempted").iter().map(|line| line.text("pc")).collect();
        let long: Vec<&&Pairs> = wished.iter().filter(|line| !known.contains(line.text("pc"))).collect();
        // The call of who reports, the load that it spoils, and the way back.
        assert_eq!(long.len(), 3, "{scheme}: {long:?}");
        assert!(wished.len() > 10 && wished[0].text("step") == "T7", "{scheme}: {wished:?}");
        // Late until the count is lowered, and from there on right: somebody else hears of it, if the task cannot say so.
        let verdicts: Vec<&str> = wished.iter().map(|line| line.text("verdict")).collect();
        let nr_late = verdicts.iter().take_while(|verdict| **verdict == "late").count();
        assert_eq!(nr_late, 3, "{scheme}: {verdicts:?}");
        assert!(verdicts[nr_late..].iter().all(|verdict| *verdict == "right"), "{scheme}: {verdicts:?}");
    }
}
