//! Loads, stores and jumps that no sound kernel makes.

use crate::arch::{mmu, uart, vectors};
use crate::mm::poison::POISON;
use crate::mm::{heap, text_page};
use core::arch::asm;

/// A field of what a freed object's pointer points to.
pub(super) const POISONED_FIELD: usize = POISON as usize + 0x10;

#[inline(never)]
pub(super) fn load(address: usize) {
    // SAFETY: if it is let through, a load changes nothing.
    unsafe { asm!("ldr {word:w}, [{at}]", at = in(reg) address, word = out(reg) _, options(nostack)) };
}

#[inline(never)]
pub(super) fn store_to_text() {
    write_back(mmu::text().start);
}

#[inline(never)]
pub(super) fn store_to_constant() {
    static CONSTANT: u32 = 0x600d;
    write_back((&raw const CONSTANT).addr());
}

/// Stores to the guard below this task's stack, while sp is far from it.
#[inline(never)]
pub(super) fn store_to_guard() {
    let local = 0_u32;
    let slot = (&raw const local).addr() & !(2 * vectors::STACK_SIZE - 1);
    // SAFETY: nothing is mapped there: whoever is let through hits nobody's memory.
    unsafe { asm!("str wzr, [{at}]", at = in(reg) slot + 0x100, options(nostack)) };
}

#[inline(never)]
fn write_back(address: usize) {
    // SAFETY: if it were writable, this would write the word back that lies there.
    unsafe { asm!("ldr {word:w}, [{at}]", "str {word:w}, [{at}]", at = in(reg) address, word = out(reg) _) };
}

#[inline(never)]
pub(super) fn execute_undefined() {
    // SAFETY: permanently undefined: it only traps.
    unsafe { asm!("udf #0x5e11", options(nostack)) };
}

#[inline(never)]
pub(super) fn jump_to_data() {
    /// `ret`: if data were executable, the call would return.
    static mut CODE: u32 = 0xd65f_03c0;
    // SAFETY: if the fetch were let through, a function that does nothing would have been called.
    unsafe { asm!("blr {at}", at = in(reg) &raw const CODE, clobber_abi("C")) };
}

/// The UART's flag register, one byte off. Exclusively: some emulators let a plain load through.
#[inline(never)]
pub(super) fn load_unaligned_from_device() {
    let at = uart::base() + 0x19;
    // SAFETY: if it is let through, a load changes nothing, and nobody has an exclusive access under way.
    unsafe { asm!("ldxr {word:w}, [{at}]", "clrex", at = in(reg) at, word = out(reg) _, options(nostack)) };
}

/// A page behind the end of RAM, where no device is.
#[inline(never)]
pub(super) fn load_from_hole() {
    let hole = heap::end().next_multiple_of(mmu::PAGE_SIZE);
    let page = text_page::address_of(text_page::PLACES - 1);
    if mmu::map(page..page + mmu::PAGE_SIZE, hole, mmu::Access::Device).is_ok() {
        load(page);
    }
}
