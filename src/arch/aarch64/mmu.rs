//! Translation: one table for all CPUs, identity-mapped, with three windows of its own.
//!
//! The crate is not told that the table is in use: it would invalidate the TLBs at each mapping too, on all CPUs.
//! A window page goes from unmapped to mapped and back, and no TLB holds what is unmapped: [`unmap`] invalidates.
//!
//! INVARIANT `w-xor-x`: no address is both writable and executable (and WXN says so to the hardware). Text
//! is changed through an alias that is mapped for one patch.
//! RAM, devices and the image are mapped at their physical addresses. The windows hold what needs other
//! rights or a guard: task stacks, the patcher's alias, func pages. Context: task (boot for `init`).

use super::cpu;
use super::image::try_for_each_part;
use super::relax::TicketMutex;
use aarch64_cpu::registers::{MAIR_EL1, SCTLR_EL1, TCR_EL1, TTBR0_EL1};
use aarch64_paging::descriptor::{Descriptor, El1Attributes, PhysicalAddress};
use aarch64_paging::paging::{Constraints, El1And0, MemoryRegion, PageTable, Translation, VaRange};
use aarch64_paging::{MapError, Mapping};
use core::arch::asm;
use core::ops::Range;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use tock_registers::interfaces::Readable;

pub use super::image::{image, text};

/// The translation granule.
pub const PAGE_SIZE: usize = 4096;
/// Where task stacks are mapped, each above a guard.
pub const STACK_WINDOW: Range<usize> = 0x60_0000_0000..0x61_0000_0000;
/// Where the patcher maps text writable, by pages.
pub const ALIAS_WINDOW: Range<usize> = 0x70_0000_0000..0x70_4000_0000;
/// Where it maps much text at once, by blocks.
pub const ALIAS_BLOCK_WINDOW: Range<usize> = 0x71_0000_0000..0x71_4000_0000;
/// Bytes of a block mapping.
pub const BLOCK_SIZE: usize = 2 << 20;
/// Where func pages are mapped executable.
pub const FUNC_WINDOW: Range<usize> = 0x78_0000_0000..0x78_4000_0000;

/// Attribute 0: Device-nGnRE. Attribute 1: normal, write-back, allocating.
pub(super) const MAIR: u64 = 0xff04;
/// 39-bit addresses from TTBR0, 4 KiB granule, walks write-back inner-shareable, TTBR1 off.
pub(super) const TCR: u64 = 25 | 1 << 8 | 1 << 10 | 3 << 12 | 1 << 23;
pub(super) const SCTLR_WXN: u64 = 1 << 19;
/// MMU, caches, WXN, stack alignment; bits that are RES1 or whose 1 is the plain behaviour, EIS and EOS
/// among them: exceptions synchronise context (O3).
pub(super) const SCTLR: u64 = 1
    | 1 << 2
    | 1 << 3
    | 1 << 7
    | 1 << 8
    | 1 << 11
    | 1 << 12
    | SCTLR_WXN
    | 1 << 20
    | 1 << 22
    | 1 << 23
    | 1 << 28
    | 1 << 29;

const ASID: usize = 1;
const ROOT_LEVEL: usize = 1;
const LEAF_LEVEL: usize = 3;
const VA_BITS: usize = 39;
/// The most tables that mapping one page can need.
const TABLES_PER_PAGE: usize = 2;

/// What a mapping allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Data.
    ReadWrite,
    /// Constants.
    Read,
    /// Code.
    ReadExecute,
    /// Device registers.
    Device,
}

impl Access {
    fn attributes(self) -> El1Attributes {
        let normal = El1Attributes::VALID
            | El1Attributes::ACCESSED
            | El1Attributes::ATTRIBUTE_INDEX_1
            | El1Attributes::INNER_SHAREABLE
            | El1Attributes::UXN;
        match self {
            Self::ReadWrite => normal | El1Attributes::PXN,
            Self::Read => normal | El1Attributes::PXN | El1Attributes::READ_ONLY,
            Self::ReadExecute => normal | El1Attributes::READ_ONLY,
            Self::Device => {
                El1Attributes::VALID
                    | El1Attributes::ACCESSED
                    | El1Attributes::ATTRIBUTE_INDEX_0
                    | El1Attributes::UXN
                    | El1Attributes::PXN
            }
        }
    }
}

/// Table pages from a range that boot set aside; freed ones are kept in a list.
#[derive(Debug)]
struct Tables {
    fresh: Range<usize>,
    freed: Option<NonNull<PageTable<El1Attributes>>>,
    nr_freed: usize,
}

// SAFETY: the pages belong to this pool alone, whatever CPU uses it (under the lock of `KERNEL`).
unsafe impl Send for Tables {}

