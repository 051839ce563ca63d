//! The first things of boot: what the loader handed over, and where the kernel can speak.
//!
//! INVARIANT `told`: from the first instruction on, whatever ends the boot is told: on the console, else in the way of
//! `arch::exit` to be heard without one.

use super::refuse;
use core::ffi::CStr;
use core::fmt;
use core::ops::Range;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use holdout::arch::{boot, cpu, exit, gic, pl061, psci, timer, uart};
use holdout::platform::devicetree::{self, DeviceTreeError, Machine, Tree, Uart};

/// What the boot looks at: a fault is then no defect, but the answer to what the device tree said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum LookingAt {
    /// Nothing that the tree has named.
    Nothing,
    /// What the loader handed over.
    Tree,
    /// The UART.
    Uart,
    /// The interrupt controller.
    Gic,
    /// Memory: [`BANK`] is what the tree says of it.
    Memory,
}

static LOOKING_AT: AtomicU8 = AtomicU8::new(LookingAt::Nothing as u8);
static BANK: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Says what the boot looks at from here on. Context: boot.
pub(super) fn look_at(what: LookingAt) {
    LOOKING_AT.store(what as u8, Ordering::Relaxed);
}

/// Says that the boot looks at memory, which the tree has in all of `bank`. Context: boot.
pub(super) fn look_at_memory(bank: &Range<u64>) {
    BANK.iter().zip([bank.start, bank.end]).for_each(|(place, at)| place.store(at, Ordering::Relaxed));
    look_at(LookingAt::Memory);
}

/// What a fault here and now says of the machine; nothing, if it is a defect. Context: fault.
pub(super) fn what_a_fault_says() -> Option<Says> {
    let says = [
        (LookingAt::Tree, "what the loader handed over is no device tree"),
        (LookingAt::Uart, "nothing answers where the device tree has its UART"),
        (LookingAt::Gic, "nothing answers where the device tree has its GIC"),
        (LookingAt::Memory, "nothing answers where the device tree has memory"),
    ];
    let looking_at = LOOKING_AT.load(Ordering::Relaxed);
    let (what, text) = says.into_iter().find(|(at, _)| *at as u8 == looking_at)?;
    let bank = BANK.each_ref().map(|at| at.load(Ordering::Relaxed));
    Some(Says { text, bank: (what == LookingAt::Memory).then_some(bank) })
}

/// What a fault says of the machine.
pub(super) struct Says {
    text: &'static str,
    /// From where to where the tree has memory, if that is what was looked at.
    bank: Option<[u64; 2]>,
}

impl fmt::Display for Says {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)?;
        self.bank.map_or(Ok(()), |[start, end]| write!(f, ", {start:#x} to {end:#x}"))
    }
}

/// The bytes of the device tree at an address.
///
/// # Safety
/// Boot's table maps `device_tree` as memory, and nobody writes there while the blob is in use.
unsafe fn blob(device_tree: usize) -> Result<&'static [u8], DeviceTreeError> {
    // SAFETY: by the caller: where a loader leaves the device tree, or what lies there instead of one.
    let header = unsafe { core::ptr::with_exposed_provenance::<[u8; 8]>(device_tree).read() };
    let bytes = devicetree::blob_bytes(header)?;
    // SAFETY: by the caller; the header says that the tree is this long.
    Ok(unsafe { core::slice::from_raw_parts(core::ptr::with_exposed_provenance(device_tree), bytes) })
}

/// Reads the device tree, and makes the console speak as soon as it can. Also returns where the tree lies. `x0` is what
/// that register held at entry. Context: boot.
pub(super) fn read(device_tree: usize, x0: usize) -> (Machine, Range<usize>) {
    look_at(LookingAt::Tree);
    // SAFETY: `boot` hands over what its table maps; boot runs alone.
    let blob = unsafe { blob(device_tree) }.unwrap_or_else(|error| match error {
        DeviceTreeError::NotATree => refuse(format_args!(
            "there is no device tree at {device_tree:#x}: a loader hands it over in x0, which held {x0:#x}"
        )),
        error => refuse(format_args!("{error}")),
    });
    let tree = Tree::open(blob).unwrap_or_else(|error| refuse(format_args!("{error}")));
    if let Ok(console) = tree.console() {
        open_console(&console, boot::DEVICE_REACH);
    }
    look_at(LookingAt::Nothing);
    let machine = tree.machine(cpu::mpidr()).unwrap_or_else(|error| refuse(format_args!("{error}")));
    psci::init(machine.psci);
    if !psci::answers() {
        let conduit = machine.psci.as_str();
        refuse(format_args!("no firmware answers to {conduit}, by which the device tree says that PSCI is called"));
    }
    (machine, device_tree..device_tree + blob.len())
}

/// Turns the console on, if it is in `reach` and not on yet. Context: boot; `reach` is mapped as devices.
pub(super) fn open_console(console: &Uart, reach: Range<usize>) {
    let base = console.base as usize;
    if uart::is_known() || !reach.contains(&base) {
        return;
    }
    look_at(LookingAt::Uart);
    if let Err(error) = uart::init(base, console.clock_hz) {
        refuse(format_args!("no PL011 is at {base:#x}, where the device tree has its UART: {error}"));
    }
    look_at(LookingAt::Nothing);
}

/// How often it is looked for the timer's signal: a hypervisor shows it at its next entry.
const LOOKS_FOR_TIMER: u32 = 1000;

/// Refuses a tree by which the virtual timer's interrupt is `id`, where its signal arrives as another one: there would
/// be no tick. Where it is not seen to arrive at all, nothing is said: a hypervisor need not show what is pending.
/// Context: boot, first CPU, IRQs masked, after `gic::init_cpu`.
pub(super) fn look_at_timer(id: u32) {
    timer::silence();
    let before = gic::pending_private();
    timer::ring();
    let is_new = |pending: &u32| pending & 1 << id != 0 || pending & !before != 0;
    let pending = (0..LOOKS_FOR_TIMER).map(|_| gic::pending_private()).find(is_new).unwrap_or(1 << id);
    timer::silence();
    if pending & 1 << id == 0 {
        let found = (pending & !before).trailing_zeros();
        refuse(format_args!("the virtual timer's interrupt is {found}, and the device tree says that it is {id}"));
    }
}

/// Says `why` this kernel cannot run, on the console of the device tree, and switches the machine off. Semihosting has
/// not answered. A CPU without the atomics that this kernel is compiled for comes here: nothing below takes a lock,
/// formats, or has a hook.
pub(super) fn unfit(device_tree: usize, why: &'static CStr) -> ! {
    // There is no console yet: kept, for whoever looks.
    uart::write(why.to_bytes());
    // SAFETY: `boot` hands over what its table maps; boot runs alone.
    if let Ok(tree) = unsafe { blob(device_tree) }.and_then(Tree::open)
        && let Ok(console) = tree.console()
        && boot::DEVICE_REACH.contains(&(console.base as usize))
        && uart::init(console.base as usize, console.clock_hz).is_ok()
    {
        uart::write(why.to_bytes());
        uart::write(b"\r");
        if let Ok(conduit) = tree.conduit() {
            psci::init(conduit);
        }
        // At EL3 this kernel stands where the firmware would, and nobody else switches the machine off.
        if boot::entry_level() == 3
            && let Some((base, line)) = tree.secure_power_off()
            && boot::DEVICE_REACH.contains(&(base as usize))
        {
            // SAFETY: the device tree says that a PL061 is there, among what is mapped as devices; boot runs alone.
            unsafe { pl061::raise(base as usize, line) };
        }
    }
    exit::exit(exit::STATUS_REFUSED)
}
