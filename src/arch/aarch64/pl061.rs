//! A PL061, eight lines of general purpose: one of them may switch the machine off. Source: Arm DDI 0190, 3.2.

use super::mmio::Registers;

const GPIODIR: usize = 0x400;

/// Raises line `line`, below 8, of the PL061 at `base`.
///
/// # Safety
/// `base` is that of a PL061, mapped as device memory, and nobody else uses it.
pub unsafe fn raise(base: usize, line: u32) {
    // SAFETY: the caller.
    let registers = unsafe { Registers::new(base) };
    let bit = 1 << (line & 7);
    registers.write(GPIODIR, registers.read(GPIODIR) | bit);
    // GPIODATA: the address says which lines the write is about.
    registers.write((bit << 2) as usize, bit);
}
