//! The one printer of verdicts and measurements.
//!
//! Its lines are interfaces that others parse, so their text is made here and nowhere else: a line is a value whose
//! `Display` writes the keys in their fixed order, one space between, whole numbers only. INVARIANT `key-order`: keys
//! are never renamed or moved; a new one goes to the end. Whoever measures fills in fields by name and cannot get the
//! order wrong. Under `lab`, this printer and the argument parser alone know what a scheme is. Callable from any
//! context.

mod replay;
mod selftest;
#[cfg(test)]
mod tests;
mod window;

pub use self::replay::Replay;
pub use self::selftest::{Ending, ScenarioLine, SelftestVerdict};
pub use self::window::{Cell, HeldWhat, PairsLine, PairsOf, WindowLine};

use core::fmt;

use crate::platform::names::{Bench, Mode, PreemptModel, SchemeName};

/// What an experiment says at its end, first word of its verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything held.
    Pass,
    /// Something did not.
    Fail,
    /// Nobody knows: Ctrl-C came first.
    Interrupted,
}

impl Verdict {
    /// The exit status that goes with it.
    pub const fn status(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 1,
            Self::Interrupted => 130,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Interrupted => "INTERRUPTED",
        })
    }
}

/// Writes `name=value` pairs with a space before each.
struct Pairs<'a, 'f>(&'a mut fmt::Formatter<'f>);

impl Pairs<'_, '_> {
    fn put(&mut self, name: &str, value: impl fmt::Display) -> fmt::Result {
        write!(self.0, " {name}={value}")
    }

    /// Writes those that apply.
    fn put_all<T: fmt::Display>(&mut self, pairs: &[(&str, Option<T>)]) -> fmt::Result {
        pairs.iter().try_for_each(|(name, value)| value.as_ref().map_or(Ok(()), |value| self.put(name, value)))
    }
}

/// The verdict line of `stress`. Percentiles are of grace periods; `violations` counts by property, P1 first.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the key of the same name, defined with the line's format")]
pub struct StressLine {
    pub verdict: Verdict,
    pub seed: u64,
    pub scheme: SchemeName,
    pub preempt: PreemptModel,
    pub cpus: usize,
    pub tasks: u64,
    pub ops: u64,
    pub secs: u32,
    pub calls: u64,
    pub swaps: u64,
    pub freed: u64,
    pub gps: u64,
    pub gp_p50_us: u64,
    pub gp_max_us: u64,
    pub violations: [u64; 6],
    pub coverage: Coverage,
    /// A digest of the order in which tasks followed each other on each CPU, and of the swaps between.
    pub schedule: u64,
    /// The longest that an updater waited, behind its swap, for an ops that nobody held.
    pub unheld_max_us: u64,
}

/// How often the situations that matter were met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is the key of the same name, defined with the line's format")]
pub struct Coverage {
    pub preempted_in_tramp: u64,
    pub preempted_in_func: u64,
    pub migrated_holders: u64,
    pub softirq_nested: u64,
    pub irq_holders: u64,
    pub exited_holders: u64,
    pub blocked_in_func: u64,
}

impl Coverage {
    /// Every count with its key, in the order of the line.
    pub const fn counts(&self) -> [(&'static str, u64); 7] {
        [
            ("preempted_in_tramp", self.preempted_in_tramp),
            ("preempted_in_func", self.preempted_in_func),
            ("migrated_holders", self.migrated_holders),
            ("softirq_nested", self.softirq_nested),
            ("irq_holders", self.irq_holders),
            ("exited_holders", self.exited_holders),
            ("blocked_in_func", self.blocked_in_func),
        ]
    }
}

impl fmt::Display for StressLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Mode::Stress, self.verdict)?;
        let mut pairs = Pairs(f);
        pairs.put("seed", self.seed)?;
        pairs.put("scheme", self.scheme)?;
        pairs.put("preempt", self.preempt)?;
        pairs.put("cpus", self.cpus)?;
        pairs.put("tasks", self.tasks)?;
        pairs.put("ops", self.ops)?;
        pairs.put("secs", self.secs)?;
        pairs.put("calls", self.calls)?;
        pairs.put("swaps", self.swaps)?;
        pairs.put("freed", self.freed)?;
        pairs.put("gps", self.gps)?;
        pairs.put("gp_p50_us", self.gp_p50_us)?;
        pairs.put("gp_max_us", self.gp_max_us)?;
        for (name, count) in ["p1", "p2", "p3", "p4", "p5", "p6"].iter().zip(self.violations) {
            pairs.put(name, count)?;
        }
        self.coverage.counts().iter().try_for_each(|(name, count)| pairs.put(name, count))?;
        pairs.put("schedule", self.schedule)?;
        pairs.put("unheld_max_us", self.unheld_max_us)
    }
}

/// The verdict line of `windows`.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the key of the same name, defined with the line's format")]
pub struct WindowsLine {
    pub verdict: Verdict,
    pub scheme: SchemeName,
    pub preempt: PreemptModel,
    pub boundaries: u64,
    pub scenarios: u64,
    pub runs: u64,
    /// The key `unsafe`.
    pub freed_early: u64,
    pub late: u64,
    pub ended: u64,
}

impl fmt::Display for WindowsLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Mode::Windows, self.verdict)?;
        let mut pairs = Pairs(f);
        pairs.put("scheme", self.scheme)?;
        pairs.put("preempt", self.preempt)?;
        pairs.put("boundaries", self.boundaries)?;
        pairs.put("scenarios", self.scenarios)?;
        pairs.put("runs", self.runs)?;
        pairs.put("unsafe", self.freed_early)?;
        pairs.put("late", self.late)?;
        pairs.put("ended", self.ended)
    }
}

