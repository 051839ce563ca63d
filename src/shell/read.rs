//! From a line to a [`Request`]: finds the command's row, counts its words, reads them. Pure.
//!
//! Context: any that may allocate (a pattern is kept on the heap, since stacks are small).

use alloc::boxed::Box;

use super::foreign;
use super::kinds::FaultKind;
use super::request::{Refusal, Request, Topic};
use super::table::{self, HOLDS, RCU_WORDS, URGENCIES};
use super::words::Words;
use crate::ftrace::filter::Filter;
use crate::platform::{Hold, Name, Urgency, bootargs};
use crate::rcu::schemes::NAMES;

/// The longest sleep: an hour.
pub const MAX_SLEEP_MS: u32 = 3_600_000;

/// Longer than anybody holds an ops: a minute.
const MAX_HOLD_MS: u32 = 60_000;

/// A shorter stall would be reported before a tick has passed.
const LEAST_STALL_MS: u32 = 10;

/// Events that `log` prints when it is not said how many, and at most: all that eight CPUs keep.
const USUAL_EVENTS: u32 = 32;
const MAX_EVENTS: u32 = 256;

/// Keys of `stress` that a running kernel cannot change.
const CHOSEN_AT_BOOT: [&str; 3] = ["cpus=", "preempt=", "machine="];

/// A line that was split, with what its readers must know.
#[derive(Debug)]
pub struct Typed<'a> {
    /// The whole line, without spaces around it.
    line: &'a str,
    pub(super) words: Words<'a>,
    running: Running,
}

/// What a reader must know of the kernel that runs.
#[derive(Clone, Copy, Debug)]
pub struct Running {
    /// CPUs that it uses.
    pub nr_cpus: usize,
    /// Its scheme lets a func sleep; under the others one that does ends the kernel.
    pub lets_funcs_block: bool,
}

impl<'a> Typed<'a> {
    /// The words behind the name.
    fn arguments(&self) -> &[&'a str] {
        self.words.as_slice().get(1..).unwrap_or(&[])
    }
}

/// Reads one command, on a kernel that runs so.
pub fn read(line: &str, running: Running) -> Result<Request<'_>, Refusal<'_>> {
    let line = line.trim_ascii();
    let words = Words::split(line).map_err(Refusal::Words)?;
    let name = words.as_slice().first().copied().unwrap_or("");
    let command = table::find(name).ok_or_else(|| unknown(name))?;
    let typed = Typed { line, words, running };
    if !command.counts.contains(&typed.arguments().len()) {
        return Err(Refusal::Count(command));
    }
    (command.read)(&typed)
}

fn unknown(word: &str) -> Refusal<'_> {
    match foreign::answer(word) {
        Some(answer) => Refusal::Foreign { word, answer },
        None => Refusal::UnknownCommand { word, nearest: table::nearest(word) },
    }
}

fn pattern(text: &str) -> Result<Box<Filter>, Refusal<'_>> {
    Filter::parse(text).map(Box::new).map_err(Refusal::Pattern)
}

pub(super) fn help<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    let topic = match typed.arguments() {
        [] => Topic::Commands,
        ["boot", ..] => Topic::Boot,
        [name, ..] => Topic::Command(table::find(name).ok_or_else(|| unknown(name))?),
    };
    Ok(Request::Help(topic))
}

pub(super) fn callsites<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    pattern(typed.arguments().first().copied().unwrap_or("*")).map(Request::Callsites)
}

pub(super) fn trace<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    let (text, switch) = (typed.arguments()[0], typed.arguments()[1]);
    let filter = pattern(text)?;
    match switch {
        "on" => Ok(Request::TraceOn { pattern: text, filter }),
        "off" => Ok(Request::TraceOff { pattern: text }),
        word => Err(Refusal::NotOneOf { word, allowed: &["on", "off"] }),
    }
}

pub(super) fn step<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    let text = typed.arguments()[0];
    pattern(text).map(|filter| Request::Step { pattern: text, filter })
}

pub(super) fn echo<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    // A word that was quoted does not stand in the line like this.
    let is_output = |word: &str| word.trim_start_matches(|c: char| c.is_ascii_digit()).starts_with('>');
    let is_redirected = typed.line.split_ascii_whitespace().any(is_output);
    if is_redirected { Err(Refusal::Redirected) } else { Ok(Request::Echo(typed.words.clone())) }
}

