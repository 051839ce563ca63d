//! Device trees that QEMU does not write: each boots as the machine that it describes, or is refused in one true line.
//!
//! `tests/fuzz/trees.rs` tries what is read out of trees; here is what comes of it on a machine.

use crate::guest::{Ended, Handed, each, virt_tree};
use crate::tree::Node;
use crate::verdict::{FirstLine, Verdict};

const RAM: u64 = 0x4000_0000;
const MIB: u64 = 1 << 20;
/// `msr spsel, #0`.
const SELECT_SP_EL0: u32 = 0xd500_40bf;

/// `reg` with two cells for each address and size.
fn reg(ranges: &[(u64, u64)]) -> Vec<u8> {
    ranges.iter().flat_map(|&(base, size)| [base, size]).flat_map(u64::to_be_bytes).collect()
}

fn memory(at: u64, size: u64) -> Node {
    Node::new(format!("memory@{at:x}")).text("device_type", "memory").bytes("reg", reg(&[(at, size)]))
}

/// Seconds of stress on the CPUs of the first line: interrupts arrive, and nothing is wrong.
#[track_caller]
fn passes(ended: Ended, cpus: u64) -> Verdict {
    let ended = ended.expect_status(0);
    assert_eq!(FirstLine::of(&ended).cpus, cpus, "{}", ended.story());
    let verdict = Verdict::of("stress", &ended);
    assert!(verdict.passed, "{}", ended.story());
    verdict.pairs.expect("irq_holders", |count| count > 0, "more than 0: interrupts arrive");
    verdict
}

/// Pieces that meet inside the image, repeat and overlap, more than there are places for ranges; one that is not there.
#[test]
fn memory_in_many_pieces_is_what_they_cover() {
    let mut tree = virt_tree("virt", 1);
    tree.children.retain(|node| !node.name.starts_with("memory@"));
    const ALL: u64 = 144 * MIB;
    let edges: Vec<u64> = (0..).map(|index| 3 * MIB + 2 * MIB * index).take_while(|edge| *edge < ALL).collect();
    let starts = edges.iter().copied().chain([0]);
    let ends = edges[1..].iter().copied().chain([ALL, edges[0]]);
    let pieces: Vec<Node> = starts.zip(ends).map(|(start, end)| memory(RAM + start, end - start)).collect();
    assert!(pieces.len() > 60);
    tree.children.extend(pieces.into_iter().rev());
    tree.children.push(memory(RAM + ALL / 2, ALL / 2).text("status", "ok"));
    tree.children.push(memory(0x8000_0000, 512 * MIB).text("status", "disabled"));
    let taken = Node::new("taken").bytes("reg", reg(&[(RAM + 100 * MIB, 2 * MIB)])).bytes("no-map", Vec::new());
    let parent = Node::new("reserved-memory").cells("#address-cells", &[2]).cells("#size-cells", &[2]);
    tree.children.push(parent.bytes("ranges", Vec::new()).child(taken));
    let guest = Handed::tree("pieces", &tree).option("-smp", "1").option("-m", "144M");
    let guest = guest.reserving(&[(RAM + 120 * MIB, 4 * MIB)]);
    let ended = guest.clone().boot("selftest only=heap-whole").expect_status(0);
    ended.line_with(&["test: heap-whole ok "]);
    let ended = guest.boot("cmds=mem").expect_status(0);
    let heap = ended.line_with(&["heap ", "KiB", "given"]).split_whitespace().nth(1).expect("a number");
    let mib = heap.parse::<u64>().expect("KiB") >> 10;
    assert!((144 - 6 - 6..144 - 6 - 2).contains(&mib), "{}", ended.story());
}

/// The nodes of CPUs in the other order, and one of the four not to be used: the CPU that boots is number 0.
fn with_cpus_reversed(machine: &str) -> Node {
    let mut tree = virt_tree(machine, 4);
    tree.at("cpus").children.reverse();
    tree.at("cpus").at("cpu@2").set("status", b"fail\0".to_vec());
    tree
}

#[test]
fn cpus_in_another_order_with_a_hole_take_interrupts_of_a_gicv2() {
    let tree = with_cpus_reversed("virt,gic-version=2");
    let guest = Handed::tree("reversed-v2", &tree).option("-M", "virt,gic-version=2");
    passes(guest.boot("stress secs=1 seed=7"), 3);
}

