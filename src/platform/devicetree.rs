//! The machine, as the device tree describes it.
//!
//! [`read`] takes the whole of what the kernel needs out of the blob, once, at boot, into a [`Machine`] that borrows
//! nothing: afterwards the blob's memory is memory like any other. [`console`] reads the UART alone, so that a tree in
//! which something else is missing can still be complained about. Nothing here is a constant of QEMU's `virt` board:
//! what the tree does not say is an error that says what is missing.
//!
//! dtoolkit validates the blob as a whole before anything of it is used. Devices are looked for among the children of
//! the root, where their `reg` is an address of the CPU; buses are not followed. Callable from any context.
//!
//! # Why not read on demand
//! Each read walks the tree again and needs the blob to stay mapped and unharmed; and a machine that cannot be used
//! should be refused before its first device is touched.

mod error;

#[cfg(test)]
mod tests;

use core::ops::Range;

use dtoolkit::fdt::{Fdt, FdtNode};
use dtoolkit::standard::{NodeStandard, Status};
use dtoolkit::{Node, Property};

pub use self::error::DeviceTreeError;
use self::error::DeviceTreeError as Error;

/// CPUs that the kernel can use; a machine may have more.
pub const MAX_CPUS: usize = 8;
/// Ranges of RAM that are used, and ranges that are reserved.
pub const MAX_RANGES: usize = 8;
/// Bytes of boot arguments.
pub const MAX_BOOTARGS: usize = 1024;

/// The machine.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The CPUs, in the order of the tree; those beyond [`MAX_CPUS`] are left out.
    pub cpus: heapless::Vec<Cpu, MAX_CPUS>,
    /// How many CPUs the tree has.
    pub cpus_in_tree: usize,
    /// RAM, in the order of the tree; ranges beyond [`MAX_RANGES`] are left out.
    pub memory: heapless::Vec<Range<u64>, MAX_RANGES>,
    /// Parts of it that others own. All of them: a tree with more than [`MAX_RANGES`] is refused.
    pub reserved: heapless::Vec<Range<u64>, MAX_RANGES>,
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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
        /// The first region of redistributors.
        gicr: u64,
        /// Its size in bytes.
        gicr_bytes: u64,
    },
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
    /// The clock that its baud rate is divided from.
    pub clock_hz: u32,
}

/// The instruction that calls the firmware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conduit {
    /// `hvc`: the firmware is at EL2.
    Hvc,
    /// `smc`: the firmware is at EL3.
    Smc,
}

/// A longer one is none: the boot protocol allows 2 MiB, and QEMU pads what it was given to more than that.
pub const MAX_BLOB_BYTES: usize = 16 << 20;

/// Bytes of a blob whose first eight bytes are these: how much to hand to [`read`]. `None` if it is not a device tree,
/// or says that it is longer than one may be.
pub fn blob_bytes(header: [u8; 8]) -> Option<usize> {
    let [magic, size] =
        [&header[..4], &header[4..]].map(|word| word.iter().fold(0, |n: u32, &b| n << 8 | u32::from(b)));
    (magic == 0xd00d_feed && size as usize <= MAX_BLOB_BYTES).then_some(size as usize)
}

/// Reads the machine from a blob, which may be followed by other bytes.
///
/// Context: any. Reads the blob alone and keeps no reference to it.
pub fn read(blob: &[u8]) -> Result<Machine, DeviceTreeError> {
    let tree = open(blob)?;
    let (cpus, cpus_in_tree) = cpus(tree)?;
    Ok(Machine {
        cpus,
        cpus_in_tree,
        memory: memory(tree)?,
        reserved: reserved(tree)?,
        gic: gic(tree)?,
        uart: uart(tree)?,
        psci: psci(tree)?,
        timer: timer(tree, 2, "the virtual timer in interrupts of /timer")?,
        physical_timer: timer(tree, 1, "the physical timer in interrupts of /timer")?,
        bootargs: bootargs(tree)?,
    })
}

/// Reads the console alone from a blob, so that there is somewhere to report what [`read`] says.
pub fn console(blob: &[u8]) -> Result<Uart, DeviceTreeError> {
    uart(open(blob)?)
}

