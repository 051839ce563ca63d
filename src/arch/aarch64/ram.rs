//! Whether there is memory at an address: what is written there is kept.

use core::arch::asm;

/// Writes to the eight bytes at `address`, reads them back from behind the caches, and puts back what was there. A
/// device or a ROM does not keep the complement of what it reads as. Where nothing answers, this is an external abort.
///
/// Context: boot, one CPU.
///
/// # Safety
/// `address` is a multiple of eight and mapped as memory, writable, of which nobody uses those bytes.
pub unsafe fn keeps(address: usize) -> bool {
    let (old, kept): (u64, u64);
    // SAFETY: by the caller. The cache's line is written out and dropped, so that the load finds what memory has.
    unsafe {
        asm!(
            "ldr {old}, [{at}]", "mvn {kept}, {old}", "str {kept}, [{at}]", "dc civac, {at}", "dsb sy",
            "ldr {kept}, [{at}]", "str {old}, [{at}]", "dsb sy",
            at = in(reg) address, old = out(reg) old, kept = out(reg) kept, options(nostack, preserves_flags),
        );
    }
    kept == !old
}