/// SGIs to itself, and the UART's interrupt, arrive at the CPU that boots.
#[test]
fn the_cpu_that_boots_is_not_the_first_of_the_tree_on_a_gicv3() {
    let tree = with_cpus_reversed("virt");
    let verdict = passes(Handed::tree("reversed-v3", &tree).boot("stress secs=1 seed=7 cpus=1"), 1);
    verdict.pairs.expect("softirq_nested", |count| count > 100, "more than 100: SGIs arrive");
    let ended = Handed::tree("reversed-typed", &tree).typing("version\npoweroff\n").boot("cpus=1").expect_status(0);
    assert_eq!(ended.lines().filter(|line| line.contains("aarch64, 1 CPUs")).count(), 2, "{}", ended.story());
}

/// Redistributors in three regions, timers by name, the console by an alias beside a UART that is not there, cells of
/// interrupts that are not three, a clock that is not known.
#[test]
fn regions_names_aliases_and_cells_are_the_trees() {
    let mut tree = virt_tree("virt", 4);
    let gic = tree.at("intc@");
    let regions = [(0x80a_0000, 0x2_0000), (0x80c_0000, 0x4_0000), (0x810_0000, 0xf0_0000)];
    gic.set("reg", [reg(&[(0x800_0000, 0x1_0000)]), reg(&regions)].concat());
    gic.edit(|gic| gic.cells("#redistributor-regions", &[3]).cells("#interrupt-cells", &[4]));
    let names = ["phys", "virt", "hyp-phys"];
    tree.at("timer").edit(|timer| {
        timer.cells("interrupts", &[1, 14, 4, 0, 1, 11, 4, 0, 1, 10, 4, 0]).texts("interrupt-names", &names)
    });
    let uart = |at: u64| {
        let uart = Node::new(format!("pl011@{at:x}")).texts("compatible", &["arm,pl011", "arm,primecell"]);
        uart.bytes("reg", reg(&[(at, 0x1000)])).cells("interrupts", &[0, 1, 4, 0])
    };
    tree.children.retain(|node| !node.name.starts_with("pl011@"));
    tree.children.splice(0..0, [uart(0x905_0000), uart(0x900_0000)]);
    tree.children.push(Node::new("aliases").text("serial0", "/pl011@9000000"));
    tree.at("chosen").edit(|chosen| chosen.text("stdout-path", "serial0:115200n8"));
    passes(Handed::tree("regions", &tree).boot("stress secs=1 seed=7"), 4);
}

#[test]
fn entry_with_the_other_stack_pointer() {
    for machine in ["virt,gic-version=3", "virt,gic-version=3,virtualization=on"] {
        let guest = Handed::tree("spsel", &virt_tree(machine, 2)).option("-M", machine).option("-smp", "2");
        let ended = guest.before(&[SELECT_SP_EL0]).boot("cmds=version").expect_status(0);
        assert_eq!(FirstLine::of(&ended).cpus, 2, "{}", ended.story());
    }
}

/// What is wrong with the tree, or with the machine below it; more options of QEMU's; how the refusal begins.
type Refused = (&'static str, fn(&mut Node), &'static str);

const HVC: &str = "virt,gic-version=3";
const SMC: &str = "virt,gic-version=3,virtualization=on";
const GICV2: &str = "virt,gic-version=2";

fn gicv3_at(tree: &mut Node, gicd: u64) {
    tree.at("intc@").set("reg", reg(&[(gicd, 0x1_0000), (0x80a_0000, 0xf6_0000)]));
}

fn gicv2_at(tree: &mut Node, gicd: u64, gicc: u64) {
    tree.at("intc@").set("reg", reg(&[(gicd, 0x1000), (gicc, 0x1000)]));
}

/// The number of the virtual timer's interrupt among those of a CPU's own.
fn timer_as(tree: &mut Node, number: u32) {
    tree.at("timer").edit(|timer| timer.cells("interrupts", &[1, 13, 4, 1, 14, 4, 1, number, 4, 1, 7, 4]));
}

