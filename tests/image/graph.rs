//! Who can call whom in the linked image, and what can be reached from where.
//!
//! Edges, from every instruction that does not inevitably end in a panic:
//! 1. `bl`, and branches that leave the function (tail calls, assembly that goes on under another label).
//! 2. Every function whose address is made in the code (`adrp`/`adr` with `add` or `ldr`, literal pools), or
//!    that stands in the data object or vtable so addressed, vtables named in that object included.
//! 3. Calls of pointers: the caller stands in [`Policy::indirect`] with the names of what it can call. A
//!    reachable caller that does not is a violation. Rule 2 alone would miss pointers that others stored. What
//!    is handed over as a plain function is found where it is handed over.
//!
//! Cut: functions in [`Policy::panics`], whatever can only end there, and the calls in [`Policy::cuts`].

use crate::addresses::{is_table_jump, made};
use crate::flow::{Leave, doomed, ending_in, reached, step};
use crate::indirect::Indirect;
use crate::insn::{Insn, decode};
use crate::load::{Function, Image};
use crate::policy::{Cut, Listed, matches};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The tables that say what the code cannot.
#[derive(Clone, Copy)]
pub(crate) struct Policy<'a> {
    /// Where code that must not be traced begins.
    pub(crate) roots: &'a [Listed],
    /// Functions that end the kernel.
    pub(crate) panics: &'a [Listed],
    /// Calls that the walk does not follow: what they enter may be traced on purpose.
    pub(crate) cuts: &'a [Cut],
    /// Callers of pointers and what they can call.
    pub(crate) indirect: &'a [Indirect],
}

/// The call graph: for each function of the image what it can enter.
pub(crate) struct Graph<'a> {
    image: &'a Image,
    edges: Vec<Outgoing>,
}

/// What one function can enter.
#[derive(Default)]
struct Outgoing {
    targets: BTreeSet<usize>,
    /// Calls by address, with the constants that their first argument can be.
    calls: Vec<(u64, Vec<u64>)>,
    calls_pointer: bool,
}

impl<'a> Graph<'a> {
    pub(crate) fn new(image: &'a Image, panics: &[Listed]) -> Self {
        let is_panic = |function: &&Function| panics.iter().any(|panic| matches(panic.pattern, &function.name));
        let deadly: BTreeSet<u64> = image.functions.iter().filter(is_panic).map(|function| function.address).collect();
        let (deadly, never_returns) = ending_in(image, deadly);
        let mut graph = Self { image, edges: Vec::new() };
        for function in &image.functions {
            let doomed = doomed(function, &deadly, &never_returns);
            let reached = reached(function, &never_returns);
            let dead: Vec<bool> = doomed.iter().zip(reached).map(|(doomed, reached)| *doomed || !reached).collect();
            let outgoing = graph.outgoing(function, &dead, &deadly);
            graph.edges.push(outgoing);
        }
        graph
    }

    fn outgoing(&self, function: &Function, dead: &[bool], deadly: &BTreeSet<u64>) -> Outgoing {
        let mut outgoing = Outgoing::default();
        let made = made(function, dead);
        let mut targets = BTreeSet::new();
        let alive = || (0..function.code.len()).filter(|&index| !dead[index]);
        for index in alive() {
            let step = step(function, index, &BTreeSet::new());
            targets.extend(step.calls);
            outgoing.calls.extend(step.calls.map(|callee| (callee, made.first_argument(index))));
            for leave in step.leaves {
                match leave {
                    Leave::To(target) => {
                        targets.insert(target);
                        outgoing.calls.push((target, made.first_argument(index)));
                    }
                    Leave::Register => outgoing.calls_pointer |= !is_table_jump(function, index),
                    Leave::Return => {}
                }
            }
            outgoing.calls_pointer |= decode(function.pc(index), function.code[index]) == Insn::CallRegister;
        }
        targets.extend(made.addresses.iter().flat_map(|&address| self.code_behind(address)));
        let own = self.image.entry_at(function.address);
        let alive = targets.into_iter().filter(|target| !deadly.contains(target));
        outgoing.targets = alive.filter_map(|to| self.image.function_at(to)).filter(|&to| Some(to) != own).collect();
        outgoing
    }

