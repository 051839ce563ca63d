//! Legal trees, drawn: every order, status, number of cells, region, alias and name that the specification allows, and
//! what the machine is that each describes.

use super::choices::Choices;
use super::tree::Node;
use std::collections::BTreeSet;
use std::ops::Range;

/// The unit in which memory is drawn, where it begins, and how much there may be.
pub(crate) const UNIT: u64 = 8 << 20;
pub(crate) const RAM: u64 = 0x4000_0000;
pub(crate) const UNITS: usize = 64;
const INTERRUPT_LEVEL: u32 = 4;
const CLOCK_HZ: u32 = 24_000_000;
/// Where the GIC's parts and the UARTs are: those of one device do not touch those of another.
const GICD: u64 = 0x800_0000;
const GICC: u64 = 0x801_0000;
const GICR: u64 = 0x80a_0000;
const UART: u64 = 0x900_0000;

/// What a legal tree says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Says {
    pub(crate) boot_mpidr: u64,
    /// The CPU that boots, then the others that are okay.
    pub(crate) mpidrs: Vec<u64>,
    /// Numbers of units, from `RAM` on.
    pub(crate) memory: BTreeSet<u64>,
    pub(crate) reserved: BTreeSet<u64>,
    pub(crate) unmapped: BTreeSet<u64>,
    pub(crate) gic: u32,
    pub(crate) regions: Vec<Range<u64>>,
    pub(crate) stride: Option<u64>,
    pub(crate) uart: u64,
    pub(crate) uart_interrupt: u32,
    pub(crate) clock_hz: Option<u32>,
    pub(crate) method: String,
    pub(crate) timer: u32,
    pub(crate) physical_timer: u32,
    pub(crate) bootargs: String,
}

/// A tree, its memory reservations, and what it says.
#[derive(Clone, Debug, Default)]
pub(crate) struct Legal {
    pub(crate) root: Node,
    pub(crate) reservations: Vec<(u64, u64)>,
    pub(crate) says: Says,
}

impl Legal {
    pub(crate) fn blob(&self) -> Vec<u8> {
        self.root.blob(&self.reservations)
    }
}

/// A status, and whether it is okay.
fn status(choices: &mut Choices<'_>, node: Node, is_okay: bool) -> Node {
    match (is_okay, choices.below(3)) {
        (true, 0) => node,
        (true, 1) => node.text("status", "okay"),
        (true, _) => node.text("status", "ok"),
        (false, which) => node.text("status", ["disabled", "fail", "fail-sss"][which]),
    }
}

/// Addresses and sizes in so many cells each.
#[derive(Clone, Copy)]
struct Cells {
    address: u32,
    size: u32,
}

impl Cells {
    fn of(self, node: Node) -> Node {
        node.cells("#address-cells", &[self.address]).cells("#size-cells", &[self.size])
    }

    fn reg(self, ranges: &[(u64, u64)]) -> Vec<u8> {
        let number = |number: u64, cells: u32| number.to_be_bytes()[8 - 4 * cells as usize..].to_vec();
        ranges.iter().flat_map(|&(base, size)| [number(base, self.address), number(size, self.size)].concat()).collect()
    }
}

pub(crate) fn draw(choices: &mut Choices<'_>) -> Legal {
    let cells = Cells { address: choices.of(&[2, 1]), size: choices.of(&[2, 1]) };
    let mut legal = Legal { root: cells.of(Node::default()), ..Legal::default() };
    let mut nodes = vec![cpus(choices, &mut legal.says)];
    memory(choices, cells, &mut legal.says, &mut nodes);
    reserved(choices, cells, &mut legal, &mut nodes);
    let interrupt_cells = gic(choices, cells, &mut legal.says, &mut nodes);
    uarts(choices, cells, interrupt_cells, &mut legal.says, &mut nodes);
    timer(choices, interrupt_cells, &mut legal.says, &mut nodes);
    psci(choices, &mut legal.says, &mut nodes);
    choices.shuffle(&mut nodes);
    legal.root.children = nodes;
    legal
}

