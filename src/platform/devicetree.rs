//! The machine, as the device tree describes it.
//!
//! [`Tree::machine`] takes the whole of what the kernel needs out of the blob, once, at boot, into a [`Machine`] that
//! borrows nothing: afterwards the blob's memory is memory like any other. [`Tree::console`] reads the UART alone, so
//! that a tree in which something else is missing can still be complained about. Nothing here is a constant of QEMU's
//! `virt` board: what the tree does not say is an error that says what is missing.
//!
//! dtoolkit validates the blob as a whole before anything of it is used. Devices are looked for among the children of
//! the root, where their `reg` is an address of the CPU; buses are not followed. A node counts if it has no `status`,
//! or one that is `okay` or `ok`. Callable from any context.
//!
//! # Why not read on demand
//! Each read walks the tree again and needs the blob to stay mapped and unharmed; and a machine that cannot be used
//! should be refused before its first device is touched.

mod cpus;
mod error;
mod gic;
mod interrupts;
mod memory;
mod node;
mod power;
mod uart;

#[cfg(test)]
mod tests;

use core::ops::Range;

use dtoolkit::Node;
use dtoolkit::fdt::{Fdt, FdtNode};

pub use self::error::DeviceTreeError;
use self::error::DeviceTreeError as Error;
use self::node::{is_okay, text};
use super::ranges::Union;

/// CPUs that the kernel can use; a machine may have more.
pub const MAX_CPUS: usize = 8;
/// Ranges of RAM, and ranges that are reserved, where those that overlap or touch are one.
pub const MAX_RANGES: usize = 32;
/// Regions of redistributors.
pub const MAX_REGIONS: usize = 8;
/// Bytes of boot arguments.
pub const MAX_BOOTARGS: usize = 1024;
/// A longer blob is none: the boot protocol allows 2 MiB, and QEMU pads what it was given to more than that.
pub const MAX_BLOB_BYTES: usize = 16 << 20;

/// The version of the format that is read. Source: Devicetree Specification 0.4, 5.2.
const FORMAT: u32 = 17;

/// The machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The CPU that boots, and behind it others in the order of the tree; those beyond [`MAX_CPUS`] are left out.
    pub cpus: heapless::Vec<Cpu, MAX_CPUS>,
    /// How many CPUs the tree has whose status is okay.
    pub cpus_in_tree: usize,
    /// RAM, in the order of addresses.
    pub memory: Union<MAX_RANGES>,
    /// Parts of it that others own.
    pub reserved: Union<MAX_RANGES>,
    /// Parts of [`Machine::reserved`] that nobody may as much as map: a CPU could read them ahead of any use.
    pub unmapped: Union<MAX_RANGES>,
    /// The interrupt controller.
    pub gic: Gic,
    /// The console.
    pub uart: Uart,
    /// How PSCI is called.
    pub psci: Conduit,
    /// The interrupt id of the virtual timer, a private one of each CPU.
    pub timer: u32,
    /// The interrupt id of the physical timer, another private one.
    pub physical_timer: u32,
    /// The boot arguments, empty if there are none.
    pub bootargs: heapless::String<MAX_BOOTARGS>,
}

/// A CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The affinity fields of its MPIDR, which PSCI knows it by.
    pub mpidr: u64,
}

/// The interrupt controller and where its parts lie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gic {
    /// GICv2.
    V2 {
        /// Distributor.
        gicd: u64,
        /// CPU interface.
        gicc: u64,
    },
    /// GICv3 and later.
    V3 {
        /// Distributor.
        gicd: u64,
        /// The redistributors.
        gicr: Redistributors,
    },
}

/// Where the redistributors of a GICv3 are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redistributors {
    /// Regions of them: which CPU's is where, the redistributors say.
    pub regions: heapless::Vec<Range<u64>, MAX_REGIONS>,
    /// Bytes from one to the next, where the tree says so; else each redistributor tells its own length.
    pub stride: Option<u64>,
}

impl Gic {
    /// The number of the architecture's version.
    pub const fn version(&self) -> u32 {
        match self {
            Self::V2 { .. } => 2,
            Self::V3 { .. } => 3,
        }
    }
}

/// A PL011.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Uart {
    /// Its registers.
    pub base: u64,
    /// Its interrupt id, a shared one.
    pub interrupt: u32,
    /// The clock that its baud rate is divided from, where the tree says its rate.
    pub clock_hz: Option<u32>,
}

/// The instruction that calls the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// `hvc`: the firmware is at EL2.
    Hvc,
    /// `smc`: the firmware is at EL3.
    Smc,
}

impl Conduit {
    /// As the tree spells it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hvc => "hvc",
            Self::Smc => "smc",
        }
    }
}

/// Bytes of a blob whose first eight bytes are these: how much to hand to [`Tree::open`].
///
/// # Errors
/// The bytes do not start as a device tree does, or say that it is longer than one may be.
pub fn blob_bytes(header: [u8; 8]) -> Result<usize, DeviceTreeError> {
    let [magic, size] =
        [&header[..4], &header[4..]].map(|word| word.iter().fold(0, |n: u32, &b| n << 8 | u32::from(b)));
    match (magic, size as usize) {
        (0xd00d_feed, bytes @ ..=MAX_BLOB_BYTES) => Ok(bytes),
        (0xd00d_feed, bytes) => Err(Error::TooLong { bytes }),
        _ => Err(Error::NotATree),
    }
}

