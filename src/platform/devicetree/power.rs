//! Who switches CPUs and the machine on and off.

use dtoolkit::Node;
use dtoolkit::fdt::Fdt;
use dtoolkit::standard::NodeStandard;

use super::node::{by_phandle, cell, has_okay, reg, text};
use super::{Conduit, DeviceTreeError as Error, Tree};

/// How PSCI is called. Its versions before 0.2 have other function numbers, and no way to ask for the version.
pub(super) fn conduit(tree: &Tree<'_>) -> Result<Conduit, Error> {
    match text(tree.psci.get("/psci of version 0.2 or later")?, "method")? {
        Some("hvc") => Ok(Conduit::Hvc),
        Some("smc") => Ok(Conduit::Smc),
        Some(_) => Err(Error::Unusable("method of /psci")),
        None => Err(Error::Missing("method of /psci")),
    }
}

/// The PL061 and the line of it by which the secure world switches the machine off.
/// Source: the binding `gpio-poweroff` of Linux, and `secure-status` of the Devicetree bindings for Arm's secure world.
pub(super) fn secure_gpio(tree: Fdt<'_>) -> Option<(u64, u32)> {
    let is_it = |node: &_| NodeStandard::is_compatible(node, "gpio-poweroff") && has_okay(*node, "secure-status", true);
    let node = tree.root().children().find(is_it)?;
    let controller = by_phandle(tree.root(), cell(node, "gpios", 0)?)?;
    let line = cell(node, "gpios", 1).filter(|line| *line < 8)?;
    let (base, _) = controller.is_compatible("arm,pl061").then(|| reg(controller, 0, "reg of a PL061").ok())??;
    Some((base, line))
}
