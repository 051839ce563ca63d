//! What of RAM is whose: the image, the device tree, page tables, the heap; and what of it is mapped.
//!
//! [`Layout::plan`] decides it for a machine, or says why the kernel has no room there. Pure.
//!
//! INVARIANT `ram-once`: what [`Layout::free`] gives to the heap is RAM, in whole pages, each once; it is mapped, and
//! neither the image, the device tree, the tables, a device, what others reserve nor the page at 0 is in it.

use super::devicetree::{Gic, Machine};
use super::ranges::gaps;
use core::fmt;
use core::ops::Range;

/// Less RAM than this cannot hold the kernel, its tables and some tasks.
const LEAST_BYTES: usize = 64 << 20;
/// The same, of what nobody owns.
const LEAST_FREE_BYTES: usize = 48 << 20;
/// One page-table page for so many bytes of RAM: tasks' stacks need most of them.
const BYTES_PER_TABLE: usize = 1 << 20;

/// From one probe for memory to the next: a hole of so much is found, a smaller one can lie between two.
const PROBE_STEP: usize = 128 << 20;

/// What the architecture has fixed by the time that RAM is shared out.
#[derive(Clone, Debug)]
pub struct Place {
    /// The kernel's image: whole pages.
    pub image: Range<usize>,
    /// The device tree. It is not needed any more, but whoever boots next may look for it.
    pub tree: Range<usize>,
    /// The translation granule.
    pub page: usize,
    /// Addresses that boot's own table maps as memory: page tables have to be among them.
    pub reach: Range<usize>,
    /// The end of what is mapped at its physical address.
    pub end: usize,
}

/// Who has what.
#[derive(Debug)]
pub struct Layout<'a> {
    machine: &'a Machine,
    place: Place,
    /// RAM for page tables.
    pub tables: Range<usize>,
}

/// Why there is no room for the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LayoutError {
    /// Too little RAM.
    TooLittle {
        /// Bytes of it.
        bytes: usize,
    },
    /// Others own too much of the RAM.
    TooLittleFree {
        /// Bytes that nobody owns.
        bytes: usize,
    },
    /// The image is not in RAM.
    ImageOutside {
        /// Where it begins.
        image: usize,
    },
    /// Part of the image is reserved for somebody else.
    ImageReserved {
        /// The image.
        image: Range<usize>,
        /// What is reserved.
        reserved: Range<u64>,
    },
    /// A device is in RAM.
    DeviceInMemory {
        /// Which one.
        what: &'static str,
        /// Its address.
        at: u64,
        /// The RAM.
        memory: Range<u64>,
    },
    /// A device is where nothing can be mapped.
    DeviceTooHigh {
        /// Which one.
        what: &'static str,
        /// Its address.
        at: u64,
        /// The end of what can be mapped.
        end: usize,
    },
    /// No gap is large enough for the page tables.
    NoRoomForTables {
        /// Bytes of them.
        bytes: usize,
    },
}

impl fmt::Display for LayoutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLittle { bytes } => write!(f, "{} MiB of memory, needs {} MiB", bytes >> 20, LEAST_BYTES >> 20),
            Self::TooLittleFree { bytes } => {
                let (free, least) = (bytes >> 20, LEAST_FREE_BYTES >> 20);
                write!(f, "{free} MiB of memory that nobody owns, needs {least} MiB beside the image")
            }
            Self::ImageOutside { image } => write!(f, "the device tree's memory does not hold the image at {image:#x}"),
            Self::ImageReserved { image, reserved } => write!(
                f,
                "the image at {:#x} to {:#x} is in memory that the device tree reserves, {:#x} to {:#x}",
                image.start, image.end, reserved.start, reserved.end
            ),
            Self::DeviceInMemory { what, at, memory } => {
                write!(f, "device tree: {what} at {at:#x} is in memory, {:#x} to {:#x}", memory.start, memory.end)
            }
            Self::DeviceTooHigh { what, at, end } => {
                write!(f, "device tree: {what} at {at:#x} cannot be mapped, only what is below {end:#x}")
            }
            Self::NoRoomForTables { bytes } => {
                write!(f, "no gap of {} KiB for page tables in the memory that nobody owns", bytes >> 10)
            }
        }
    }
}

