//! Boot arguments: from one line to a checked [`BootArgs`], and back.
//!
//! The first bare word names the mode, the rest is `key=value`. Everything is decided here, before anything starts:
//! a line is accepted whole or refused at its first wrong word, in one line of text ([`ArgError`]). Nothing allocates;
//! texts of the line (`cmds`, `only`) are borrowed from it. Callable from any context; the shell's `stress …` parses
//! its own line here too.
//!
//! # Why not a builder of defaults
//! Whether a key was given matters: without `tasks_rcu` a bench runs every scheme, without `seed` one is drawn. Such
//! keys are `Option`s, so that the mode sees the difference, and [`BootArgs`] printed back says exactly what was chosen.

mod refusal;
mod table;

#[cfg(test)]
mod tests;

use core::fmt;

use crate::fault::{self, Fault};

pub use self::refusal::{ArgError, MAX_CHARS};
pub use self::table::{Help, help};
pub use super::names::{
    Bench, DEFAULT_SCHEME, Mode, Name, PreemptModel, SchemeName, Selftest, WindowFunc, WindowScenario,
};

use self::refusal::Problem;
use self::table::{DEFAULT_PREEMPT, DEFAULT_SECS, KEYS, Key, Kind};

/// What to do and how: boot arguments that were found good.
///
/// Printed, it is the canonical line that parses to the same thing: the replay line of a run whose drawn seed and
/// scheme were filled in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootArgs<'a> {
    /// What to do once up.
    pub mode: Mode,
    /// The scheme, if one was named. See [`BootArgs::scheme`].
    pub tasks_rcu: Option<SchemeName>,
    /// The preemption model.
    pub preempt: PreemptModel,
    /// Guest seconds of `stress`.
    pub secs: u32,
    /// CPUs to start, at least one.
    pub cpus: usize,
    /// The seed, if one was named; else the caller draws one.
    pub seed: Option<u64>,
    /// Commands for the shell instead of a prompt.
    pub cmds: Option<&'a str>,
    /// The parts of the mode to run, comma-separated. See [`BootArgs::selects`].
    pub only: Option<&'a str>,
    /// Only list the scenarios of `selftest`: the bare word behind the mode.
    pub list: bool,
    /// What is wrong on purpose.
    pub fault: Option<Fault>,
    /// Show how far the run is. See [`BootArgs::shows_progress`].
    pub progress: bool,
    /// The exact machine that this line was given to, if it is one.
    pub exact: Option<Exact<'a>>,
}

/// A machine whose runs are equal to the byte each time, and what it was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exact<'a> {
    /// The options of `scripts/run` that make such a machine.
    pub options: &'a str,
    /// The whole line of boot arguments before these options. Not the canonical one: reading another line takes another
    /// time, and all that follows would be another run.
    pub line: &'a str,
}

impl BootArgs<'_> {
    /// What a line with nothing but the mode means, on a machine with so many CPUs.
    pub const fn new(mode: Mode, machine_cpus: usize) -> Self {
        Self {
            mode,
            tasks_rcu: None,
            preempt: DEFAULT_PREEMPT,
            secs: DEFAULT_SECS,
            cpus: machine_cpus,
            seed: None,
            cmds: None,
            only: None,
            list: false,
            fault: None,
            progress: false,
            exact: None,
        }
    }

    /// The scheme to start with: the one that was named, else the default.
    pub fn scheme(&self) -> SchemeName {
        self.tasks_rcu.unwrap_or(DEFAULT_SCHEME)
    }

    /// Whether a person watches the run: nobody does where it has to print the same bytes each time.
    pub fn shows_progress(&self) -> bool {
        self.progress && self.exact.is_none()
    }

    /// Is this part of the mode to be run, where `kind` tells parts of its kind from others? None of a kind named is all.
    pub fn selects_of(&self, kind: impl Fn(&str) -> bool, part: &str) -> bool {
        let is_named = |only: &str| only.split(',').any(&kind);
        self.only.is_none_or(|only| !is_named(only)) || self.selects(part)
    }

    /// Is this part of the mode to be run?
    pub fn selects(&self, part: &str) -> bool {
        self.only.is_none_or(|only| only.split(',').any(|name| name == part))
    }
}

/// The bare word behind `selftest` that lists its scenarios.
const LIST: &str = "list";

