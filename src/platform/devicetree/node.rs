//! What one node says: the forms that properties have.

use core::ops::Range;

use dtoolkit::fdt::FdtNode;
use dtoolkit::{Node, Property};

use super::DeviceTreeError as Error;

/// Whether this node is the kernel's to use. Devices of the secure world, memory that is not plugged in and CPUs that
/// failed are marked as not. `ok` is what old trees say. Source: Devicetree Specification 0.4, 2.3.4.
pub(super) fn is_okay(node: FdtNode<'_>) -> bool {
    has_okay(node, "status", true)
}

/// Whether a property of the form of `status` says okay; `absent` if there is none.
pub(super) fn has_okay(node: FdtNode<'_>, name: &'static str, absent: bool) -> bool {
    matches!((text(node, name), absent), (Ok(Some("okay" | "ok")), _) | (Ok(None), true))
}

/// Address and size of range `index` of a node's `reg`; the size is 0 where the tree gives none.
pub(super) fn reg(node: FdtNode<'_>, index: usize, what: &'static str) -> Result<(u64, u64), Error> {
    let mut all = node.reg().map_err(|_| Error::Unusable(what))?.ok_or(Error::Missing(what))?;
    let reg = all.nth(index).ok_or(Error::Missing(what))?;
    let unusable = |_| Error::Unusable(what);
    Ok((reg.address().map_err(unusable)?, reg.size().map_err(unusable)?))
}

/// Every range of a node's `reg`.
pub(super) fn ranges<'a>(
    node: FdtNode<'a>,
    what: &'static str,
) -> Result<impl Iterator<Item = Result<Range<u64>, Error>> + use<'a>, Error> {
    let all = node.reg().map_err(|_| Error::Unusable(what))?.ok_or(Error::Missing(what))?;
    let unusable = move |_| Error::Unusable(what);
    Ok(all.map(move |reg| range(reg.address().map_err(unusable)?, reg.size().map_err(unusable)?, what)))
}

/// A range that does not wrap around.
pub(super) fn range(base: u64, size: u64, what: &'static str) -> Result<Range<u64>, Error> {
    Ok(base..base.checked_add(size).ok_or(Error::Unusable(what))?)
}

/// Cell `index` of a property.
pub(super) fn cell(node: FdtNode<'_>, name: &str, index: usize) -> Option<u32> {
    let property = node.property(name)?;
    let cell = property.value().get(index.checked_mul(4)?..)?.first_chunk()?;
    Some(u32::from_be_bytes(*cell))
}

/// A property that holds one string.
pub(super) fn text<'a>(node: FdtNode<'a>, name: &'static str) -> Result<Option<&'a str>, Error> {
    node.property(name).map(|property| property.value_as()).transpose().map_err(|_| Error::Unusable(name))
}

/// The place of `wanted` in a property that is a list of strings; nothing if there is no such property.
pub(super) fn place_in_list(node: FdtNode<'_>, name: &str, wanted: &str) -> Option<Option<usize>> {
    let property = node.property(name)?;
    Some(property.value().split(|byte| *byte == 0).position(|entry| entry == wanted.as_bytes()))
}

/// The deepest place of a node that another one points to: `/clocks/uartclk` is at 2.
const DEPTH: usize = 3;

/// The node that `phandle` points to, not far below `root`: most are right there.
pub(super) fn by_phandle(root: FdtNode<'_>, phandle: u32) -> Option<FdtNode<'_>> {
    (1..=DEPTH).find_map(|depth| at_depth(root, phandle, depth))
}

fn at_depth(parent: FdtNode<'_>, phandle: u32, depth: usize) -> Option<FdtNode<'_>> {
    parent.children().find_map(|node| match depth {
        0..=1 => (cell(node, "phandle", 0) == Some(phandle)).then_some(node),
        _ => at_depth(node, phandle, depth - 1),
    })
}
