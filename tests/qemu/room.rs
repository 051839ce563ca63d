//! Ops for which there is no room: nothing begins, and the kernel goes on.

use crate::guest::{Guest, each};

/// Patterns, each its own, that match every function: as many ops on each callsite. Short ones: boot arguments are bounded.
fn everything(times: usize) -> String {
    let of_length = |length: u32| {
        let wild =
            move |mask: u32| (0..length).map(|at| if mask >> at & 1 == 0 { '*' } else { '?' }).collect::<String>();
        (0..(1 << length) - 1).map(wild)
    };
    (1..=6).flat_map(of_length).take(times).map(|pattern| format!("trace {pattern} on;")).collect()
}

#[test]
fn an_experiment_for_whose_ops_there_is_no_room_does_not_begin_and_says_why() {
    let cases = [
        (64, "hold spin 20", "has 64 ops already"),
        (60, "stress secs=1", "has 60 ops; beside those of a run there is room for 59: switch some off first"),
        (64, "step tracees::alpha", "its callsite has as many ops as it can have"),
        (64, "trace alpha on", "64 patterns are on: switch one off first"),
    ];
    each(cases, |(times, command, why)| {
        let words = ["shell", &format!("cmds={}{command};version", everything(times))];
        let ended = Guest::with_cpus(2).option("--exact").boot(&words).expect_status(1);
        ended.line_with(&[why]);
        let last = ended.lines().next_back().expect("a console");
        assert_eq!(last, format!("stopped: `{command}` failed; commands behind it, not run: 1"), "{}", ended.story());
    });
    // One less, and there is room: for a run of all that it makes, and for the last ops.
    let words = ["shell", &format!("cmds={}stress secs=1;version", everything(59))];
    Guest::with_cpus(1).option("--exact").boot(&words).expect_status(0).line_with(&["stress: PASS"]);
    let words = ["shell", &format!("cmds={}step tracees::alpha;callsites alpha", everything(63))];
    Guest::with_cpus(1).option("--exact").boot(&words).expect_status(0).line_with(&[" on  63 ", "tracees::alpha"]);
}
