//! Control flow inside one function, and which of its instructions can only end in a panic.

use crate::insn::{Insn, decode};
use crate::load::{Function, Image};
use std::collections::BTreeSet;

/// How control leaves a function without coming back to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// `ret`, `eret`.
    Return,
    /// A branch to code outside: a tail call, or assembly that goes on elsewhere.
    To(u64),
    /// `br`: a jump table, or a tail call of a pointer.
    Register,
}

/// Where control can go after one instruction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Step {
    /// Indices of the following instructions.
    pub(crate) next: Vec<usize>,
    pub(crate) leaves: Vec<Leave>,
    /// The target of a call by address.
    pub(crate) calls: Option<u64>,
}

/// What follows instruction `index`. A call of something in `never_returns` has no successor.
pub(crate) fn step(function: &Function, index: usize, never_returns: &BTreeSet<u64>) -> Step {
    let mut step = Step::default();
    let go = |step: &mut Step, target: u64| match function.index_of(target) {
        Some(index) => step.next.push(index),
        None => step.leaves.push(Leave::To(target)),
    };
    let following = function.pc(index + 1);
    match decode(function.pc(index), function.code[index]) {
        Insn::Jump(target) => go(&mut step, target),
        Insn::Branch(target) => {
            go(&mut step, target);
            go(&mut step, following);
        }
        Insn::Call(target) => {
            step.calls = Some(target);
            if !never_returns.contains(&target) {
                go(&mut step, following);
            }
        }
        Insn::Return | Insn::ExceptionReturn => step.leaves.push(Leave::Return),
        Insn::JumpRegister(_) => step.leaves.push(Leave::Register),
        Insn::Trap => {}
        _ => go(&mut step, following),
    }
    step
}

/// Entries of functions that never come back: no way leads from their first instruction to a return, to a
/// pointer's target, or to a function that comes back.
pub(crate) fn never_returning(image: &Image) -> BTreeSet<u64> {
    let mut never: BTreeSet<u64> = BTreeSet::new();
    loop {
        let more: Vec<u64> = image
            .functions
            .iter()
            .filter(|function| !never.contains(&function.address) && !can_return(image, function, &never))
            .map(|function| function.address)
            .collect();
        if more.is_empty() {
            return never;
        }
        never.extend(more);
    }
}

fn can_return(image: &Image, function: &Function, never: &BTreeSet<u64>) -> bool {
    let mut seen = vec![false; function.code.len()];
    let mut pending = vec![0];
    while let Some(index) = pending.pop() {
        if std::mem::replace(&mut seen[index], true) {
            continue;
        }
        let step = step(function, index, never);
        let comes_back = |leave: &Leave| match leave {
            // Running into the padding after a function is no return either.
            Leave::To(target) => !never.contains(target) && image.function_at(*target).is_some(),
            Leave::Return | Leave::Register => true,
        };
        if step.leaves.iter().any(comes_back) {
            return true;
        }
        pending.extend(step.next);
    }
    false
}

/// For each instruction of `function`: whether a way leads to it from the first. If there is a `br`, what nothing
/// else leads to is taken for the blocks of its jump table; other code between functions is padding.
pub(crate) fn reached(function: &Function, never_returns: &BTreeSet<u64>) -> Vec<bool> {
    let mut reached = vec![false; function.code.len()];
    let mut has_table = false;
    let mut pending = vec![0];
    loop {
        while let Some(index) = pending.pop() {
            if !std::mem::replace(&mut reached[index], true) {
                let step = step(function, index, never_returns);
                has_table |= step.leaves.contains(&Leave::Register);
                pending.extend(step.next);
            }
        }
        match reached.iter().position(|&is_reached| !is_reached) {
            Some(index) if has_table => pending.push(index),
            _ => return reached,
        }
    }
}

/// For each instruction of `function`: whether every way from it ends in a call of `deadly`, or in a trap.
pub(crate) fn doomed(function: &Function, deadly: &BTreeSet<u64>, never_returns: &BTreeSet<u64>) -> Vec<bool> {
    let steps: Vec<Step> = (0..function.code.len()).map(|index| step(function, index, never_returns)).collect();
    let is_doomed = |step: &Step, doomed: &[bool]| {
        let calls_deadly = step.calls.is_some_and(|target| deadly.contains(&target));
        let leaves_alive = step.leaves.iter().any(|leave| !matches!(leave, Leave::To(to) if deadly.contains(to)));
        // A call that never returns and is not deadly goes on living elsewhere: the idle loop.
        let lives_elsewhere = step.calls.is_some() && step.next.is_empty() && step.leaves.is_empty();
        calls_deadly || !leaves_alive && !lives_elsewhere && step.next.iter().all(|&next| doomed[next])
    };
    let mut doomed = vec![false; steps.len()];
    loop {
        let before = doomed.clone();
        for index in (0..steps.len()).rev() {
            doomed[index] = doomed[index] || is_doomed(&steps[index], &doomed);
        }
        if doomed == before {
            return doomed;
        }
    }
}

