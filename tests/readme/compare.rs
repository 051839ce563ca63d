//! When a line of README.md is still what is printed: the one rule.
//!
//! - [`ANY`] is not compared at all: addresses, instruction words, offsets in a function, the commit.
//! - Of [`WHO`] it was the number is not compared: tasks and CPUs.
//! - [`MEASURED`] numbers may differ by [`FACTOR`]: times, and what is counted while a load runs. They are the same each
//!   time that an exact machine runs the same image, but each change of the kernel makes another schedule. Those of
//!   `stress` came out within a factor of 1.5 for seeds 1 to 4, which are other schedules too; beyond two something
//!   else changed.
//! - All else is compared to the letter: words, keys, names, their order, source lines, and counts, which only a change
//!   of the sources changes. So a new number is exact until it is named here.

use std::sync::LazyLock;

use regex::{Captures, Regex};

const ANY: &str = r"(?x)
    0x[0-9a-f]+                                         # an address, an instruction word, an offset in a function
    | \b[0-9a-f]{8,16}\b                                # the same in a table
    | \((?:[0-9a-f]{11}[0-9a-f+]|not-from-git)\)        # the commit
    | \bseed=\d+,                                       # the seed of the first line, which is drawn where none is given
    | \bschedule=\d+";
const WHO: &str = r"\b(?:task|CPU|Thread) (?:[a-z_]+-)?\d+\b";
const MEASURED: &str = r"(?x)
    \b(?:calls|swaps|ops|tasks|freed|gps|gp_p50_us|ms|bytes_per_task|preempted_in_tramp|preempted_in_func)=\d+
    | \ \d+\ (?:us|ms|calls|times)\b
    | (?:calls\ seen:|the\ new\ one\ has)\ \d+";
const FACTOR: f64 = 2.0;

static RULE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(&format!("(?P<measured>{MEASURED})|(?P<who>{WHO})|{ANY}")).expect("a pattern"));

/// A line without what is not compared, and the measured numbers of it.
pub(crate) fn reduced(line: &str) -> (String, Vec<f64>) {
    let mut measured = Vec::new();
    let text = RULE.replace_all(line, |found: &Captures<'_>| {
        let is_digit = |c: char| c.is_ascii_digit();
        if let Some(found) = found.name("measured") {
            let number = found.as_str().rsplit(['=', ' ']).find_map(|word| word.parse().ok());
            measured.push(number.expect("one number"));
        }
        let kept = found.name("measured").or_else(|| found.name("who"));
        kept.map_or_else(String::new, |found| found.as_str().replace(is_digit, "")) + "_"
    });
    (text.split_whitespace().collect::<Vec<&str>>().join(" "), measured)
}

/// Whether the first line still tells what the second does.
pub(crate) fn still_holds(shown: &str, actual: &str) -> bool {
    let [(shown, shown_numbers), (actual, actual_numbers)] = [shown, actual].map(reduced);
    let is_near = |(a, b): (&f64, &f64)| a.max(*b) <= a.min(*b).max(1.0) * FACTOR;
    shown == actual && shown_numbers.iter().zip(&actual_numbers).all(is_near)
}

/// The first line in which what README.md shows does not hold any more.
pub(crate) fn difference(shown: &str, actual: &str) -> Option<String> {
    let (mut shown, mut actual) = (shown.lines(), actual.lines());
    loop {
        match (shown.next(), actual.next()) {
            (None, None) => return None,
            (Some(shown), Some(actual)) if still_holds(shown, actual) => {}
            (shown, actual) => {
                return Some(both(shown.unwrap_or("(nothing more)"), actual.unwrap_or("(nothing more)")));
            }
        }
    }
}

/// What README.md says and what it should say, for a person.
pub(crate) fn both(said: &str, anew: &str) -> String {
    format!("  README.md says: {said}\n  and it is now:  {anew}")
}
