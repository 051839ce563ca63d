//! The sequences of instructions that litmus tests stand for, looked for in the linked kernel.
//!
//! A litmus test shows something of a few instructions in a row. Here each such row of ours is found in the image, on
//! every path through the function that has it, and compared with the column of the litmus test: the same in the
//! same order, or stronger. `tests/litmus/INDEX.md` names these sequences beside the sources.
//!
//! # Why not by the order of addresses
//! The compiler lays out blocks as it likes; what counts is what runs after what.

use crate::flow::{Leave, never_returning, step};
use crate::insn::{Insn, decode};
use crate::load::{Function, Image};
use crate::policy::matches;
use crate::sequences::{Sequence, Shape, VIA};
use std::collections::{BTreeMap, BTreeSet};

/// What a word is to the memory model; `None` for what orders nothing and touches nothing but the stack.
fn event(pc: u64, word: u32) -> Option<&'static str> {
    const STACK: [u32; 2] = [29, 31];
    let is_at_stack = STACK.contains(&(word >> 5 & 31));
    let (size, opc) = (word >> 30, word >> 22 & 3);
    let is_single = word >> 27 & 7 == 0b111 && word >> 26 & 1 == 0;
    let is_atomic = word >> 24 & 1 == 0 && word >> 21 & 1 == 1 && word >> 10 & 3 == 0;
    Some(match word {
        0xd503_3abf => "dmb ishst",
        0xd503_3bbf => "dmb ish",
        0xd503_39bf => "dmb ishld",
        0xd503_3b9f => "dsb ish",
        0xd503_3f9f => "dsb sy",
        0xd503_3fdf => "isb",
        // mrs x, icc_iar1_el1 and icc_iar0_el1
        _ if word & !31 == 0xd538_cc00 || word & !31 == 0xd538_c800 => "ack",
        0xd508_711f => "ic",
        _ if word & !31 == 0xd50b_7520 => "ic",
        _ if word & !31 == 0xd50b_7b20 => "dc cvau",
        _ if word & 0x3fff_fc00 == 0x089f_fc00 => ["stlrb", "stlrh", "stlr w", "stlr x"][size as usize],
        _ if word & 0x3fff_fc00 == 0x08df_fc00 => ["ldarb", "ldarh", "ldar w", "ldar x"][size as usize],
        _ if is_single && is_atomic => "atomic",
        _ if is_single && opc == 0 && !is_at_stack => ["strb", "strh", "str w", "str x"][size as usize],
        _ if is_single && opc == 1 && !is_at_stack => ["ldrb", "ldrh", "ldr w", "ldr x"][size as usize],
        _ => match decode(pc, word) {
            Insn::Call(_) => "bl",
            Insn::CallRegister => "blr",
            _ => return None,
        },
    })
}

/// Accesses that nothing orders: they count only in a sequence that names their kind.
fn is_plain(event: &str) -> bool {
    event.starts_with("ldr") || event.starts_with("str")
}

/// One function as events and the ways between them. Calls that never return are no events: those paths end in a panic.
struct Ways<'a> {
    function: &'a Function,
    events: BTreeMap<usize, &'static str>,
    /// Whom the events that are calls by address call.
    callees: BTreeMap<usize, &'a str>,
    next: Vec<Vec<usize>>,
    previous: Vec<Vec<usize>>,
    exits: BTreeSet<usize>,
}

impl<'a> Ways<'a> {
    fn new(image: &'a Image, function: &'a Function, never_returns: &BTreeSet<u64>, sequence: &Sequence) -> Self {
        let nr = function.code.len();
        let steps: Vec<_> = (0..nr).map(|index| step(function, index, never_returns)).collect();
        let is_dead = |index: usize| steps[index].calls.is_some_and(|target| never_returns.contains(&target));
        let leaves_alive = |leave: &Leave| !matches!(leave, Leave::To(target) if never_returns.contains(target));
        let mut previous = vec![Vec::new(); nr];
        for (index, step) in steps.iter().enumerate() {
            step.next.iter().for_each(|&next| previous[next].push(index));
        }
        let is_named = |event: &str| sequence.steps.iter().any(|step| step.trim_end_matches(VIA) == event);
        let events = (0..nr).filter(|&index| !is_dead(index)).filter_map(|index| {
            let event = event(function.pc(index), function.code[index])?;
            (!is_plain(event) || is_named(event)).then_some((index, event))
        });
        let callees = (0..nr).filter_map(|index| {
            let callee = image.entry_at(steps[index].calls?)?;
            Some((index, image.functions[callee].name.as_str()))
        });
        Self {
            function,
            events: events.collect(),
            callees: callees.collect(),
            exits: (0..nr).filter(|&index| steps[index].leaves.iter().any(leaves_alive)).collect(),
            next: steps.into_iter().map(|step| step.next).collect(),
            previous,
        }
    }

