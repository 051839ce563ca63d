//! The interrupt controller.

use dtoolkit::standard::NodeStandard;

use super::node::{cell, range, reg};
use super::{DeviceTreeError as Error, Gic, MAX_REGIONS, Redistributors, Tree};
use crate::platform::redistributors;

/// What the tree is asked for where it has none.
pub(super) const NAME: &str = "a GICv2 or GICv3";

/// The registers of a part begin at a multiple of these. Source: Arm IHI 0048B, 4.1, and IHI 0069, 12.1.
const V2_FRAME: u64 = 4 << 10;
const V3_FRAME: u64 = 64 << 10;

/// The GIC, and where its parts lie. Source: the bindings `arm,gic` and `arm,gic-v3` of Linux.
pub(super) fn read(tree: &Tree<'_>) -> Result<Gic, Error> {
    let node = tree.gic.get(NAME)?;
    let frames = |index: usize, unit: u64, what: &'static str| {
        let (base, _) = reg(node, index, what)?;
        if base.is_multiple_of(unit) { Ok(base) } else { Err(Error::Unusable(what)) }
    };
    const DISTRIBUTOR: &str = "reg of the GIC's distributor";
    if !node.is_compatible("arm,gic-v3") {
        let gicd = frames(0, V2_FRAME, DISTRIBUTOR)?;
        return Ok(Gic::V2 { gicd, gicc: frames(1, V2_FRAME, "reg of the GIC's CPU interface")? });
    }
    let gicd = frames(0, V3_FRAME, DISTRIBUTOR)?;
    const REGIONS: &str = "reg of the GIC's redistributors";
    let nr_regions = cell(node, "#redistributor-regions", 0).unwrap_or(1);
    let mut regions = heapless::Vec::new();
    for index in 1..=nr_regions as usize {
        let (base, bytes) = reg(node, index, REGIONS)?;
        let region = range(base, bytes, REGIONS)?;
        if !base.is_multiple_of(V3_FRAME) {
            return Err(Error::Unusable(REGIONS));
        }
        if bytes < redistributors::BYTES {
            let (what, least) = ("a region of GIC redistributors", redistributors::BYTES);
            return Err(Error::TooSmall { what, at: base, bytes, least });
        }
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
    if stride != 0 && (stride < redistributors::BYTES || !stride.is_multiple_of(V3_FRAME)) {
        return Err(Error::Unusable("redistributor-stride of the GIC"));
    }
    Ok(Gic::V3 { gicd, gicr: Redistributors { regions, stride: (stride != 0).then_some(stride) } })
}
