//! A64 instructions, as far as the rules on the image ask: where control goes, which registers are written,
//! whether floating-point, SIMD or signed pointers are used. Total: every word has an answer.
//!
//! Source: Arm ARM DDI 0487, C4.1 (A64 instruction set encoding).
//!
//! # Why not a disassembler crate
//! It names operands, not what is written: the table of written registers is most of this file, and would
//! have to be made from its operands all the same.

/// The frame pointer.
pub(crate) const FP: u8 = 29;
/// The link register.
pub(crate) const LR: u8 = 30;
/// The stack pointer, where an encoding's 31 means it.
pub(crate) const SP: u8 = 31;

/// What an instruction does to control flow, to the stack and to addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insn {
    /// `bl`
    Call(u64),
    /// `blr`
    CallRegister,
    /// `b`
    Jump(u64),
    /// `br` by this register.
    JumpRegister(u8),
    /// `b.cond`, `cbz`, `tbz` and their opposites.
    Branch(u64),
    /// `ret`
    Return,
    /// `eret`
    ExceptionReturn,
    /// `brk`, `udf`. Not `hlt`: a debugger or emulator answers it and goes on.
    Trap,
    /// `adr`, `adrp`: the register gets this address.
    Address { rd: u8, address: u64, is_page: bool },
    /// `add`, `sub` of a constant, 64 bits.
    Add { rd: u8, rn: u8, by: i64 },
    /// `ldr` of 64 bits at a constant distance.
    Load { rn: u8, offset: u64 },
    /// `ldr` of 64 bits from a literal pool.
    LoadLiteral(u64),
    /// `stp`, `ldp` of 64-bit registers; `index` says when the base moves by `offset`.
    Pair { is_load: bool, rt: u8, rt2: u8, rn: u8, offset: i64, index: Index },
    /// Anything else.
    Other,
}

/// How an addressing mode moves its base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Index {
    /// It does not.
    Offset,
    /// Before the access.
    Pre,
    /// After the access.
    Post,
}

const fn bits(word: u32, high: u32, low: u32) -> u32 {
    word >> low & ((1 << (high - low + 1)) - 1)
}

const fn register(word: u32, low: u32) -> u8 {
    bits(word, low + 4, low) as u8
}

/// The field `high..=low` as a signed number.
const fn signed(word: u32, high: u32, low: u32) -> i64 {
    ((word << (31 - high)).cast_signed() >> (31 - high + low)) as i64
}

/// Decodes the instruction at `pc`.
pub(crate) fn decode(pc: u64, word: u32) -> Insn {
    let to = |words: i64| pc.wrapping_add_signed(words * 4);
    match word {
        _ if word >> 26 == 0b10_0101 => Insn::Call(to(signed(word, 25, 0))),
        _ if word >> 26 == 0b00_0101 => Insn::Jump(to(signed(word, 25, 0))),
        _ if word >> 24 == 0b0101_0100 || bits(word, 30, 25) == 0b01_1010 => Insn::Branch(to(signed(word, 23, 5))),
        _ if bits(word, 30, 25) == 0b01_1011 => Insn::Branch(to(signed(word, 18, 5))),
        // Unconditional branch (register): opc, then op3 that says whether the pointer is signed.
        _ if word >> 25 == 0b110_1011 => match bits(word, 24, 21) {
            0b0000 | 0b1000 => Insn::JumpRegister(register(word, 5)),
            0b0001 | 0b1001 => Insn::CallRegister,
            0b0010 => Insn::Return,
            _ => Insn::ExceptionReturn,
        },
        _ if word >> 21 == 0b110_1010_0001 || word >> 16 == 0 => Insn::Trap,
        _ if bits(word, 28, 24) == 0b1_0000 => {
            let immediate = signed(word, 23, 5) << 2 | i64::from(bits(word, 30, 29));
            let is_page = word >> 31 == 1;
            let address = if is_page {
                (pc & !0xfff).wrapping_add_signed(immediate << 12)
            } else {
                pc.wrapping_add_signed(immediate)
            };
            Insn::Address { rd: register(word, 0), address, is_page }
        }
        _ if bits(word, 28, 23) == 0b10_0010 && bits(word, 31, 31) == 1 && bits(word, 29, 29) == 0 => {
            let by = i64::from(bits(word, 21, 10)) << (12 * bits(word, 22, 22));
            let by = if bits(word, 30, 30) == 1 { -by } else { by };
            Insn::Add { rd: register(word, 0), rn: register(word, 5), by }
        }
        _ if word >> 22 == 0b11_1110_0101 => {
            Insn::Load { rn: register(word, 5), offset: u64::from(bits(word, 21, 10)) * 8 }
        }
        _ if word >> 24 == 0b0101_1000 => Insn::LoadLiteral(to(signed(word, 23, 5))),
        _ if word >> 25 == 0b101_0100 => {
            let index = match bits(word, 24, 23) {
                0b01 => Index::Post,
                0b11 => Index::Pre,
                _ => Index::Offset,
            };
            let (rt, rt2, rn) = (register(word, 0), register(word, 10), register(word, 5));
            Insn::Pair { is_load: bits(word, 22, 22) == 1, rt, rt2, rn, offset: signed(word, 21, 15) * 8, index }
        }
        _ => Insn::Other,
    }
}

