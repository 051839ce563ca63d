//! What of RAM is whose: image, device tree, page tables, heap.

use super::refuse;
use core::ops::Range;
use holdout::arch::mmu;
use holdout::mm::heap;
use holdout::platform::devicetree::{Gic, Machine};

/// Less RAM than this cannot hold the kernel, its tables and some tasks.
const LEAST_BYTES: u64 = 64 << 20;
/// One page-table page for so many bytes of RAM: tasks' stacks need most of them.
const BYTES_PER_TABLE: usize = 1 << 20;
const GICD_BYTES: u64 = 0x1_0000;

/// Switches to the kernel's own translation, and gives the rest of RAM to the heap. Context: boot.
pub(super) fn init(machine: &Machine, device_tree: usize) {
    let image = mmu::image();
    let Some(bank) = machine.memory.iter().find(|bank| bank.contains(&(image.start as u64))) else {
        refuse(format_args!("the device tree's memory does not hold the image at {:#x}", image.start));
    };
    if bank.end - bank.start < LEAST_BYTES {
        refuse(format_args!("{} MiB of memory, needs {} MiB", (bank.end - bank.start) >> 20, LEAST_BYTES >> 20));
    }
    let size = (bank.end - bank.start) as usize / BYTES_PER_TABLE * mmu::PAGE_SIZE;
    let tables = image.end..image.end + size.next_multiple_of(mmu::PAGE_SIZE);
    if let Err(error) = mmu::init(machine, devices(machine), tables.clone()) {
        refuse(format_args!("cannot map the machine: {error}"));
    }
    let tree = device_tree..device_tree + mmu::PAGE_SIZE * 512;
    for bank in &machine.memory {
        let bank = bank.start as usize..bank.end as usize;
        let start = if bank.contains(&image.start) { tables.end } else { bank.start };
        give(start..bank.end, machine, &tree);
    }
}

fn devices(machine: &Machine) -> impl Iterator<Item = Range<usize>> {
    let uart = machine.uart.base..machine.uart.base + mmu::PAGE_SIZE as u64;
    let controller = match machine.gic {
        Gic::V2 { gicd, gicc } => [gicd..gicd + GICD_BYTES, gicc..gicc + GICD_BYTES],
        Gic::V3 { gicd, gicr, gicr_bytes } => [gicd..gicd + GICD_BYTES, gicr..gicr + gicr_bytes],
    };
    controller.into_iter().chain([uart]).map(|range| range.start as usize..range.end as usize)
}

/// Gives `range` to the heap, but for what others own.
fn give(range: Range<usize>, machine: &Machine, tree: &Range<usize>) {
    let mut start = range.start;
    while start < range.end {
        let owned = machine
            .reserved
            .iter()
            .map(|reserved| reserved.start as usize..reserved.end as usize)
            .chain([tree.clone()])
            .filter(|owned| owned.end > start && owned.start < range.end)
            .min_by_key(|owned| owned.start);
        let end = owned.as_ref().map_or(range.end, |owned| owned.start.max(start));
        if end > start {
            // SAFETY: RAM by the device tree, mapped by `mmu::init`, behind image and tables, owned by nobody else.
            unsafe { heap::add(start..end) };
        }
        start = owned.map_or(range.end, |owned| owned.end);
    }
}