    /// The function at `address`, or those that the data there points to.
    fn code_behind(&self, address: u64) -> Vec<u64> {
        if self.image.function_at(address).is_some() {
            return self.image.entry_at(address).map(|_| address).into_iter().collect();
        }
        let mut found = self.functions_of_vtable(address);
        let object = self.image.objects.range(..=address).next_back().filter(|(start, size)| address < *start + *size);
        let (start, size) = object.map_or((address & !7, 8), |(&start, &size)| (start, size));
        for at in (start..start + size).step_by(8) {
            let Some(word) = self.image.word(at) else { continue };
            if self.image.entry_at(word).is_some() {
                found.push(word);
            }
            found.extend(self.functions_of_vtable(word));
        }
        found
    }

    /// The functions of the vtable at `address`, if it looks like one: drop or 0, size, alignment, methods.
    fn functions_of_vtable(&self, address: u64) -> Vec<u64> {
        let word = |index: u64| self.image.word(address.wrapping_add(index * 8));
        let is_code = |word: u64| self.image.entry_at(word).is_some();
        let looks_like_one = |index: u64| {
            let [Some(drop), Some(size), Some(align)] = [word(index), word(index + 1), word(index + 2)] else {
                return false;
            };
            (drop == 0 || is_code(drop)) && size < 1 << 20 && align.is_power_of_two() && align <= 4096
        };
        if !address.is_multiple_of(8) || !looks_like_one(0) {
            return Vec::new();
        }
        let methods = (3..).take_while(|&index| word(index).is_some_and(is_code) && !looks_like_one(index));
        word(0).into_iter().chain(methods.filter_map(word)).filter(|&word| is_code(word)).collect()
    }

    /// Indices of the functions that `pattern` names.
    fn named(&self, pattern: &str) -> Vec<usize> {
        (0..self.edges.len()).filter(|&index| matches(pattern, &self.image.functions[index].name)).collect()
    }

    /// The functions that are handed, as first argument, to those that `pattern` names; `None` if one is no constant.
    fn given_to(&self, pattern: &str) -> Option<BTreeSet<usize>> {
        let takers: BTreeSet<u64> = self.named(pattern).iter().map(|&at| self.image.functions[at].address).collect();
        let calls = self.edges.iter().flat_map(|edges| &edges.calls).filter(|(callee, _)| takers.contains(callee));
        let mut given = BTreeSet::new();
        for (_, arguments) in calls {
            let functions: Vec<usize> =
                arguments.iter().filter_map(|&argument| self.image.entry_at(argument)).collect();
            if functions.is_empty() {
                return None;
            }
            given.extend(functions);
        }
        Some(given)
    }

    fn name(&self, index: usize) -> &str {
        &self.image.functions[index].name
    }

    /// Walks from the roots and says what must not be there, each with a way that leads to it.
    pub(crate) fn violations(&self, policy: &Policy) -> Vec<String> {
        let mut violations = Vec::new();
        let mut reached_from: BTreeMap<usize, Option<usize>> = BTreeMap::new();
        let mut pending = VecDeque::new();
        for root in policy.roots {
            let found = self.named(root.pattern);
            if found.is_empty() {
                violations.push(format!("root `{}` ({}) is not in the image", root.pattern, root.reason));
            }
            for index in found {
                if reached_from.insert(index, None).is_none() {
                    pending.push_back(index);
                }
            }
        }
        while let Some(index) = pending.pop_front() {
            if self.image.is_traceable(&self.image.functions[index]) {
                violations.push(format!("can be traced: {}", self.path(index, &reached_from)));
            }
            let mut targets = self.edges[index].targets.clone();
            if self.edges[index].calls_pointer {
                let listed = policy.indirect.iter().filter(|entry| matches(entry.caller, self.name(index)));
                let callees = listed.clone().flat_map(|entry| entry.callees);
                targets.extend(callees.flat_map(|callee| self.named(callee)));
                for taker in listed.clone().flat_map(|entry| entry.given_to) {
                    match self.given_to(taker) {
                        Some(given) => targets.extend(given),
                        None => violations.push(format!("{taker} is called with something that is not known")),
                    }
                }
                if listed.count() == 0 {
                    violations.push(format!("calls a pointer: {}", self.path(index, &reached_from)));
                }
            }
            for target in targets {
                let name = self.name(target);
                let is_panic = policy.panics.iter().any(|panic| matches(panic.pattern, name));
                let is_cut =
                    policy.cuts.iter().any(|cut| matches(cut.caller, self.name(index)) && matches(cut.callee, name));
                if !is_cut && !is_panic && !reached_from.contains_key(&target) {
                    reached_from.insert(target, Some(index));
                    pending.push_back(target);
                }
            }
        }
        violations
    }