    /// Whether event `index` is one like `step`, which may say `bl` and whom.
    fn is(&self, index: usize, step: &str) -> bool {
        match step.trim_end_matches(VIA).split_once("bl ") {
            Some(("", callee)) => self.callees.get(&index).is_some_and(|name| matches(callee, name)),
            _ => self.events[&index] == step.trim_end_matches(VIA),
        }
    }

    fn all(&self, step: &str) -> Vec<usize> {
        self.events.keys().copied().filter(|&index| self.is(index, step)).collect()
    }

    /// The first events met from `from`, which is not looked at itself, and whether some path ends before one.
    fn nearest(&self, from: usize, is_forward: bool) -> (BTreeSet<usize>, bool) {
        let ways = if is_forward { &self.next } else { &self.previous };
        let (mut met, mut seen, mut ends) = (BTreeSet::new(), BTreeSet::new(), false);
        let mut pending = vec![from];
        while let Some(at) = pending.pop() {
            ends |= if is_forward { self.exits.contains(&at) } else { at == 0 };
            for &way in ways[at].iter().filter(|&&way| seen.insert(way)) {
                if self.events.contains_key(&way) {
                    met.insert(way);
                } else {
                    pending.push(way);
                }
            }
        }
        (met, ends)
    }

    /// Where a path from one of `from` reaches `to` (an event, or `exit`) around every `by`.
    fn avoids(&self, from: Vec<usize>, by: &str, to: &str) -> Option<usize> {
        let (mut pending, mut seen) = (from, BTreeSet::new());
        while let Some(at) = pending.pop() {
            if to == "exit" && self.exits.contains(&at) {
                return Some(at);
            }
            for &way in self.next[at].iter().filter(|&&way| seen.insert(way)) {
                if !self.events.contains_key(&way) {
                    pending.push(way);
                } else if self.is(way, to) {
                    return Some(way);
                } else if !self.is(way, by) {
                    pending.push(way);
                }
            }
        }
        None
    }

    /// Whether the load at `second` takes its address from the register that the load at `first` fills.
    fn is_dependent(&self, first: usize, second: usize) -> bool {
        self.function.code[second] >> 5 & 31 == self.function.code[first] & 31
    }
}

impl Sequence {
    /// The step that makes a function one of ours.
    fn anchor(&self) -> &'static str {
        match self.shape {
            Shape::Around(at) => self.steps[at],
            Shape::Between if self.steps[2] == "exit" && self.steps[0] == "entry" => self.steps[1],
            Shape::Between if self.steps[2] == "exit" => self.steps[0],
            Shape::Between => self.steps[2],
        }
    }
}

/// What in `image` is not as `sequences` say.
pub(crate) fn violations(image: &Image, sequences: &[Sequence]) -> Vec<String> {
    let never_returns = never_returning(image);
    let mut found = Vec::new();
    for sequence in sequences {
        let is_named = |function: &&Function| sequence.functions.iter().any(|pattern| matches(pattern, &function.name));
        // Cheap first: most functions have nothing of the kind.
        let kind = sequence.anchor().split(" *").next().unwrap_or("");
        let may_have = |function: &&Function| {
            let mut events = function.code.iter().filter_map(|&word| event(0, word));
            events.any(|event| kind.starts_with(event))
        };
        let mut nr_seen = 0;
        for function in image.functions.iter().filter(is_named).filter(may_have) {
            let ways = Ways::new(image, function, &never_returns, sequence);
            let anchors = ways.all(sequence.anchor());
            nr_seen += anchors.len();
            let place = |(index, what)| format!("{}: {}+{:#x}: {what}", sequence.name, function.name, index * 4);
            found.extend(broken(&ways, sequence, anchors).into_iter().map(place));
        }
        if nr_seen == 0 {
            found.push(format!("{}: no function has `{}`", sequence.name, sequence.anchor()));
        }
    }
    found
}