fn open(blob: &[u8]) -> Result<Fdt<'_>, Error> {
    let header = blob.first_chunk().ok_or(Error::NotATree)?;
    let bytes = blob_bytes(*header).ok_or(Error::NotATree)?;
    let blob = blob.get(..bytes).ok_or(Error::CutOff { bytes, present: blob.len() })?;
    Fdt::new(blob).map_err(Error::Damaged)
}

fn cpus(tree: Fdt<'_>) -> Result<(heapless::Vec<Cpu, MAX_CPUS>, usize), Error> {
    let parent = tree.find_node("/cpus").ok_or(Error::Missing("/cpus"))?;
    let mut cpus = heapless::Vec::new();
    let mut in_tree = 0;
    for node in parent.children().filter(|node| node.name_without_address() == "cpu") {
        let (mpidr, _) = reg(node, 0, "reg of a CPU")?;
        in_tree += 1;
        // Those that do not fit are counted, not used.
        let _left_out = cpus.push(Cpu { mpidr });
    }
    if in_tree == 0 { Err(Error::Missing("/cpus/cpu")) } else { Ok((cpus, in_tree)) }
}

fn memory(tree: Fdt<'_>) -> Result<heapless::Vec<Range<u64>, MAX_RANGES>, Error> {
    let mut memory = heapless::Vec::new();
    for node in tree.root().children().filter(|node| node.name_without_address() == "memory") {
        for range in ranges(node, "reg of /memory")? {
            let range = range?;
            if !range.is_empty() {
                // RAM that does not fit the list is not used.
                let _left_out = memory.push(range);
            }
        }
    }
    if memory.is_empty() { Err(Error::Missing("/memory")) } else { Ok(memory) }
}

fn reserved(tree: Fdt<'_>) -> Result<heapless::Vec<Range<u64>, MAX_RANGES>, Error> {
    let mut reserved = heapless::Vec::new();
    let mut reserve = |range: Range<u64>| match range.is_empty() {
        true => Ok(()),
        false => reserved.push(range).map_err(|_| Error::TooManyReserved),
    };
    for entry in tree.memory_reservations() {
        reserve(range(entry.address(), entry.size(), "memory reservation")?)?;
    }
    if let Some(parent) = tree.find_node("/reserved-memory") {
        // A child without `reg` only wishes for some room anywhere; nobody owns a place yet.
        for node in parent.children().filter(|node| node.property("reg").is_some()) {
            for range in ranges(node, "reg of /reserved-memory")? {
                reserve(range?)?;
            }
        }
    }
    Ok(reserved)
}

fn gic(tree: Fdt<'_>) -> Result<Gic, Error> {
    if let Some(node) = device(tree, &["arm,gic-v3"]) {
        let (gicd, _) = reg(node, 0, "reg of the GIC's distributor")?;
        let (gicr, gicr_bytes) = reg(node, 1, "reg of the GIC's redistributors")?;
        return Ok(Gic::V3 { gicd, gicr, gicr_bytes });
    }
    let node = device(tree, &["arm,cortex-a15-gic", "arm,gic-400"]).ok_or(Error::Missing("a GICv2 or GICv3"))?;
    let (gicd, _) = reg(node, 0, "reg of the GIC's distributor")?;
    let (gicc, _) = reg(node, 1, "reg of the GIC's CPU interface")?;
    Ok(Gic::V2 { gicd, gicc })
}

/// The PL011 that `/chosen` names as standard output, else the first one.
fn uart(tree: Fdt<'_>) -> Result<Uart, Error> {
    let chosen = tree.find_node("/chosen").and_then(|node| text(node, "stdout-path").ok().flatten());
    // What follows a colon in the path are settings of the line.
    let chosen = chosen.and_then(|path| path.split(':').next()).and_then(|path| tree.find_node(path));
    let node = chosen.filter(|node| node.is_compatible("arm,pl011") && is_in_use(node));
    let node = node.or_else(|| device(tree, &["arm,pl011"])).ok_or(Error::Missing("a PL011 UART"))?;
    let (base, _) = reg(node, 0, "reg of the UART")?;
    let clock = cell(node, "clocks", 0).ok_or(Error::Missing("clocks of the UART"))?;
    let clock = tree.root().children().find(|node| cell(*node, "phandle", 0) == Some(clock));
    let clock_hz = clock.and_then(|node| cell(node, "clock-frequency", 0));
    Ok(Uart {
        base,
        interrupt: interrupt(node, 0, "interrupts of the UART")?,
        clock_hz: clock_hz.ok_or(Error::Missing("clock-frequency of the UART's clock"))?,
    })
}