    /// Everything that can be reached from functions for which `is_root` holds, by edges 1 and 2.
    pub(crate) fn reachable(&self, is_root: impl Fn(&Function) -> bool) -> BTreeSet<usize> {
        let mut pending: Vec<usize> = (0..self.edges.len()).filter(|&i| is_root(&self.image.functions[i])).collect();
        let mut reached: BTreeSet<usize> = pending.iter().copied().collect();
        while let Some(index) = pending.pop() {
            pending.extend(self.edges[index].targets.iter().filter(|&&to| reached.insert(to)));
        }
        reached
    }

    fn path(&self, to: usize, reached_from: &BTreeMap<usize, Option<usize>>) -> String {
        let mut names = vec![self.name(to)];
        let mut at = to;
        while let Some(Some(from)) = reached_from.get(&at) {
            at = *from;
            names.push(self.name(at));
        }
        names.join(" <- ")
    }
}

#[cfg(test)]
mod tests {
    use super::{Graph, Policy};
    use crate::indirect::Indirect;
    use crate::load::{Function, Image, Section};
    use crate::policy::{Cut, Listed};

    const RET: u32 = 0xd65f_03c0;
    const BLR_X8: u32 = 0xd63f_0100;
    const ADD_X8_X8_8: u32 = 0x9100_2108;
    const ROOT: Listed = Listed { pattern: "holdout::irq_entry", reason: "the IRQ path" };
    const PANIC: Listed = Listed { pattern: "core::panicking::*", reason: "ends the kernel" };

    fn bl(from: u64, to: u64) -> u32 {
        0x9400_0000 | ((to.wrapping_sub(from) >> 2) as u32 & 0x03ff_ffff)
    }

    /// `adrp x8` of the page after the next, as seen from page 0.
    const ADRP_X8_DATA: u32 = 0xd000_0008;

    /// Functions from 0x100 on, 0x100 apart; the second is traceable; a vtable of the second lies at 0x2008.
    fn image(code: &[(&str, &[u32])]) -> Image {
        let functions = code.iter().zip(1..);
        let functions = functions.map(|((name, code), index)| Function {
            address: index * 0x100,
            name: (*name).into(),
            may_be_traced: true,
            code: code.to_vec(),
        });
        let vtable = [0_u64, 0, 8, 8, 0x200, 0];
        let bytes = vtable.iter().flat_map(|word| word.to_le_bytes()).collect();
        let data = Section { name: ".rodata".into(), address: 0x2000, bytes, is_code: false };
        let functions = functions.collect();
        Image { functions, callsites: vec![0x1f8], sections: vec![data], ..Image::default() }
    }

    fn violations(image: &Image, indirect: &[Indirect], cuts: &[Cut]) -> Vec<String> {
        let policy = Policy { roots: &[ROOT], panics: &[PANIC], cuts, indirect };
        Graph::new(image, policy.panics).violations(&policy)
    }

