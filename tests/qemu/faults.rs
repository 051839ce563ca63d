//! Ending badly, and saying why: the epitaph of a panic, and a store to text.

use crate::guest::{Ended, Guest};

/// What every epitaph tells: the message, who, and by which way. `cause` is a function on that way.
#[track_caller]
fn expect_epitaph(ended: &Ended, message: &str, cause: &str) {
    let epitaph = ended.line_with(&["panic", message]).to_owned();
    let below: Vec<&str> = ended.lines().skip_while(|line| *line != epitaph).collect();
    let text = below.join("\n");
    assert!(text.contains("CPU") && text.contains("task"), "neither CPU nor task in {}", ended.story());
    assert!(text.contains(cause), "the backtrace does not name {cause} in {}", ended.story());
    let panics = ended.lines().filter(|line| line.contains("panic") && line.contains(message)).count();
    assert_eq!(panics, 1, "one epitaph in {}", ended.story());
}

#[test]
fn a_panic_ends_with_an_epitaph_and_status_101() {
    let ended = Guest::with_cpus(4).boot(&["shell", "cmds=version; panic; version"]).expect_status(101);
    expect_epitaph(&ended, "", "holdout::shell");
}

#[test]
fn a_store_to_text_is_caught() {
    let ended = Guest::with_cpus(1).boot(&["shell", "cmds=fault text-store"]).expect_status(101);
    expect_epitaph(&ended, "text", "holdout::shell");
    ended.line_with(&["write", "0x"]);
}
