//! Misuse of the heap, and its end: found, told, and never silent.

use crate::guest::{Ended, Guest};

/// The lines of the message and what belongs to it, up to who it was.
#[track_caller]
fn message(ended: &Ended) -> Vec<&str> {
    let mut lines = ended.lines().skip_while(|line| !line.starts_with("panic: ")).peekable();
    assert!(lines.peek().is_some(), "no epitaph in {}", ended.story());
    lines.take_while(|line| !line.starts_with("CPU ")).collect()
}

#[track_caller]
fn provoke(kind: &str) -> Ended {
    Guest::with_cpus(2).boot(&["shell", &format!("cmds=fault {kind} yes; version")]).expect_status(101)
}

/// Asserts that a line `what by shell-N on CPU N at S.UUUUUU` is there, followed by a line that names `caller`.
#[track_caller]
fn says_who(lines: &[&str], what: &str, caller: &str) {
    let at = lines.iter().position(|line| line.trim_start().starts_with(what)).expect(what);
    let words: Vec<&str> = lines[at].split_whitespace().collect();
    assert!(words.iter().any(|word| word.starts_with("shell-")), "{lines:?}");
    let time = words.last().and_then(|time| time.split_once('.')).expect("a time");
    assert!(time.0.parse::<u64>().is_ok() && time.1.len() == 6 && time.1.parse::<u64>().is_ok(), "{lines:?}");
    let mut callers = lines[at + 1..].iter().take_while(|line| line.trim_start().starts_with("in "));
    assert!(callers.any(|line| line.contains(caller)), "no {caller} in {lines:?}");
}

#[test]
fn a_double_free_is_told_with_both_places() {
    let ended = provoke("double-free");
    let lines = message(&ended);
    assert!(lines[0].starts_with("panic: heap: double free of 0x4") && lines[0].ends_with("(96 bytes)"), "{lines:?}");
    says_who(&lines, "freed first", "heap::free_twice");
    says_who(&lines, "freed again", "heap::free+");
}

#[test]
fn a_double_free_is_found_when_the_block_has_long_left_the_quarantine() {
    let ended = provoke("double-free-late");
    let lines = message(&ended);
    assert!(lines[0].starts_with("panic: heap: double free of 0x4"), "{lines:?}");
    assert!(lines[1].contains("too long ago"), "{lines:?}");
    says_who(&lines, "freed again", "heap::free+");
}

#[test]
fn a_write_after_free_is_told_with_its_offset_and_who_had_freed() {
    let ended = provoke("write-after-free");
    let lines = message(&ended);
    assert!(lines[0].starts_with("panic: heap: write after free to 0x4"), "{lines:?}");
    assert!(lines[0].ends_with("(96 bytes), at offset 40: found 0x1a7e"), "{lines:?}");
    says_who(&lines, "freed by", "heap::write_after_free");
}

#[test]
fn what_is_no_block_cannot_be_freed() {
    let ended = provoke("bad-free");
    let lines = message(&ended);
    assert!(lines[0].starts_with("panic: heap: bad free of 0x4"), "{lines:?}");
    assert!(lines[0].ends_with("(96 bytes): it is not in the heap's memory"), "{lines:?}");
    says_who(&lines, "freed by", "heap::free+");
    let ended = provoke("middle-free");
    let lines = message(&ended);
    assert!(lines[0].ends_with("(96 bytes): no block of this size begins there"), "{lines:?}");
}

#[test]
fn exhaustion_tells_what_was_asked_for_and_how_the_heap_stands() {
    let ended = Guest::with_cpus(1)
        .option("--memory=128M")
        .boot(&["shell", "cmds=fault heap-exhausted yes"])
        .expect_status(101);
    let lines = message(&ended);
    assert!(lines[0].contains("out of memory: no block of 1048576 bytes, aligned to 1: "), "{lines:?}");
    // "126123 of 126800 KiB are in use (0 of that in quarantine), the largest free block has 524288 bytes"
    let numbers: Vec<u64> = lines[0].split(|c: char| !c.is_ascii_digit()).filter_map(|n| n.parse().ok()).collect();
    let [_, _, used, total, quarantined, largest] = numbers[..] else { panic!("{lines:?}") };
    assert!(used <= total && total - used < 4096 && total > 100_000, "{lines:?}");
    assert_eq!(quarantined, 0, "the quarantine is emptied first: {lines:?}");
    assert!(largest < 1 << 20 && largest.is_power_of_two(), "{lines:?}");
    assert!(ended.lines().any(|line| line.contains("heap::exhaust")), "no backtrace in {}", ended.story());
}

#[test]
fn memory_that_was_cut_up_comes_back_whole() {
    for memory in ["--memory=128M", "--memory=500M"] {
        let ended = Guest::with_cpus(2).option(memory).boot(&["selftest", "only=heap-whole"]).expect_status(0);
        let line = ended.line_with(&["heap-whole", "blocks="]);
        let value = |key: &str| {
            let word = line.split_whitespace().find_map(|word| word.strip_prefix(key));
            word.and_then(|value| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("no {key} in {line}"))
        };
        assert!(value("largest=") >= 32 << 20 && value("blocks=") > 80_000, "{line}");
    }
}