fn psci(tree: Fdt<'_>) -> Result<Conduit, Error> {
    let node = device(tree, &["arm,psci-1.0", "arm,psci-0.2", "arm,psci"]).ok_or(Error::Missing("/psci"))?;
    match text(node, "method")? {
        Some("hvc") => Ok(Conduit::Hvc),
        Some("smc") => Ok(Conduit::Smc),
        Some(_) => Err(Error::Unusable("method of /psci")),
        None => Err(Error::Missing("method of /psci")),
    }
}

/// The interrupt id of a timer, by its place in the binding: secure, physical, virtual, hypervisor.
fn timer(tree: Fdt<'_>, index: usize, what: &'static str) -> Result<u32, Error> {
    let node = device(tree, &["arm,armv8-timer"]).ok_or(Error::Missing("/timer"))?;
    interrupt(node, index, what)
}

fn bootargs(tree: Fdt<'_>) -> Result<heapless::String<MAX_BOOTARGS>, Error> {
    let chosen = tree.find_node("/chosen");
    let line = chosen.map_or(Ok(None), |node| text(node, "bootargs"))?.unwrap_or("");
    line.try_into().map_err(|_| Error::BootArgsTooLong { bytes: line.len() })
}

/// The first device of the root that is one of `compatible` and in use.
fn device<'a>(tree: Fdt<'a>, compatible: &[&str]) -> Option<FdtNode<'a>> {
    let is_wanted = |node: &FdtNode<'_>| compatible.iter().any(|name| node.is_compatible(name));
    tree.root().children().find(|node| is_wanted(node) && is_in_use(node))
}

/// Is this device ours to use? The secure world's devices are marked as not.
fn is_in_use(node: &FdtNode<'_>) -> bool {
    node.status() == Ok(Status::Okay)
}

/// Address and size of range `index` of a node's `reg`; the size is 0 where the tree gives none.
fn reg(node: FdtNode<'_>, index: usize, what: &'static str) -> Result<(u64, u64), Error> {
    let mut all = node.reg().map_err(|_| Error::Unusable(what))?.ok_or(Error::Missing(what))?;
    let reg = all.nth(index).ok_or(Error::Missing(what))?;
    let unusable = |_| Error::Unusable(what);
    Ok((reg.address().map_err(unusable)?, reg.size().map_err(unusable)?))
}

/// Every range of a node's `reg`.
fn ranges<'a>(
    node: FdtNode<'a>,
    what: &'static str,
) -> Result<impl Iterator<Item = Result<Range<u64>, Error>> + use<'a>, Error> {
    let all = node.reg().map_err(|_| Error::Unusable(what))?.ok_or(Error::Missing(what))?;
    let unusable = move |_| Error::Unusable(what);
    Ok(all.map(move |reg| range(reg.address().map_err(unusable)?, reg.size().map_err(unusable)?, what)))
}

fn range(base: u64, size: u64, what: &'static str) -> Result<Range<u64>, Error> {
    Ok(base..base.checked_add(size).ok_or(Error::Unusable(what))?)
}

/// The id of interrupt `index` of a node, by the GIC's binding: three cells, of which the first says shared (0) or
/// private (1) and the second counts within that kind.
fn interrupt(node: FdtNode<'_>, index: usize, what: &'static str) -> Result<u32, Error> {
    let number = cell(node, "interrupts", 3 * index + 1).ok_or(Error::Missing(what))?;
    let (first, end) = match cell(node, "interrupts", 3 * index) {
        Some(0) => (32, 1020),
        Some(1) => (16, 32),
        _ => return Err(Error::Unusable(what)),
    };
    number.checked_add(first).filter(|id| *id < end).ok_or(Error::Unusable(what))
}

/// Cell `index` of a property.
fn cell(node: FdtNode<'_>, name: &str, index: usize) -> Option<u32> {
    let property = node.property(name)?;
    let cell = property.value().get(4 * index..)?.first_chunk()?;
    Some(u32::from_be_bytes(*cell))
}

/// A property that holds one string.
fn text<'a>(node: FdtNode<'a>, name: &'static str) -> Result<Option<&'a str>, Error> {
    node.property(name).map(|property| property.value_as()).transpose().map_err(|_| Error::Unusable(name))
}
