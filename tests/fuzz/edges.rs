//! The edges of what is taken out of a tree: on either side of each stands a tree of QEMU's with one thing changed.

use holdout::platform::devicetree::{DeviceTreeError, Gic, Machine, Tree};

use crate::trees::tree::{Node, to_bytes};

/// The tree of `virt` with a GICv3 and 4 CPUs, or with a GICv2 and one.
fn virt(gic: u32) -> Node {
    Node::read(match gic {
        2 => include_bytes!("../data/virt-gicv2-1cpu.dtb"),
        _ => include_bytes!("../data/virt-gicv3-4cpus.dtb"),
    })
}

fn read(root: &Node) -> Result<Machine, DeviceTreeError> {
    Tree::open(&root.blob(&[]))?.machine(0)
}

fn refusal(root: &Node) -> String {
    read(root).map_or_else(|error| error.to_string(), |machine| panic!("read as {machine:?}"))
}

/// `reg` with two cells for each address and size.
fn reg(ranges: &[(u64, u64)]) -> Vec<u8> {
    ranges.iter().flat_map(|&(base, size)| [base, size]).flat_map(u64::to_be_bytes).collect()
}

/// `inner` in so many nodes, one in the other.
fn below(depth: usize, inner: Node) -> Node {
    (1..depth).fold(inner, |inner, level| Node::new(format!("level{level}")).child(inner))
}

#[test]
fn a_clock_is_found_at_the_third_level_and_no_deeper() {
    let rate = |depth: usize| {
        let mut root = virt(3);
        let clock = Node::new("uartclk").cells("phandle", &[0x77]).cells("clock-frequency", &[48_000_000]);
        root.children.push(below(depth, clock));
        root.at("pl011@").set("clocks", to_bytes(&[0x77, 0x77]));
        read(&root).expect("a machine").uart.clock_hz
    };
    let found = Some(48_000_000);
    assert_eq!([1, 2, 3, 4].map(rate), [found, found, found, None]);
}

#[test]
fn private_interrupts_are_sixteen() {
    let timers = |physical: u32, of_virtual: u32| {
        let mut root = virt(3);
        let numbers = [1, 13, 4, 1, physical, 4, 1, of_virtual, 4, 1, 10, 4];
        root.at("timer").set("interrupts", to_bytes(&numbers));
        read(&root).map(|machine| (machine.physical_timer, machine.timer))
    };
    assert_eq!(timers(0, 15), Ok((16, 31)));
    assert_eq!(timers(15, 0), Ok((31, 16)));
    let unusable = DeviceTreeError::Unusable;
    assert_eq!(timers(14, 16), Err(unusable("the virtual timer in interrupts of /timer")));
    assert_eq!(timers(16, 11), Err(unusable("the physical timer in interrupts of /timer")));
}

#[test]
fn shared_interrupts_end_before_the_special_ones() {
    let of_uart = |number: u32| {
        let mut root = virt(3);
        root.at("pl011@").set("interrupts", to_bytes(&[0, number, 4]));
        read(&root).map(|machine| machine.uart.interrupt)
    };
    assert_eq!(of_uart(987), Ok(1019));
    assert_eq!(of_uart(988), Err(DeviceTreeError::Unusable("interrupts of the UART")));
}

/// Source: the binding of the secure world's `secure-status`: where there is none, the node is the secure world's as it
/// is anybody's.
#[test]
fn who_switches_off_the_secure_world_is_found_unless_its_status_forbids_it() {
    let power_off = |status: Option<&str>| {
        let mut root = virt(3);
        let pl061 = Node::new("pl061@90b0000").texts("compatible", &["arm,pl061"]).cells("phandle", &[0x55]);
        root.children.push(pl061.bytes("reg", reg(&[(0x90b_0000, 0x1000)])));
        let node = Node::new("gpio-poweroff").text("compatible", "gpio-poweroff").cells("gpios", &[0x55, 3, 0]);
        root.children.push(match status {
            Some(status) => node.text("secure-status", status),
            None => node,
        });
        Tree::open(&root.blob(&[])).expect("a tree").secure_power_off()
    };
    let found = Some((0x90b_0000, 3));
    assert_eq!([None, Some("okay"), Some("disabled")].map(power_off), [found, found, None]);
}

#[test]
fn registers_of_the_gic_begin_where_those_of_a_gic_can() {
    let of_v3 = |gicd: u64, gicr: u64| {
        let mut root = virt(3);
        root.at("intc@").set("reg", reg(&[(gicd, 0x1_0000), (gicr, 0xf6_0000)]));
        read(&root).map(|machine| machine.gic.version())
    };
    let of_v2 = |gicd: u64, gicc: u64| {
        let mut root = virt(2);
        root.at("intc@").set("reg", reg(&[(gicd, 0x1000), (gicc, 0x1000)]));
        read(&root).map(|machine| machine.gic)
    };
    let unusable = |what| Err(DeviceTreeError::Unusable(what));
    assert_eq!(of_v3(0x800_0000, 0x80a_0000), Ok(3));
    for off in [1, 2, 4, 0x1000, 0x8000] {
        assert_eq!(of_v3(0x800_0000 + off, 0x80a_0000), unusable("reg of the GIC's distributor"));
        assert_eq!(of_v3(0x800_0000, 0x80a_0000 + off), unusable("reg of the GIC's redistributors"));
    }
    assert_eq!(of_v2(0x800_1000, 0x801_f000), Ok(Gic::V2 { gicd: 0x800_1000, gicc: 0x801_f000 }));
    for off in [1, 2, 4, 0x800] {
        assert_eq!(of_v2(0x800_0000 + off, 0x801_0000), Err(DeviceTreeError::Unusable("reg of the GIC's distributor")));
        let interface = DeviceTreeError::Unusable("reg of the GIC's CPU interface");
        assert_eq!(of_v2(0x800_0000, 0x801_0000 + off), Err(interface));
    }
}

#[test]
fn a_region_in_which_no_redistributor_fits_is_said_to_be_too_small() {
    let with = |bytes: u64| {
        let mut root = virt(3);
        root.at("intc@").set("reg", reg(&[(0x800_0000, 0x1_0000), (0x80a_0000, bytes)]));
        root
    };
    for bytes in [0, 1, 0x1_0000, 0x1_ffff] {
        let said = format!("device tree: a region of GIC redistributors at 0x80a0000 has {bytes} bytes, needs 131072");
        assert_eq!(refusal(&with(bytes)), said);
    }
    assert!(read(&with(0x2_0000)).is_ok());
}

/// The header says which version it has, and how old a reader may be.
#[test]
fn the_version_that_forbids_reading_is_the_one_that_is_named() {
    let with = |version: u32, last_compatible: u32| {
        let mut blob = virt(3).blob(&[]);
        blob[20..28].copy_from_slice(&to_bytes(&[version, last_compatible]));
        Tree::open(&blob).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!((with(17, 16), with(18, 17), with(17, 17)), (Ok(()), Ok(()), Ok(())));
    let said = "device tree: it asks for a reader of format version 18; this one is of version 17";
    assert_eq!([with(17, 18), with(18, 18)], [(); 2].map(|()| Err(said.into())));
    let too_old = with(16, 16).expect_err("version 16 lacks a field that is read");
    assert!(too_old.contains("FDT version 16 is not supported"), "{too_old}");
}