/// Where in one function, and how.
fn broken(ways: &Ways<'_>, sequence: &Sequence, anchors: Vec<usize>) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    match (sequence.shape, sequence.steps) {
        (Shape::Around(at), steps) => {
            for anchor in anchors {
                found.extend(follow(ways, anchor, &steps[at..], true));
                let before: Vec<&str> = steps[..=at].iter().rev().copied().collect();
                found.extend(follow(ways, anchor, &before, false));
            }
        }
        (Shape::Between, &[from, by, to]) if !anchors.is_empty() => {
            // A path from the entry looks at the first instruction too.
            let is_first = |step: &str| from == "entry" && ways.events.contains_key(&0) && ways.is(0, step);
            let starts = if from == "entry" { vec![0] } else { ways.all(from) };
            if starts.is_empty() {
                found.push((0, format!("has no `{from}`")));
            }
            let reached = match (is_first(to), is_first(by)) {
                (true, _) => Some(0),
                (_, true) => None,
                _ => ways.avoids(starts, by, to),
            };
            found.extend(reached.map(|at| (at, format!("`{to}` is reached from `{from}` without `{by}`"))));
        }
        _ => {}
    }
    found
}

/// Goes from `anchor` step by step; on every path the next event must be the next step.
fn follow(ways: &Ways<'_>, anchor: usize, steps: &[&str], is_forward: bool) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = BTreeSet::from([anchor]);
    for pair in steps.windows(2) {
        let mut beyond = BTreeSet::new();
        for &index in &at {
            let (met, ends) = ways.nearest(index, is_forward);
            if pair[1] == "exit" && met.is_empty() {
                continue;
            }
            for &other in &met {
                let (first, second, step) = if is_forward { (index, other, pair[1]) } else { (other, index, pair[0]) };
                if !ways.is(other, pair[1]) || step.ends_with(VIA) && !ways.is_dependent(first, second) {
                    let what = ways.events[&other];
                    found.push((other, format!("`{what}` where `{}` must be next to `{}`", pair[1], pair[0])));
                }
            }
            if ends || met.is_empty() {
                found.push((index, format!("a path has no `{}` next to it", pair[1])));
            }
            beyond.extend(met);
        }
        at = beyond;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::{event, violations};
    use crate::load::{Function, Image};
    use crate::sequences::{Sequence, Shape};

    const STLR_X: u32 = 0xc89f_fc41; // stlr x1, [x2]
    const STR_W: u32 = 0xb900_0041; // str w1, [x2]
    const STR_SP: u32 = 0xb900_03e1; // str w1, [sp]
    const LDAR_X: u32 = 0xc8df_fc41; // ldar x1, [x2]
    const LDR_X2: u32 = 0xf940_0162; // ldr x2, [x11]
    const LDR_X12_X2: u32 = 0xf940_004c; // ldr x12, [x2]
    const LDR_X12_X3: u32 = 0xf940_006c; // ldr x12, [x3]
    const DSB_ISH: u32 = 0xd503_3b9f;
    const DMB_ISHST: u32 = 0xd503_3abf;
    const BLR: u32 = 0xd63f_0180;
    const RET: u32 = 0xd65f_03c0;
    const NOP: u32 = 0xd503_201f;
    const CBZ_OVER_ONE: u32 = 0xb400_0040;

    fn found(steps: &'static [&'static str], shape: Shape, code: &[u32]) -> usize {
        let sequence = Sequence { name: "s", functions: &["f"], steps, shape, litmus: &[] };
        let function = Function { address: 0x1000, name: "f".into(), may_be_traced: true, code: code.to_vec() };
        violations(&Image { functions: vec![function], ..Image::default() }, &[sequence]).len()
    }

    #[test]
    fn words_are_the_events_that_the_architecture_says() {
        for (word, is) in [
            (0xd503_3bbf, Some("dmb ish")),
            (0xd503_39bf, Some("dmb ishld")),
            (0xd503_3f9f, Some("dsb sy")),
            (0xd503_3fdf, Some("isb")),
            (0xd538_cc09, Some("ack")), // mrs x9, icc_iar1_el1
            (0xd50b_7b28, Some("dc cvau")),
            (0xd50b_7528, Some("ic")),
            (0xd508_711f, Some("ic")),
            (0x089f_fd6c, Some("stlrb")),
            (0x889f_fd4c, Some("stlr w")),
            (0x08df_fd29, Some("ldarb")),
            (0xb900_014c, Some("str w")),
            (0x3900_0009, Some("strb")),
            (0xf85f_0162, Some("ldr x")),  // ldur x2, [x11, #-16]
            (0xf829_0048, Some("atomic")), // ldadd x9, x8, [x2]
            (0x9400_0001, Some("bl")),
            (STR_SP, None),
            (0xa940_27e8, None), // ldp x8, x9, [sp]
            (NOP, None),
            (RET, None),
        ] {
            assert_eq!(event(0, word), is, "{word:#010x}");
        }
    }

    #[test]
    fn a_handler_without_its_barrier_or_with_another_access_first_is_found() {
        let count = |code: &[u32]| found(&["ldar x", "dsb ish", "blr", "stlr x"], Shape::Around(1), code);
        assert_eq!(count(&[LDAR_X, NOP, DSB_ISH, STR_SP, BLR, STLR_X, RET]), 0);
        assert_eq!(count(&[LDAR_X, BLR, STLR_X, RET]), 1, "no barrier");
        assert_eq!(count(&[DSB_ISH, BLR, STLR_X, RET]), 1, "no acquire");
        assert_eq!(count(&[DSB_ISH, LDAR_X, BLR, STLR_X, RET]), 3, "the acquire after the barrier");
        assert_eq!(count(&[LDAR_X, DSB_ISH, STLR_X, BLR, RET]), 2, "the answer before the work");
        assert_eq!(count(&[LDAR_X, DSB_ISH, BLR, RET]), 1, "no answer");
        assert_eq!(count(&[CBZ_OVER_ONE, LDAR_X, DSB_ISH, BLR, STLR_X, RET]), 1, "a path around the acquire");
    }

    #[test]
    fn a_path_around_the_barrier_is_found() {
        let count = |code: &[u32]| found(&["stlr x", "dsb ish", "exit"], Shape::Between, code);
        assert_eq!(count(&[STLR_X, DSB_ISH, RET]), 0);
        assert_eq!(count(&[STLR_X, CBZ_OVER_ONE, DSB_ISH, RET]), 1);
        assert_eq!(count(&[DSB_ISH, STLR_X, RET]), 1);
        assert_eq!(count(&[DSB_ISH, RET]), 1, "nothing has the step at all");
        assert_eq!(found(&["entry", "dsb ish", "str w"], Shape::Between, &[STR_W, DSB_ISH, RET]), 1);
        assert_eq!(found(&["entry", "dsb ish", "str w"], Shape::Between, &[DSB_ISH, STR_W, RET]), 0);
        assert_eq!(found(&["entry", "dsb ish", "str w"], Shape::Between, &[CBZ_OVER_ONE, DSB_ISH, STR_W, RET]), 1);
    }

    #[test]
    fn a_load_by_another_register_is_no_dependency() {
        let count = |code: &[u32]| found(&["ldr x", "ldr x via", "blr"], Shape::Around(2), code);
        assert_eq!(count(&[LDR_X2, LDR_X12_X2, BLR, RET]), 0);
        assert_eq!(count(&[LDR_X2, LDR_X12_X3, BLR, RET]), 1);
    }

    #[test]
    fn plain_accesses_count_where_their_kind_is_named() {
        assert_eq!(found(&["stlr x", "dmb ishst", "str w"], Shape::Around(1), &[STLR_X, DMB_ISHST, STR_W, RET]), 0);
        assert_eq!(found(&["stlr x", "dmb ishst", "str w"], Shape::Around(1), &[STLR_X, STR_W, DMB_ISHST, RET]), 2);
        assert_eq!(found(&["stlr x", "dmb ishst"], Shape::Around(1), &[STLR_X, STR_W, DMB_ISHST, RET]), 0);
    }
}