const REFUSED: &[Refused] = &[
    (HVC, |tree| tree.at("psci").set("method", b"smc\0".to_vec()), "no firmware answers to smc, by which"),
    (SMC, |tree| tree.at("psci").set("method", b"hvc\0".to_vec()), "no firmware answers to hvc, by which"),
    (
        HVC,
        |tree| tree.at("psci").set("method", b"call\0".to_vec()),
        "device tree: it makes no sense in method of /psci",
    ),
    (
        HVC,
        |tree| tree.at("memory@").set("reg", reg(&[(0, 0x6000_0000)])),
        "device tree: the GIC's distributor at 0x8000000 is in memory, 0x0 to 0x60000000",
    ),
    (
        HVC,
        |tree| tree.at("memory@").set("reg", reg(&[(0x5000_0000, 0x1000_0000)])),
        "the device tree's memory does not hold the image at 0x40200000",
    ),
    (
        HVC,
        |tree| tree.at("cpus").children.push(Node::new("cpu@4").cells("reg", &[4])),
        "no GIC redistributor for the CPU with MPIDR 0x4",
    ),
    (
        HVC,
        |tree| tree.at("cpus").at("cpu@0").set("reg", vec![0, 0, 2, 0]),
        "device tree: no CPU whose status is okay has MPIDR 0x0, which the CPU that boots has",
    ),
    (
        HVC,
        |tree| tree.at("pl011@").set("reg", reg(&[(0x905_0000, 0x1000)])),
        "nothing answers where the device tree has its UART: load external abort at address 0x9050fe0",
    ),
    (
        HVC,
        |tree| tree.at("pl011@").set("reg", reg(&[(0x901_0000, 0x1000)])),
        "no PL011 is at 0x9010000, where the device tree has its UART: its part number is 0x31, a PL011's is 0x11",
    ),
    (
        HVC,
        |tree| tree.at("pl011@").set("reg", reg(&[(0x5000_0000, 0x1000)])),
        "device tree: the UART at 0x50000000 is in memory",
    ),
    (
        HVC,
        |tree| tree.at("pl011@").set("reg", reg(&[(0x20_0000_0000, 0x1000)])),
        "nothing answers where the device tree has its UART: load external abort at address 0x2000000fe0",
    ),
    (
        HVC,
        |tree| tree.at("pl011@").set("reg", reg(&[(0x60_0000_0000, 0x1000)])),
        "device tree: the UART at 0x6000000000 cannot be mapped, only what is below 0x6000000000",
    ),
    (
        HVC,
        |tree| tree.at("pl011@").edit(|uart| uart.cells("interrupts", &[0, 900, 4])),
        "the UART's interrupt is 932, and the GIC has 2",
    ),
    (
        GICV2,
        |tree| *tree.at("intc@") = virt_tree(HVC, 4).at("intc@").clone(),
        "nothing answers where the device tree has its GIC: load external abort at address 0x800ffe8",
    ),
    (
        HVC,
        |tree| *tree.at("intc@") = virt_tree(GICV2, 4).at("intc@").clone(),
        "nothing answers where the device tree has its GIC: load external abort at address 0x80100fc",
    ),
    (
        HVC,
        |tree| {
            let taken = Node::new("taken").bytes("reg", reg(&[(RAM + 3 * MIB, MIB)]));
            let parent = Node::new("reserved-memory").cells("#address-cells", &[2]).cells("#size-cells", &[2]);
            tree.children.push(parent.child(taken));
        },
        "the image at 0x40200000 to 0x4",
    ),
    (HVC, |tree| tree.children.retain(|node| !node.name.starts_with("timer")), "device tree: it lacks /timer"),
    (
        HVC,
        |tree| tree.at("intc@").edit(|gic| gic.cells("redistributor-stride", &[0, 4])),
        "device tree: it makes no sense in redistributor-stride of the GIC",
    ),
    (
        HVC,
        |tree| tree.at("intc@").set("status", b"disabled\0".to_vec()),
        "device tree: it has a GICv2 or GICv3, but with a status other than okay",
    ),
    (
        HVC,
        |tree| tree.at("intc@").set("compatible", b"arm,gic-v9\0".to_vec()),
        "device tree: it lacks a GICv2 or GICv3",
    ),
    (
        HVC,
        |tree| tree.children.push(memory(0x8000_0000, 256 * MIB)),
        "nothing answers where the device tree has memory, 0x80000000 to 0x90000000: \
         load external abort at address 0x80000000",
    ),
    (
        HVC,
        |tree| tree.at("memory@").set("reg", reg(&[(RAM, 1024 * MIB)])),
        "nothing answers where the device tree has memory, 0x40000000 to 0x80000000: \
         load external abort at address 0x60000000",
    ),
    (
        HVC,
        |tree| tree.at("memory@").set("reg", reg(&[(RAM, 1 << 40)])),
        "nothing answers where the device tree has memory, 0x40000000 to 0x10040000000: load external abort at",
    ),
    (
        HVC,
        |tree| tree.at("memory@").set("reg", reg(&[(RAM, u64::MAX - RAM)])),
        "nothing answers where the device tree has memory, 0x40000000 to 0xffffffffffffffff: load external abort at",
    ),
    (
        HVC,
        |tree| tree.children.push(memory(0, 128 * MIB)),
        "no memory is at 0x1000, where the device tree has it, 0x0 to 0x8000000",
    ),
    (HVC, |tree| gicv3_at(tree, 0x808_0000), "no distributor of a GICv3 is at 0x8080000, where the device tree has it"),
    (HVC, |tree| gicv3_at(tree, 0x80a_0000), "no distributor of a GICv3 is at 0x80a0000, where the device tree has it"),
    (HVC, |tree| gicv3_at(tree, 0x100_0000), "no distributor of a GICv3 is at 0x1000000, where the device tree has it"),
    (
        HVC,
        |tree| gicv3_at(tree, 0x900_0000),
        "nothing answers where the device tree has its GIC: load external abort at address 0x900ffe8",
    ),
    (
        GICV2,
        |tree| gicv2_at(tree, 0x801_0000, 0x801_0000),
        "no distributor of a GICv2 is at 0x8010000, where the device tree has it",
    ),
    (
        GICV2,
        |tree| gicv2_at(tree, 0x100_0000, 0x801_0000),
        "no distributor of a GICv2 is at 0x1000000, where the device tree has it",
    ),
    (
        GICV2,
        |tree| gicv2_at(tree, 0x800_0000, 0x900_0000),
        "no CPU interface of a GICv2 is at 0x9000000, where the device tree has it",
    ),
    (HVC, |tree| timer_as(tree, 9), "the virtual timer's interrupt is 27, and the device tree says that it is 25"),
    (GICV2, |tree| timer_as(tree, 10), "the virtual timer's interrupt is 27, and the device tree says that it is 26"),
];

