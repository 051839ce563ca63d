//! Why boot arguments were refused: one line that names the word and says what is allowed.
//!
//! Nothing was started when one of these exists. INVARIANT: at most [`MAX_CHARS`] printable ASCII characters, whatever
//! the word was (`echo-safe` of `platform::shown`). Callable from any context.

use core::fmt;

use super::table::{Allowed, Key, KeysOf, ModesOf, NamesOf};
use crate::platform::names::Mode;
use crate::platform::shown::Shown;

/// No refusal is longer than this.
pub const MAX_CHARS: usize = 240;

/// What is wrong with a word.
#[derive(Clone, Copy, Debug)]
pub(super) enum Problem {
    /// The first word stands alone and names no mode.
    UnknownMode,
    /// A word after the first stands alone.
    BareWord,
    /// Nothing before the `=`.
    EmptyKey,
    /// No key has this name.
    UnknownKey,
    /// The key stands twice.
    RepeatedKey,
    /// The key belongs to other modes.
    KeyOfOtherMode(&'static Key),
    /// Nothing after the `=`.
    EmptyValue(&'static Key),
    /// Not of the key's kind, or out of its range.
    BadValue(&'static Key),
    /// A deliberate fault, in a build that has none.
    NoFaults,
    /// A double quote without its partner.
    OpenQuote,
    /// A double quote inside a word.
    StrayQuote,
}

/// Boot arguments were refused: the first word that is wrong, and why. Its text is the answer to give.
#[derive(Clone, Copy, Debug)]
pub struct ArgError<'a> {
    pub(super) word: &'a str,
    pub(super) problem: Problem,
    pub(super) mode: Mode,
    pub(super) machine_cpus: usize,
}

impl<'a> ArgError<'a> {
    /// The word that was refused, as it was typed. Show it only through `Shown`.
    pub fn word(&self) -> &'a str {
        self.word
    }
}

impl fmt::Display for ArgError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = Shown(self.word);
        let keys = KeysOf(self.mode);
        let mode = self.mode;
        let allowed = |key: &'static Key| Allowed { kind: key.kind, machine_cpus: self.machine_cpus, mode: Some(mode) };
        match self.problem {
            Problem::UnknownMode => write!(f, "{word} is not a mode; allowed: {}", NamesOf::<Mode>::table()),
            Problem::BareWord => write!(f, "{word} is not key=value; mode {mode} takes: {keys}"),
            Problem::EmptyKey => write!(f, "{word} has no key; mode {mode} takes: {keys}"),
            Problem::UnknownKey => write!(f, "{word} is not a key; mode {mode} takes: {keys}"),
            Problem::RepeatedKey => write!(f, "{word} repeats its key; allowed: each key once"),
            Problem::KeyOfOtherMode(key) => {
                write!(f, "{word} is only for mode {}; mode {mode} takes: {keys}", ModesOf(key))
            }
            Problem::EmptyValue(key) => write!(f, "{word} has no value; allowed: {}", allowed(key)),
            Problem::BadValue(key) => {
                write!(f, "{word} is not a value of {}; allowed: {}", key.name, allowed(key))
            }
            Problem::NoFaults => {
                write!(
                    f,
                    "{word}: this build has no deliberate faults; allowed: in one of scripts/build --profile faults"
                )
            }
            Problem::OpenQuote => write!(f, "{word} lacks a closing double quote; allowed: key=\"value\""),
            Problem::StrayQuote => write!(f, "{word} has a stray double quote; allowed: key=\"value\""),
        }
    }
}

impl core::error::Error for ArgError<'_> {}