pub(super) fn stress<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    let chosen = |word: &&&str| CHOSEN_AT_BOOT.iter().any(|key| word.starts_with(key));
    if let Some(&word) = typed.arguments().iter().find(chosen) {
        return Err(Refusal::ChosenAtBoot(word));
    }
    bootargs::parse(typed.line, typed.running.nr_cpus).map(Request::Stress).map_err(Refusal::Stress)
}

pub(super) fn sleep<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    number(typed.arguments()[0], 0, MAX_SLEEP_MS).map(|ms| Request::Sleep { ms })
}

pub(super) fn log<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    let most = typed.arguments().first().map_or(Ok(USUAL_EVENTS), |word| number(word, 0, MAX_EVENTS))?;
    Ok(Request::Log { most: most as usize })
}

pub(super) fn hold<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    let (word, ms) = (typed.arguments()[0], typed.arguments()[1]);
    let how = Hold::from_word(word).ok_or(Refusal::NotOneOf { word, allowed: HOLDS })?;
    let (urgency, last) = match typed.arguments()[2..] {
        [urgency, last] => (Some(urgency), Some(last)),
        ["yes"] => (None, Some("yes")),
        [urgency] => (Some(urgency), None),
        _ => (None, None),
    };
    let urgency = self::urgency(urgency)?;
    let request = Request::Hold { how, ms: number(ms, 1, MAX_HOLD_MS)?, urgency };
    let sleeps = matches!(how, Hold::Sleep | Hold::SleepUnguarded | Hold::Broken);
    let ends_kernel = sleeps && !typed.running.lets_funcs_block;
    if ends_kernel || last.is_some() { confirmed(typed, last, request) } else { Ok(request) }
}

/// How a grace period is waited for: `expedited`, or nothing.
fn urgency(word: Option<&str>) -> Result<Urgency, Refusal<'_>> {
    match word {
        None => Ok(Urgency::Normal),
        Some(word) => Urgency::from_word(word).ok_or(Refusal::NotOneOf { word, allowed: URGENCIES }),
    }
}

pub(super) fn rcu<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    match typed.arguments() {
        [] => Ok(Request::Rcu),
        ["synchronize", rest @ ..] => urgency(rest.first().copied()).map(Request::Synchronize),
        ["scheme", word] => {
            let known = NAMES.iter().find(|name| *name == word);
            known.map(|name| Request::Scheme(name)).ok_or(Refusal::NotOneOf { word, allowed: &NAMES })
        }
        ["stall", word] => number(word, LEAST_STALL_MS, MAX_SLEEP_MS).map(|ms| Request::StallAfter { ms }),
        [word, ..] if !RCU_WORDS.contains(word) => Err(Refusal::NotOneOf { word, allowed: RCU_WORDS }),
        _ => Err(table::find("rcu").map_or(unknown("rcu"), Refusal::Count)),
    }
}

/// The number that `word` spells, in decimal digits alone.
fn number(word: &str, min: u32, max: u32) -> Result<u32, Refusal<'_>> {
    // `parse` alone would take a plus sign.
    let number = word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok()).flatten();
    number.filter(|number| (min..=max).contains(number)).ok_or(Refusal::NotWithin { word, min, max })
}

pub(super) fn panic<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    confirmed(typed, typed.arguments().first().copied(), Request::Panic)
}

pub(super) fn fault<'a>(typed: &Typed<'a>) -> Result<Request<'a>, Refusal<'a>> {
    let word = typed.arguments()[0];
    let kind = FaultKind::from_word(word).ok_or(Refusal::NoSuchFault(word))?;
    confirmed(typed, typed.arguments().get(1).copied(), Request::Fault(kind))
}

/// Lets `request` pass if the last word says so.
fn confirmed<'a>(typed: &Typed<'a>, last: Option<&'a str>, request: Request<'a>) -> Result<Request<'a>, Refusal<'a>> {
    match last {
        Some("yes") => Ok(request),
        Some(word) => Err(Refusal::NotOneOf { word, allowed: &["yes"] }),
        None => {
            let name = typed.words.as_slice()[0];
            Err(table::find(name).map_or(unknown(name), Refusal::Unconfirmed))
        }
    }
}

#[cfg(test)]
mod tests;
