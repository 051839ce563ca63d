//! Ways to stand at a boundary, and ways to take the ops off there.

use super::{SCHEMES, assert_adds_up, assert_is_the_table, lines};
use crate::guest::{Ended, Guest};
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
    for (scenario, change) in places {
        let only = format!("only=callee,fanout,{scenario}");
        let ended = Guest::with_cpus(2).boot(&["windows", &only]).expect_status(1);
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
    }
}
