//! Device trees that are legal are read as the machine they describe; with one thing wrong they are refused for that.
//!
//! `HOLDOUT_FUZZ_CASES=1000000 cargo test --test fuzz made::` tries a million of each.

use std::collections::BTreeSet;
use std::ops::Range;

use holdout::platform::devicetree::{Conduit, Gic, MAX_CPUS, Machine, Tree};
use holdout::platform::layout::{Layout, LayoutError, Place, devices};

use crate::harness::{Dice, Taken, hold};
use crate::trees::choices::Choices;
use crate::trees::legal::{Legal, RAM, UNIT, UNITS, draw, in_units};
use crate::trees::tree::Node;

pub(crate) const CASES: u64 = 20_000;

/// As many choices as the largest tree has.
const CHOICES: usize = 400;
const PAGE: usize = 4096;
/// Where boot's table and the kernel's own end, as `arch` has them.
const REACH: Range<usize> = 1 << 30..16 << 30;
const END: usize = 0x60_0000_0000;

fn choices(dice: &mut Dice) -> Vec<u16> {
    (0..CHOICES).map(|_| dice.below(1 << 16) as u16).collect()
}

fn read(legal: &Legal) -> Result<Machine, String> {
    let blob = legal.blob();
    let tree = Tree::open(&blob).map_err(|error| error.to_string())?;
    tree.machine(legal.says.boot_mpidr | 1 << 31).map_err(|error| error.to_string())
}

/// What is not as the tree says.
fn differences(legal: &Legal, machine: &Machine) -> Vec<String> {
    let says = &legal.says;
    let mut wrong = Vec::new();
    let mut compare = |what: &str, is_right: bool| {
        if !is_right {
            wrong.push(format!("{what}: the tree says {says:?}, and read is {machine:?}"));
        }
    };
    let mpidrs: Vec<u64> = machine.cpus.iter().map(|cpu| cpu.mpidr).collect();
    compare("cpus", mpidrs == says.mpidrs[..says.mpidrs.len().min(MAX_CPUS)]);
    compare("cpus_in_tree", machine.cpus_in_tree == says.mpidrs.len());
    compare("memory", in_units(&machine.memory).as_ref() == Some(&says.memory));
    compare("reserved", in_units(&machine.reserved).as_ref() == Some(&says.reserved));
    compare("unmapped", in_units(&machine.unmapped).as_ref() == Some(&says.unmapped));
    compare("gic", machine.gic.version() == says.gic);
    if let Gic::V3 { gicr, .. } = &machine.gic {
        compare("regions", gicr.regions[..] == says.regions[..] && gicr.stride == says.stride);
    }
    let uart = machine.uart;
    compare("uart", (uart.base, uart.interrupt, uart.clock_hz) == (says.uart, says.uart_interrupt, says.clock_hz));
    compare("psci", machine.psci.as_str() == says.method && [Conduit::Hvc, Conduit::Smc].contains(&machine.psci));
    compare("timers", (machine.timer, machine.physical_timer) == (says.timer, says.physical_timer));
    compare("bootargs", *machine.bootargs == *says.bootargs);
    wrong
}

/// Where the image and the tree may be, in these choices: the image is one unit.
fn place(choices: &mut Choices<'_>) -> Place {
    let at = |unit: usize| RAM as usize + unit * UNIT as usize;
    let (image, tree) = (at(1 + choices.below(38)), at(choices.below(30)) + 8 * choices.below(512));
    Place { image: image..image + UNIT as usize, tree: tree..tree + 7000, page: PAGE, reach: REACH, end: END }
}

/// What is wrong with how RAM is shared out.
fn unshared(legal: &Legal, machine: &Machine, place: &Place, layout: &Layout<'_>) -> Vec<String> {
    let says = &legal.says;
    let unit_of = |at: usize| (at as u64 - RAM) / UNIT;
    let units = |range: &Range<usize>| unit_of(range.start)..unit_of(range.end - 1) + 1;
    let overlap = |a: &Range<usize>, b: &Range<usize>| a.start < b.end && b.start < a.end;
    let (free, mapped): (Vec<_>, Vec<_>) = (layout.free().collect(), layout.mapped().collect());
    let mut wrong = Vec::new();
    for range in &free {
        let in_ram = units(range).all(|unit| says.memory.contains(&unit) && !says.reserved.contains(&unit));
        let is_mapped = mapped.iter().any(|mapped| mapped.start <= range.start && range.end <= mapped.end);
        let ours = [&place.image, &place.tree, &layout.tables];
        let is_free = !ours.into_iter().any(|owned| overlap(owned, range));
        let is_whole = range.start.is_multiple_of(PAGE) && range.end.is_multiple_of(PAGE) && !range.is_empty();
        if !(in_ram && is_mapped && is_free && is_whole) {
            wrong.push(format!("{range:x?} is given away"));
        }
    }
    if !free.windows(2).all(|two| two[0].end <= two[1].start) {
        wrong.push(format!("twice the same, or no order: {free:x?}"));
    }
    let may_be_mapped = |unit: u64| says.memory.contains(&unit) && !says.unmapped.contains(&unit);
    if !mapped.iter().all(|range| units(range).all(may_be_mapped) && !overlap(range, &place.image)) {
        wrong.push(format!("mapped: {mapped:x?}"));
    }
    let of_mapped: BTreeSet<u64> = mapped.iter().flat_map(units).collect();
    let of_image: BTreeSet<u64> = units(&place.image).collect();
    if (0..UNITS as u64).any(|unit| may_be_mapped(unit) && !of_mapped.contains(&unit) && !of_image.contains(&unit)) {
        wrong.push(format!("left out: {mapped:x?}"));
    }
    let has_image = of_image.iter().all(|unit| says.memory.contains(unit) && !says.reserved.contains(unit));
    let free_bytes: usize = free.iter().map(|range| range.len()).sum();
    if !has_image || free_bytes < 48 << 20 {
        wrong.push(format!("room for the image at {:x?}, and {free_bytes} bytes more", place.image));
    }
    let are_tables_there = mapped.iter().any(|range| overlap(range, &layout.tables));
    if !are_tables_there || devices(machine).count() < 3 {
        wrong.push(format!("tables at {:x?}", layout.tables));
    }
    wrong
}

