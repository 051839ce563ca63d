//! The console.

use dtoolkit::fdt::FdtNode;
use dtoolkit::standard::NodeStandard;
use dtoolkit::{Node, Property};

use super::interrupts::{self, Kind};
use super::node::{by_phandle, cell, is_okay, reg, text};
use super::{DeviceTreeError as Error, Tree, Uart};

/// The PL011 that `/chosen` names as standard output, else the first one.
pub(super) fn read(tree: &Tree<'_>) -> Result<Uart, Error> {
    let node = chosen(tree).map_or_else(|| tree.uart.get("a PL011 UART"), Ok)?;
    let (base, _) = reg(node, 0, "reg of the UART")?;
    let clock = cell(node, "clocks", 0).and_then(|clock| by_phandle(tree.fdt.root(), clock));
    Ok(Uart {
        base,
        interrupt: interrupts::id(tree, node, 0, Kind::Shared, "interrupts of the UART")?,
        clock_hz: clock.and_then(|node| cell(node, "clock-frequency", 0)),
    })
}

/// What `stdout-path` names, by its path or by an alias, if that is a PL011 that can be used. What follows a colon are
/// settings of the line. Source: Devicetree Specification 0.4, 3.6.
fn chosen<'a>(tree: &Tree<'a>) -> Option<FdtNode<'a>> {
    let output = text(tree.fdt.find_node("/chosen")?, "stdout-path").ok()??;
    let name = output.split(':').next()?;
    let path = match name.starts_with('/') {
        true => name,
        false => alias(tree, name)?,
    };
    // Below a bus the addresses would be the bus's.
    let name = path.strip_prefix('/').filter(|name| !name.contains('/'))?;
    tree.fdt.root().child(name).filter(|node| node.is_compatible("arm,pl011") && is_okay(*node))
}

fn alias<'a>(tree: &Tree<'a>, name: &str) -> Option<&'a str> {
    tree.fdt.find_node("/aliases")?.property(name)?.value_as().ok()
}
