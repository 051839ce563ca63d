//! Instructions in words, lower case, as the toolchain's disassembler spells them but for its aliases of SYS. Pure.
//!
//! A target that is relative to the PC is no part of the words: whoever knows names says it by name.

use super::insn::Insn;
use core::fmt::{self, Write};
use heapless::String;
use yaxpeax_arch::{Decoder, U8Reader};
use yaxpeax_arm::armv8::a64::{InstDecoder, Instruction, Opcode, Operand, ShiftStyle, SizeCode};

/// More than any instruction needs: of 20 million words that were drawn none needed more than 58.
const MOST: usize = 80;

/// One instruction in words.
#[derive(Clone)]
pub struct Spelled {
    words: String<MOST>,
    distance: Option<Distance>,
}

/// How far from the PC an instruction's target is.
#[derive(Clone, Copy)]
enum Distance {
    /// From the instruction.
    Bytes(i64),
    /// From the page that the instruction is in (`adrp`).
    FromPage(i64),
}

const PAGE: usize = 4096;

/// System registers that the decoder leaves in numbers, as far as a task meets them on its way through a hit.
const NAMED: [(&str, &str); 6] = [
    ("s3_0_c4_c1_0", "sp_el0"),
    ("s3_0_c13_c0_4", "tpidr_el1"),
    ("s3_3_c4_c2_1", "daif"),
    ("pstate.0x1e", "daifset"),
    ("pstate.0x1f", "daifclr"),
    ("s3_3_c14_c0_2", "cntvct_el0"),
];

/// Puts right what the decoder (0.5) takes wrongly: four of the five bits of the register that MSR writes, and a 32-bit
/// register that is added to a 64-bit one for one that is not extended.
fn mend(decoded: &mut Instruction, Insn(word): Insn) {
    let is_extended_64 = word & 0x9fe0_0000 == 0x8b20_0000;
    match &mut decoded.operands {
        [_, Operand::Register(_, register), ..] if decoded.opcode == Opcode::MSR => *register = (word & 31) as u16,
        [_, _, Operand::RegShift(style @ ShiftStyle::LSL, _, SizeCode::W, _), _] if is_extended_64 => {
            *style = ShiftStyle::UXTW;
        }
        _ => {}
    }
}

impl Spelled {
    /// Spells `insn`; what the decoder does not know is spelled `.inst` and its word. Context: any.
    pub fn new(insn: Insn) -> Self {
        let bytes = insn.0.to_le_bytes();
        let mut words = String::new();
        let Ok(mut decoded) = InstDecoder::default().decode(&mut U8Reader::new(&bytes)) else {
            // Shorter than `MOST`.
            let _ = write!(words, ".inst {:#010x}", insn.0);
            return Self { words, distance: None };
        };
        mend(&mut decoded, insn);
        // What is longer than `MOST` is cut.
        let _ = write!(words, "{decoded}");
        if let Some((at, number, name)) =
            NAMED.iter().find_map(|(number, name)| Some((words.find(number)?, number, name)))
        {
            let mut named = String::new();
            let _ = write!(named, "{}{name}{}", &words[..at], &words[at + number.len()..]);
            words = named;
        }
        let distance = decoded.operands.iter().find_map(|operand| match operand {
            Operand::PCOffset(bytes) if decoded.opcode == Opcode::ADRP => Some(Distance::FromPage(*bytes)),
            Operand::PCOffset(bytes) => Some(Distance::Bytes(*bytes)),
            _ => None,
        });
        // The distance is the last operand, and begins with `$`, which stands nowhere else.
        if let (Some(_), Some(at)) = (distance, words.rfind('$')) {
            words.truncate(at);
        }
        Self { words, distance }
    }

    /// Where the instruction branches to, or what it takes the address of, when it stands at `pc`. Context: any.
    pub fn target(&self, pc: usize) -> Option<usize> {
        Some(match self.distance? {
            Distance::Bytes(distance) => pc.wrapping_add_signed(distance as isize),
            Distance::FromPage(distance) => (pc & !(PAGE - 1)).wrapping_add_signed(distance as isize),
        })
    }

    /// Writes the instruction as it stands at `pc`, its target by this name; without one as the distance from itself, or as
    /// the address of a page. Context: any.
    pub fn write(&self, line: &mut impl Write, pc: usize, target: Option<impl fmt::Display>) -> fmt::Result {
        line.write_str(&self.words)?;
        match (self.distance, target) {
            (None, _) => Ok(()),
            (Some(_), Some(target)) => write!(line, "{target}"),
            (Some(Distance::Bytes(distance)), None) => write!(line, ".{distance:+}"),
            (Some(Distance::FromPage(_)), None) => write!(line, "{:#x}", self.target(pc).unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Insn, Spelled};

    fn written(word: u32, pc: usize, target: Option<&str>) -> String {
        let mut line = String::new();
        assert!(Spelled::new(Insn(word)).write(&mut line, pc, target).is_ok());
        line
    }

    #[test]
    fn a_callsites_instructions_are_spelled() {
        assert_eq!(written(Insn::MOV_X9_LR.0, 0, None), "mov x9, x30");
        assert_eq!(written(Insn::NOP.0, 0, Some("there")), "nop");
        let bl = Insn::bl(0x4020_0000, 0x4020_1234).unwrap_or(Insn::NOP);
        assert_eq!(written(bl.0, 0x4020_0000, Some("there")), "bl there");
        assert_eq!(written(bl.0, 0x4020_0000, None), "bl .+4660");
        assert_eq!(written(0xf85f_0162, 0, None), "ldur x2, [x11, #-0x10]");
        assert_eq!(written(0xd538_410a, 0, None), "mrs x10, sp_el0");
        assert_eq!(written(0xd518_4114, 0, None), "msr sp_el0, x20");
        assert_eq!(written(0x8b2e_4d29, 0, None), "add x9, x9, w14, uxtw #3");
        assert_eq!(written(0xd503_42df, 0, None), "msr daifset, #0x2");
        assert_eq!(written(0xd503_42ff, 0, None), "msr daifclr, #0x2");
    }

    #[test]
    fn targets_are_counted_from_the_instruction_or_from_its_page() {
        let cases = [
            (0x54ff_ffe0, "b.eq .-4", 0x100c),
            (0x3607_ffe0, "tbz w0, #0x0, .-4", 0x100c),
            (0x5800_0085, "ldr x5, .+16", 0x1020),
            (0x1000_0041, "adr x1, .+8", 0x1018),
            (0xb000_0001, "adrp x1, 0x2000", 0x2000),
            (0xf0ff_ffe1, "adrp x1, 0x0", 0),
        ];
        for (word, shown, target) in cases {
            assert_eq!(written(word, 0x1010, None), shown);
            assert_eq!(Spelled::new(Insn(word)).target(0x1010), Some(target), "{shown}");
        }
        assert_eq!(Spelled::new(Insn::NOP).target(0x1010), None);
    }

    #[test]
    fn what_is_no_instruction_is_shown_as_a_word() {
        assert_eq!(written(0x0020_0000, 0, None), ".inst 0x00200000");
    }
}
