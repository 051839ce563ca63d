//! How a FAIL is done again: the last line of all.

use core::fmt;

use crate::fault;
use crate::platform::bootargs::{self, BootArgs, Exact};

/// The very last line after a FAIL: what shows it again.
///
/// On an exact machine the line is the whole command, and doing it gives the same console to the byte. On a machine that
/// runs free the line is the boot arguments, and a line before it says what they do not repeat.
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
                bootargs::words(exact.line).filter(|word| word.0 != "machine").try_for_each(|word| put(f, word))
            }
            (_, Some(exact)) => {
                command(f, exact)?;
                write!(f, " {arguments}")
            }
            (Self::Story(_), None) => write!(f, "replay: {arguments}"),
            (_, None) => write!(
                f,
                "this machine runs free: the next line repeats the load, not the timing; scripts/run --exact repeats both\n\
                 replay: {arguments}"
            ),
        }
    }
}

/// Writes a word as a shell takes it.
fn put(f: &mut fmt::Formatter<'_>, (key, value): (&str, Option<&str>)) -> fmt::Result {
    let Some(value) = value else { return write!(f, " {key}") };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_.,:+-/".contains(c);
    if value.chars().all(is_plain) {
        return write!(f, " {key}={value}");
    }
    write!(f, " '{key}=")?;
    value.split_inclusive('\'').try_for_each(|part| match part.strip_suffix('\'') {
        Some(text) => write!(f, "{text}'\\''"),
        None => f.write_str(part),
    })?;
    f.write_str("'")
}
