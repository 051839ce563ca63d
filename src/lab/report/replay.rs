//! How a FAIL is done again: the last line of all.

use core::fmt;

use crate::fault;
use crate::platform::bootargs::{self, BootArgs, Exact};

/// The very last line after a FAIL: what shows it again.
///
/// On an exact machine the line is the whole command, and doing it gives the same console to the byte. On a machine that
/// runs free, and for a run that somebody typed, the line is the boot arguments, and a line before it says what they do not
/// repeat.
#[derive(Clone, Copy, Debug)]
pub enum Replay<'a> {
    /// The run that was booted, all of it.
    Run(BootArgs<'a>),
    /// A part of the run, which these arguments select.
    Part(BootArgs<'a>),
    /// The same as a line of a story, which speaks of no timing.
    Story(BootArgs<'a>),
}

/// The option of `scripts/run` that chooses this build.
const PROFILE: &str = match (fault::ARE_BUILT, cfg!(debug_assertions)) {
    (true, _) => " --profile faults",
    (false, true) => " --profile checked",
    (false, false) => "",
};

impl fmt::Display for Replay<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Run(args) | Self::Part(args) | Self::Story(args)) = *self;
        let arguments = BootArgs { exact: None, ..args };
        let command =
            |f: &mut fmt::Formatter<'_>, exact: Exact<'_>| write!(f, "replay: scripts/run{PROFILE} {}", exact.options);
        match (self, args.exact) {
            (Self::Run(_), Some(exact)) => {
                command(f, exact)?;
                put_line(f, exact.line)
            }
            (_, Some(exact)) => {
                command(f, exact)?;
                write!(f, " {arguments}")
            }
            (Self::Story(_), None) => write!(f, "replay: {arguments}"),
            (_, None) => write!(
                f,
                "the next line repeats the load, not the timing: only what scripts/run --exact boots repeats both\n\
                 replay: {arguments}"
            ),
        }
    }
}

/// Writes the boot line as a shell takes it. Where words with one space between would make another line of it, which takes
/// another time to read, the line is one word.
fn put_line(f: &mut fmt::Formatter<'_>, line: &str) -> fmt::Result {
    let words = || bootargs::words(line);
    let length = |(key, value): (&str, Option<&str>)| {
        let of_value = |value: &str| 1 + value.len() + 2 * usize::from(value.contains(' '));
        key.len() + value.map_or(0, of_value)
    };
    if words().map(length).sum::<usize>() + words().count().saturating_sub(1) == line.len() {
        return words().try_for_each(|word| put(f, word));
    }
    f.write_str(" '")?;
    put_quoted(f, line)?;
    f.write_str("'")
}

/// Writes a word as a shell takes it.
fn put(f: &mut fmt::Formatter<'_>, (key, value): (&str, Option<&str>)) -> fmt::Result {
    let Some(value) = value else { return write!(f, " {key}") };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.,:+-/".contains(c);
    if value.chars().all(is_plain) {
        return write!(f, " {key}={value}");
    }
    write!(f, " '{key}=")?;
    put_quoted(f, value)?;
    f.write_str("'")
}

/// Writes what stands between single quotes.
fn put_quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    text.split_inclusive('\'').try_for_each(|part| match part.strip_suffix('\'') {
        Some(text) => write!(f, "{text}'\\''"),
        None => f.write_str(part),
    })
}
