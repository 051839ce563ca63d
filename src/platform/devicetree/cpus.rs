//! The CPUs: which of them boots, and which others there are.

use dtoolkit::Node;
use dtoolkit::fdt::{Fdt, FdtNode};

use super::node::{is_okay, reg, text};
use super::{Cpu, DeviceTreeError as Error, MAX_CPUS};

/// The affinity fields of an MPIDR. Source: Arm ARM DDI 0487, MPIDR_EL1.
const AFFINITY: u64 = 0xff_00ff_ffff;

/// The CPU that boots, then others in the order of the tree; and how many the tree has whose status is okay.
pub(super) fn read(tree: Fdt<'_>, boot_mpidr: u64) -> Result<(heapless::Vec<Cpu, MAX_CPUS>, usize), Error> {
    let parent = tree.find_node("/cpus").ok_or(Error::Missing("/cpus"))?;
    let boot = Cpu { mpidr: boot_mpidr & AFFINITY };
    let mut cpus = heapless::Vec::from_array([boot]);
    let (mut nr_nodes, mut nr_okay, mut nr_boot) = (0, 0, 0);
    for node in parent.children().filter(|node| is_cpu(*node)) {
        nr_nodes += 1;
        if !is_okay(node) {
            continue;
        }
        nr_okay += 1;
        let (mpidr, _) = reg(node, 0, "reg of a CPU")?;
        if mpidr & !AFFINITY != 0 {
            return Err(Error::Unusable("reg of a CPU"));
        }
        let cpu = Cpu { mpidr };
        if cpu == boot {
            nr_boot += 1;
        } else if cpus.contains(&cpu) {
            return Err(Error::SameCpu { mpidr });
        } else {
            // Those that do not fit are counted, not used.
            let _left_out = cpus.push(cpu);
        }
    }
    match (nr_nodes, nr_boot) {
        (0, _) => Err(Error::Missing("/cpus/cpu")),
        (_, 0) => Err(Error::NoBootCpu { mpidr: boot.mpidr }),
        (_, 1) => Ok((cpus, nr_okay)),
        _ => Err(Error::SameCpu { mpidr: boot.mpidr }),
    }
}

/// Beside CPUs there are caches and a map of the topology.
fn is_cpu(node: FdtNode<'_>) -> bool {
    node.name_without_address() == "cpu" || text(node, "device_type") == Ok(Some("cpu"))
}
