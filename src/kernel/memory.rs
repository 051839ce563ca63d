//! What of RAM is whose: `platform::layout` decides, and this maps and gives away.

use super::refuse;
use core::ops::Range;
use holdout::arch::{boot, mmu};
use holdout::mm::heap;
use holdout::platform::devicetree::Machine;
use holdout::platform::layout::{self, Layout, Place};

/// Switches to the kernel's own translation, and gives to the heap what of RAM nobody owns. The device tree is at
/// `tree`. Context: boot.
pub(super) fn init(machine: &Machine, tree: Range<usize>) {
    let (image, page, end) = (mmu::image(), mmu::PAGE_SIZE, mmu::STACK_WINDOW.start);
    let layout = Layout::plan(machine, Place { image, tree, page, reach: boot::REACH, end })
        .unwrap_or_else(|error| refuse(format_args!("{error}")));
    let devices = layout::devices(machine).map(|(_, range)| range.start as usize..range.end as usize);
    mmu::init(layout.mapped(), devices, layout.tables.clone())
        .unwrap_or_else(|error| refuse(format_args!("cannot map the machine: {error}")));
    for free in layout.free() {
        // SAFETY: RAM by the device tree, mapped by `mmu::init`, owned by nobody else: `ram-once`.
        unsafe { heap::add(free) };
    }
}