impl core::error::Error for LayoutError {}

/// Where to look whether all of `range`, whole pages, is memory: at the start of its first and of its last page, and
/// every 128 MiB between. The first finds out a bank that is not there; the last, one shorter than the tree says.
///
/// # Why not each page, or each power of two
/// A look costs the host a page of memory, or a huge one; the boot of a large machine would be made of looks. Powers of
/// two come apart as they go up, and step over a bank in the middle of a range that the tree has made one.
pub fn probes(range: Range<usize>, page: usize) -> impl Iterator<Item = usize> {
    let first = (!range.is_empty()).then_some(range.start);
    let last = first.map(|first| range.end.saturating_sub(page).max(first));
    let from = range.start.saturating_add(1).next_multiple_of(PROBE_STEP);
    let between = (from..last.unwrap_or(from)).step_by(PROBE_STEP);
    first.into_iter().chain(between).chain(last)
}

/// The devices of a machine: what each is, and its registers. Source of the sizes: Arm IHI 0048 and IHI 0069, the
/// register maps; Arm DDI 0183, PL011.
pub fn devices(machine: &Machine) -> impl Iterator<Item = (&'static str, Range<u64>)> {
    const DISTRIBUTOR: &str = "the GIC's distributor";
    const KIB: u64 = 1 << 10;
    let sized = |what, base: u64, bytes: u64| (what, base..base.saturating_add(bytes));
    let (gic, regions): (_, &[Range<u64>]) = match &machine.gic {
        Gic::V2 { gicd, gicc } => {
            let interface = sized("the GIC's CPU interface", *gicc, 4 * KIB);
            ([Some(sized(DISTRIBUTOR, *gicd, 4 * KIB)), Some(interface)], &[])
        }
        Gic::V3 { gicd, gicr } => ([Some(sized(DISTRIBUTOR, *gicd, 64 * KIB)), None], &gicr.regions),
    };
    let regions = regions.iter().map(|region| ("a region of GIC redistributors", region.clone()));
    let uart = sized("the UART", machine.uart.base, 4 * KIB);
    gic.into_iter().flatten().chain(regions).chain([uart])
}

impl<'a> Layout<'a> {
    /// Shares out the RAM of `machine`. Context: any.
    ///
    /// # Errors
    /// The kernel has no room there, or the tree contradicts itself.
    pub fn plan(machine: &'a Machine, place: Place) -> Result<Self, LayoutError> {
        for (what, range) in devices(machine) {
            if range.end > place.end as u64 {
                return Err(LayoutError::DeviceTooHigh { what, at: range.start, end: place.end });
            }
            if let Some(memory) = machine.memory.iter().find(|memory| overlap(memory, &range)) {
                return Err(LayoutError::DeviceInMemory { what, at: range.start, memory: memory.clone() });
            }
        }
        let image = place.image.start as u64..place.image.end as u64;
        let holds_image = |memory: &&Range<u64>| memory.start <= image.start && image.end <= memory.end;
        if machine.memory.iter().find(holds_image).is_none() {
            return Err(LayoutError::ImageOutside { image: place.image.start });
        }
        if let Some(reserved) = machine.reserved.iter().find(|reserved| overlap(reserved, &image)) {
            return Err(LayoutError::ImageReserved { image: place.image, reserved: reserved.clone() });
        }
        let mut layout = Self { machine, place, tables: 0..0 };
        let bytes = layout.banks().map(|bank| bank.len()).sum();
        if bytes < LEAST_BYTES {
            return Err(LayoutError::TooLittle { bytes });
        }
        let table_bytes = bytes / BYTES_PER_TABLE * layout.place.page;
        let reach = layout.place.reach.clone();
        let within_reach = |gap: Range<usize>| gap.start.max(reach.start)..gap.end.min(reach.end);
        let room = layout.free().map(within_reach).find(|gap| gap.len() >= table_bytes);
        let start = room.ok_or(LayoutError::NoRoomForTables { bytes: table_bytes })?.start;
        layout.tables = start..start + table_bytes;
        let free = layout.free().map(|free| free.len()).sum();
        if free < LEAST_FREE_BYTES { Err(LayoutError::TooLittleFree { bytes: free }) } else { Ok(layout) }
    }