/// Reads boot arguments for a machine with `machine_cpus` CPUs.
///
/// Context: any. Nothing is started and nothing allocated; the first wrong word ends it.
pub fn parse(line: &str, machine_cpus: usize) -> Result<BootArgs<'_>, ArgError<'_>> {
    let mut args = BootArgs::new(Mode::Shell, machine_cpus);
    let mut seen = [false; KEYS.len()];
    let mut rest = line;
    let mut is_first = true;
    loop {
        rest = rest.trim_ascii_start();
        if rest.is_empty() {
            return Ok(args);
        }
        let refuse = |mode, (word, problem)| ArgError { word, problem, mode, machine_cpus };
        let word;
        (word, rest) = split_word(rest).map_err(|wrong| refuse(args.mode, wrong))?;
        let outcome = match word.pair {
            None if is_first => choose_mode(word.text).map(|mode| args.mode = mode),
            None if args.mode == Mode::Selftest && word.text == LIST && !args.list => {
                args.list = true;
                Ok(())
            }
            None => Err((word.text, Problem::BareWord)),
            Some((key, value)) => set(&mut args, &mut seen, machine_cpus, (line, word.text), key, value),
        };
        outcome.map_err(|wrong| refuse(args.mode, wrong))?;
        is_first = false;
    }
}

/// The part of the line that is wrong, and why.
type Wrong<'a> = (&'a str, Problem);

/// A word of the line, and its two sides if it has a `=`; the value without its quotes.
struct Word<'a> {
    text: &'a str,
    pair: Option<(&'a str, &'a str)>,
}

/// Takes the first word off `line`, which starts with one; gives the word and what follows it.
fn split_word(line: &str) -> Result<(Word<'_>, &str), Wrong<'_>> {
    let end = line.find(|c: char| c.is_ascii_whitespace()).unwrap_or(line.len());
    if let Some((key, quoted)) = line[..end].find("=\"").map(|at| (&line[..at], &line[at + 2..]))
        && !key.contains(['=', '"'])
    {
        let (value, after) = quoted.split_once('"').ok_or((line, Problem::OpenQuote))?;
        let stray = after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len());
        let text = &line[..line.len() - after.len() + stray];
        if stray > 0 {
            return Err((text, Problem::StrayQuote));
        }
        return Ok((Word { text, pair: Some((key, value)) }, after));
    }
    let (text, after) = line.split_at(end);
    if text.contains('"') {
        return Err((text, Problem::StrayQuote));
    }
    Ok((Word { text, pair: text.split_once('=') }, after))
}

fn choose_mode(word: &str) -> Result<Mode, Wrong<'_>> {
    Mode::from_word(word).ok_or((word, Problem::UnknownMode))
}