fn cpus(choices: &mut Choices<'_>, says: &mut Says) -> Node {
    let is_wide = choices.one_in(2);
    let mut parent = Node::new("cpus").cells("#address-cells", &[1 + u32::from(is_wide)]).cells("#size-cells", &[0]);
    // Holes in each field, and no two alike.
    let mut mpidrs = BTreeSet::new();
    for _ in 0..1 + choices.below(12) {
        let aff3 = if is_wide { choices.below(3) as u64 } else { 0 };
        let [aff2, aff1, aff0] = [2, 4, 16].map(|end| choices.below(end) as u64);
        mpidrs.insert(aff3 << 32 | aff2 << 16 | aff1 << 8 | aff0);
    }
    let mut mpidrs: Vec<u64> = mpidrs.into_iter().collect();
    choices.shuffle(&mut mpidrs);
    let boot = mpidrs[choices.below(mpidrs.len())];
    (says.boot_mpidr, says.mpidrs) = (boot, vec![boot]);
    for mpidr in mpidrs {
        let is_okay = mpidr == boot || !choices.one_in(4);
        if is_okay && mpidr != boot {
            says.mpidrs.push(mpidr);
        }
        let reg = mpidr.to_be_bytes()[if is_wide { 0 } else { 4 }..].to_vec();
        let cpu = Node::new(format!("cpu@{mpidr:x}")).text("device_type", "cpu").bytes("reg", reg);
        parent.children.push(status(choices, cpu, is_okay));
        if choices.one_in(8) {
            parent.children.push(Node::new(format!("l2-cache{}", parent.children.len())));
        }
    }
    parent.child(Node::new("cpu-map").child(Node::new("cluster0")))
}

/// A range of units of memory.
fn units(choices: &mut Choices<'_>, most: usize) -> Range<u64> {
    let start = choices.below(UNITS) as u64;
    start..(start + choices.below(most) as u64).min(UNITS as u64)
}

fn in_bytes(units: &Range<u64>) -> (u64, u64) {
    (RAM + units.start * UNIT, (units.end - units.start) * UNIT)
}

/// Ranges of several nodes that overlap, repeat, touch and are empty; some nodes do not count.
fn memory(choices: &mut Choices<'_>, cells: Cells, says: &mut Says, nodes: &mut Vec<Node>) {
    let all = 0..(UNITS - choices.below(UNITS - 4)) as u64;
    for index in 0..1 + choices.below(16) {
        let is_okay = index == 0 || !choices.one_in(4);
        let mut ranges = vec![if index == 0 { all.clone() } else { units(choices, UNITS) }];
        if choices.one_in(3) {
            ranges.push(units(choices, 10));
        }
        if is_okay {
            says.memory.extend(ranges.iter().cloned().flatten());
        }
        let ranges: Vec<_> = ranges.iter().map(in_bytes).collect();
        let node = Node::new(format!("memory@{:x}{index}", ranges[0].0)).text("device_type", "memory");
        nodes.push(status(choices, node.bytes("reg", cells.reg(&ranges)), is_okay));
    }
}

fn reserved(choices: &mut Choices<'_>, cells: Cells, legal: &mut Legal, nodes: &mut Vec<Node>) {
    for _ in 0..choices.below(4) {
        let range = units(choices, 4);
        legal.reservations.push(in_bytes(&range));
        legal.says.reserved.extend(range);
    }
    // An empty one with the base 0 would end the list.
    let mut parent = cells.of(Node::new("reserved-memory")).bytes("ranges", Vec::new());
    for index in 0..choices.below(5) {
        let mut node = Node::new(format!("taken{index}"));
        let (range, is_okay) = (units(choices, 4), !choices.one_in(4));
        let is_mapped = !choices.one_in(3);
        if !is_mapped {
            node = node.bytes("no-map", Vec::new());
        }
        if choices.one_in(5) {
            // It only wishes for room.
            parent.children.push(node.bytes("size", cells.reg(&[(0, UNIT)])[4 * cells.address as usize..].to_vec()));
            continue;
        }
        if is_okay {
            legal.says.reserved.extend(range.clone());
            legal.says.unmapped.extend(range.clone().filter(|_| !is_mapped));
        }
        parent.children.push(status(choices, node.bytes("reg", cells.reg(&[in_bytes(&range)])), is_okay));
    }
    if choices.one_in(2) || !parent.children.is_empty() {
        nodes.push(parent);
    }
}

