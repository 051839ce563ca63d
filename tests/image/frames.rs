//! Frame records: every function that calls has one before it calls, and x29 always heads an honest chain.
//!
//! The grace-period scheme `scan` walks x29 through everything that a func can call, and the backtraces of
//! stall reports and panics do. Each way through a function is followed with the distance of sp and of the
//! record from the entry's sp, and with what x29 is at that point.

use crate::flow::{Leave, step};
use crate::insn::{FP, Index, Insn, LR, SP, decode, written};
use crate::load::Function;
use std::collections::BTreeSet;

/// What is known at one instruction. Distances are from sp at the entry, negative below it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct State {
    /// Where sp is; nothing after it was aligned or moved by a register.
    sp: Option<i64>,
    /// Where `stp x29, x30` put the caller's pair.
    saved: Option<i64>,
    /// x29 points to that pair; else it is the caller's.
    is_set: bool,
}

/// What breaks the rules in `function`, one line per instruction.
pub(crate) fn violations(function: &Function, never_returns: &BTreeSet<u64>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut seen: Vec<BTreeSet<State>> = vec![BTreeSet::new(); function.code.len()];
    let mut pending = vec![(0, State { sp: Some(0), ..State::default() })];
    let mut at_table_jump = None;
    loop {
        while let Some((index, state)) = pending.pop() {
            if !seen[index].insert(state) {
                continue;
            }
            let (after, complaint) = execute(function, index, state);
            let step = step(function, index, never_returns);
            let leaves_with_record = state.is_set
                && step.leaves.iter().any(|leave| match leave {
                    Leave::Return => true,
                    // Past the end of the function stands padding: only a call that never returns precedes it.
                    Leave::To(target) => *target != function.end(),
                    Leave::Register => false,
                });
            if step.leaves.contains(&Leave::Register) && state.is_set {
                at_table_jump = Some(state);
            }
            let complaint = complaint.or(leaves_with_record.then_some("leaves without restoring x29"));
            if let Some(complaint) = complaint {
                found.insert(format!("{}+{:#x}: {complaint}", function.name, index * 4));
            }
            pending.extend(step.next.into_iter().map(|next| (next, after)));
        }
        // Blocks that only a jump table reaches begin as the table's `br` ended.
        let unseen = seen.iter().position(BTreeSet::is_empty);
        match (unseen, at_table_jump) {
            (Some(index), Some(state)) => pending.push((index, state)),
            _ => return found,
        }
    }
}

/// The state after instruction `index`, and what is wrong with it.
fn execute(function: &Function, index: usize, state: State) -> (State, Option<&'static str>) {
    let word = function.code[index];
    let mut after = state;
    let complaint = match decode(function.pc(index), word) {
        Insn::Call(_) | Insn::CallRegister if !state.is_set => Some("calls without a frame record"),
        Insn::Call(_) | Insn::CallRegister => None,
        Insn::Pair { is_load, rt, rt2, rn: SP, offset, index } => {
            let moved = state.sp.map(|sp| sp + offset);
            let place = if index == Index::Post { state.sp } else { moved };
            if index != Index::Offset {
                after.sp = moved;
            }
            match (is_load, rt, rt2) {
                (false, FP, LR) if !state.is_set => {
                    after.saved = place;
                    None
                }
                (true, FP, LR) if state.is_set && (place == state.saved || place.is_none()) => {
                    after.is_set = false;
                    None
                }
                (true, FP, _) | (true, _, FP) => Some("loads x29 from elsewhere than its record"),
                _ => below_sp(after),
            }
        }
        Insn::Add { rd: FP, rn: SP, by } => {
            after.is_set = true;
            let is_honest = state.saved.is_some() && state.sp.map(|sp| sp + by) == state.saved;
            (!is_honest).then_some("sets x29 to something else than its record")
        }
        Insn::Add { rd: SP, rn: SP, by } => {
            after.sp = state.sp.map(|sp| sp + by);
            below_sp(after)
        }
        Insn::Add { rd: SP, rn: FP, by } if state.is_set => {
            after.sp = state.saved.map(|saved| saved + by);
            below_sp(after)
        }
        _ if written(word) & 1 << FP != 0 => Some("writes x29"),
        _ => {
            if written(word) & 1 << SP != 0 {
                after.sp = None;
            }
            None
        }
    };
    (after, complaint)
}

