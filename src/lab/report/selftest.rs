//! The lines of `selftest`: one for each scenario, and the verdict.

use super::{Pairs, Verdict};
use crate::platform::names::{Mode, PreemptModel, Selftest};
use core::fmt;

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending<'a> {
    /// All held.
    Ok,
    /// This machine has no room for it: in words, what it lacks.
    Skipped(&'a str),
    /// In words, what did not hold.
    Failed(&'a str),
}

/// One scenario's line: `test: <name> ok …`, or `test: <name> skipped|FAILED … why=<words>`.
#[derive(Clone, Copy, Debug)]
pub struct ScenarioLine<'a> {
    /// The scenario.
    pub name: Selftest,
    /// How it ended.
    pub ending: Ending<'a>,
    /// Its own ` key=value` pairs.
    pub facts: &'a str,
    /// Guest time that it took.
    pub ms: u64,
}

impl fmt::Display for ScenarioLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, ending, facts, ms } = self;
        match ending {
            Ending::Ok => write!(f, "test: {name} ok ms={ms}{facts}"),
            Ending::Skipped(why) => write!(f, "test: {name} skipped ms={ms}{facts} why={why}"),
            Ending::Failed(why) => write!(f, "test: {name} FAILED ms={ms}{facts} why={why}"),
        }
    }
}

/// The verdict line of `selftest`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the key of the same name, defined with the line's format")]
pub struct SelftestVerdict {
    pub verdict: Verdict,
    pub seed: u64,
    pub preempt: PreemptModel,
    pub cpus: usize,
    pub n: u64,
    pub failed: u64,
    pub ms: u64,
    pub skipped: u64,
}

impl fmt::Display for SelftestVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Mode::Selftest, self.verdict)?;
        let mut pairs = Pairs(f);
        pairs.put("seed", self.seed)?;
        pairs.put("preempt", self.preempt)?;
        pairs.put("cpus", self.cpus)?;
        pairs.put("n", self.n)?;
        pairs.put("failed", self.failed)?;
        pairs.put("ms", self.ms)?;
        pairs.put("skipped", self.skipped)
    }
}
