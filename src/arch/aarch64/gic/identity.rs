//! Whether a GIC is where the device tree has one: what its parts say of themselves, and what only they do.
//!
//! The word that names the architecture is not enough: in a GICv3 the ITS and each redistributor have it too, with the
//! same value at the same offset. So a distributor also has to keep the priority of the UART's interrupt, or of another
//! one if it has no such. The others have nothing there. All is as it was afterwards, and nothing has been enabled.
//!
//! # On which machines
//! Arm's GICs and QEMU's have all of it. KVM's GICv3 has the word, and its GICv2 reads as zero there, so that zero
//! passes for a GICv2. Both keep the upper five bits of a priority, of which the highest is tried here. So does a
//! distributor that serves another world beside this one: the UART's interrupt is this world's, or of no use.

use super::GicError;
use crate::arch::aarch64::mmio::Registers;
use arm_gic::gicv2::registers::Gicc;
use core::mem::offset_of;
use core::ops::RangeInclusive;

/// PIDR2, in the last words of the registers, and its field ArchRev. Source: Arm IHI 0048B, 4.3.21; Arm IHI 0069, 12.9.
const V2_PIDR2: usize = 0xfe8;
const V3_PIDR2: usize = 0xffe8;
const V2_ARCHITECTURES: RangeInclusive<u32> = 1..=2;
const V3_ARCHITECTURES: RangeInclusive<u32> = 3..=4;
/// GICC_IIDR has it in another place, and names later architectures that keep this interface for old kernels.
/// Source: Arm IHI 0048B, 4.4.14; Arm IHI 0069, 12.14.
const INTERFACE_ARCHITECTURES: RangeInclusive<u32> = 1..=4;
/// The distributor's register that counts interrupts, by 32, and the priorities, a byte each: both versions have them
/// at one place. Source: Arm IHI 0048B, 4.3.2 and 4.3.11; Arm IHI 0069, 12.9.
const GICD_TYPER: usize = 4;
const GICD_IPRIORITYR: usize = 0x400;
/// The first interrupt that devices share.
const FIRST_SHARED: u32 = 32;
/// The bit of a priority that every controller implements, in every world.
const HIGHEST_BIT: u32 = 1 << 7;

/// The registers of a part of the GIC.
fn registers(at: u64) -> Registers {
    // SAFETY: the device tree says that the registers are there; `mmu::init` mapped them as device memory.
    unsafe { Registers::new(at as usize) }
}

fn architecture(pidr2: u32) -> u32 {
    pidr2 >> 4 & 0xf
}

/// Whether a GICv2 is there that has the interrupt `id`. Context: boot.
pub(super) fn v2(gicd: u64, gicc: u64, id: u32) -> Result<(), GicError> {
    let distributor = registers(gicd);
    let pidr2 = distributor.read(V2_PIDR2);
    let names_itself = pidr2 == 0 || V2_ARCHITECTURES.contains(&architecture(pidr2));
    // Where there are no shared interrupts, an SGI's priority is asked for: the flash counts none.
    let tried = if id < count(distributor) { id } else { 0 };
    if !names_itself || !keeps_priority(distributor, tried) {
        return Err(GicError::NoDistributor { version: 2, at: gicd });
    }
    let iidr = registers(gicc).read(offset_of!(Gicc, iidr));
    if !INTERFACE_ARCHITECTURES.contains(&(iidr >> 16 & 0xf)) {
        return Err(GicError::NoInterface { at: gicc });
    }
    has(distributor, id)
}

/// Whether a GICv3's distributor is there that has the interrupt `id`. Context: boot.
pub(super) fn v3(gicd: u64, id: u32) -> Result<(), GicError> {
    let distributor = registers(gicd);
    let names_itself = V3_ARCHITECTURES.contains(&architecture(distributor.read(V3_PIDR2)));
    let count = count(distributor);
    // One without shared interrupts has no priorities, and cannot have the UART's.
    let tried = if id < count { id } else { FIRST_SHARED };
    if !names_itself || count > FIRST_SHARED && !keeps_priority(distributor, tried) {
        return Err(GicError::NoDistributor { version: 3, at: gicd });
    }
    has(distributor, id)
}

/// Whether a redistributor is there: it names itself, and its GICR_TYPER then says whose it is. Context: boot.
pub(super) fn redistributor(at: u64) -> Result<(), GicError> {
    let names_itself = V3_ARCHITECTURES.contains(&architecture(registers(at).read(V3_PIDR2)));
    if names_itself { Ok(()) } else { Err(GicError::Layout { at }) }
}

/// How many interrupts the distributor has.
fn count(distributor: Registers) -> u32 {
    ((distributor.read(GICD_TYPER) & 0x1f) + 1) * 32
}

fn has(distributor: Registers, id: u32) -> Result<(), GicError> {
    let count = count(distributor);
    if id < count { Ok(()) } else { Err(GicError::NoInterrupt { id, count }) }
}

/// Whether a bit of the priority of an interrupt can be changed.
fn keeps_priority(distributor: Registers, id: u32) -> bool {
    let (word, bit) = (GICD_IPRIORITYR + (id as usize & !3), HIGHEST_BIT << (8 * (id % 4)));
    let old = distributor.read(word);
    distributor.write(word, old ^ bit);
    let changed = distributor.read(word);
    distributor.write(word, old);
    changed == old ^ bit && distributor.read(word) == old
}