/// The oldest version whose readers can read the blob.
fn last_compatible(blob: &[u8]) -> Option<u32> {
    const AT: usize = 24;
    blob.get(AT..)?.first_chunk().map(|word| u32::from_be_bytes(*word))
}

/// A blob that is well-formed, and the nodes of its root that the kernel looks for.
#[derive(Clone, Debug)]
pub struct Tree<'a> {
    fdt: Fdt<'a>,
    console: Result<Uart, Error>,
    gic: Wanted<'a>,
    uart: Wanted<'a>,
    psci: Wanted<'a>,
    timer: Wanted<'a>,
}

/// The first node of a kind that is okay.
#[derive(Clone, Copy, Debug, Default)]
struct Wanted<'a> {
    node: Option<FdtNode<'a>>,
    /// Whether there is one that is not okay.
    is_off: bool,
}

impl<'a> Wanted<'a> {
    fn meet(&mut self, node: FdtNode<'a>, is_okay: bool) {
        match is_okay {
            true if self.node.is_none() => self.node = Some(node),
            true => {}
            false => self.is_off = true,
        }
    }

    fn get(self, what: &'static str) -> Result<FdtNode<'a>, Error> {
        self.node.ok_or(if self.is_off { Error::NotOkay(what) } else { Error::Missing(what) })
    }
}

impl<'a> Tree<'a> {
    /// Validates a blob, which may be followed by other bytes, and finds the devices in it.
    ///
    /// Context: any. Reads the blob alone.
    pub fn open(blob: &'a [u8]) -> Result<Self, DeviceTreeError> {
        let header = blob.first_chunk().ok_or(Error::NotATree)?;
        let bytes = blob_bytes(*header)?;
        let blob = blob.get(..bytes).ok_or(Error::CutOff { bytes, present: blob.len() })?;
        // `Fdt::new` names the version that the tree has, whichever of both forbids reading it.
        if let Some(version) = last_compatible(blob).filter(|version| *version > FORMAT) {
            return Err(Error::TooNew { version });
        }
        let fdt = Fdt::new(blob).map_err(Error::Damaged)?;
        let none = Wanted::default();
        let console = Err(Error::NotATree);
        let mut tree = Self { fdt, console, gic: none, uart: none, psci: none, timer: none };
        for node in fdt.root().children() {
            let Some(compatible) = node.compatible() else { continue };
            for name in compatible {
                let wanted = match name {
                    "arm,gic-v3" | "arm,cortex-a15-gic" | "arm,gic-400" => &mut tree.gic,
                    "arm,pl011" => &mut tree.uart,
                    "arm,psci-1.0" | "arm,psci-0.2" => &mut tree.psci,
                    "arm,armv8-timer" => &mut tree.timer,
                    _ => continue,
                };
                wanted.meet(node, is_okay(node));
                break;
            }
        }
        tree.console = uart::read(&tree);
        Ok(tree)
    }

    /// Reads the machine, of which `boot_mpidr`'s affinity fields name the CPU that boots.
    ///
    /// Context: any. Keeps no reference to the blob.
    pub fn machine(&self, boot_mpidr: u64) -> Result<Machine, DeviceTreeError> {
        // First: how many cells an interrupt has is the GIC's to say.
        let gic = gic::read(self)?;
        let (cpus, cpus_in_tree) = cpus::read(self.fdt, boot_mpidr)?;
        let (reserved, unmapped) = memory::reserved(self.fdt)?;
        let (timer, physical_timer) = interrupts::timers(self)?;
        Ok(Machine {
            cpus,
            cpus_in_tree,
            memory: memory::ram(self.fdt)?,
            reserved,
            unmapped,
            gic,
            uart: self.console()?,
            psci: power::conduit(self)?,
            timer,
            physical_timer,
            bootargs: bootargs(self.fdt)?,
        })
    }

    /// The console alone, so that there is somewhere to report what [`Tree::machine`] says.
    pub fn console(&self) -> Result<Uart, DeviceTreeError> {
        self.console.clone()
    }

    /// Reads how PSCI is called.
    pub fn conduit(&self) -> Result<Conduit, DeviceTreeError> {
        power::conduit(self)
    }

    /// Where the secure world switches the machine off, if it does so by a PL061: its registers, and the line to raise.
    pub fn secure_power_off(&self) -> Option<(u64, u32)> {
        power::secure_gpio(self.fdt)
    }
}

fn bootargs(tree: Fdt<'_>) -> Result<heapless::String<MAX_BOOTARGS>, Error> {
    let chosen = tree.find_node("/chosen");
    let line = chosen.map_or(Ok(None), |node| text(node, "bootargs"))?.unwrap_or("");
    line.try_into().map_err(|_| Error::BootArgsTooLong { bytes: line.len() })
}
