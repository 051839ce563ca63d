//! Two that stand at once: every boundary of the trampoline with every one, and one for each phase of func.
//!
//! A grace period has to outlast both, in whatever order they go on. Of two tasks the first goes on first where the sum of
//! their boundaries' numbers is even, else the second; a softirq on top goes on before the task that it is on top of.
//! Context: the director.

use super::director::{Spot, Stage};
use super::path::Boundary;
use super::story::{At, Story};
use super::{Failure, count};
use crate::arch::trampoline::Trampoline;
use crate::lab::report::PairsOf;
use crate::platform::{BootArgs, WindowFunc, WindowScenario};
use alloc::string::ToString;
use alloc::vec::Vec;

/// The scenarios.
pub(super) const ALL: [WindowScenario; 2] = [WindowScenario::Pair, WindowScenario::PairOnTop];

/// Whether the second is the first to go on.
pub(super) fn is_second_first(spots: &[Spot], scenario: WindowScenario) -> bool {
    let is_odd = spots.iter().map(|spot| spot.n).sum::<usize>() % 2 == 1;
    scenario == WindowScenario::PairOnTop || scenario == WindowScenario::Pair && is_odd
}

/// A part of `only=` that names two boundaries: `12+17`.
fn is_pair(part: &str) -> bool {
    part.contains('+')
}

/// Whether `args` name this cell: by its first boundary, or by both.
fn is_named(args: &BootArgs<'_>, n: usize, m: usize) -> bool {
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    args.selects_of(is_number, &n.to_string()) && args.selects_of(is_pair, &alloc::format!("{n}+{m}"))
}

/// Whether `args` name any cell.
pub(super) fn are_named(args: &BootArgs<'_>, path: &[Boundary], trampoline: &Trampoline) -> bool {
    let paired = paired(path, trampoline);
    paired.iter().any(|&n| paired.iter().any(|&m| is_named(args, n, m)))
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
    (func, scenario): (WindowFunc, WindowScenario),
    stage: &mut Stage,
    path: &[Boundary],
    trampoline: &Trampoline,
    mut print: impl FnMut(PairsOf<'_, At>),
) -> Option<Failure> {
    let mut failure = None;
    let paired = paired(path, trampoline);
    for &n in &paired {
        let mut cells = Vec::new();
        for &m in paired.iter().filter(|&&m| is_named(args, n, m)) {
            let spots = [n, m].map(|n| Spot { n, at: &path[n] });
            let seen = stage.run(&spots, scenario);
            cells.push((m, seen.as_ref().map(|seen| seen.cell)));
            let Some(seen) = seen else { continue };
            if count(&seen, seen.cell) && failure.is_none() {
                let story = Story { func, spots: &spots, scenario, seen: &seen, cell: seen.cell }.to_string();
                failure = Some(Failure { story, only: alloc::format!("{func},{scenario},{n}+{m}") });
            }
        }
        if cells.iter().all(|(_, cell)| cell.is_none()) {
            continue;
        }
        let Boundary { pc, step, phase, .. } = path[n];
        print(PairsOf { func, scenario, n, pc, step, place: At(pc), phase, cells: &cells });
    }
    failure
}
