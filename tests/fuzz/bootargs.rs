//! Boot arguments: any line is refused by one of its words, or means what it says when it is printed.

use holdout::platform::bootargs::{MAX_CHARS, parse};
use holdout::platform::shown::Shown;

use crate::harness::{Dice, Taken, hold};

pub(crate) const CASES: u64 = 400_000;

const WORDS: &[&str] =
    &["shell", "demo", "stress", "bench", "selftest", "windows", "list", "hell", "", "=", "\"", "\u{e9}"];
const KEYS: &[&str] =
    &["tasks_rcu", "preempt", "secs", "cpus", "seed", "cmds", "only", "fault", "sec", "CPUS", "", "a=b"];
const VALUES: &[&str] = &[
    "none",
    "classic",
    "linux",
    "full",
    "lazy",
    "voluntary",
    "1",
    "3",
    "8",
    "9",
    "0",
    "86400",
    "86401",
    "0x2a",
    "0xg",
    "+1",
    "18446744073709551615",
    "18446744073709551616",
    "\"ps; rcu\"",
    "\"a b",
    "\"\"",
    "ps",
    "percall",
    "literal-stale",
    "percall,gp",
    "gp,",
    "a\"b",
    "",
    "\"\u{1b}[2J\"",
    "\"  ; \"",
    "\"x\"y",
    "00",
    "\"x\"",
];

/// A line of words that are mostly good, with spaces of all kinds, and a few characters changed now and then.
fn line(dice: &mut Dice) -> String {
    let mut line = String::new();
    if dice.one_in(2) {
        line.push_str(dice.of(WORDS));
    }
    for _ in 0..dice.below(5) {
        line.push_str(dice.of(&[" ", " ", " ", "  ", "\t", "\u{2003}", ""]));
        line.push_str(dice.of(KEYS));
        line.push('=');
        line.push_str(dice.of(VALUES));
    }
    if dice.one_in(4) {
        let (at, c) = (dice.below(line.chars().count() + 1), dice.char());
        line = line.chars().take(at).chain([c]).chain(line.chars().skip(at + dice.below(2))).collect();
    }
    line
}

#[test]
fn boot_arguments_are_refused_by_a_word_or_print_what_they_mean() {
    hold("bootargs", CASES, line, |line| {
        // Any number of CPUs: it follows from the line.
        let machine_cpus = 1 + line.len() % 8;
        match parse(line, machine_cpus) {
            Ok(args) => {
                let printed = args.to_string();
                match parse(&printed, machine_cpus) {
                    Ok(again) if again == args && again.to_string() == printed => {}
                    other => return Err(format!("{args:?} is printed as {printed:?}, which is {other:?}")),
                }
                if !(1..=machine_cpus).contains(&args.cpus) || !(1..=86_400).contains(&args.secs) {
                    return Err(format!("out of range: {args:?}"));
                }
                if args.cmds.is_some_and(|cmds| !line.contains(cmds) || cmds.contains(char::is_control)) {
                    return Err(format!("not from the line: {args:?}"));
                }
                Ok(Taken::Accepted)
            }
            Err(error) => {
                let (word, text) = (error.word(), error.to_string());
                let is_plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
                if !is_plain || text.len() > MAX_CHARS {
                    return Err(format!("not one plain line: {text:?}"));
                }
                if !line.contains(word) || !text.contains(&Shown(word).to_string()) {
                    return Err(format!("{word:?} is not what {text:?} names, or not of the line"));
                }
                Ok(Taken::Refused)
            }
        }
    });
}