/// Sets the key of `word`. In a list, the refusal names the part that is wrong: the word as a whole could hide it.
fn set<'a>(
    args: &mut BootArgs<'a>,
    seen: &mut [bool; KEYS.len()],
    machine_cpus: usize,
    (line, word): (&'a str, &'a str),
    name: &str,
    value: &'a str,
) -> Result<(), Wrong<'a>> {
    if name.is_empty() {
        return Err((word, Problem::EmptyKey));
    }
    let index = KEYS.iter().position(|key| key.name == name).ok_or((word, Problem::UnknownKey))?;
    let key = &KEYS[index];
    if !key.is_for(args.mode) {
        return Err((word, Problem::KeyOfOtherMode(key)));
    }
    if core::mem::replace(&mut seen[index], true) {
        return Err((word, Problem::RepeatedKey));
    }
    if value.is_empty() {
        return Err((word, Problem::EmptyValue(key)));
    }
    let bad = (word, Problem::BadValue(key));
    match key.kind {
        Kind::Scheme => args.tasks_rcu = Some(SchemeName::from_word(value).ok_or(bad)?),
        Kind::Model => args.preempt = PreemptModel::from_word(value).ok_or(bad)?,
        Kind::Seconds { min, max } => {
            let secs = decimal(value).and_then(|secs| u32::try_from(secs).ok());
            args.secs = secs.filter(|secs| (min..=max).contains(secs)).ok_or(bad)?;
        }
        Kind::Cpus => {
            let cpus = decimal(value).and_then(|cpus| usize::try_from(cpus).ok());
            args.cpus = cpus.filter(|cpus| (1..=machine_cpus).contains(cpus)).ok_or(bad)?;
        }
        Kind::Seed => args.seed = Some(number(value).ok_or(bad)?),
        Kind::Commands if value.contains(char::is_control) => return Err(bad),
        Kind::Commands if value.chars().all(|c| c == ';' || c == ' ') => return Err((word, Problem::EmptyValue(key))),
        Kind::Commands => args.cmds = Some(value),
        Kind::Parts => {
            for part in value.split(',') {
                let shown = if part.is_empty() { word } else { part };
                let is_there = match args.mode {
                    Mode::Selftest => Selftest::from_word(part).is_some(),
                    Mode::Windows => {
                        is_boundary(part)
                            || WindowFunc::from_word(part).is_some()
                            || WindowScenario::from_word(part).is_some()
                    }
                    _ => Bench::from_word(part).is_some(),
                };
                if !is_there {
                    return Err((shown, Problem::BadValue(key)));
                }
            }
            args.only = Some(value);
        }
        Kind::Fault if !fault::ARE_BUILT => return Err((word, Problem::NoFaults)),
        Kind::Fault => args.fault = Some(Fault::ALL.iter().copied().find(|fault| fault.as_str() == value).ok_or(bad)?),
        Kind::Choice if !matches!(value, "yes" | "no") => return Err(bad),
        Kind::Choice => args.progress = value == "yes",
        Kind::Machine => {
            let before =
                line.trim_ascii_end().strip_suffix(word).filter(|_| !value.contains(char::is_control)).ok_or(bad)?;
            args.exact = Some(Exact { options: value, line: before.strip_suffix(' ').unwrap_or(before) });
        }
    }
    Ok(())
}

/// The words of a line that was found good: each word's text, or its key and the value without quotes.
pub fn words(line: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let mut rest = line;
    core::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        let (word, behind) = split_word(rest).ok().filter(|(word, _)| !word.text.is_empty())?;
        rest = behind;
        Some(word.pair.map_or((word.text, None), |(key, value)| (key, Some(value))))
    })
}

/// A u64 of decimal digits alone: no sign, no separator.
fn decimal(text: &str) -> Option<u64> {
    digits(text, 10)
}

/// The number of a boundary, or two of them, in either order of going on or in the reversed one alone: `12`, `12+17`, `12+17r`.
fn is_boundary(part: &str) -> bool {
    let (first, second) = part.split_once('+').unwrap_or((part, part));
    let second = second.strip_suffix('r').filter(|_| part.contains('+')).unwrap_or(second);
    decimal(first).is_some() && decimal(second).is_some()
}

/// A u64 in decimal, or in hexadecimal after `0x`.
fn number(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hexadecimal) => digits(hexadecimal, 16),
        None => decimal(text),
    }
}

fn digits(text: &str, radix: u32) -> Option<u64> {
    // `from_str_radix` alone would take a leading plus sign.
    if text.chars().all(|c| c.is_digit(radix)) { u64::from_str_radix(text, radix).ok() } else { None }
}

impl fmt::Display for BootArgs<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mode)?;
        if self.list {
            write!(f, " {LIST}")?;
        }
        for Key { name, kind, .. } in KEYS.iter().filter(|key| key.is_for(self.mode)) {
            match kind {
                Kind::Scheme => pair(f, name, self.tasks_rcu)?,
                Kind::Model => pair(f, name, Some(self.preempt))?,
                Kind::Seconds { .. } => pair(f, name, Some(self.secs))?,
                Kind::Cpus => pair(f, name, Some(self.cpus))?,
                Kind::Seed => pair(f, name, self.seed)?,
                Kind::Commands => pair(f, name, self.cmds.map(Quoted))?,
                Kind::Parts => pair(f, name, self.only)?,
                Kind::Fault => pair(f, name, self.fault.map(Fault::as_str))?,
                Kind::Choice => pair(f, name, self.progress.then_some("yes"))?,
                Kind::Machine => pair(f, name, self.exact.map(|exact| Quoted(exact.options)))?,
            }
        }
        Ok(())
    }
}

/// Prints a value that may hold spaces; it has no double quote in it, or it could not have been parsed.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

fn pair<T: fmt::Display>(f: &mut fmt::Formatter<'_>, name: &str, value: Option<T>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name}={value}"))
}
