//! Device trees: those that QEMU wrote, damaged. Any bytes are read or refused; what lies behind them plays no part.

use std::fmt::Write;

use holdout::platform::devicetree::{DeviceTreeError, MAX_BOOTARGS, MAX_CPUS, Machine, Tree, Uart, blob_bytes};

use crate::harness::{Dice, Taken, hold};
use crate::trees::tree::Node;

pub(crate) const CASES: u64 = 200_000;

static BLOBS: [&[u8]; 3] = [
    include_bytes!("../data/virt-gicv3-4cpus.dtb"),
    include_bytes!("../data/virt-gicv2-1cpu.dtb"),
    include_bytes!("../data/virt-el2-8cpus-8gib.dtb"),
];

/// Tokens of the structure block.
const BEGIN_NODE: u32 = 1;
const END_NODE: u32 = 2;
const PROPERTY: usize = 3;
const NOTHING: usize = 4;
/// Where the header says how much there is, and where the structure block starts and how long it is.
const TOTAL_SIZE: usize = 4;
const STRUCT_OFFSET: usize = 8;
const STRINGS_OFFSET: usize = 12;
const STRUCT_SIZE: usize = 36;

fn cell(blob: &[u8], at: usize) -> usize {
    blob.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |cell| u32::from_be_bytes(*cell) as usize)
}

fn set_cell(blob: &mut [u8], at: usize, value: usize) {
    if let Some(place) = blob.get_mut(at..at + 4) {
        place.copy_from_slice(&(value as u32).to_be_bytes());
    }
}

/// A good blob, and one to three kinds of damage done to it.
fn blob(dice: &mut Dice) -> Vec<u8> {
    let mut blob = dice.of(&BLOBS).to_vec();
    for _ in 0..1 + dice.below(3) {
        let len = blob.len();
        // Half of the damage goes to the header and the first nodes, where lengths and offsets lie.
        let reach = if dice.one_in(2) { 512 } else { len }.min(len);
        let at = dice.below(reach.max(1));
        match dice.below(10) {
            0..2 => blob[at] ^= 1 << dice.below(8),
            2 => set_cell(
                &mut blob,
                at & !3,
                *dice.of(&[&0, &1, &2, &3, &9, &4, &0x7fff_ffff, &0xffff_fffc, &0xffff_ffff]),
            ),
            3 => set_cell(&mut blob, at & !3, dice.below(len)),
            4 => blob[at] = *dice.of(&[&0, &1, &b'@', &b'/', &0x7f, &0xff]),
            // Cut, and honest about it or not.
            5 => {
                blob.truncate(at.max(40));
                if dice.one_in(2) {
                    let len = blob.len();
                    set_cell(&mut blob, TOTAL_SIZE, len);
                }
            }
            // A part of another tree in the place of this one's.
            6 => {
                let other = dice.of(&BLOBS);
                let count = (4 * dice.below(64)).min(len - at);
                let from = dice.below(other.len() - count) & !3;
                blob[at..at + count].copy_from_slice(&other[from..from + count]);
            }
            7 => nest(&mut blob, 1 + dice.below(200), dice.one_in(2)),
            8 => shorten(&mut blob, at & !3),
            // Two cells change places.
            _ => {
                let (a, b) = (at & !3, dice.below(len) & !3);
                let (x, y) = (cell(&blob, a), cell(&blob, b));
                set_cell(&mut blob, a, y);
                set_cell(&mut blob, b, x);
            }
        }
    }
    blob
}

/// Cuts the value of the first property from `at` on to half: a good tree, which says less than it should.
fn shorten(blob: &mut [u8], at: usize) {
    let is_property = |at: &usize| cell(blob, *at) == PROPERTY && (1..1024).contains(&cell(blob, at + 4));
    let Some(at) = (at..blob.len()).step_by(4).find(is_property) else { return };
    let old = cell(blob, at + 4);
    let new = old / 2;
    set_cell(blob, at + 4, new);
    let value = at + 12;
    for place in (value + new.next_multiple_of(4)..value + old.next_multiple_of(4)).step_by(4) {
        set_cell(blob, place, NOTHING);
    }
}

