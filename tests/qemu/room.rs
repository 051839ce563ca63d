//! Ops for which there is no room: nothing begins, and the kernel goes on.

use crate::guest::{Guest, each};

/// Patterns, each its own, that match every function: as many ops on each callsite.
fn everything(times: usize) -> String {
    (1..=times).map(|stars| format!("trace {} on; ", "*".repeat(stars))).collect()
}

#[test]
fn an_experiment_for_whose_ops_there_is_no_room_does_not_begin_and_says_why() {
    let cases = [
        (16, "hold spin 20", "has 16 ops already"),
        (12, "stress secs=1", "has 12 ops; beside those of a run there is room for 11: switch some off first"),
        (16, "step tracees::alpha", "its callsite has as many ops as it can have"),
    ];
    each(cases, |(times, command, why)| {
        let words = ["shell", &format!("cmds={}{command}; version", everything(times))];
        let ended = Guest::with_cpus(2).option("--exact").boot(&words).expect_status(1);
        ended.line_with(&[why]);
        let last = ended.lines().next_back().expect("a console");
        assert_eq!(last, format!("stopped: `{command}` failed; commands behind it, not run: 1"), "{}", ended.story());
    });
    let words = ["shell", &format!("cmds={}stress secs=1; version", everything(11))];
    Guest::with_cpus(1).option("--exact").boot(&words).expect_status(0).line_with(&["stress: PASS"]);
}
