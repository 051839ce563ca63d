//! Two that stand at once: every boundary of the trampoline with every one, and one for each phase of func.
//!
//! A grace period has to outlast both, in whatever order they go on. Of two tasks each goes on first once; a softirq on top
//! goes on before the task that it is on top of.
//! Context: the director.

use super::director::{Run, Stage};
use super::path::{At, Boundary};
use super::seen::Spot;
use super::story::Story;
use super::tally::{self, Failure};
use crate::arch::trampoline::Trampoline;
use crate::irq::serial;
use crate::lab::progress;
use crate::lab::report::{Cell, PairsOf};
use crate::lab::scenario::Scenario;
use crate::platform::{BootArgs, WindowFunc};
use crate::rcu;
use alloc::string::ToString;
use alloc::vec::Vec;

/// Behind two boundaries: the second goes on first.
const REVERSED: &str = "r";

/// A part of `only=` that names two boundaries: `12+17`.
fn is_pair(part: &str) -> bool {
    part.contains('+')
}

/// Whether `args` name this cell, in one order: by its first boundary, or by both; `12+17r` is the reversed order alone.
fn is_named(args: &BootArgs<'_>, n: usize, m: usize, is_second_first: bool) -> bool {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let both = alloc::format!("{n}+{m}");
    let is_this = args.selects_of(is_pair, &both) || is_second_first && args.selects_of(is_pair, &(both + REVERSED));
    args.selects_of(is_number, &n.to_string()) && is_this
}

/// Whether `args` name any cell.
pub(super) fn are_named(args: &BootArgs<'_>, path: &[Boundary], trampoline: &Trampoline) -> bool {
    let paired = paired(path, trampoline);
    paired.iter().any(|&n| paired.iter().any(|&m| is_named(args, n, m, true)))
}

/// The boundaries that are paired, by number.
pub(super) fn paired(path: &[Boundary], trampoline: &Trampoline) -> Vec<usize> {
    let is_first_of_phase = |n: usize| path[..n].iter().all(|at| at.phase != path[n].phase);
    let is_of_func = |n: usize| matches!(path[n].phase, "3" | "4" | "10") && is_first_of_phase(n);
    (0..path.len()).filter(|&n| trampoline.contains(path[n].pc) || is_of_func(n)).collect()
}

/// Runs the pairs that `args` select, a line for each first boundary that one can stand at with another. Gives the first failure.
pub(super) fn explore(
    args: &BootArgs<'_>,
    (func, scenario): (WindowFunc, &Scenario),
    stage: &mut Stage,
    path: &[Boundary],
    trampoline: &Trampoline,
    mut print: impl FnMut(PairsOf<'_, At>),
) -> Option<Failure> {
    let mut failure = None;
    let paired = paired(path, trampoline);
    let mut run = |n: usize, m: usize, is_second_first: bool| -> Option<Cell> {
        if !is_named(args, n, m, is_second_first) || serial::is_interrupted() {
            return None;
        }
        let spots = [n, m].map(|n| Spot { n, at: &path[n] });
        let seen = stage.run(Run { spots: &spots, scenario, is_second_first })?;
        if tally::count(&seen, seen.cell) && failure.is_none() {
            let story = Story { func, spots: &spots, scenario, seen: &seen, cell: seen.cell }.to_string();
            let order = if is_second_first && !scenario.is_second_on_top() { REVERSED } else { "" };
            failure = Some(Failure { story, only: alloc::format!("{func},{},{n}+{m}{order}", scenario.name) });
        }
        Some(seen.cell)
    };
    for &n in &paired {
        progress::tell(format_args!("windows: {}, {func}, {}: boundary {n}", rcu::scheme_name(), scenario.name));
        let cell = |m: usize| {
            let is_on_top = scenario.is_second_on_top();
            (m, run(n, m, is_on_top), if is_on_top { None } else { run(n, m, true) })
        };
        let cells: Vec<_> = paired.iter().copied().filter(|&m| is_named(args, n, m, true)).map(cell).collect();
        if cells.iter().all(|(_, cell, reversed)| cell.or(*reversed).is_none()) {
            continue;
        }
        let Boundary { pc, step, phase, .. } = path[n];
        print(PairsOf { func, scenario: scenario.name, n, pc, step, place: At(pc), phase, cells: &cells });
    }
    failure
}
