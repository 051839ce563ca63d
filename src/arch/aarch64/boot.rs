//! From reset to `main`, and how the other CPUs are started.
//!
//! Context: boot. Above: `kernel` gives the functions that boot goes on with.

use super::mmu::TranslationRegisters;
use super::site::TaskHeader;
use super::{cpu, psci};
use crate::hook::Hook;
use core::arch::{asm, global_asm};
use core::cell::UnsafeCell;
use core::ffi::c_char;
use core::mem::offset_of;
use core::ops::Range;
use core::sync::atomic::{AtomicU8, Ordering};

unsafe extern "C" {
    /// The kernel's `main`: gets the address of the device tree, and x0 of the entry. Defined by the binary.
    fn kernel_main(device_tree: usize, x0: usize) -> !;
    /// The kernel's end where it cannot run: says `why` on the console of the device tree, with no more than what any
    /// CPU has: no atomics, no locks, no formatting. `why` ends with NUL and lives for ever. Defined by the binary.
    fn kernel_unfit(device_tree: usize, why: *const c_char) -> !;
    fn secondary_entry();
    static __image_start: u8;
}

/// What a CPU other than the first does once it runs Rust, IRQs masked. Wired by `kernel`.
pub static SECONDARY: Hook<fn() -> !> = Hook::new();

/// The header that SP_EL0 points to before the scheduler gives the first CPU a task.
static BOOT_TASK: BootTask = BootTask(UnsafeCell::new(TaskHeader::new()));
#[repr(transparent)]
struct BootTask(UnsafeCell<TaskHeader>);
// SAFETY: all its words are atomics.
unsafe impl Sync for BootTask {}

/// What a starting CPU reads, with its caches off.
#[repr(C)]
#[derive(Debug)]
pub struct SecondaryBoot {
    translation: TranslationRegisters,
    cpu: usize,
    task: usize,
    stack_top: usize,
}

// A 1 GiB block descriptor: valid, access flag, not global; attribute 0 is device, 1 is normal write-back.
const BLOCK: u64 = 1 | 1 << 10 | 1 << 11;
const INNER_SHAREABLE: u64 = 3 << 8;
const EXECUTE_NEVER: u64 = 3 << 53;

/// The temporary table maps so many GiB, the first of them as devices.
const BOOT_GIB: usize = 16;
/// What the temporary table maps as devices.
pub const DEVICE_REACH: Range<usize> = 0..1 << 30;
/// What the temporary table maps as memory.
pub const REACH: Range<usize> = 1 << 30..BOOT_GIB << 30;

global_asm!(
    include_str!("boot.S"),
    BOOT_GIB = const BOOT_GIB,
    BLOCK_DEVICE = const BLOCK | EXECUTE_NEVER,
    BLOCK_NORMAL = const BLOCK | 1 << 2 | INNER_SHAREABLE,
    MAIR = const super::mmu::MAIR,
    TCR = const super::mmu::TCR,
    SCTLR_OFF = const super::mmu::SCTLR & !super::mmu::SCTLR_WXN & !(1 | 1 << 2 | 1 << 12),
    SCTLR_BOOT = const super::mmu::SCTLR & !super::mmu::SCTLR_WXN,
    SECONDARY_TTBR = const offset_of!(SecondaryBoot, translation),
    SECONDARY_CPU = const offset_of!(SecondaryBoot, cpu),
    SECONDARY_STACK = const offset_of!(SecondaryBoot, stack_top),
    UNHEARD = const cpu::UNHEARD | super::exit::STATUS_REFUSED as u64,
    AFFINITY = const cpu::AFFINITY,
    BOOT_TASK = sym BOOT_TASK,
    RUST_ENTRY = sym first_entry,
    SECONDARY_RUST_ENTRY = sym secondary_rust_entry,
);

static ENTRY_LEVEL: AtomicU8 = AtomicU8::new(0);

/// The exception level at which the first CPU was entered: 1 or 2.
pub fn entry_level() -> u8 {
    ENTRY_LEVEL.load(Ordering::Relaxed)
}

/// The first CPU in Rust, on the boot stack, behind the temporary table. `why_not`: null, or a text in `boot.S` that
/// says why the kernel cannot run here.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn first_entry(x0: usize, entry_level: u8, why_not: *const c_char) -> ! {
    ENTRY_LEVEL.store(entry_level, Ordering::Relaxed);
    // The boot protocol hands the tree over in x0, but an ELF is entered with anything there: QEMU leaves its tree at
    // the start of RAM, for which linker.ld leaves 2 MiB below the image.
    let below_image = (&raw const __image_start).addr() - (2 << 20);
    let can_be_read = REACH.contains(&x0) && x0.is_multiple_of(8);
    let device_tree = if can_be_read { x0 } else { below_image };
    if why_not.is_null() {
        // SAFETY: called once, as the last thing of boot code.
        unsafe { kernel_main(device_tree, x0) }
    }
    // SAFETY: a text of `boot.S`, which ends with NUL; called once, as the last thing of boot code.
    unsafe { kernel_unfit(device_tree, why_not) }
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn secondary_rust_entry() -> ! {
    match SECONDARY.get() {
        Some(run) => run(),
        None => cpu::park(),
    }
}

/// Starts CPU number `cpu`, whose MPIDR is `mpidr`, with `task` as its current task on `stack_top`.
///
/// The boot record is leaked: the CPU reads it whenever it comes up.
pub fn start_secondary(
    cpu: usize,
    mpidr: u64,
    task: *const TaskHeader,
    stack_top: usize,
) -> Result<(), smccc::psci::error::Error> {
    let record = alloc::boxed::Box::leak(alloc::boxed::Box::new(SecondaryBoot {
        translation: TranslationRegisters::current(),
        cpu,
        task: task.addr(),
        stack_top,
    }));
    let start = core::ptr::from_ref(record).addr();
    let line_size = cpu::smallest_data_line();
    for line in (start & !(line_size - 1)..start + size_of::<SecondaryBoot>()).step_by(line_size) {
        // SAFETY: cleans a line of our own memory to the point of coherency: it is read with caches off.
        unsafe { asm!("dc cvac, {}", in(reg) line, options(nostack, preserves_flags)) };
    }
    cpu::dsb_ish();
    psci::cpu_on(mpidr, secondary_entry as *const () as usize, start)
}