/// Puts nodes inside nodes into the root, as deep as that; closed again, or not.
fn nest(blob: &mut Vec<u8>, depth: usize, is_closed: bool) {
    // Behind the token and the empty name of the root.
    let at = cell(blob, STRUCT_OFFSET) + 8;
    if at > blob.len() {
        return;
    }
    let mut nodes = Vec::new();
    for _ in 0..depth {
        nodes.extend_from_slice(&BEGIN_NODE.to_be_bytes());
        nodes.extend_from_slice(b"n\0\0\0");
    }
    for _ in 0..if is_closed { depth } else { 0 } {
        nodes.extend_from_slice(&END_NODE.to_be_bytes());
    }
    let added = nodes.len();
    blob.splice(at..at, nodes);
    // The blocks behind it have moved: strings, in QEMU's order.
    for offset in [TOTAL_SIZE, STRINGS_OFFSET, STRUCT_SIZE] {
        let value = cell(blob, offset);
        set_cell(blob, offset, value + added);
    }
}

/// The machine, booted by the CPU whose MPIDR is 0.
fn read(blob: &[u8]) -> Result<Machine, DeviceTreeError> {
    Tree::open(blob)?.machine(0)
}

fn console(blob: &[u8]) -> Result<Uart, DeviceTreeError> {
    Tree::open(blob)?.console()
}

/// All that was read, or why not, as a text to compare.
fn told(blob: &[u8]) -> String {
    let mut text = String::new();
    write!(text, "{:?} {:?}", read(blob), console(blob)).expect("a string takes everything");
    text
}

#[test]
fn a_device_tree_is_read_or_refused_by_its_own_bytes() {
    hold("devicetree", CASES, blob, |blob| {
        // Nothing behind the blob's own end is looked at.
        let size = blob.first_chunk().and_then(|header| blob_bytes(*header).ok());
        if size.is_some_and(|size| (8..=blob.len()).contains(&size)) {
            let inside = &blob[..size.unwrap_or(0)];
            let (zeros, ones) = ([inside, &[0; 64]].concat(), [inside, &[0xff; 64]].concat());
            if told(&zeros) != told(&ones) {
                return Err(format!("what lies behind plays a part:\n{}\n{}", told(&zeros), told(&ones)));
            }
        }
        let machine = match read(blob) {
            Ok(machine) => machine,
            Err(error) => {
                let text = error.to_string();
                let is_plain =
                    text.starts_with("device tree: ") && !text.contains(char::is_control) && text.len() < 200;
                return if is_plain { Ok(Taken::Refused) } else { Err(format!("not one plain line: {text:?}")) };
            }
        };
        let interrupts = [machine.timer, machine.uart.interrupt];
        let ranges = machine.memory.iter().chain(machine.reserved.iter());
        let is_consistent = !machine.cpus.is_empty()
            && machine.cpus.len() == machine.cpus_in_tree.min(MAX_CPUS)
            && !machine.memory.is_empty()
            && ranges.clone().all(|range| range.start < range.end)
            && interrupts.iter().all(|id| (16..1020).contains(id))
            && machine.bootargs.len() <= MAX_BOOTARGS
            && console(blob).as_ref() == Ok(&machine.uart);
        if is_consistent { Ok(Taken::Accepted) } else { Err(format!("inconsistent: {machine:?}")) }
    });
}

#[test]
fn cpus_beyond_the_limit_are_counted_and_left_out() {
    let mut root = Node::read(BLOBS[2]);
    let cpus = root.at("cpus");
    cpus.children.extend([8, 9, 0x100].map(|mpidr| Node::new("cpu").cells("reg", &[mpidr])));
    let machine = read(&root.blob(&[])).expect("a good tree");
    assert_eq!((machine.cpus.len(), machine.cpus_in_tree), (MAX_CPUS, 11));
}
