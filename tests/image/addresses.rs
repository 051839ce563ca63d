//! Which addresses a function makes: constants followed through its registers.
//!
//! `adr` and `adrp` make one, `add` of a constant and moves keep it, every other write and every call loses it.
//! What goes through memory (a spilled page address) is lost too: the compiler makes those anew.

use crate::flow::step;
use crate::insn::{Insn, copies, decode, written};
use crate::load::Function;
use std::collections::{BTreeMap, BTreeSet};

/// What registers may hold: pages, to which a distance is still added, and finished addresses.
type Registers = BTreeMap<u8, BTreeSet<Value>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Value {
    Page(u64),
    Exact(u64),
}

impl Value {
    const fn address(&self) -> u64 {
        match self {
            Self::Page(address) | Self::Exact(address) => *address,
        }
    }
}

/// Registers that a call need not keep: x0 to x18, x30.
const LOST_IN_CALLS: u32 = 0x4007_ffff;

/// What `function` makes of constants.
pub(crate) struct Made {
    /// Every address that it makes, or loads from.
    pub(crate) addresses: BTreeSet<u64>,
    before: Vec<Registers>,
}

impl Made {
    /// The address in x0 at instruction `index`, if it is one of the constants.
    pub(crate) fn first_argument(&self, index: usize) -> Vec<u64> {
        self.before[index].get(&0).into_iter().flatten().map(Value::address).collect()
    }
}

/// Follows the constants of `function` through its instructions that are not `dead`.
pub(crate) fn made(function: &Function, dead: &[bool]) -> Made {
    let mut known: Vec<Option<Registers>> = vec![None; function.code.len()];
    let mut addresses = BTreeSet::new();
    let mut pending = vec![(0, Registers::new())];
    loop {
        while let Some((index, registers)) = pending.pop() {
            let grown = match &mut known[index] {
                slot @ None => {
                    *slot = Some(registers);
                    true
                }
                Some(known) => registers.into_iter().fold(false, |grown, (register, values)| {
                    let known = known.entry(register).or_default();
                    let before = known.len();
                    known.extend(values);
                    grown | (known.len() > before)
                }),
            };
            let Some(before) = known[index].as_ref().filter(|_| grown && !dead[index]) else { continue };
            let after = execute(function, index, before, &mut addresses);
            pending.extend(step(function, index, &BTreeSet::new()).next.into_iter().map(|next| (next, after.clone())));
        }
        // What only a jump table or a call that never returns leads to.
        match known.iter().position(Option::is_none) {
            Some(index) => pending.push((index, Registers::new())),
            None => return Made { addresses, before: known.into_iter().flatten().collect() },
        }
    }
}

/// The registers after instruction `index`; adds the addresses that it makes.
fn execute(function: &Function, index: usize, before: &Registers, made: &mut BTreeSet<u64>) -> Registers {
    let word = function.code[index];
    let insn = decode(function.pc(index), word);
    let mut after = before.clone();
    let is_call = matches!(insn, Insn::Call(_) | Insn::CallRegister);
    let lost = written(word) | if is_call { LOST_IN_CALLS } else { 0 };
    after.retain(|register, _| lost & 1 << register == 0);
    let held = |register: u8| before.get(&register).into_iter().flatten();
    match insn {
        Insn::Address { rd, address, is_page: true } => drop(after.insert(rd, [Value::Page(address)].into())),
        Insn::Address { rd, address, is_page: false } => {
            made.insert(address);
            after.insert(rd, [Value::Exact(address)].into());
        }
        Insn::Add { rd, rn, by } => {
            let sums: BTreeSet<Value> = held(rn)
                .filter_map(|value| match *value {
                    Value::Page(page) => Some(Value::Exact(page.wrapping_add_signed(by))),
                    // A field of what was addressed: its object is known already.
                    Value::Exact(_) => None,
                })
                .collect();
            made.extend(sums.iter().map(Value::address));
            after.insert(rd, sums);
        }
        Insn::Load { rn, offset } => {
            made.extend(held(rn).map(|base| base.address().wrapping_add(offset)));
        }
        Insn::LoadLiteral(address) => drop(made.insert(address)),
        _ => {
            if let Some((rd, rm)) = copies(word) {
                after.insert(rd, held(rm).copied().collect());
            }
        }
    }
    after
}

