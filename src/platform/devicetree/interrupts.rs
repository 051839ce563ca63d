//! Interrupt ids, as the GIC's binding numbers them: kind, number within the kind, flags, perhaps more cells.

use dtoolkit::fdt::FdtNode;

use super::node::{cell, place_in_list};
use super::{DeviceTreeError as Error, Tree};

/// Whose an interrupt is. Source: the binding `arm,gic-v3` of Linux, `#interrupt-cells`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Any CPU's: an SPI.
    Shared = 0,
    /// Each CPU's own: a PPI.
    Private = 1,
}

/// The id of interrupt `index` of a node, which has to be of this kind.
pub(super) fn id(
    tree: &Tree<'_>,
    node: FdtNode<'_>,
    index: usize,
    kind: Kind,
    what: &'static str,
) -> Result<u32, Error> {
    let cells = tree.gic.node.and_then(|gic| cell(gic, "#interrupt-cells", 0)).unwrap_or(3) as usize;
    // No machine has so many interrupts in one node that this wraps around.
    let (one, one_with_parent) = (index.wrapping_mul(cells), index.wrapping_mul(cells.wrapping_add(1)));
    // Either all of them are the GIC's, or each comes with its own controller.
    let parent = cell(node, "interrupts-extended", one_with_parent);
    let (name, start) = match parent {
        Some(_) => ("interrupts-extended", one_with_parent.wrapping_add(1)),
        None => ("interrupts", one),
    };
    let [found, number] = [0, 1].map(|more| cell(node, name, start.wrapping_add(more)));
    let (first, end) = match kind {
        Kind::Shared => (32, 1020),
        Kind::Private => (16, 32),
    };
    let number = number.ok_or(Error::Missing(what))?;
    let is_the_gics = parent.is_none() || tree.gic.node.is_none_or(|gic| cell(gic, "phandle", 0) == parent);
    let id = number.checked_add(first).filter(|id| *id < end && found == Some(kind as u32) && is_the_gics);
    id.ok_or(Error::Unusable(what))
}

/// The ids of the virtual and the physical timer: by their names, where the tree gives names, else by their places in
/// the binding `arm,armv8-timer` of Linux: secure, physical, virtual, hypervisor.
pub(super) fn timers(tree: &Tree<'_>) -> Result<(u32, u32), Error> {
    let node = tree.timer.get("/timer")?;
    let place = |name: &str, usual: usize, what: &'static str| match place_in_list(node, "interrupt-names", name) {
        Some(named) => named.ok_or(Error::Missing(what)),
        None => Ok(usual),
    };
    let of_virtual = place("virt", 2, "virt in interrupt-names of /timer")?;
    let of_physical = place("phys", 1, "phys in interrupt-names of /timer")?;
    let timer = id(tree, node, of_virtual, Kind::Private, "the virtual timer in interrupts of /timer")?;
    let physical = id(tree, node, of_physical, Kind::Private, "the physical timer in interrupts of /timer")?;
    // One id for both would be taken for either.
    if timer == physical { Err(Error::Unusable("interrupts of /timer")) } else { Ok((timer, physical)) }
}
