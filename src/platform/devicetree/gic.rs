//! The interrupt controller.

use dtoolkit::standard::NodeStandard;

use super::node::{cell, range, reg};
use super::{DeviceTreeError as Error, Gic, MAX_REGIONS, Redistributors, Tree};
use crate::platform::redistributors;

/// What the tree is asked for where it has none.
pub(super) const NAME: &str = "a GICv2 or GICv3";

/// The GIC, and where its parts lie. Source: the bindings `arm,gic` and `arm,gic-v3` of Linux.
pub(super) fn read(tree: &Tree<'_>) -> Result<Gic, Error> {
    let node = tree.gic.get(NAME)?;
    let (gicd, _) = reg(node, 0, "reg of the GIC's distributor")?;
    if !node.is_compatible("arm,gic-v3") {
        let (gicc, _) = reg(node, 1, "reg of the GIC's CPU interface")?;
        return Ok(Gic::V2 { gicd, gicc });
    }
    const REGIONS: &str = "reg of the GIC's redistributors";
    let nr_regions = cell(node, "#redistributor-regions", 0).unwrap_or(1);
    let mut regions = heapless::Vec::new();
    for index in 1..=nr_regions as usize {
        let (base, bytes) = reg(node, index, REGIONS)?;
        let region = range(base, bytes, REGIONS)?;
        let too_many = Error::TooMany { what: "regions of GIC redistributors", limit: MAX_REGIONS };
        regions.push(region).map_err(|_| too_many)?;
    }
    if regions.is_empty() {
        return Err(Error::Missing(REGIONS));
    }
    let stride = match (cell(node, "redistributor-stride", 0), cell(node, "redistributor-stride", 1)) {
        (Some(high), Some(low)) => u64::from(high) << 32 | u64::from(low),
        (low, _) => low.map_or(0, u64::from),
    };
    // Two frames of 64 KiB at least, from one to the next.
    if stride != 0 && (stride < redistributors::BYTES || !stride.is_multiple_of(1 << 16)) {
        return Err(Error::Unusable("redistributor-stride of the GIC"));
    }
    Ok(Gic::V3 { gicd, gicr: Redistributors { regions, stride: (stride != 0).then_some(stride) } })
}
