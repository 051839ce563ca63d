//! The demonstration: some twenty lines that show one ops' life, the accident without a grace period, and the shell.

use crate::guest::Guest;

#[test]
fn tells_of_trace_swap_wait_and_free_and_then_hands_over_to_the_shell() {
    let ended = Guest::with_cpus(4).typing("version\npoweroff\n").boot(&["demo", "seed=1"]).expect_status(0);
    let told: Vec<&str> = ended.lines().collect();
    assert!((15..=60).contains(&told.len()), "{} lines, not some twenty, in {}", told.len(), ended.story());
    // In this order: the callsite before and after, the swap, the holder, the free, and the sandboxed repeat.
    let mut from = 0;
    for parts in [&["nop"][..], &["bl"], &["swap"], &["held"], &["freed"], &["without", "grace period"]] {
        let at = told[from..].iter().position(|line| parts.iter().all(|part| line.to_lowercase().contains(part)));
        from += at.unwrap_or_else(|| panic!("nothing about {parts:?} where it belongs in {}", ended.story()));
    }
    ended.line_with(&["holdout::", "0x"]);
    ended.line_with(&["CPU"]);
    let versions = told.iter().filter(|line| line.contains("holdout 0.") && line.contains(" callsites")).count();
    assert_eq!(versions, 2, "at boot, and by the shell afterwards: {}", ended.story());
}