#[test]
fn a_legal_tree_is_read_as_what_it_says() {
    hold("legal trees", CASES, choices, |choices| {
        let mut choices = Choices::new(choices);
        let legal = draw(&mut choices);
        let machine = read(&legal).map_err(|error| format!("refused: {error}"))?;
        let place = place(&mut choices);
        let mut wrong = differences(&legal, &machine);
        // Some are refused for lack of room, so that both ways are tried.
        let taken = match Layout::plan(&machine, place.clone()) {
            Ok(layout) => {
                wrong.extend(unshared(&legal, &machine, &place, &layout));
                Taken::Accepted
            }
            Err(error) => {
                wrong.extend(untrue(&legal, &place, &error));
                Taken::Refused
            }
        };
        if wrong.is_empty() { Ok(taken) } else { Err(wrong.join("\n")) }
    });
}

/// Whether the reason for which there is no room is none.
fn untrue(legal: &Legal, place: &Place, error: &LayoutError) -> Option<String> {
    let (memory, reserved) = (&legal.says.memory, &legal.says.reserved);
    let first = (place.image.start as u64 - RAM) / UNIT;
    let mut image = first..first + 1;
    let free = memory.difference(reserved).count() as u64 * UNIT;
    let is_true = match error {
        LayoutError::ImageOutside { .. } => !image.all(|unit| memory.contains(&unit)),
        LayoutError::ImageReserved { .. } => image.any(|unit| reserved.contains(&unit)),
        LayoutError::TooLittle { bytes } => *bytes as u64 == memory.len() as u64 * UNIT && *bytes < 64 << 20,
        LayoutError::TooLittleFree { bytes } => (*bytes as u64) < free && *bytes < 48 << 20,
        LayoutError::NoRoomForTables { .. } => free < 64 << 20,
        // No device of these trees is in RAM, or high up.
        LayoutError::DeviceInMemory { .. } | LayoutError::DeviceTooHigh { .. } => false,
    };
    let text = error.to_string();
    let is_plain = !text.contains(char::is_control) && text.len() < 160;
    (!is_true || !is_plain).then(|| format!("an untrue reason: {text}"))
}

/// One thing that is wrong with a tree, and what the refusal says. The tree is legal before.
type Illness = (&'static str, fn(&mut Legal, &mut Choices<'_>));

fn child<'a>(legal: &'a mut Legal, start: &str) -> &'a mut Node {
    legal.root.at(start)
}

/// Leaves the child out.
fn drop_child(legal: &mut Legal, start: &str) {
    legal.root.children.retain(|child| !child.name.starts_with(start));
}

fn turn_off(legal: &mut Legal, start: &str) {
    let nodes = legal.root.children.iter_mut().filter(|child| child.name.starts_with(start));
    nodes.for_each(|node| node.set("status", b"disabled\0".to_vec()));
}

/// The CPU that boots.
fn boot_cpu(legal: &mut Legal) -> &mut Node {
    let name = format!("cpu@{:x}", legal.says.boot_mpidr);
    let mut all = child(legal, "cpus").children.iter_mut();
    all.find(|cpu| cpu.name == name).expect("the CPU that boots")
}