/// O14: while x29 points to its record, sp must not pass it.
fn below_sp(state: State) -> Option<&'static str> {
    let is_popped = state.is_set && state.sp.zip(state.saved).is_some_and(|(sp, saved)| sp > saved);
    is_popped.then_some("pops its record before x29 is restored")
}

#[cfg(test)]
mod tests {
    use super::violations;
    use crate::load::Function;
    use std::collections::BTreeSet;

    const STP_PRE: u32 = 0xa9bf_7bfd; // stp x29, x30, [sp, #-16]!
    const STP_AT_16: u32 = 0xa901_7bfd;
    const MOV_FP_SP: u32 = 0x9100_03fd;
    const ADD_FP_SP_16: u32 = 0x9100_43fd;
    const LDP_POST: u32 = 0xa8c1_7bfd;
    const LDP_AT_16: u32 = 0xa941_7bfd;
    const SUB_SP_32: u32 = 0xd100_83ff;
    const ADD_SP_32: u32 = 0x9100_83ff;
    const BL: u32 = 0x9400_1000;
    const RET: u32 = 0xd65f_03c0;
    const CBZ_2: u32 = 0xb400_0040; // over one instruction

    fn complaints(code: &[u32]) -> Vec<String> {
        let function = Function { address: 0x1000, name: "f".into(), may_be_traced: true, code: code.to_vec() };
        violations(&function, &BTreeSet::new()).into_iter().collect()
    }

    #[test]
    fn the_compilers_two_shapes_and_leaf_functions_are_fine() {
        assert_eq!(complaints(&[STP_PRE, MOV_FP_SP, BL, LDP_POST, RET]), Vec::<String>::new());
        let wide = [SUB_SP_32, STP_AT_16, ADD_FP_SP_16, BL, LDP_AT_16, ADD_SP_32, RET];
        assert_eq!(complaints(&wide), Vec::<String>::new());
        // Alignment of sp, undone from x29: and sp, x9, #-64 ; mov sp, x29 (sub sp, x29, #0)
        let aligned = [STP_PRE, MOV_FP_SP, 0xd101_03e9, 0x927a_e53f, BL, 0x9100_03bf, LDP_POST, RET];
        assert_eq!(complaints(&aligned), Vec::<String>::new());
        // A way out before the record is made, and a tail call after it is restored.
        assert_eq!(complaints(&[CBZ_2, RET, STP_PRE, MOV_FP_SP, BL, LDP_POST, 0x1400_1000]), Vec::<String>::new());
        assert_eq!(complaints(&[0x8b00_0000, RET]), Vec::<String>::new());
    }

    #[test]
    fn a_call_without_a_record_is_found() {
        assert_eq!(complaints(&[BL, RET]), ["f+0x0: calls without a frame record"]);
        assert_eq!(complaints(&[STP_PRE, BL, LDP_POST, RET]).len(), 2, "neither set nor restored honestly");
        assert_eq!(complaints(&[STP_PRE, 0xd63f_0100, MOV_FP_SP, LDP_POST, RET]).len(), 1);
        // One of two ways to the call has no record.
        let skips = [0xb400_0060, STP_PRE, MOV_FP_SP, BL, LDP_POST, RET];
        assert!(complaints(&skips).contains(&"f+0xc: calls without a frame record".to_owned()));
    }

    #[test]
    fn a_stray_write_of_x29_is_found() {
        for write in [0xaa00_03fd, 0xd280_001d, 0xf940_03fd, 0xa940_77fc, 0xa942_7bfd, 0x9100_83fd] {
            assert_eq!(complaints(&[STP_PRE, MOV_FP_SP, write, LDP_POST, RET]).len(), 1, "{write:#010x}");
        }
        assert_eq!(complaints(&[MOV_FP_SP, RET]).len(), 2, "no record there, and not restored");
    }

    #[test]
    fn a_record_that_is_popped_first_and_a_missing_restore_are_found() {
        let early = [SUB_SP_32, STP_AT_16, ADD_FP_SP_16, BL, ADD_SP_32, 0xa97f_7bfd, RET];
        assert!(complaints(&early)[0].ends_with("pops its record before x29 is restored"));
        assert!(complaints(&[STP_PRE, MOV_FP_SP, BL, RET])[0].ends_with("leaves without restoring x29"));
    }
}
