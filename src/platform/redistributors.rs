//! Which of a GICv3's redistributors is whose: each one says so itself, and which is the last of its region.
//!
//! Pure: who calls reads the registers. Neither the number of CPUs nor their order says anything about redistributors:
//! a tree may leave CPUs out that the machine has.

use super::devicetree::Redistributors;

/// Bytes of a redistributor: two frames of 64 KiB, and two more for virtual interrupts where it has them.
/// Source: Arm IHI 0069, 12.10.
pub const BYTES: u64 = 0x2_0000;
/// GICR_TYPER: it has frames for virtual interrupts; it is the last of its region. The upper half is a CPU's affinity.
const VIRTUAL: u64 = 1 << 1;
const LAST: u64 = 1 << 4;

/// The address of the redistributor of the CPU whose affinity fields are those of `mpidr`; `typer` reads GICR_TYPER of
/// the redistributor at an address. Context: any.
pub fn find(redistributors: &Redistributors, mpidr: u64, mut typer: impl FnMut(u64) -> u64) -> Option<u64> {
    for region in &redistributors.regions {
        let mut at = region.start;
        while region.end.checked_sub(at).is_some_and(|left| left >= BYTES) {
            let typer = typer(at);
            if is_of(typer, mpidr) {
                return Some(at);
            }
            if typer & LAST != 0 {
                break;
            }
            let own = if typer & VIRTUAL != 0 { 2 * BYTES } else { BYTES };
            at = at.checked_add(redistributors.stride.unwrap_or(own))?;
        }
    }
    None
}

/// The redistributor has Aff3 beside Aff2, MPIDR has it eight bits further up.
fn is_of(typer: u64, mpidr: u64) -> bool {
    let affinity = typer >> 32;
    affinity & 0xff_ffff == mpidr & 0xff_ffff && affinity >> 24 == mpidr >> 32 & 0xff
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typer(mpidr: u64, flags: u64) -> u64 {
        (mpidr & 0xff_ffff | mpidr >> 8 & 0xff00_0000) << 32 | flags
    }

    /// Redistributors at these addresses; reading elsewhere is what a machine answers by an external abort.
    fn find_among(redistributors: &Redistributors, machine: &[(u64, u64)], mpidr: u64) -> Option<u64> {
        find(redistributors, mpidr, |at| {
            let found = machine.iter().find(|(base, _)| *base == at);
            found.unwrap_or_else(|| panic!("nothing answers at {at:#x}")).1
        })
    }

    /// Regions from one address to another.
    fn in_regions(regions: &[(u64, u64)], stride: Option<u64>) -> Redistributors {
        Redistributors { regions: regions.iter().map(|&(start, end)| start..end).collect(), stride }
    }

    #[test]
    fn the_last_of_a_region_is_where_the_walk_ends_however_long_the_region_is() {
        let redistributors = in_regions(&[(0xa_0000, 0x100_0000)], None);
        let machine = [(0xa_0000, typer(0, 0)), (0xc_0000, typer(1, 0)), (0xe_0000, typer(2, LAST))];
        let found = [0, 1, 2, 3].map(|mpidr| find_among(&redistributors, &machine, mpidr));
        assert_eq!(found, [Some(0xa_0000), Some(0xc_0000), Some(0xe_0000), None]);
    }

    #[test]
    fn regions_are_walked_one_after_the_other_and_none_beyond_its_end() {
        let redistributors = in_regions(&[(0x10_0000, 0x14_0000), (0x80_0000, 0x82_0000)], None);
        let machine = [(0x10_0000, typer(0, 0)), (0x12_0000, typer(1, 0)), (0x80_0000, typer(0x2_0000_0003, 0))];
        assert_eq!(find_among(&redistributors, &machine, 0x2_0000_0003), Some(0x80_0000));
        assert_eq!(find_among(&redistributors, &machine, 3), None);
    }

    #[test]
    fn the_stride_is_the_trees_or_each_redistributors_own() {
        let machine = [(0, typer(7, VIRTUAL)), (0x4_0000, typer(8, 0)), (0x6_0000, typer(9, LAST))];
        assert_eq!(find_among(&in_regions(&[(0, 0x100_0000)], None), &machine, 9), Some(0x6_0000));
        let wide = [(0, typer(7, 0)), (0x10_0000, typer(8, LAST))];
        assert_eq!(find_among(&in_regions(&[(0, 0x100_0000)], Some(0x10_0000)), &wide, 8), Some(0x10_0000));
    }
}