const ILLNESSES: &[Illness] = &[
    ("no CPU whose status is okay has MPIDR", |legal, _| boot_cpu(legal).set("status", b"disabled\0".to_vec())),
    ("no CPU whose status is okay has MPIDR", |legal, _| legal.says.boot_mpidr |= 0xff_0000),
    ("two of its CPUs have MPIDR", |legal, _| {
        let again = boot_cpu(legal).clone();
        child(legal, "cpus").children.push(again);
    }),
    ("makes no sense in reg of a CPU", |legal, _| boot_cpu(legal).set("reg", vec![0x80; 7])),
    ("lacks reg of a CPU", |legal, _| boot_cpu(legal).properties.retain(|(name, _)| name != "reg")),
    ("lacks /cpus/cpu", |legal, _| child(legal, "cpus").children.clear()),
    ("lacks /cpus", |legal, _| drop_child(legal, "cpus")),
    ("lacks /memory", |legal, _| drop_child(legal, "memory@")),
    ("has /memory, but with a status other than okay", |legal, _| turn_off(legal, "memory@")),
    ("makes no sense in reg of /memory", |legal, _| {
        let banks = legal.root.children.iter_mut().filter(|node| node.name.starts_with("memory@"));
        banks.for_each(|bank| bank.set("reg", vec![0; 2]));
    }),
    ("lacks a GICv2 or GICv3", |legal, _| drop_child(legal, "intc@")),
    ("has a GICv2 or GICv3, but with a status", |legal, _| turn_off(legal, "intc@")),
    ("lacks reg of the GIC's", |legal, _| {
        let half = legal.root.children.iter_mut().find(|node| node.name == "intc@8000000").expect("the GIC");
        let reg = half.properties.iter_mut().find(|(name, _)| name == "reg").expect("its reg");
        reg.1.truncate(reg.1.len() / 2 / 2);
        half.properties.retain(|(name, _)| name != "#redistributor-regions");
        // Two or more ranges: less than one of them is no range, and that is another refusal.
        let cells: usize = legal.root.properties.iter().map(|(_, cells)| usize::from(cells[3])).sum();
        let reg = child(legal, "intc@8000000").properties.iter_mut().find(|(name, _)| name == "reg");
        reg.expect("its reg").1.resize(4 * cells, 0);
    }),
    ("lacks a PL011 UART", |legal, _| drop_child(legal, "pl011@")),
    ("has a PL011 UART, but with a status", |legal, _| turn_off(legal, "pl011@")),
    ("makes no sense in interrupts of the UART", |legal, choices| {
        let kind = choices.of(&[1, 2, 0xffff]);
        let (number, uarts) = (choices.below(16) as u32, legal.root.children.iter_mut());
        uarts.filter(|node| node.name.starts_with("pl011@")).for_each(|node| {
            node.properties.retain(|(name, _)| name != "interrupts-extended");
            node.edit(|node| node.cells("interrupts", &[kind, number, 4, 0]));
        });
    }),
    ("lacks /timer", |legal, _| drop_child(legal, "timer")),
    ("lacks virt in interrupt-names", |legal, _| {
        child(legal, "timer").edit(|timer| timer.texts("interrupt-names", &["phys", "virtual", "hyp-phys", "virt2"]));
    }),
    ("makes no sense in the virtual timer", |legal, _| {
        let timer = child(legal, "timer");
        timer.properties.retain(|(name, _)| !name.starts_with("interrupt"));
        timer.edit(|timer| timer.cells("interrupts", &[0; 16]));
    }),
    ("lacks /psci of version 0.2", |legal, _| drop_child(legal, "psci")),
    ("has /psci of version 0.2 or later, but with a status", |legal, _| {
        turn_off(legal, "psci");
        legal.root.children.retain(|child| child.name != "psci-off");
    }),
    ("makes no sense in method of /psci", |legal, _| {
        legal.root.children.retain(|child| child.name != "psci-off");
        child(legal, "psci").set("method", b"call\0".to_vec());
    }),
    ("makes no sense in bootargs", |legal, _| child(legal, "chosen").set("bootargs", vec![0xff, 0])),
    ("bytes of boot arguments; at most 1024", |legal, choices| {
        let bytes = 1025 + choices.below(3000);
        child(legal, "chosen").set("bootargs", [vec![b'a'; bytes], vec![0]].concat());
    }),
    ("more than 32 separate ranges of reserved memory", |legal, _| {
        legal.reservations = (0..40).map(|index| (RAM + 2 * index * UNIT, UNIT)).collect();
        drop_child(legal, "reserved-memory");
    }),
];

#[test]
fn a_tree_with_one_thing_wrong_is_refused_for_that() {
    let name = "illegal trees";
    hold(name, CASES, choices, |choices| {
        let mut choices = Choices::new(choices);
        let mut legal = draw(&mut choices);
        // One in eight stays as it is: it must be read.
        let is_ill = !choices.one_in(8);
        let (said, make_ill) = ILLNESSES[choices.below(ILLNESSES.len())];
        if is_ill {
            make_ill(&mut legal, &mut choices);
        }
        match (read(&legal), is_ill) {
            (Ok(_), false) => Ok(Taken::Accepted),
            (Ok(machine), true) => Err(format!("`{said}` is what it is, and read is {machine:?}")),
            (Err(text), _) if text.starts_with("device tree: ") && text.contains(said) => Ok(Taken::Refused),
            (Err(text), _) => Err(format!("`{said}` is what it is, and said is `{text}`")),
        }
    });
}