/// Whether the word uses a floating-point, SIMD or scalable register.
pub(crate) fn uses_simd(word: u32) -> bool {
    match bits(word, 28, 25) {
        0b0111 | 0b1111 | 0b0010 => true,
        0b0000 => word >> 31 == 1,
        0b0100 | 0b0110 | 0b1100 | 0b1110 => bits(word, 26, 26) == 1,
        _ => false,
    }
}

/// Whether the word signs, checks or strips a pointer.
pub(crate) fn uses_pointer_authentication(word: u32) -> bool {
    // HINT space: xpaclri, pacia1716 .. autib1716, paciaz .. autibsp.
    let hint = bits(word, 11, 5);
    let is_hint = word >> 12 == 0xd_5032 && bits(word, 4, 0) == 31;
    is_hint && matches!(hint, 7 | 8 | 10 | 12 | 14 | 24..=31)
        || word >> 16 == 0xdac1                                      // pacia .. xpacd
        || word >> 21 == 0b100_1101_0110 && bits(word, 15, 10) == 12 // pacga
        || word >> 25 == 0b110_1011 && bits(word, 15, 11) == 1       // braa, blraa, retaa, eretaa
        || word >> 27 == 0b1_1111 && bits(word, 26, 24) == 0 && bits(word, 21, 21) == 1 && bits(word, 10, 10) == 1 // ldraa
}

/// `mov` of one 64-bit register to another: to, from.
pub(crate) fn copies(word: u32) -> Option<(u8, u8)> {
    (word & 0xffe0_ffe0 == 0xaa00_03e0).then_some((register(word, 0), register(word, 16)))
}

/// The set of general registers that the word writes, one bit each; bit 31 is sp.
pub(crate) fn written(word: u32) -> u32 {
    let general = |low: u32| 1_u32 << register(word, low) & !(1 << 31);
    let or_sp = |low: u32| 1_u32 << register(word, low);
    let none_if = |is_none: bool, set: u32| if is_none { 0 } else { set };
    match bits(word, 28, 25) {
        // Data processing, constant: add and logical without flags may write sp.
        0b1000 | 0b1001 => match bits(word, 25, 23) {
            0b010 if bits(word, 29, 29) == 0 => or_sp(0),
            0b011 => or_sp(0),
            0b100 if bits(word, 30, 29) != 0b11 => or_sp(0),
            _ => general(0),
        },
        // Branches and system: calls write x30, reads of system registers write Rt.
        0b1010 | 0b1011 => match decode(0, word) {
            Insn::Call(_) | Insn::CallRegister => 1 << LR,
            _ if word >> 22 == 0b11_0101_0100 && bits(word, 21, 21) == 1 => general(0),
            _ => 0,
        },
        0b0100 | 0b0110 | 0b1100 | 0b1110 => memory_written(word),
        // Data processing, registers.
        0b0101 | 0b1101 => match (bits(word, 28, 28), bits(word, 24, 21)) {
            (0, group) if group & 0b1001 == 0b1001 && bits(word, 29, 29) == 0 => or_sp(0),
            (1, 0b0000) => none_if(bits(word, 15, 10) != 0, general(0)),
            (1, 0b0010) => 0,
            _ => general(0),
        },
        // Moves from SIMD registers: they are forbidden, so say that they may write.
        0b0111 | 0b1111 => general(0),
        _ => 0,
    }
}