#[test]
fn what_is_wrong_with_a_tree_is_one_true_line_and_status_2() {
    let boot = |(index, (machine, edit, said)): (usize, &Refused)| {
        let mut tree = virt_tree(machine, 4);
        edit(&mut tree);
        let ended = Handed::tree(&format!("refused-{index}"), &tree).option("-M", machine).boot("cmds=version");
        let lines = ended.lines().count() + ended.errors.lines().count();
        let is_right = ended.status == 2 && lines == 1 && ended.refusal().starts_with(said);
        (!is_right).then(|| format!("not `{said}`: status {}, {lines} lines, {}", ended.status, ended.story()))
    };
    let wrong: Vec<String> = each(REFUSED.iter().enumerate(), boot).into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{} of {} are wrong:\n{}", wrong.len(), REFUSED.len(), wrong.join("\n"));
}

/// Legal trees of one machine: what QEMU says of it in other orders, pieces and words. Each seed is a tree.
#[test]
fn a_tree_that_says_the_same_in_another_way_boots() {
    let boot = |seed: u64| {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut below = move |n: u64| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 8) % n
        };
        let mut tree = virt_tree("virt", 4);
        let cpus = tree.at("cpus");
        let mut nr_cpus = 0;
        for cpu in cpus.children.iter_mut().filter(|node| node.name.starts_with("cpu@")) {
            let status = ["okay\0", "ok\0", "disabled\0"][below(if cpu.name == "cpu@0" { 2 } else { 3 }) as usize];
            nr_cpus += u64::from(status.starts_with('o'));
            cpu.set("status", status.into());
        }
        let middle = below(cpus.children.len() as u64) as usize;
        cpus.children.rotate_left(middle);
        tree.children.retain(|node| !node.name.starts_with("memory@"));
        let cuts = [0, 1 + below(100), 101 + below(100), 201 + below(311), 512];
        for two in cuts.windows(2) {
            let overlap = below(two[0] + 1);
            tree.children.push(memory(RAM + (two[0] - overlap) * MIB, (two[1] - two[0] + overlap) * MIB));
        }
        tree.children.push(memory(RAM + 0x1_0000_0000 * below(3), 1024 * MIB).text("status", "disabled"));
        let first = 0x2_0000 * (1 + below(3));
        let rest = (0x80a_0000 + first, 0xf6_0000 - first);
        let gic = tree.at("intc@");
        gic.set("reg", reg(&[(0x800_0000, 0x1_0000), (0x80a_0000, first), rest]));
        gic.edit(|gic| gic.cells("#redistributor-regions", &[2]));
        let middle = below(tree.children.len() as u64) as usize;
        tree.children.rotate_left(middle);
        let ended = Handed::tree(&format!("same-{seed}"), &tree).boot("cmds=mem");
        let heap = ended.lines().find(|line| line.starts_with("heap ")).and_then(|line| line.split_whitespace().nth(1));
        let mib = heap.and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) >> 10;
        let is_right = ended.status == 0 && FirstLine::of(&ended).cpus == nr_cpus && (500..512).contains(&mib);
        (!is_right).then(|| format!("seed {seed}, {nr_cpus} CPUs, heap of {mib} MiB: {}", ended.story()))
    };
    let wrong: Vec<String> = each(1..=8, boot).into_iter().flatten().collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