/// `deadly`, with every function that can only end there; and all that never come back.
pub(crate) fn ending_in(image: &Image, mut deadly: BTreeSet<u64>) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let mut never_returns = never_returning(image);
    loop {
        never_returns.extend(&deadly);
        let alive = image.functions.iter().filter(|function| never_returns.contains(&function.address));
        let more: Vec<u64> = alive
            .filter(|function| !deadly.contains(&function.address))
            .filter(|function| doomed(function, &deadly, &never_returns)[0])
            .map(|function| function.address)
            .collect();
        if more.is_empty() {
            return (deadly, never_returns);
        }
        deadly.extend(more);
    }
}

#[cfg(test)]
mod tests {
    use super::{doomed, ending_in, never_returning, reached, step};
    use crate::load::{Function, Image};
    use std::collections::BTreeSet;

    const BL_TO_0X2000: u32 = 0x9400_0400; // from 0x1000 + 4n it goes to 0x2000 + 4n
    const CBZ_OVER_ONE: u32 = 0xb400_0040;
    const RET: u32 = 0xd65f_03c0;
    const NOP: u32 = 0xd503_201f;
    const BRK: u32 = 0xd420_0020;

    fn function(address: u64, code: &[u32]) -> Function {
        Function { address, name: format!("f{address:x}"), may_be_traced: true, code: code.to_vec() }
    }

    #[test]
    fn only_the_way_into_a_panic_is_doomed() {
        // cbz to the last ret; else: nop, bl deadly, ret
        let f = function(0x1000, &[0xb400_0080, NOP, BL_TO_0X2000, RET, RET]);
        let deadly = BTreeSet::from([0x2008]);
        assert_eq!(doomed(&f, &deadly, &deadly), [false, true, true, false, false]);
        assert_eq!(doomed(&f, &BTreeSet::new(), &BTreeSet::new()), [false; 5]);
        assert_eq!(doomed(&function(0x1000, &[NOP, BRK]), &BTreeSet::new(), &BTreeSet::new()), [true, true]);
    }

    #[test]
    fn an_endless_loop_is_alive_and_so_is_a_call_that_never_returns() {
        let f = function(0x1000, &[NOP, 0x17ff_ffff]);
        assert_eq!(doomed(&f, &BTreeSet::new(), &BTreeSet::new()), [false, false]);
        let f = function(0x1000, &[BL_TO_0X2000]);
        assert_eq!(doomed(&f, &BTreeSet::new(), &BTreeSet::from([0x2000])), [false]);
    }

    #[test]
    fn what_calls_only_the_never_returning_never_returns() {
        let functions = vec![
            function(0x1000, &[BL_TO_0X2000]), // falls into padding if the callee came back
            function(0x1100, &[CBZ_OVER_ONE, NOP, RET]), // returns
            function(0x2000, &[NOP, 0x17ff_ffff]), // loops for ever
        ];
        let image = Image { functions, ..Image::default() };
        assert_eq!(never_returning(&image), BTreeSet::from([0x1000, 0x2000]));
        let cut = step(&image.functions[0], 0, &BTreeSet::from([0x2000]));
        assert_eq!((cut.next.len(), cut.leaves.len(), cut.calls), (0, 0, Some(0x2000)));
    }

    #[test]
    fn what_can_only_end_in_a_panic_is_as_deadly() {
        let functions = vec![
            function(0x1000, &[BL_TO_0X2000, RET]),
            function(0x1100, &[CBZ_OVER_ONE, 0x1400_03bf, RET]), // b 0x2000, or back
            function(0x2000, &[BRK]),
        ];
        let image = Image { functions, ..Image::default() };
        let (deadly, _) = ending_in(&image, BTreeSet::from([0x2000]));
        assert_eq!(deadly, BTreeSet::from([0x1000, 0x2000]));
    }

    #[test]
    fn padding_is_not_reached_and_blocks_of_a_jump_table_are() {
        let none = BTreeSet::new();
        assert_eq!(reached(&function(0x1000, &[RET, NOP, NOP]), &none), [true, false, false]);
        assert_eq!(reached(&function(0x1000, &[0xd61f_0120, RET, RET]), &none), [true, true, true]);
    }
}