    /// Whole pages of RAM that can be mapped. The page at 0 is none: a null pointer leads there.
    fn banks(&self) -> impl Iterator<Item = Range<usize>> + Clone {
        let (page, end) = (self.place.page, self.place.end);
        self.machine.memory.iter().map(move |bank| {
            let start = bank.start.min(end as u64) as usize;
            start.next_multiple_of(page).max(page)..bank.end.min(end as u64) as usize & !(page - 1)
        })
    }

    /// What the tree says of the memory at an address: from where to where there is some.
    pub fn bank_at(&self, address: usize) -> Range<u64> {
        let holds = |bank: &&Range<u64>| bank.contains(&(address as u64));
        self.machine.memory.iter().find(holds).cloned().unwrap_or_default()
    }

    /// Pages that may not be mapped.
    fn unmapped(&self) -> impl Iterator<Item = Range<usize>> + Clone {
        let (page, end) = (self.place.page, self.place.end);
        let within = move |at: u64| at.min(end as u64) as usize;
        self.machine
            .unmapped
            .iter()
            .map(move |range| within(range.start) & !(page - 1)..within(range.end).next_multiple_of(page))
    }

    /// RAM that is mapped, beside the image. In the order of addresses.
    pub fn mapped(&self) -> impl Iterator<Item = Range<usize>> {
        let others = self.unmapped().chain([self.place.image.clone()]);
        self.banks().flat_map(move |bank| gaps(bank, others.clone()))
    }

    /// RAM that nobody owns: the heap's. In the order of addresses.
    pub fn free(&self) -> impl Iterator<Item = Range<usize>> {
        let page = self.place.page;
        let reserved = self.machine.reserved.iter().map(|range| range.start as usize..range.end as usize);
        let ours = [self.place.tree.clone(), self.place.image.clone(), self.tables.clone()];
        let owned = reserved.chain(self.unmapped()).chain(ours);
        let pages = move |gap: Range<usize>| gap.start.next_multiple_of(page)..gap.end & !(page - 1);
        self.banks().flat_map(move |bank| gaps(bank, owned.clone()).map(pages)).filter(|gap| !gap.is_empty())
    }
}

fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start < b.end && b.start < a.end
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;
    const PAGE: usize = 4096;

    fn probed(range: Range<usize>) -> Vec<usize> {
        probes(range, PAGE).collect()
    }

    #[test]
    fn the_first_page_and_the_last_are_probed_and_no_hole_of_128_mib_is_left_between() {
        for (start, end) in [(0x4000_1000, 0x4000_3000), (0x4123_4000, 0x6000_0000), (0x4000_0000, 0x3_4fff_f000)] {
            let all = probed(start..end);
            assert_eq!((all.first(), all.last()), (Some(&start), Some(&(end - PAGE))), "{start:#x} to {end:#x}");
            let is_close = |two: &[usize]| two[0] < two[1] && two[1] - two[0] <= 128 * MIB;
            assert!(all.windows(2).all(is_close) && all.iter().all(|at| at.is_multiple_of(PAGE)), "{all:x?}");
        }
    }

    #[test]
    fn a_page_is_probed_and_nothing_is_not() {
        assert_eq!(probed(0..0), []);
        assert_eq!(probed(0x4000_0000..0x4000_0000), []);
        assert_eq!(probed(0x4000_0000..0x4000_1000), [0x4000_0000; 2], "it is the first and the last");
    }

    #[test]
    fn probes_are_few_on_the_largest_machine() {
        assert!(probed(0x4000_0000..0x60_0000_0000).len() < 3100);
    }
}
