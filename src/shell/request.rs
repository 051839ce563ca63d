//! What a line asks for, and why a line is refused. Pure; callable from any context.
//!
//! INVARIANT: the text of a [`Refusal`] is one line of ASCII without control characters, whatever was typed (words are
//! repeated through `Shown` alone).

use alloc::boxed::Box;
use core::fmt;

use super::foreign::NO_FILES;
use super::help::Usage;
use super::kinds::FaultKind;
use super::table::Command;
use super::words::{Words, WordsError};
use crate::ftrace::filter::{Filter, FilterError};
use crate::platform::bootargs::{ArgError, BootArgs};
use crate::platform::shown::Shown;
use crate::platform::{Hold, Urgency};

/// A line that was found good.
#[derive(Debug)]
pub enum Request<'a> {
    /// Print help.
    Help(Topic),
    /// Print the boot's first line.
    Version,
    /// List the tasks.
    Tasks,
    /// Say what each CPU does.
    Cpus,
    /// Count interrupts.
    Irqs,
    /// Say whose memory is whose.
    Memory,
    /// Print the last events of all CPUs, at most so many.
    Log {
        /// Lines.
        most: usize,
    },
    /// Say how grace periods go.
    Rcu,
    /// Select this scheme.
    Scheme(&'static str),
    /// Report a grace period as stalled after so long.
    StallAfter {
        /// Milliseconds of guest time.
        ms: u32,
    },
    /// Wait for a grace period.
    Synchronize(Urgency),
    /// List the registered ops.
    Ops,
    /// List the callsites that match.
    Callsites(Box<Filter>),
    /// Count the calls of all that match, under this pattern.
    TraceOn {
        /// As it was typed.
        pattern: &'a str,
        /// The same, taken apart.
        filter: Box<Filter>,
    },
    /// Step a hit of the one function that matches.
    Step {
        /// As it was typed.
        pattern: &'a str,
        /// The same, taken apart.
        filter: Box<Filter>,
    },
    /// Stop what was started under this pattern.
    TraceOff {
        /// As it was typed.
        pattern: &'a str,
    },
    /// Keep a grace period waiting.
    Hold {
        /// In which way.
        how: Hold,
        /// For so many milliseconds.
        ms: u32,
        /// How it is waited for.
        urgency: Urgency,
    },
    /// Swap ops under load, judged by the oracle.
    Stress(BootArgs<'a>),
    /// Print these words.
    Echo(Words<'a>),
    /// Do nothing for so long.
    Sleep {
        /// Milliseconds of guest time.
        ms: u32,
    },
    /// Panic.
    Panic,
    /// Do what a broken kernel does.
    Fault(FaultKind),
    /// End with status 0.
    PowerOff,
}

/// What help is about.
#[derive(Clone, Copy, Debug)]
pub enum Topic {
    /// All commands, a line each.
    Commands,
    /// Boot arguments.
    Boot,
    /// One command.
    Command(&'static Command),
}

/// Why a line was refused. Nothing was done; its text is the answer to give.
#[derive(Clone, Copy, Debug)]
pub enum Refusal<'a> {
    /// It cannot be split into words.
    Words(WordsError<'a>),
    /// There is no such command.
    UnknownCommand {
        /// What was typed in its place.
        word: &'a str,
        /// The one command that this may have meant.
        nearest: Option<&'static Command>,
    },
    /// A word of another system, and what does the same here.
    Foreign {
        /// What was typed.
        word: &'a str,
        /// What to type instead.
        answer: &'static str,
    },
    /// Output that is to go into a file.
    Redirected,
    /// Too few words for the command, or too many.
    Count(&'static Command),
    /// A word that is none of a few.
    NotOneOf {
        /// What was typed.
        word: &'a str,
        /// What is allowed.
        allowed: &'static [&'static str],
    },
    /// A word that is no kind of fault: there are more than a line can name.
    NoSuchFault(&'a str),
    /// A word that is not a number, or none of those that are allowed.
    NotWithin {
        /// What was typed.
        word: &'a str,
        /// The smallest that is allowed.
        min: u32,
        /// The largest that is allowed.
        max: u32,
    },
    /// A pattern that makes no sense.
    Pattern(FilterError),
    /// Arguments that mode `stress` does not take.
    Stress(ArgError<'a>),
    /// An argument that only a boot can choose.
    ChosenAtBoot(&'a str),
    /// The kernel would end, and there is no `yes`.
    Unconfirmed(&'static Command),
}

impl fmt::Display for Refusal<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Words(error) => error.fmt(f),
            Self::UnknownCommand { word, nearest: None } => {
                write!(f, "{} is not a command; `help` lists them", Shown(word))
            }
            Self::UnknownCommand { word, nearest: Some(nearest) } => {
                write!(f, "{} is not a command; is it `{}`? `help` lists all", Shown(word), nearest.name)
            }
            Self::Foreign { word, answer } => write!(f, "{} is not a command here: {answer}", Shown(word)),
            Self::Redirected => f.write_str(NO_FILES),
            Self::Count(command) => Usage(command).fmt(f),
            Self::NotOneOf { word, allowed } => {
                write!(f, "{} is none of:", Shown(word))?;
                allowed.iter().try_for_each(|allowed| write!(f, " {allowed}"))
            }
            Self::NoSuchFault(word) => write!(f, "{} is no kind of fault; `help fault` lists them", Shown(word)),
            Self::NotWithin { word, min, max } => {
                write!(f, "{} is not a number from {min} to {max}", Shown(word))
            }
            Self::Pattern(error) => error.fmt(f),
            Self::Stress(error) => error.fmt(f),
            Self::ChosenAtBoot(word) => {
                write!(f, "{} is chosen at boot and stays until the next one", Shown(word))
            }
            Self::Unconfirmed(command) => {
                write!(f, "this ends the kernel: confirm it with `yes` at the end; {}", Usage(command))
            }
        }
    }
}

impl core::error::Error for Refusal<'_> {}