impl Tables {
    fn left(&self) -> usize {
        self.fresh.len() / PAGE_SIZE + self.nr_freed
    }
}

impl Translation<El1Attributes> for Tables {
    fn allocate_table(&mut self) -> (NonNull<PageTable<El1Attributes>>, PhysicalAddress) {
        let page = if let Some(page) = self.freed {
            // SAFETY: a freed page's first word links to the next one; see `deallocate_table`.
            self.freed = unsafe { page.cast::<Option<NonNull<PageTable<El1Attributes>>>>().read() };
            self.nr_freed -= 1;
            page
        } else {
            assert!(self.left() > 0, "out of page-table pages: `map` checks before it starts");
            let address = self.fresh.start;
            self.fresh.start += PAGE_SIZE;
            NonNull::new(core::ptr::with_exposed_provenance_mut(address)).expect("RAM does not start at 0")
        };
        // SAFETY: a page of the pool, page-sized and writable.
        unsafe { page.cast::<u8>().write_bytes(0, PAGE_SIZE) };
        (page, PhysicalAddress(page.addr().get()))
    }

    unsafe fn deallocate_table(&mut self, page: NonNull<PageTable<El1Attributes>>) {
        // SAFETY: the caller gives back a page of this pool, which is no longer a table.
        unsafe { page.cast::<Option<NonNull<PageTable<El1Attributes>>>>().write(self.freed) };
        self.freed = Some(page);
        self.nr_freed += 1;
    }

    fn physical_to_virtual(&self, pa: PhysicalAddress) -> NonNull<PageTable<El1Attributes>> {
        NonNull::new(core::ptr::with_exposed_provenance_mut(pa.0)).expect("tables are identity-mapped RAM")
    }
}

static KERNEL: TicketMutex<Option<Mapping<Tables, El1And0>>> = TicketMutex::new(None);

static TABLES_LEN: AtomicUsize = AtomicUsize::new(0);

/// Bytes of RAM that were set aside for page tables.
pub fn tables_len() -> usize {
    TABLES_LEN.load(Ordering::Relaxed)
}

/// Bytes of them that are not in use. Context: task.
pub fn tables_left() -> usize {
    cpu::without_irqs(|| KERNEL.lock().as_ref().map_or(0, |mapping| mapping.translation().left() * PAGE_SIZE))
}

/// Builds the kernel's table, and switches to it. Context: boot, first CPU.
///
/// `memory` is RAM beside the image, in whole pages; `devices` have registers. `tables`, in that RAM, is for table pages:
/// nobody else uses it.
pub fn init(
    memory: impl Iterator<Item = Range<usize>>,
    devices: impl Iterator<Item = Range<usize>>,
    tables: Range<usize>,
) -> Result<(), MapError> {
    TABLES_LEN.store(tables.len(), Ordering::Relaxed);
    let pool = Tables { fresh: tables, freed: None, nr_freed: 0 };
    let mut mapping = Mapping::with_asid_and_va_range(pool, ASID, ROOT_LEVEL, El1And0, VaRange::Lower);
    let mut identity = |range: Range<usize>, access: Access| {
        let region = MemoryRegion::new(range.start, range.end);
        mapping.map_range(&region, PhysicalAddress(range.start), access.attributes(), Constraints::empty())
    };
    for range in memory {
        identity(range, Access::ReadWrite)?;
    }
    try_for_each_part(&mut identity)?;
    for device in devices {
        identity(device.start & !(PAGE_SIZE - 1)..device.end.next_multiple_of(PAGE_SIZE), Access::Device)?;
    }
    // The alias windows get their tables now: a patch, and so an unregistering, never lacks one.
    for window in [ALIAS_WINDOW.start..ALIAS_WINDOW.start + BLOCK_SIZE, ALIAS_BLOCK_WINDOW] {
        let first = window.start..window.start + if window == ALIAS_BLOCK_WINDOW { BLOCK_SIZE } else { PAGE_SIZE };
        set(&mut mapping, first.clone(), image().start & !(BLOCK_SIZE - 1), Access::Read.attributes());
        set(&mut mapping, first, 0, El1Attributes::empty());
    }
    let ttbr0 = mapping.root_address().0 | ASID << 48;
    // SAFETY:
    // 1. Everything in use stays mapped at its address: image, stack, devices. The device tree has been read.
    // 2. The table is never dropped: it moves into a static.
    // 3. The temporary table's entries are not global and of ASID 0, so none of them matches under ASID 1.
    unsafe {
        asm!(
            "dsb ish", "msr ttbr0_el1, {ttbr0}", "isb",
            "msr sctlr_el1, {sctlr}", "isb", "tlbi vmalle1", "dsb ish", "isb",
            ttbr0 = in(reg) ttbr0, sctlr = in(reg) SCTLR, options(nostack),
        );
    }
    *KERNEL.lock() = Some(mapping);
    Ok(())
}

