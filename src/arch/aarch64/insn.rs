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

    /// Where a `bl` at `from` goes; `None` when this is no BL.
    pub fn bl_target(self, from: usize) -> Option<usize> {
        (self.0 >> 26 == 0b10_0101).then(|| {
            let words = i64::from((self.0 << 6).cast_signed() >> 6);
            from.wrapping_add_signed((words * 4) as isize)
        })
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
    use super::{BranchError, Insn};

    #[test]
    fn bl_goes_where_it_was_told_to_go() {
        for (from, target) in [(0x4020_0004_usize, 0x4020_0000), (0x4020_0004, 0x4820_0000), (0x4820_0004, 0x4020_0004)] {
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
