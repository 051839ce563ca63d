//! Whether `only=` names a run at all. A run that exists, and that nobody comes to under this scheme, under this model
//! or on so many CPUs, is no error of whoever typed the line: that is `nothing seen`. Context: the mode's task.

use super::director::Stage;
use super::path::Boundary;
use super::{funcs, pairs};
use crate::arch::trampoline::Trampoline;
use crate::lab::report::HeldWhat;
use crate::lab::scenario::Scenario;
use crate::platform::{BootArgs, Name, WindowFunc, WindowScenario};
use crate::sched;
use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::String;
use core::fmt;

/// Every func, in a task's last call and in any other.
pub(super) fn stages() -> impl Iterator<Item = (WindowFunc, bool)> {
    WindowFunc::ALL.iter().flat_map(|&func| [(func, false), (func, true)])
}

/// The scenarios that `args` name for a stage.
pub(super) fn scenarios(
    args: &BootArgs<'_>,
    (func, is_last_call): (WindowFunc, bool),
) -> impl Iterator<Item = WindowScenario> {
    let is_of_stage = move |scenario| Scenario::of(scenario).is_last_call() == is_last_call;
    WindowScenario::ALL.iter().copied().filter(move |&scenario| is_of_stage(scenario) && names(args, func, scenario))
}

/// Whether `args` select this func and this scenario, and the func is explored under it.
fn names(args: &BootArgs<'_>, func: WindowFunc, scenario: WindowScenario) -> bool {
    let is_func = |part: &str| WindowFunc::from_word(part).is_some();
    let is_scenario = |part: &str| WindowScenario::from_word(part).is_some();
    Scenario::of(scenario).funcs.contains(&func)
        && args.selects_of(is_func, func.as_str())
        && args.selects_of(is_scenario, scenario.as_str())
}

/// Whether a part of `only=` is the number of a boundary, or two of them.
pub(super) fn is_boundary(part: &str) -> bool {
    part.starts_with(|c: char| c.is_ascii_digit())
}

/// Whether there are as many CPUs as the scenario needs.
pub(super) fn has_cpus(scenario: WindowScenario) -> bool {
    sched::nr_cpus() >= Scenario::of(scenario).cpus
}

/// Whether `args` select this boundary, and somebody can stand at it in this way.
pub(super) fn is_wanted(
    args: &BootArgs<'_>,
    func: WindowFunc,
    scenario: WindowScenario,
    n: usize,
    boundary: &Boundary,
) -> bool {
    can_stand(func, scenario, boundary) && args.selects_of(is_boundary, alloc::format!("{n}").as_str())
}

/// Whether somebody can stand at the boundary in this way, and be looked at.
fn can_stand(func: WindowFunc, scenario: WindowScenario, boundary: &Boundary) -> bool {
    let scenario = Scenario::of(scenario);
    if scenario.is_in_helper() {
        boundary.pc == funcs::helper(func)
    } else if scenario.is_wished {
        boundary.phase == "11"
    } else {
        boundary.held != HeldWhat::Nothing || scenario.can_be_seen
    }
}

/// The scenario whose path this one's boundaries are of.
pub(super) fn path_of(scenario: WindowScenario) -> WindowScenario {
    let it = Scenario::of(scenario);
    if it.is_wished || it.is_last_call() { scenario } else { WindowScenario::Running }
}

/// The line that says that `args` name no run, and what is there; `None` if they name one. Which boundaries there are is
/// the trampoline's: `trampolines` selects each before it gives it.
pub(super) fn refusal(args: &BootArgs<'_>, trampolines: impl Iterator<Item = Trampoline>) -> Option<String> {
    let only = args.only?;
    if stages().all(|stage| scenarios(args, stage).next().is_none()) {
        return Some(format!("`only={only}` names no run: {}", FuncsOf(args)));
    }
    if !only.split(',').any(is_boundary) {
        return None;
    }
    let mut there = BTreeSet::new();
    let mut who = "one";
    for trampoline in trampolines {
        for (func, is_last_call) in stages() {
            for scenario in scenarios(args, (func, is_last_call)) {
                let mut stage = Stage::open(func, is_last_call);
                let path = stage.record(&trampoline, path_of(scenario));
                stage.close();
                if Scenario::of(scenario).has_two() {
                    if pairs::are_named(args, &path, &trampoline) {
                        return None;
                    }
                    who = "each of two";
                    there.extend(pairs::paired(&path, &trampoline));
                } else {
                    if path.iter().enumerate().any(|(n, at)| is_wanted(args, func, scenario, n, at)) {
                        return None;
                    }
                    there.extend((0..path.len()).filter(|&n| can_stand(func, scenario, &path[n])));
                }
            }
        }
    }
    Some(format!("`only={only}` names no run: there {who} can stand at {}", Ranges(&there)))
}

/// Prints the funcs that the scenarios named by the boot arguments are explored with.
struct FuncsOf<'a>(&'a BootArgs<'a>);

impl fmt::Display for FuncsOf<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_scenario = |part: &str| WindowScenario::from_word(part).is_some();
        let named = WindowScenario::ALL.iter().filter(|it| self.0.selects_of(is_scenario, it.as_str()));
        for (index, &scenario) in named.enumerate() {
            write!(f, "{}{scenario} has func", if index == 0 { "" } else { "; " })?;
            for func in WindowFunc::ALL.iter().filter(|&&func| Scenario::of(scenario).funcs.contains(&func)) {
                write!(f, " {func}")?;
            }
        }
        Ok(())
    }
}

/// Prints numbers in their order, as ranges.
struct Ranges<'a>(&'a BTreeSet<usize>);

impl fmt::Display for Ranges<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |number: usize| self.0.contains(&number);
        for &number in self.0 {
            let is_first = number == 0 || !has(number - 1);
            match (is_first, has(number + 1)) {
                (true, _) => write!(f, "{}{number}", if Some(&number) == self.0.first() { "" } else { ", " })?,
                (false, true) => {}
                (false, false) => write!(f, " to {number}")?,
            }
        }
        Ok(())
    }
}
