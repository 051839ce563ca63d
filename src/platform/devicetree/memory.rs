//! RAM, and what of it others own.

use core::ops::Range;

use dtoolkit::Node;
use dtoolkit::fdt::Fdt;

use super::node::{is_okay, range, ranges};
use super::{DeviceTreeError as Error, MAX_RANGES};
use crate::platform::ranges::Union;

/// All of RAM. Ranges may overlap and repeat: one address is one byte.
pub(super) fn ram(tree: Fdt<'_>) -> Result<Union<MAX_RANGES>, Error> {
    let mut memory = Union::new();
    let mut is_off = false;
    for node in tree.root().children().filter(|node| node.name_without_address() == "memory") {
        if !is_okay(node) {
            is_off = true;
            continue;
        }
        for range in ranges(node, "reg of /memory")? {
            memory.add(range?).map_err(|_| too_many("separate ranges of memory"))?;
        }
    }
    match (memory.is_empty(), is_off) {
        (false, _) => Ok(memory),
        (true, false) => Err(Error::Missing("/memory")),
        (true, true) => Err(Error::NotOkay("/memory")),
    }
}

fn too_many(what: &'static str) -> Error {
    Error::TooMany { what, limit: MAX_RANGES }
}

/// What others own of RAM, and what of that may not be mapped.
pub(super) fn reserved(tree: Fdt<'_>) -> Result<(Union<MAX_RANGES>, Union<MAX_RANGES>), Error> {
    let (mut reserved, mut unmapped) = (Union::new(), Union::new());
    let add = |to: &mut Union<MAX_RANGES>, range: Range<u64>| {
        to.add(range).map_err(|_| too_many("separate ranges of reserved memory"))
    };
    for entry in tree.memory_reservations() {
        add(&mut reserved, range(entry.address(), entry.size(), "memory reservation")?)?;
    }
    let Some(parent) = tree.find_node("/reserved-memory") else { return Ok((reserved, unmapped)) };
    // A child without `reg` only wishes for some room anywhere; nobody owns a place yet.
    for node in parent.children().filter(|node| node.property("reg").is_some() && is_okay(*node)) {
        let may_be_mapped = node.property("no-map").is_none();
        for range in ranges(node, "reg of /reserved-memory")? {
            let range = range?;
            add(&mut reserved, range.clone())?;
            add(&mut unmapped, if may_be_mapped { 0..0 } else { range })?;
        }
    }
    Ok((reserved, unmapped))
}
