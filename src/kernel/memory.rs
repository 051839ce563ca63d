//! What of RAM is whose: `platform::layout` decides, and this maps and gives away.

use super::machine::{self, LookingAt};
use super::refuse;
use core::ops::Range;
use holdout::arch::{boot, mmu, ram};
use holdout::mm::heap;
use holdout::platform::devicetree::Machine;
use holdout::platform::layout::{self, Layout, Place};

/// Switches to the kernel's own translation, and gives to the heap what of RAM nobody owns. The device tree is at
/// `tree`. Context: boot.
pub(super) fn init(machine: &Machine, tree: Range<usize>) {
    let (image, page, end) = (mmu::image(), mmu::PAGE_SIZE, mmu::STACK_WINDOW.start);
    let layout = Layout::plan(machine, Place { image, tree, page, reach: boot::REACH, end })
        .unwrap_or_else(|error| refuse(format_args!("{error}")));
    look_for_memory(&layout, layout.tables.clone());
    let devices = layout::devices(machine).map(|(_, range)| range.start as usize..range.end as usize);
    mmu::init(layout.mapped(), devices, layout.tables.clone())
        .unwrap_or_else(|error| refuse(format_args!("cannot map the machine: {error}")));
    for free in layout.free() {
        look_for_memory(&layout, free.clone());
        // SAFETY: RAM by the device tree and, where it was looked for, by itself; mapped by `mmu::init`, owned by nobody
        // else: `ram-once`.
        unsafe { heap::add(free) };
    }
}

/// Refuses a machine that has no memory where the kernel is about to put something: page tables, while boot's own table
/// maps them; what the heap gets, behind the kernel's. Context: boot; `range` is mapped, and nobody uses it yet.
fn look_for_memory(layout: &Layout<'_>, range: Range<usize>) {
    for at in layout::probes(range, mmu::PAGE_SIZE) {
        let bank = layout.bank_at(at);
        machine::look_at_memory(&bank);
        // SAFETY: the start of a page that is mapped, writable, and nobody's: `ram-once`.
        if !unsafe { ram::keeps(at) } {
            let Range { start, end } = bank;
            refuse(format_args!("no memory is at {at:#x}, where the device tree has it, {start:#x} to {end:#x}"));
        }
    }
    machine::look_at(LookingAt::Nothing);
}
