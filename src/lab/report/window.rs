//! The lines of `windows`: one for each boundary, func and scenario, under a scheme and a preemption model.

use super::Pairs;
use crate::arch::insn::Insn;
use crate::platform::names::{PreemptModel, SchemeName, WindowFunc, WindowScenario};
use core::fmt;

/// What is held at a boundary, by the instructions that were executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeldWhat {
    /// Nothing that is retired.
    Nothing,
    /// The memory of the ops, and the text of its func.
    Ops,
    /// The text alone: the ops is not read any more.
    Text,
}

/// What a scheme made of a boundary; of two looks at one, the greater counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cell {
    /// It let free while nothing was held.
    Right,
    /// It waited while something was held.
    Waits,
    /// It looked, nothing was held, and it went on waiting.
    Late,
    /// It let free what was held.
    Unsafe,
    /// Its rules forbid what was done there; that it was run is all that counts.
    Forbidden,
    /// It neither ended nor came to rest in time.
    Undecided,
    /// The executed instructions and the oracle say different things of what was held: one of them is wrong.
    Disputed,
}

impl Cell {
    /// What a scheme made of it that ended, or not, while something was held, or not.
    pub const fn of(has_ended: bool, is_held: bool) -> Self {
        match (has_ended, is_held) {
            (true, false) => Self::Right,
            (false, true) => Self::Waits,
            (false, false) => Self::Late,
            (true, true) => Self::Unsafe,
        }
    }

    /// The same, where the oracle saw a property broken or did not: that has to be so where it freed early, and nowhere else.
    pub const fn as_seen(self, is_broken: bool) -> Self {
        match self {
            Self::Forbidden | Self::Undecided => self,
            _ if matches!(self, Self::Unsafe) == is_broken => self,
            _ => Self::Disputed,
        }
    }
}

/// The line of one boundary under one scenario.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the key of the same name, defined with the line's format")]
pub struct WindowLine<P> {
    pub scheme: SchemeName,
    pub preempt: PreemptModel,
    pub func: WindowFunc,
    pub n: usize,
    pub pc: usize,
    pub insn: Insn,
    /// The label of the step in the trampoline's source, if it has one.
    pub step: &'static str,
    pub place: P,
    /// The row of the theory's table.
    pub phase: &'static str,
    pub scenario: WindowScenario,
    pub held: HeldWhat,
    pub verdict: Cell,
    /// What the oracle saw broken: `p1` to `p3` by a late use, or `inside`, which is P3 by the stack alone.
    pub oracle: &'static str,
}

impl<P: fmt::Display> fmt::Display for WindowLine<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("window:")?;
        let Insn(word) = self.insn;
        let mut pairs = Pairs(f);
        pairs.put("scheme", self.scheme)?;
        pairs.put("preempt", self.preempt)?;
        pairs.put("func", self.func)?;
        pairs.put("n", self.n)?;
        pairs.put("pc", format_args!("{:#010x}", self.pc))?;
        pairs.put("insn", format_args!("{word:#010x}"))?;
        pairs.put("step", if self.step.is_empty() { "-" } else { self.step })?;
        pairs.put("place", &self.place)?;
        pairs.put("phase", self.phase)?;
        pairs.put("scenario", self.scenario)?;
        pairs.put("held", self.held)?;
        pairs.put("verdict", self.verdict)?;
        pairs.put("oracle", if self.oracle.is_empty() { "-" } else { self.oracle })
    }
}

/// The line of one boundary with every other that a second party can stand at.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the key of the same name, defined with the line's format")]
pub struct PairsLine<'a, P> {
    pub scheme: SchemeName,
    pub preempt: PreemptModel,
    pub of: PairsOf<'a, P>,
}

/// What a line of pairs says, under whatever scheme.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each field is the key of the same name, defined with the line's format")]
pub struct PairsOf<'a, P> {
    pub func: WindowFunc,
    pub scenario: WindowScenario,
    pub n: usize,
    pub pc: usize,
    pub step: &'static str,
    pub place: P,
    pub phase: &'static str,
    /// The numbers of the second's boundaries, and what came of each: where the first goes on first, and where the second does.
    /// Nothing where they cannot both stand. A softirq on top goes on first in any case, and the other order is none.
    pub cells: &'a [(usize, Option<Cell>, Option<Cell>)],
}

impl<P: fmt::Display> fmt::Display for PairsLine<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("pairs:")?;
        let mut pairs = Pairs(f);
        pairs.put("scheme", self.scheme)?;
        pairs.put("preempt", self.preempt)?;
        pairs.put("func", self.of.func)?;
        pairs.put("scenario", self.of.scenario)?;
        pairs.put("n", self.of.n)?;
        pairs.put("pc", format_args!("{:#010x}", self.of.pc))?;
        pairs.put("step", if self.of.step.is_empty() { "-" } else { self.of.step })?;
        pairs.put("place", &self.of.place)?;
        pairs.put("phase", self.of.phase)?;
        f.write_str(" with=")?;
        for (index, (number, ..)) in self.of.cells.iter().enumerate() {
            write!(f, "{}{number}", if index == 0 { "" } else { "," })?;
        }
        f.write_str(" cells=")?;
        self.of.cells.iter().try_for_each(|(_, cell, _)| f.write_str(cell.map_or("-", Cell::letter)))?;
        f.write_str(" reversed=")?;
        self.of.cells.iter().try_for_each(|(.., cell)| f.write_str(cell.map_or("-", Cell::letter)))
    }
}

impl Cell {
    /// The verdict's first letter.
    const fn letter(self) -> &'static str {
        match self {
            Self::Right => "r",
            Self::Waits => "w",
            Self::Late => "l",
            Self::Unsafe => "u",
            Self::Forbidden => "f",
            Self::Undecided => "?",
            Self::Disputed => "!",
        }
    }
}

impl fmt::Display for HeldWhat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "none",
            Self::Ops => "ops",
            Self::Text => "text",
        })
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Right => "right",
            Self::Waits => "waits",
            Self::Late => "late",
            Self::Unsafe => "unsafe",
            Self::Forbidden => "forbidden",
            Self::Undecided => "undecided",
            Self::Disputed => "disputed",
        })
    }
}
