//! The rules themselves: what is told to be out of date, and what is not; what is made anew, and what is kept.

use crate::compare::still_holds;
use crate::figures::{is_near, like};
use crate::transcripts::{self, anew};

/// The rules' names and what shows them.
pub(crate) const ALL: &[(&str, fn())] = &[
    ("words_keys_names_their_order_and_the_sources_counts_are_compared", compared),
    ("addresses_the_commit_and_who_it_was_are_not_compared", not_compared),
    ("what_is_measured_may_differ_by_a_factor_of_two", measured),
    ("elisions_are_kept_and_what_they_stand_for_is_left_out", elisions),
    ("a_line_that_changed_is_replaced_one_that_is_new_comes_and_one_that_is_gone_goes", changes),
    ("of_lines_that_are_alike_the_one_with_the_same_words_is_shown", likeness),
    ("a_block_is_its_commands_with_their_output", blocks),
    ("a_figure_keeps_its_unit_and_three_digits", figures),
];

const FIRST: &str =
    "holdout 0.1.0 (c6afc2ec6b3a) aarch64, 4 CPUs, GICv3, EL1, tasks_rcu=scan, preempt=full, seed=12, 800 callsites";
const VERDICT: &str = "stress: FAIL seed=1 scheme=flag cpus=4 tasks=37 secs=1 calls=1000 swaps=20 p1=0 p2=0 p3=1";
const HOLDER: &str = "   still held by task caller-15 on CPU 1, running at holdout::lab::demo::func+0x8c";

fn compared() {
    let edits = [
        (FIRST, "800 callsites", "789 callsites"),
        (FIRST, "4 CPUs", "3 CPUs"),
        (FIRST, "preempt=full", "preempt=lazy"),
        (VERDICT, "p3=1", "p3=2"),
        (VERDICT, "swaps=", "swapped="),
        (VERDICT, "p1=0 p2=0", "p2=0 p1=0"),
        (VERDICT, " p2=0", ""),
        (HOLDER, "demo::func", "demo::work"),
        (HOLDER, "running", "runnable"),
        (HOLDER, "caller-", "tracee-"),
        ("at src/lab/tracees.rs:21", "21", "22"),
        ("34 instructions from callsite to body", "34", "35"),
        ("windows: FAIL boundaries=32 runs=32 unsafe=4 late=22", "late=22", "late=21"),
    ];
    for (line, from, to) in edits {
        assert!(still_holds(line, line));
        assert!(!still_holds(line, &line.replace(from, to)), "{from} became {to} in: {line}");
    }
}

fn not_compared() {
    let edits = [
        (FIRST, "c6afc2ec6b3a", "97ffaccf012+"),
        (FIRST, "c6afc2ec6b3a", "not-from-git"),
        (FIRST, "seed=12", "seed=4419009"),
        (HOLDER, "0x8c", "0x88"),
        (HOLDER, "CPU 1", "CPU 3"),
        (HOLDER, "caller-15", "caller-8"),
        (" 15  0x00402050e4 f85f0162 T2", "f85f0162", "58000085"),
        ("#0  0x00000000402050e8 in trampoline_t0 ()", "402050e8", "402050f0"),
    ];
    for (line, from, to) in edits {
        assert!(still_holds(line, &line.replace(from, to)), "{from} became {to} in: {line}");
    }
}

fn measured() {
    for (calls, holds) in [("501", true), ("499", false), ("2000", true), ("2001", false), ("0", false)] {
        assert_eq!(still_holds(VERDICT, &VERDICT.replace("1000", calls)), holds, "{calls}");
    }
    assert!(still_holds("over after 71514 us", "over after 40000 us"));
    assert!(!still_holds("over after 71514 us", "over after 30000 us"));
}

fn elisions() {
    let output = "one\ntwo a=1 b=2 c=3 d=4\nthree\nfour\nfive\n";
    for shown in
        ["...\nfour\n...\n", "one\n...\nfive\n", "one\ntwo ... c=3 ...\n...\nfour\nfive\n", "one\n...\nthree\n...\n"]
    {
        assert_eq!(anew(shown, output), shown);
    }
    assert_eq!(anew("one\ntwo ... c=8 ...\n...\n", output), "one\ntwo ... c=3 ...\n...\n");
    assert_eq!(anew("two a=7 ... d=9\n", "two a=1 b=2 c=3 d=4\n"), "two a=1 ... d=4\n");
}

fn changes() {
    assert_eq!(
        anew("one thing is\nand three\n...\n", "one thing was\ntwo new words\nand three\n\nend\n"),
        "one thing was\ntwo new words\nand three\n...\n"
    );
    assert_eq!(anew("one\nwhat is gone\nthree\n", "one\nthree\n"), "one\nthree\n");
    assert_eq!(anew("one\n", "one\ntwo\n"), "one\ntwo\n", "no elision at the end: it is shown to its end");
    assert_eq!(anew("two\n", "one\ntwo\n"), "one\ntwo\n", "and from its beginning");
    assert_eq!(anew("  at 0x12 of  four\n", "    at 0x345 of four\n"), "    at 0x345 of four\n");
}

fn likeness() {
    let output = "window: n=1 step=T0 at=0x10\nwindow: n=2 step=T1 at=0x20\nwindow: n=3 step=T2 at=0x30\n";
    assert_eq!(anew("...\nwindow: ... step=T1 at=0x90\n...\n", output), "...\nwindow: ... step=T1 at=0x20\n...\n");
}

fn blocks() {
    let both = "```\n$ one \\\n    more\nout\n$ two\n...\nput\n```\n";
    let text = format!("words\n{both}```sh\n$ no transcript\n```\nwords\n```\nholdout> ps\nout\n```\n");
    let found = transcripts::of(&text);
    let names: Vec<String> = found.iter().map(transcripts::Transcript::name).collect();
    assert_eq!(names, ["$ one more", "$ two", "holdout> ps"]);
    let texts: Vec<String> = found.iter().map(transcripts::Transcript::text).collect();
    assert_eq!(texts, ["$ one \\\n    more\nout\n", "$ two\n...\nput\n", "holdout> ps\nout\n"]);
}

fn figures() {
    let cases = [
        ("1", 26.0, "26"),
        ("10,000", 3367.0, "3,370"),
        ("1", 533_979.0, "534,000"),
        ("9.1 µs", 2224.0, "2.22 µs"),
        ("1 ms", 533_984.0, "0.534 ms"),
        ("6 million", 7_016_142.0, "7.02 million"),
        ("1", 1_234_567.0, "1,230,000"),
    ];
    for (number, value, said) in cases {
        assert_eq!(like(number, value), said);
        assert!(is_near(&format!("| {said} |"), &format!("| {} |", like(said, value))), "{said}");
    }
    assert!(is_near("| 2,190 (2.2 µs) |", "| 2,220 (2.22 µs) |"));
    assert!(!is_near("| 104 |", "| 99 |") && !is_near("| 26 |", "| 27 |") && !is_near("| 2.2 µs |", "| 2.31 µs |"));
}