/// Whether the `br` at `index` takes its target from a jump table of the function's own: shortly before, its
/// register was made by adding a loaded distance to an `adr` of this function.
pub(crate) fn is_table_jump(function: &Function, index: usize) -> bool {
    let Insn::JumpRegister(register) = decode(function.pc(index), function.code[index]) else { return false };
    let near = index.saturating_sub(8)..index;
    // add xN, xM, xK, lsl #2: 64 bits, shifted register, amount 2.
    let mut before = function.code[near.clone()].iter();
    let adds = before.any(|&word| word & 0xffe0_fc00 == 0x8b00_0800 && written(word) == 1 << register);
    let is_own = |address| function.index_of(address).is_some();
    adds && near.into_iter().any(|at| match decode(function.pc(at), function.code[at]) {
        Insn::Address { address, .. } => is_own(address),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::{is_table_jump, made};
    use crate::load::Function;
    use std::collections::BTreeSet;

    const ADRP_X8_2000: u32 = 0xb000_0008; // from page 0x1000
    const ADD_X9_X8_16: u32 = 0x9100_4109;
    const LDR_X9_X8_8: u32 = 0xf940_0509;
    const RET: u32 = 0xd65f_03c0;

    fn addresses(code: &[u32]) -> BTreeSet<u64> {
        let function = Function { address: 0x1000, name: "f".into(), may_be_traced: true, code: code.to_vec() };
        made(&function, &vec![false; code.len()]).addresses
    }

    #[test]
    fn a_page_and_a_distance_make_an_address_wherever_they_meet() {
        assert_eq!(addresses(&[ADRP_X8_2000, ADD_X9_X8_16, RET]), BTreeSet::from([0x2010]));
        assert_eq!(addresses(&[ADRP_X8_2000, LDR_X9_X8_8, RET]), BTreeSet::from([0x2008]));
        // mov x10, x8; add x9, x10, #16
        assert_eq!(addresses(&[ADRP_X8_2000, 0xaa08_03ea, 0x9100_4149, RET]), BTreeSet::from([0x2010]));
        // A branch around another use of x8 does not hide the page from the second.
        let around = [ADRP_X8_2000, 0xb400_0060, 0xd280_0008, RET, ADD_X9_X8_16, RET];
        assert_eq!(addresses(&around), BTreeSet::from([0x2010]));
    }

    #[test]
    fn a_register_that_was_written_meanwhile_makes_nothing() {
        assert_eq!(addresses(&[ADRP_X8_2000, 0xd280_0008, ADD_X9_X8_16, RET]), BTreeSet::new());
        assert_eq!(addresses(&[ADRP_X8_2000, 0x9400_1000, ADD_X9_X8_16, RET]), BTreeSet::new(), "bl");
        let function = Function {
            address: 0x1000,
            name: "f".into(),
            may_be_traced: true,
            code: vec![ADRP_X8_2000, ADD_X9_X8_16, RET],
        };
        assert_eq!(made(&function, &[true, true, true]).addresses, BTreeSet::new(), "dead code");
    }

    #[test]
    fn what_a_call_gets_is_known_if_it_is_a_constant() {
        // adrp x0, 0x2000; add x0, x0, #16; bl; bl: the second gets what the first returned
        let code = vec![0xb000_0000, 0x9100_4000, 0x9400_1000, 0x9400_1000];
        let function = Function { address: 0x1000, name: "f".into(), may_be_traced: true, code };
        let made = made(&function, &[false; 4]);
        assert_eq!((made.first_argument(2), made.first_argument(3)), (vec![0x2010], vec![]));
    }

    #[test]
    fn a_jump_table_is_told_from_a_tail_call_of_a_pointer() {
        // adr x9, f; ldrb w10, [x8, x1]; add x9, x9, x10, lsl #2; br x9
        let code = vec![0x1000_0009, 0x3861_690a, 0x8b0a_0929, 0xd61f_0120];
        assert!(is_table_jump(&Function { address: 0x1000, name: "f".into(), may_be_traced: true, code }, 3));
        let code = vec![0xf940_0109, 0xd61f_0120];
        assert!(!is_table_jump(&Function { address: 0x1000, name: "f".into(), may_be_traced: true, code }, 1));
    }
}
