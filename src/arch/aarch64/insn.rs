//! The few instructions that a callsite is made of: encoding and decoding. Pure.
//!
//! Source: Arm ARM DDI 0487, C6.2 (B, BL, HINT, ORR shifted register).

/// One A64 instruction word.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Insn(pub u32);

/// Why a branch cannot be encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BranchError {
    /// BL reaches 128 MiB either way.
    OutOfReach {
        /// From the branch to its target.
        distance_bytes: i64,
    },
    /// Source or target is not on 4 bytes.
    Misaligned,
}

impl Insn {
    /// `nop`
    pub const NOP: Self = Self(0xd503_201f);
    /// `mov x9, x30`: keeps the caller's return address while BL writes x30.
    pub const MOV_X9_LR: Self = Self(0xaa1e_03e9);

    /// `bl target`, to be placed at `from`.
    pub fn bl(from: usize, target: usize) -> Result<Self, BranchError> {
        if !from.is_multiple_of(4) || !target.is_multiple_of(4) {
            return Err(BranchError::Misaligned);
        }
        let distance_bytes = (target as i64).wrapping_sub(from as i64);
        if !(-(1 << 27)..1 << 27).contains(&distance_bytes) {
            return Err(BranchError::OutOfReach { distance_bytes });
        }
        Ok(Self(0x9400_0000 | ((distance_bytes >> 2) as u32 & 0x03ff_ffff)))
    }

    /// The number of the register (31 is sp) whose address a load or store goes by; `None` for anything else.
    #[inline(always)]
    pub const fn base_register(self) -> Option<usize> {
        let is_memory = self.0 & 0x0a00_0000 == 0x0800_0000;
        let is_literal = self.0 & 0x3b00_0000 == 0x1800_0000;
        if is_memory && !is_literal { Some((self.0 >> 5 & 31) as usize) } else { None }
    }

    /// Where a `bl` at `from` goes; `None` when this is no BL.
    pub fn bl_target(self, from: usize) -> Option<usize> {
        (self.0 >> 26 == 0b10_0101).then(|| {
            let words = i64::from((self.0 << 6).cast_signed() >> 6);
            from.wrapping_add_signed((words * 4) as isize)
        })
    }
}

/// What an instruction costs beyond its place in the instruction count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Price {
    /// Nothing that a count would hide.
    Plain,
    /// DMB, DSB, ISB.
    Barrier,
    /// A load-acquire or a store-release: it orders what is on one side of it.
    Ordered,
    /// An exclusive, or a large-system atomic.
    Atomic,
    /// A write to a system register.
    SystemRegister,
}

impl Insn {
    /// What it costs. Source: Arm ARM DDI 0487, C4.1 (barriers, system register moves, loads and stores).
    pub const fn price(self) -> Price {
        let word = self.0;
        if word & 0xffff_f01f == 0xd503_301f {
            return Price::Barrier; // CLREX, DSB, DMB, ISB
        }
        if word & 0xffe0_0000 == 0xd500_0000 && word & 0x0020_0000 == 0 && word & 0xffff_f000 != 0xd503_2000 {
            return Price::SystemRegister; // MSR, SYS (L = 0), hints excepted
        }
        if word & 0x3f00_0000 == 0x0800_0000 {
            // Exclusives and ordered accesses: o2 tells them apart; CAS has o2 = 1 and o1 = 1.
            let (o2, o1) = (word >> 23 & 1, word >> 21 & 1);
            return if o2 == 1 && o1 == 0 { Price::Ordered } else { Price::Atomic };
        }
        if word & 0x3f20_0c00 == 0x3820_0000 {
            return Price::Atomic; // LDADD, SWP and their like; LDAPR too
        }
        Price::Plain
    }
}

impl core::fmt::Debug for Insn {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match *self {
            Self::NOP => f.write_str("nop"),
            Self::MOV_X9_LR => f.write_str("mov x9, x30"),
            Self(word) => write!(f, ".inst {word:#010x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{BranchError, Insn, Price};

    #[test]
    fn what_a_count_would_hide_is_told_by_its_encoding() {
        for (word, price) in [
            (0xd503_3bbf, Price::Barrier),        // dmb ish
            (0xd503_3b9f, Price::Barrier),        // dsb ish
            (0xd503_3fdf, Price::Barrier),        // isb
            (0x889f_fc20, Price::Ordered),        // stlr w0, [x1]
            (0xc8df_fc20, Price::Ordered),        // ldar x0, [x1]
            (0xc85f_7c20, Price::Atomic),         // ldxr x0, [x1]
            (0xc8a0_7c41, Price::Atomic),         // cas x0, x1, [x2]
            (0xf820_0041, Price::Atomic),         // ldadd x0, x1, [x2]
            (0xd518_4100, Price::SystemRegister), // msr sp_el0, x0
            (0xd503_43df, Price::SystemRegister), // msr daifset, #3
            (0xd538_4100, Price::Plain),          // mrs x0, sp_el0
            (0xd503_201f, Price::Plain),          // nop
            (0xd503_245f, Price::Plain),          // bti c
            (0xa9bf_7bfd, Price::Plain),          // stp x29, x30, [sp, #-16]!
            (0xf940_0042, Price::Plain),          // ldr x2, [x2]
            (0xf862_6820, Price::Plain),          // ldr x0, [x1, x2]
            (0xd63f_0180, Price::Plain),          // blr x12
        ] {
            assert_eq!(Insn(word).price(), price, "{word:#010x}");
        }
    }

    #[test]
    fn what_a_load_or_store_goes_by_is_its_base() {
        for (word, base) in [
            (0xf940_0042, Some(2)),  // ldr x2, [x2]
            (0xf85f_0162, Some(11)), // ldur x2, [x11, #-16]
            (0xa901_0be8, Some(31)), // stp x8, x2, [sp, #16]
            (0xf862_6820, Some(1)),  // ldr x0, [x1, x2]
            (0xc8df_fc20, Some(1)),  // ldar x0, [x1]
            (0xf840_8c61, Some(3)),  // ldr x1, [x3, #8]!
            (0x5800_0040, None),     // ldr x0, pc + 8
            (0xd63f_0180, None),     // blr x12
            (0x910003fd, None),      // mov x29, sp
            (0xd503_201f, None),     // nop
        ] {
            assert_eq!(Insn(word).base_register(), base, "{word:#010x}");
        }
    }

    #[test]
    fn bl_goes_where_it_was_told_to_go() {
        for (from, target) in [(0x4020_0004_usize, 0x4020_0000), (0x4020_0004, 0x4820_0000), (0x4820_0004, 0x4020_0004)]
        {
            assert_eq!(Insn::bl(from, target).unwrap().bl_target(from), Some(target), "{from:#x} to {target:#x}");
        }
        assert_eq!(Insn::bl(0x1000, 0x1000).unwrap(), Insn(0x9400_0000));
        assert_eq!(Insn::bl(0x1004, 0x1000).unwrap(), Insn(0x97ff_ffff));
    }

    #[test]
    fn bl_out_of_reach_says_how_far() {
        assert_eq!(Insn::bl(0, 1 << 27), Err(BranchError::OutOfReach { distance_bytes: 1 << 27 }));
        assert_eq!(Insn::bl(1 << 27, 0).map(|bl| bl.0), Ok(0x9600_0000));
        assert_eq!(Insn::bl(2, 0x1000), Err(BranchError::Misaligned));
    }

    #[test]
    fn only_bl_has_a_target() {
        assert_eq!(Insn::NOP.bl_target(0), None);
        assert_eq!(Insn(0x1400_0000).bl_target(0), None, "B is not BL");
    }
}