/// [`written`] for loads and stores: the base if it moves, what is loaded, the status or old value.
fn memory_written(word: u32) -> u32 {
    let general = |low: u32| 1_u32 << register(word, low) & !(1 << 31);
    let when = |is: bool, set: u32| if is { set } else { 0 };
    let base = 1_u32 << register(word, 5);
    let is_simd = bits(word, 26, 26) == 1;
    let is_load = bits(word, 23, 22) != 0 && !(word >> 30 == 3 && bits(word, 23, 22) == 2);
    let loaded = when(is_load && !is_simd, general(0));
    match bits(word, 29, 27) {
        0b001 if is_simd => when(bits(word, 23, 23) == 1, base),
        0b001 => match (bits(word, 23, 23), bits(word, 21, 21), bits(word, 22, 22)) {
            (0, 0, 0) => general(16),
            (0, 0, _) | (1, 0, 1) => general(0),
            (0, 1, _) if word >> 31 == 0 => general(16) | general(16) << 1,
            (0, 1, 0) => general(16),
            (0, 1, _) => general(0) | general(10),
            (1, 1, _) => general(16),
            _ => 0,
        },
        // Literals; or ordered and tagged accesses at a small distance.
        0b011 if bits(word, 24, 24) == 0 => when(!is_simd && word >> 30 != 3, general(0)),
        0b011 => loaded | when(bits(word, 21, 21) == 1 || bits(word, 11, 10) != 0, general(0) | base | general(16)),
        0b101 => {
            let pair = when(!is_simd && bits(word, 22, 22) == 1, general(0) | general(10));
            pair | when(bits(word, 23, 23) == 1, base)
        }
        0b111 if bits(word, 24, 24) == 1 => loaded,
        0b111 if bits(word, 21, 21) == 0 => loaded | when(bits(word, 10, 10) == 1, base),
        0b111 if bits(word, 11, 10) == 0 => when(!is_simd, general(0)),
        0b111 if bits(word, 10, 10) == 1 => general(0) | base,
        0b111 => loaded,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::{Index, Insn, decode, uses_pointer_authentication, uses_simd, written};

    #[test]
    fn control_flow_goes_where_the_assembler_put_it() {
        let pc = 0x4020_1000;
        for (word, insn) in [
            (0x9400_0002, Insn::Call(pc + 8)),
            (0x17ff_ffff, Insn::Jump(pc - 4)),
            (0x5400_0041, Insn::Branch(pc + 8)),   // b.ne
            (0xb5ff_ffe0, Insn::Branch(pc - 4)),   // cbnz x0
            (0x36ff_ffe1, Insn::Branch(pc - 4)),   // tbz w1, #31
            (0xd61f_0200, Insn::JumpRegister(16)), // br x16
            (0xd63f_0180, Insn::CallRegister),     // blr x12
            (0xd65f_03c0, Insn::Return),
            (0xd65f_0120, Insn::Return), // ret x9
            (0xd69f_03e0, Insn::ExceptionReturn),
            (0xd420_0020, Insn::Trap), // brk #1
            (0x0000_0000, Insn::Trap),
            (0xd45e_0000, Insn::Other), // hlt #0xf000
            (0xd503_201f, Insn::Other), // nop
            (0xb000_0008, Insn::Address { rd: 8, address: 0x4020_2000, is_page: true }),
            (0x1000_0040, Insn::Address { rd: 0, address: pc + 8, is_page: false }),
            (0x9104_0108, Insn::Add { rd: 8, rn: 8, by: 0x100 }),
            (0xd100_83ff, Insn::Add { rd: 31, rn: 31, by: -0x20 }),
            (0x9140_07ff, Insn::Add { rd: 31, rn: 31, by: 0x1000 }),
            (0xf940_0508, Insn::Load { rn: 8, offset: 8 }),
            (0x5800_0041, Insn::LoadLiteral(pc + 8)),
            (0xa9bf_7bfd, Insn::Pair { is_load: false, rt: 29, rt2: 30, rn: 31, offset: -16, index: Index::Pre }),
            (0xa941_7bfd, Insn::Pair { is_load: true, rt: 29, rt2: 30, rn: 31, offset: 16, index: Index::Offset }),
            (0xa8c1_7bfd, Insn::Pair { is_load: true, rt: 29, rt2: 30, rn: 31, offset: 16, index: Index::Post }),
        ] {
            assert_eq!(decode(pc, word), insn, "{word:#010x}");
        }
    }

    #[test]
    fn every_way_to_write_x29_is_seen_and_no_other() {
        let writes_it = [
            0x9100_03fd, // mov x29, sp
            0xaa00_03fd, // mov x29, x0
            0xd280_001d, // mov x29, #0
            0xa941_7bfd, // ldp x29, x30
            0xa941_77fe, // ldp x30, x29
            0xf940_03fd, // ldr x29, [sp]
            0xf85f_03bd, // ldur x29, [x29, #-16]
            0xf800_87a0, // str x0, [x29], #8
            0xd53b_d05d, // mrs x29, tpidr_el0
            0xf83d_003d, // ldadd x29, x29, [x1]
            0xc8fd_fc20, // casal x29, x0, [x1]
            0xc85f_7c3d, // ldxr x29, [x1]
            0xc81d_7c20, // stxr w29, x0, [x1]
            0x5800_005d, // ldr x29, literal
            0x9a9f_17fd, // cset x29
            0x9b01_7c1d, // mul x29, x0, x1
            0x5ac0_101d, // clz w29, w0
        ];
        for word in writes_it {
            assert_ne!(written(word) & 1 << 29, 0, "{word:#010x}");
        }
        let leaves_it = [
            0xa9bf_7bfd, // stp x29, x30, [sp, #-16]!
            0xf900_03fd, // str x29, [sp]
            0xeb00_03bf, // cmp x29, x0
            0xfa5d_03a0, // ccmp x29, x29
            0xd51b_d05d, // msr tpidr_el0, x29
            0xd63f_03a0, // blr x29
            0xb500_005d, // cbnz x29
            0xc89f_fc3d, // stlr x29, [x1]
            0xf980_003d, // prfm #29, [x1]
            0xf8bf_c3a0, // ldapr x0, [x29]
        ];
        for word in leaves_it {
            assert_eq!(written(word) & 1 << 29, 0, "{word:#010x}");
        }
        assert_eq!(written(0xa9bf_7bfd), 1 << 31, "stp with write-back moves sp");
        assert_eq!(written(0x927c_ec1f), 1 << 31, "and sp, x0, #-16");
        assert_eq!(written(0xeb00_03bf), 0, "cmp writes nothing");
        assert_eq!(written(0x9400_0000), 1 << 30);
    }

    #[test]
    fn simd_and_signed_pointers_are_seen() {
        for word in [0x4ea0_1c00, 0x1e60_4020, 0x3dc0_0000, 0xad40_0400, 0x0420_0000, 0x4c40_7000] {
            assert!(uses_simd(word), "{word:#010x}");
        }
        for word in [0xd503_201f, 0xa941_7bfd, 0xf940_0508, 0x9400_0000, 0x9b01_7c1d, 0x0000_0000] {
            assert!(!uses_simd(word), "{word:#010x}");
        }
        for word in [0xd503_233f, 0xd503_23bf, 0xd503_20ff, 0xd65f_0bff, 0xd73f_081f, 0xdac1_03fe, 0xf820_0420] {
            assert!(uses_pointer_authentication(word), "{word:#010x}");
        }
        for word in [0xd503_201f, 0xd503_241f, 0xd503_207f, 0xd65f_03c0, 0xd63f_0180, 0xdac0_1000, 0xf840_0420] {
            assert!(!uses_pointer_authentication(word), "{word:#010x}");
        }
    }
}
