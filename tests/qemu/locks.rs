//! Lock helps of the `checked` build: what would deadlock panics before it does, and names both places.

use crate::guest::{self, Ended, Guest};

/// What the kernel says when this fault is provoked: its message, from `panic:` to the line that says where.
fn message(cpus: u32, kind: &str) -> (Ended, String) {
    let command = format!("cmds=fault {kind} yes");
    let ended = Guest::with_cpus(cpus).boot(&["shell", &command]).expect_status(101);
    let lines = ended.lines().skip_while(|line| !line.starts_with("panic: "));
    let message: Vec<&str> = lines.take_while(|line| !line.starts_with("CPU ")).collect();
    let message = message.join(" ");
    assert!(!message.is_empty(), "no panic in {}", ended.story());
    (ended, message)
}

/// The lines of `src/shell/faults/lockups.rs` that `text` names, in order.
fn places(text: &str) -> Vec<u32> {
    let parts = text.split("src/shell/faults/lockups.rs:").skip(1);
    parts.map(|part| part.split(':').next().and_then(|line| line.parse().ok()).expect("a line")).collect()
}

fn line_of(after: &str, what: &str) -> u32 {
    guest::line_of("src/shell/faults/lockups.rs", after, what)
}

#[test]
fn a_lock_taken_twice_is_told_with_both_places_before_it_deadlocks() {
    for cpus in [1, 4] {
        let (ended, message) = message(cpus, "lock-twice");
        assert!(message.contains("taken twice"), "{message}");
        let twice = "fn lock_twice";
        let expected = [line_of("static OUTER", "OUTER"), line_of(twice, "_again ="), line_of(twice, "_held =")];
        assert_eq!(places(&message), expected, "{}", ended.story());
    }
}

#[test]
fn an_order_of_locks_that_can_deadlock_is_told_with_all_places_though_nobody_waited() {
    let (ended, message) = message(1, "lock-order");
    let first = "fn lock_in_both_orders";
    let then = "Nothing between the two orders";
    let (outer, inner) = (line_of("static OUTER", "OUTER"), line_of("static INNER", "INNER"));
    let expected = [
        [outer, line_of(then, "_outer ="), inner, line_of(then, "_inner =")],
        [inner, line_of(first, "_inner ="), outer, line_of(first, "_outer =")],
    ];
    assert!(message.contains("lock order that can deadlock") && message.contains("but before"), "{message}");
    assert_eq!(places(&message), expected.concat(), "{}", ended.story());
}

#[test]
fn who_sleeps_with_a_lock_held_is_told_where_it_was_taken() {
    let (ended, message) = message(4, "sleep-in-atomic");
    let here = "fn sleep_in_atomic";
    assert!(message.contains("would sleep") && message.contains("is held"), "{message}");
    let expected = [line_of(here, "sched::sleep"), line_of("static OUTER", "OUTER"), line_of(here, "_held =")];
    assert_eq!(places(&message), expected, "{}", ended.story());
}

#[test]
fn who_takes_a_mutex_with_preemption_disabled_is_told_where_that_was_done() {
    let (ended, message) = message(1, "mutex-in-atomic");
    let here = "fn mutex_in_atomic";
    assert!(message.contains("would sleep") && message.contains("with preemption disabled at"), "{message}");
    assert_eq!(places(&message), [line_of(here, "MUTEX.lock"), line_of(here, "preempt::disable")], "{}", ended.story());
}
