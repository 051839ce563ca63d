//! What of RAM is whose: image, device tree, page tables, heap.

use super::refuse;
use core::ops::Range;
use holdout::arch::mmu;
use holdout::mm::heap;
use holdout::platform::devicetree::{Gic, Machine};
use holdout::platform::ranges::gaps;

/// Less RAM than this cannot hold the kernel, its tables and some tasks.
const LEAST_BYTES: usize = 64 << 20;
/// One page-table page for so many bytes of RAM: tasks' stacks need most of them.
const BYTES_PER_TABLE: usize = 1 << 20;
const GICD_BYTES: u64 = 0x1_0000;
const PAGE: usize = mmu::PAGE_SIZE;

/// Switches to the kernel's own translation, and gives to the heap what of RAM nobody owns: not the image, not the
/// device tree at `tree`, not what that reserves. Context: boot.
pub(super) fn init(machine: &Machine, tree: Range<usize>) {
    let image = mmu::image();
    let banks = || machine.memory.iter().map(mmu::usable);
    let bytes: usize = banks().map(|bank| bank.len()).sum();
    if bytes < LEAST_BYTES {
        refuse(format_args!("{} MiB of memory, needs {} MiB", bytes >> 20, LEAST_BYTES >> 20));
    }
    let Some(bank) = banks().find(|bank| bank.start <= image.start && image.end <= bank.end) else {
        refuse(format_args!("the device tree's memory does not hold the image at {:#x}", image.start));
    };
    let owned = machine.reserved.iter().map(|range| range.start as usize..range.end as usize).chain([tree, image]);
    let table_bytes = bytes / BYTES_PER_TABLE * PAGE;
    let Some(tables) = pages(bank, owned.clone())
        .map(|gap| gap.start..gap.end.min(gap.start + table_bytes))
        .find(|tables| tables.len() == table_bytes)
    else {
        refuse(format_args!("no room for {} KiB of page tables beside the image", table_bytes >> 10));
    };
    if let Err(error) = mmu::init(machine, devices(machine), tables.clone()) {
        refuse(format_args!("cannot map the machine: {error}"));
    }
    for free in banks().flat_map(|bank| pages(bank, owned.clone().chain([tables.clone()]))) {
        // SAFETY: RAM by the device tree, mapped by `mmu::init`, owned by nobody else.
        unsafe { heap::add(free) };
    }
}

/// Whole pages of `bank` that nobody owns.
fn pages(bank: Range<usize>, owned: impl Iterator<Item = Range<usize>> + Clone) -> impl Iterator<Item = Range<usize>> {
    gaps(bank, owned).map(|gap| gap.start.next_multiple_of(PAGE)..gap.end & !(PAGE - 1)).filter(|gap| !gap.is_empty())
}

fn devices(machine: &Machine) -> impl Iterator<Item = Range<usize>> {
    let uart = machine.uart.base..machine.uart.base + PAGE as u64;
    let controller = match machine.gic {
        Gic::V2 { gicd, gicc } => [gicd..gicd + GICD_BYTES, gicc..gicc + GICD_BYTES],
        Gic::V3 { gicd, gicr, gicr_bytes } => [gicd..gicd + GICD_BYTES, gicr..gicr + gicr_bytes],
    };
    controller.into_iter().chain([uart]).map(|range| range.start as usize..range.end as usize)
}