/// Returns the cells of an interrupt.
fn gic(choices: &mut Choices<'_>, cells: Cells, says: &mut Says, nodes: &mut Vec<Node>) -> u32 {
    says.gic = choices.of(&[3, 2]);
    let node = Node::new("intc@8000000").bytes("interrupt-controller", Vec::new()).cells("phandle", &[0x8002]);
    let (node, interrupt_cells) = match says.gic {
        2 => {
            let compatible = choices.of(&["arm,cortex-a15-gic", "arm,gic-400"]);
            (node.text("compatible", compatible).bytes("reg", cells.reg(&[(GICD, 0x1_0000), (GICC, 0x1_0000)])), 3)
        }
        _ => {
            let mut at = GICR;
            for _ in 0..1 + choices.below(3) {
                let bytes = 0x2_0000 * (1 + choices.below(8) as u64);
                says.regions.push(at..at + bytes);
                at += bytes + 0x2_0000 * choices.below(3) as u64;
            }
            let regions = says.regions.iter().map(|region| (region.start, region.end - region.start));
            let reg: Vec<_> = [(GICD, 0x1_0000)].into_iter().chain(regions).collect();
            let mut node = node.texts("compatible", &["arm,gic-v3"]).bytes("reg", cells.reg(&reg));
            if says.regions.len() > 1 || choices.one_in(2) {
                node = node.cells("#redistributor-regions", &[says.regions.len() as u32]);
            }
            if choices.one_in(4) {
                says.stride = Some(0x4_0000);
                node = node.cells("redistributor-stride", &[0, 0x4_0000]);
            }
            (node, choices.of(&[3, 4]))
        }
    };
    nodes.push(status(choices, node.cells("#interrupt-cells", &[interrupt_cells]), true));
    if choices.one_in(4) {
        let other = Node::new("intc@1000").text("compatible", choices.of(&["arm,gic-v3", "arm,gic-400"]));
        nodes.push(status(choices, other, false));
    }
    interrupt_cells
}

/// `interrupts`, or `interrupts-extended`: kind and number of each.
fn interrupts(choices: &mut Choices<'_>, node: Node, cells: u32, interrupts: &[(u32, u32)]) -> Node {
    let is_extended = choices.one_in(3);
    let one = |(kind, number): &(u32, u32)| {
        let parent = is_extended.then_some(0x8002);
        let more = (3..cells).map(|_| 0);
        parent.into_iter().chain([*kind, *number, INTERRUPT_LEVEL]).chain(more).collect::<Vec<u32>>()
    };
    let all: Vec<u32> = interrupts.iter().flat_map(one).collect();
    node.cells(if is_extended { "interrupts-extended" } else { "interrupts" }, &all)
}

