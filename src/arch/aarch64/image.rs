//! The image in memory: where each part of it lies, as `linker.ld` says, and what may be done there.
//!
//! Above: `mmu` maps the parts; who tells of a fault names them. Context: any.

use super::cpu;
use super::mmu::Access;
use super::vectors::{STACK_SIZE, overflow_slot};
use core::ops::Range;

unsafe extern "C" {
    static __text_start: u8;
    static __text_end: u8;
    static __rodata_end: u8;
    static __boot_stack_slot: u8;
    static __symbols_start: u8;
    static __image_start: u8;
    static __image_end: u8;
}

/// The addresses of kernel text.
pub fn text() -> Range<usize> {
    (&raw const __text_start).addr()..(&raw const __text_end).addr()
}

/// The addresses of the whole image, boot stack and symbols included.
pub fn image() -> Range<usize> {
    (&raw const __image_start).addr()..(&raw const __image_end).addr()
}

/// Guards below the stacks that lie in the image, in the order of addresses: never mapped.
fn guards() -> impl Iterator<Item = Range<usize>> {
    let boot = (&raw const __boot_stack_slot).addr();
    // The overflow stacks are among what starts as zero, below the boot stack.
    (0..cpu::MAX_CPUS).map(|cpu| overflow_slot(cpu).0).chain(core::iter::once(boot..boot + STACK_SIZE))
}

/// Whether `address` is in the guard of a stack that lies in the image.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn is_stack_guard(address: usize) -> bool {
    guards().any(|guard| guard.contains(&address))
}

/// The writable part of the image around `address`, between two guards; empty if there is none.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn room_around(address: usize) -> Range<usize> {
    let image = image();
    if !image.contains(&address) || is_stack_guard(address) {
        return 0..0;
    }
    let start = guards().map(|guard| guard.end).filter(|&end| end <= address).max();
    let end = guards().map(|guard| guard.start).filter(|&start| start > address).min();
    start.unwrap_or(image.start)..end.unwrap_or(image.end)
}

/// Calls `visit` with every part that is mapped, in the order of addresses, up to the first error.
pub(super) fn try_for_each_part<E>(mut visit: impl FnMut(Range<usize>, Access) -> Result<(), E>) -> Result<(), E> {
    let rodata_end = (&raw const __rodata_end).addr();
    let symbols = (&raw const __symbols_start).addr();
    visit(text(), Access::ReadExecute)?;
    visit(text().end..rodata_end, Access::Read)?;
    let mut start = rodata_end;
    for guard in guards() {
        visit(start..guard.start, Access::ReadWrite)?;
        start = guard.end;
    }
    visit(start..symbols, Access::ReadWrite)?;
    visit(symbols..image().end, Access::Read)
}

/// What of the image lies at `address`.
pub fn section(address: usize) -> Option<&'static str> {
    let boot = (&raw const __boot_stack_slot).addr();
    let ends = [
        (text().end, "kernel text"),
        ((&raw const __rodata_end).addr(), "read-only data"),
        (boot, "data"),
        (boot + STACK_SIZE, "the guard below the boot stack"),
        (boot + 2 * STACK_SIZE, "the boot stack"),
        ((&raw const __symbols_start).addr(), "data"),
        (image().end, "the symbols"),
    ];
    ends.into_iter().find(|(end, _)| image().contains(&address) && address < *end).map(|(_, name)| name)
}