    #[test]
    fn a_traceable_callee_of_a_callee_is_found_with_its_path() {
        let deep: &[u32] = &[bl(0x300, 0x200), RET];
        let image =
            image(&[("holdout::irq_entry", &[bl(0x100, 0x300), RET]), ("holdout::traced", &[RET]), ("deep", deep)]);
        assert_eq!(violations(&image, &[], &[]), ["can be traced: holdout::traced <- deep <- holdout::irq_entry"]);
        let cut = |caller| Cut { caller, callee: "deep", reason: "a handler" };
        assert_eq!(violations(&image, &[], &[cut("holdout::irq_entry")]), Vec::<String>::new());
        assert_eq!(violations(&image, &[], &[cut("holdout::other")]).len(), 1);
    }

    #[test]
    fn a_tail_call_and_a_fall_through_are_calls() {
        for code in [&[0x1400_0040][..], &[0xd503_201f; 64][..]] {
            let image = image(&[("holdout::irq_entry", code), ("holdout::traced", &[RET])]);
            assert_eq!(violations(&image, &[], &[]).len(), 1, "{code:x?}");
        }
    }

    #[test]
    fn a_function_behind_a_vtable_is_reached_by_whoever_addresses_the_vtable() {
        let code = [ADRP_X8_DATA, ADD_X8_X8_8, RET];
        let image = image(&[("holdout::irq_entry", &code), ("holdout::traced", &[RET])]);
        assert_eq!(violations(&image, &[], &[]).len(), 1);
    }

    #[test]
    fn a_call_of_a_pointer_must_be_listed_and_leads_to_what_is_listed() {
        let image = image(&[("holdout::irq_entry", &[BLR_X8, RET]), ("holdout::traced", &[RET])]);
        assert_eq!(violations(&image, &[], &[]), ["calls a pointer: holdout::irq_entry"]);
        let listed = |callees| [Indirect { caller: "holdout::irq_*", callees, given_to: &[], reason: "a hook" }];
        assert_eq!(violations(&image, &listed(&["holdout::tr*"]), &[]).len(), 1);
        assert_eq!(violations(&image, &listed(&[]), &[]).len(), 0);
    }

    #[test]
    fn work_that_is_handed_over_elsewhere_is_reached_where_it_is_called() {
        // The third function calls `visit` with x0 = the traceable one; the handler calls a pointer.
        let found = |giver: &[u32], given_to| {
            let functions: [(&str, &[u32]); 4] = [
                ("holdout::irq_entry", &[BLR_X8, RET]),
                ("holdout::traced", &[RET]),
                ("giver", giver),
                ("visit", &[RET]),
            ];
            let listed = [Indirect { caller: "holdout::irq_*", callees: &[], given_to, reason: "visits" }];
            violations(&image(&functions), &listed, &[])
        };
        let adr_x0_traced = 0x10ff_f800;
        let constant = [adr_x0_traced, bl(0x304, 0x400), RET];
        assert_eq!(found(&constant, &["visit"]), ["can be traced: holdout::traced <- holdout::irq_entry"]);
        assert_eq!(found(&constant, &["nobody"]).len(), 0);
        assert_eq!(found(&[bl(0x300, 0x400), RET], &["visit"]), ["visit is called with something that is not known"]);
    }

    #[test]
    fn what_only_a_panic_reaches_is_cut_and_a_missing_root_is_found() {
        // cbz to ret; else call the traced function, then the panic
        let code = [0xb400_0060, bl(0x104, 0x200), bl(0x108, 0x300), RET];
        let panics =
            image(&[("holdout::irq_entry", &code), ("holdout::traced", &[RET]), ("core::panicking::panic", &[RET])]);
        assert_eq!(violations(&panics, &[], &[]).len(), 0);
        let lives = image(&[("holdout::irq_entry", &code), ("holdout::traced", &[RET]), ("core::fine", &[RET])]);
        assert_eq!(violations(&lives, &[], &[]).len(), 1);
        assert_eq!(violations(&image(&[("other", &[RET])]), &[], &[]).len(), 1);
    }
}