/// Why a window page could not be mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfTables;

/// Maps `range` of a window, unmapped so far, to the physical memory from `physical`.
///
/// Context: task. All CPUs see it when this returns.
pub fn map(range: Range<usize>, physical: usize, access: Access) -> Result<(), OutOfTables> {
    cpu::without_irqs(|| {
        let mut kernel = KERNEL.lock();
        let mapping = kernel.as_mut().expect("init ran");
        let is_alias = ALIAS_BLOCK_WINDOW.contains(&range.start)
            || (ALIAS_WINDOW.start..ALIAS_WINDOW.start + BLOCK_SIZE).contains(&range.start);
        let needed = if is_alias { 0 } else { TABLES_PER_PAGE * (range.len().div_ceil(BLOCK_SIZE) + 1) };
        if mapping.translation().left() < needed {
            return Err(OutOfTables);
        }
        set(mapping, range, physical, access.attributes());
        // The entries are visible to the table walks of all CPUs before the caller's next access.
        cpu::dsb_ish();
        cpu::isb();
        Ok(())
    })
}

/// Unmaps `range` of a window. Context: task. No CPU translates it any more when this returns.
pub fn unmap(range: Range<usize>) {
    cpu::without_irqs(|| {
        let mut kernel = KERNEL.lock();
        let step = if is_blocks(&range) { BLOCK_SIZE } else { PAGE_SIZE };
        set(kernel.as_mut().expect("init ran"), range.clone(), 0, El1Attributes::empty());
        cpu::dsb_ish();
        for address in range.step_by(step) {
            // SAFETY: TLB maintenance. All ASIDs, last level: the tables above stay.
            unsafe { asm!("tlbi vaale1is, {}", in(reg) address >> 12, options(nostack)) };
        }
        cpu::dsb_ish();
        cpu::isb();
    });
}

/// What the table allows, counted in pages.
#[derive(Clone, Copy, Debug, Default)]
pub struct Rights {
    /// Pages that may be written.
    pub writable: usize,
    /// Pages that may be executed.
    pub executable: usize,
    /// The first page, if there is one, that may be both: `w-xor-x` is broken.
    pub both: Option<usize>,
}

/// Walks the whole table. Context: task; IRQs are masked meanwhile.
pub fn rights() -> Rights {
    let mut rights = Rights::default();
    cpu::without_irqs(|| {
        let kernel = KERNEL.lock();
        let everything = MemoryRegion::new(0, 1 << VA_BITS);
        let mut count = |region: &MemoryRegion, entry: &Descriptor<El1Attributes>, level: usize| {
            if !entry.is_valid() || entry.is_table_or_page() && level < LEAF_LEVEL {
                return Ok(());
            }
            let flags = entry.flags();
            let (writes, runs) = (!flags.contains(El1Attributes::READ_ONLY), !flags.contains(El1Attributes::PXN));
            rights.writable += if writes { region.len() / PAGE_SIZE } else { 0 };
            rights.executable += if runs { region.len() / PAGE_SIZE } else { 0 };
            if writes && runs {
                rights.both.get_or_insert(region.start().0);
            }
            Ok(())
        };
        kernel.as_ref().expect("init ran").walk_range(&everything, &mut count).expect("the walk itself never refuses");
    });
    rights
}

/// Blocks only where all is blocks: a block is never split (break-before-make).
fn is_blocks(range: &Range<usize>) -> bool {
    range.start.is_multiple_of(BLOCK_SIZE) && range.len().is_multiple_of(BLOCK_SIZE)
}

fn set(mapping: &mut Mapping<Tables, El1And0>, range: Range<usize>, physical: usize, attributes: El1Attributes) {
    let region = MemoryRegion::new(range.start, range.end);
    let pages = if is_blocks(&range) { Constraints::empty() } else { Constraints::NO_BLOCK_MAPPINGS };
    let constraints = Constraints::NO_CONTIGUOUS_HINT | pages;
    mapping
        .map_range(&region, PhysicalAddress(physical), attributes, constraints)
        .expect("windows are mapped and unmapped by whole pages, which breaks before it makes");
}

/// What a starting CPU loads to run behind the same table.
#[repr(C)]
#[derive(Debug)]
pub struct TranslationRegisters {
    ttbr0: u64,
    mair: u64,
    tcr: u64,
    sctlr: u64,
}

impl TranslationRegisters {
    /// Those of this CPU.
    pub fn current() -> Self {
        Self { ttbr0: TTBR0_EL1.get(), mair: MAIR_EL1.get(), tcr: TCR_EL1.get(), sctlr: SCTLR_EL1.get() }
    }
}