/// The verdict line of `bench`: how many measurement lines stand before it.
#[derive(Clone, Copy, Debug)]
pub struct BenchVerdict {
    /// Did every measurement come to its end?
    pub verdict: Verdict,
    /// Measurement lines printed.
    pub lines: u64,
}

impl fmt::Display for BenchVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} n={}", Mode::Bench, self.verdict, self.lines)
    }
}

/// A measurement: `bench: <name> key=value …`, with the keys that apply. Start from [`BenchLine::new`].
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the key of the same name, defined with the line's format")]
pub struct BenchLine {
    pub name: Bench,
    pub scheme: Option<SchemeName>,
    pub ops: Option<u64>,
    pub other_ops: Option<u64>,
    pub tasks: Option<u64>,
    pub holders: Option<u64>,
    pub busy: Option<u64>,
    pub insns: Option<u64>,
    pub ns: Option<u64>,
    pub min: Option<u64>,
    pub max: Option<u64>,
    pub n: Option<u64>,
    pub barriers: Option<u64>,
    pub atomics: Option<u64>,
    pub sysregs: Option<u64>,
    pub bytes: Option<u64>,
    /// Visits of every CPU in a grace period.
    pub rounds: Option<u64>,
    /// Instructions from the request until the first holder runs.
    pub walk: Option<u64>,
    /// Loads and stores on the hit path that order.
    pub ordered: Option<u64>,
    /// Frames on the stack that is left.
    pub frames: Option<u64>,
    /// Whether that stack stands in the func of an ops.
    pub traced: Option<u64>,
    /// Tasks that wait for what the holders hold, one each.
    pub waiters: Option<u64>,
    /// Whether the ops is that of a holder which leaves.
    pub leaves: Option<u64>,
    /// How the task leaves its CPU, where it does not yield.
    pub way: Option<&'static str>,
    /// The mark `func=ret`: the func is a single `ret`.
    pub is_func_ret: bool,
    /// The mark `early=1`: the grace period ended while holders were inside.
    pub is_early: bool,
    /// The mark `stalled=1`: a task that never sleeps held the grace period up.
    pub is_stalled: bool,
    /// The change that was made, or `history`.
    pub after: Option<&'static str>,
    /// What somebody did meanwhile.
    pub during: Option<&'static str>,
    /// What holders do in a func.
    pub holder: Option<&'static str>,
}

impl BenchLine {
    /// A line of which nothing but the name applies yet.
    pub const fn new(name: Bench) -> Self {
        Self {
            name,
            scheme: None,
            ops: None,
            other_ops: None,
            tasks: None,
            holders: None,
            busy: None,
            insns: None,
            ns: None,
            min: None,
            max: None,
            n: None,
            barriers: None,
            atomics: None,
            sysregs: None,
            bytes: None,
            rounds: None,
            walk: None,
            ordered: None,
            frames: None,
            traced: None,
            waiters: None,
            leaves: None,
            way: None,
            is_func_ret: false,
            is_early: false,
            is_stalled: false,
            after: None,
            during: None,
            holder: None,
        }
    }
}

impl fmt::Display for BenchLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Mode::Bench, self.name)?;
        let mut pairs = Pairs(f);
        pairs.put_all(&[("scheme", self.scheme)])?;
        pairs.put_all(&[
            ("ops", self.ops),
            ("other_ops", self.other_ops),
            ("tasks", self.tasks),
            ("holders", self.holders),
            ("busy", self.busy),
            ("insns", self.insns),
            ("ns", self.ns),
            ("min", self.min),
            ("max", self.max),
            ("n", self.n),
            ("barriers", self.barriers),
            ("atomics", self.atomics),
            ("sysregs", self.sysregs),
            ("bytes", self.bytes),
            ("rounds", self.rounds),
            ("walk", self.walk),
            ("ordered", self.ordered),
            ("frames", self.frames),
            ("traced", self.traced),
        ])?;
        let is_it = |mark: bool| mark.then_some("1");
        pairs.put_all(&[
            ("func", self.is_func_ret.then_some("ret")),
            ("early", is_it(self.is_early)),
            ("stalled", is_it(self.is_stalled)),
        ])?;
        pairs.put_all(&[("waiters", self.waiters), ("leaves", self.leaves)])?;
        pairs.put_all(&[("way", self.way), ("after", self.after), ("during", self.during), ("holder", self.holder)])
    }
}

/// What a row of samples comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// The middle one; of an even number the lower of the two.
    pub median: u64,
    /// The smallest.
    pub min: u64,
    /// The largest.
    pub max: u64,
    /// How many there are.
    pub n: u64,
}

/// Sorts the samples and sums them up; `None` if there are none.
pub fn summary(samples: &mut [u64]) -> Option<Summary> {
    let median = percentile(samples, 50)?;
    Some(Summary { median, min: *samples.first()?, max: *samples.last()?, n: samples.len() as u64 })
}

/// Sorts the samples and gives the smallest that `percent` of them do not exceed; `None` if there are none.
pub fn percentile(samples: &mut [u64], percent: usize) -> Option<u64> {
    samples.sort_unstable();
    let rank = (samples.len() * percent.min(100)).div_ceil(100);
    samples.get(rank.saturating_sub(1)).copied()
}
