//! Ending badly, and saying why: the epitaph of a panic, and of a store to text.

use crate::guest::{Ended, Guest};

/// Asserts on one whole epitaph and gives its lines: the message that holds all of `parts`, who it was, a backtrace
/// that names the shell (whose command it was), and the last events.
#[track_caller]
fn epitaph<'a>(ended: &'a Ended, parts: &[&str]) -> Vec<&'a str> {
    let lines: Vec<&str> = ended.lines().skip_while(|line| !line.starts_with("panic: ")).collect();
    let panics = lines.iter().filter(|line| line.starts_with("panic: ")).count();
    assert_eq!(panics, 1, "epitaphs in {}", ended.story());
    let section = |start: &str| {
        let at = lines.iter().position(|line| line.starts_with(start));
        at.unwrap_or_else(|| panic!("no `{start}` in the epitaph of {}", ended.story()))
    };
    let (who, backtrace, events) = (section("CPU "), section("backtrace:"), section("last events"));
    let message = lines[..who].join(" ");
    assert!(parts.iter().all(|part| message.contains(part)), "the message lacks one of {parts:?} in {}", ended.story());
    assert!(lines[who].contains("task ") && lines[who].contains("shell"), "not the shell's task in {}", ended.story());
    let frames = &lines[backtrace + 1..events];
    let names_shell = frames.iter().any(|frame| frame.contains("0x") && frame.contains("holdout::shell::"));
    assert!(names_shell, "the backtrace does not name the shell in {}", ended.story());
    assert!(lines.len() > events + 1, "no events in {}", ended.story());
    lines
}

#[test]
fn a_panic_ends_with_an_epitaph_and_status_101() {
    let ended = Guest::with_cpus(4).boot(&["shell", "cmds=ps; panic yes; version"]).expect_status(101);
    epitaph(&ended, &["at src/shell"]);
}

#[test]
fn a_store_to_text_is_caught() {
    let ended = Guest::with_cpus(1).boot(&["shell", "cmds=fault text-store yes"]).expect_status(101);
    let lines = epitaph(&ended, &["store", "not permitted", "at address 0x402"]);
    assert!(lines.iter().any(|line| line.starts_with("pc 0x")), "no registers in {}", ended.story());
}

#[test]
fn a_stack_overflow_hits_the_guard_and_is_told_from_another_stack() {
    let ended = Guest::with_cpus(2).boot(&["shell", "cmds=fault stack-overflow yes"]).expect_status(101);
    epitaph(&ended, &["stack overflow"]);
}

#[test]
fn null_undefined_instructions_and_data_as_code_are_each_named() {
    for (kind, parts) in [
        ("null", ["not mapped at address", "syndrome"]),
        ("undefined", ["undefined instruction", "syndrome"]),
        ("jump-to-data", ["instruction fetch", "not permitted"]),
    ] {
        let command = format!("cmds=fault {kind} yes");
        let ended = Guest::with_cpus(1).boot(&["shell", &command]).expect_status(101);
        let message = ended.lines().find(|line| line.starts_with("panic: ")).map(str::to_owned);
        let message = message.unwrap_or_else(|| panic!("no epitaph in {}", ended.story()));
        assert!(parts.iter().all(|part| message.contains(part)), "{kind}: {message}");
    }
}