fn uarts(choices: &mut Choices<'_>, cells: Cells, interrupt_cells: u32, says: &mut Says, nodes: &mut Vec<Node>) {
    let mut uarts = Vec::new();
    for index in 0..1 + choices.below(3) as u32 {
        let base = UART + 0x1_0000 * u64::from(index);
        let (number, is_okay) = (index + choices.below(900) as u32, index == 0 || !choices.one_in(3));
        let clock = choices.of(&[Some(1), Some(2), None]);
        let mut node = Node::new(format!("pl011@{base:x}")).texts("compatible", &["arm,pl011", "arm,primecell"]);
        node = interrupts(choices, node, interrupt_cells, &[(0, number)]).bytes("reg", cells.reg(&[(base, 0x1000)]));
        if let Some(clock) = clock {
            node = node.cells("clocks", &[clock, clock]);
        }
        uarts.push((base, number + 32, clock.map(|_| CLOCK_HZ), is_okay, status(choices, node, is_okay)));
    }
    choices.shuffle(&mut uarts);
    let fixed =
        |name: &str, phandle| Node::new(name).cells("clock-frequency", &[CLOCK_HZ]).cells("phandle", &[phandle]);
    nodes.extend([fixed("apb-pclk", 1), Node::new("clocks").child(fixed("uartclk", 2))]);
    let mut chosen = Node::new("chosen");
    let named = uarts[choices.below(uarts.len())].clone();
    let options = choices.of(&["", ":115200n8", ":"]);
    let (path, is_named) = match choices.below(6) {
        0 => (None, false),
        1 => (Some(format!("/pl011@{:x}{options}", named.0)), true),
        2..=3 => {
            nodes.push(
                Node::new("aliases").text("serial7", "/nowhere").text("console", &format!("/pl011@{:x}", named.0)),
            );
            (Some(format!("console{options}")), true)
        }
        4 => (Some(format!("serial0{options}")), false),
        _ => (Some(format!("/soc/pl011@9000000{options}")), false),
    };
    if let Some(path) = path {
        chosen = chosen.text("stdout-path", &path);
    }
    if !choices.one_in(4) {
        says.bootargs = format!("shell seed={}", choices.below(1000));
        chosen = chosen.text("bootargs", &says.bootargs);
    }
    nodes.push(chosen);
    // Where the tree names none that is okay, it is the first: in the order that the shuffle has left, below.
    let first = uarts.iter().find(|uart| uart.3).expect("one is okay");
    let (base, interrupt, clock_hz, ..) = if is_named && named.3 { &named } else { first };
    (says.uart, says.uart_interrupt, says.clock_hz) = (*base, *interrupt, *clock_hz);
    match is_named && named.3 {
        true => nodes.extend(uarts.into_iter().map(|uart| uart.4)),
        // The shuffle of all nodes may put another in front.
        false => nodes.extend(uarts.iter().filter(|uart| !uart.3 || uart.0 == *base).map(|uart| uart.4.clone())),
    }
}

fn timer(choices: &mut Choices<'_>, interrupt_cells: u32, says: &mut Says, nodes: &mut Vec<Node>) {
    // By their places: secure, physical, virtual, hypervisor.
    let numbers = [13, 14, 11, 10].map(|number| (number + choices.below(2) as u32 * 2) % 16);
    let mut named = [(numbers[0], "sec-phys"), (14, "phys"), (11, "virt"), (numbers[3], "hyp-phys")];
    (says.timer, says.physical_timer) = (16 + 11, 16 + 14);
    let mut node = Node::new("timer").texts("compatible", &["arm,armv8-timer", "arm,armv7-timer"]);
    let mut nr_named = named.len();
    if choices.one_in(2) {
        choices.shuffle(&mut named);
        // The secure one may be missing.
        if choices.one_in(2) {
            named.sort_by_key(|(_, name)| *name == "sec-phys");
            nr_named -= 1;
        }
        let names: Vec<&str> = named[..nr_named].iter().map(|(_, name)| *name).collect();
        node = node.texts("interrupt-names", &names);
    }
    let numbers: Vec<_> = named[..nr_named].iter().map(|(number, _)| (1, *number)).collect();
    nodes.push(interrupts(choices, node, interrupt_cells, &numbers));
}

fn psci(choices: &mut Choices<'_>, says: &mut Says, nodes: &mut Vec<Node>) {
    says.method = choices.of(&["hvc", "smc"]).to_owned();
    let compatible = choices.of(&[&["arm,psci-1.0", "arm,psci-0.2", "arm,psci"][..], &["arm,psci-0.2"][..]]);
    let node = Node::new("psci").texts("compatible", compatible).text("method", &says.method);
    nodes.push(status(choices, node, true));
    if choices.one_in(4) {
        let other = Node::new("psci-off").text("compatible", "arm,psci-1.0").text("method", "smc");
        nodes.push(status(choices, other, false));
    }
}

/// What a union of ranges has of the units: the numbers of all, if it is made of whole ones.
pub(crate) fn in_units(ranges: &[Range<u64>]) -> Option<BTreeSet<u64>> {
    let is_whole = |at: u64| at >= RAM && (at - RAM).is_multiple_of(UNIT);
    let is_apart = ranges.windows(2).all(|two| two[0].end < two[1].start);
    let are_whole = ranges.iter().all(|range| is_whole(range.start) && is_whole(range.end) && !range.is_empty());
    let numbers = ranges.iter().flat_map(|range| (range.start - RAM) / UNIT..(range.end - RAM) / UNIT);
    (is_apart && are_whole).then(|| numbers.collect())
}
