//! Trees that QEMU wrote, read; and the same trees damaged in every way that chance finds.
//!
//! The blobs of `tests/data` are `dumpdtb` of QEMU's `virt`, without its padding.

use core::slice;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

/// `gic-version=3 -smp 4 -m 512M -append 'stress seed=7 cmds="a b"'`
static GICV3_4_CPUS: &[u8] = include_bytes!("../../../tests/data/virt-gicv3-4cpus.dtb");
/// `gic-version=2 -smp 1 -m 128M -cpu cortex-a76`
static GICV2_1_CPU: &[u8] = include_bytes!("../../../tests/data/virt-gicv2-1cpu.dtb");
/// `gic-version=3,virtualization=on -smp 8 -m 8G`
static EL2_8_CPUS: &[u8] = include_bytes!("../../../tests/data/virt-el2-8cpus-8gib.dtb");

const RAM: u64 = 0x4000_0000;
const UART: Uart = Uart { base: 0x900_0000, interrupt: 33, clock_hz: Some(24_000_000) };
const VIRTUAL_TIMER: u32 = 27;
const PHYSICAL_TIMER: u32 = 30;

/// The machine, booted by the CPU whose MPIDR is 0.
fn read(blob: &[u8]) -> Result<Machine, DeviceTreeError> {
    Tree::open(blob)?.machine(0)
}

fn console(blob: &[u8]) -> Result<Uart, DeviceTreeError> {
    Tree::open(blob)?.console()
}

fn mpidrs(machine: &Machine) -> Vec<u64> {
    machine.cpus.iter().map(|cpu| cpu.mpidr).collect()
}

/// The blob with every `from` replaced by `to`, of the same length.
fn with(blob: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut blob = blob.to_vec();
    let places: Vec<_> = blob.windows(from.len()).enumerate().filter(|(_, bytes)| *bytes == from).collect();
    let places: Vec<usize> = places.into_iter().map(|(at, _)| at).collect();
    assert!(!places.is_empty(), "the tree does not hold {from:?}");
    for at in places {
        blob[at..at + to.len()].copy_from_slice(to);
    }
    blob
}

#[test]
fn a_gicv3_machine_with_four_cpus_is_read() {
    let machine = read(GICV3_4_CPUS).unwrap();
    assert_eq!(mpidrs(&machine), [0, 1, 2, 3]);
    assert_eq!(machine.cpus_in_tree, 4);
    assert_eq!(machine.memory[..], *slice::from_ref(&(RAM..RAM + (512 << 20))));
    assert!(machine.reserved.is_empty() && machine.unmapped.is_empty());
    let gicr = Redistributors { regions: core::iter::once(0x80a_0000..0x900_0000).collect(), stride: None };
    assert_eq!(machine.gic, Gic::V3 { gicd: 0x800_0000, gicr });
    assert_eq!((machine.gic.version(), machine.psci), (3, Conduit::Hvc));
    assert_eq!((machine.uart, machine.timer), (UART, VIRTUAL_TIMER));
    assert_eq!(machine.physical_timer, PHYSICAL_TIMER);
    assert_eq!(machine.bootargs, "stress seed=7 cmds=\"a b\"");
    assert_eq!(console(GICV3_4_CPUS), Ok(UART));
}

#[test]
fn a_gicv2_machine_with_one_cpu_is_read() {
    let machine = read(GICV2_1_CPU).unwrap();
    assert_eq!((mpidrs(&machine), machine.cpus_in_tree), (vec![0], 1));
    assert_eq!(machine.memory[..], *slice::from_ref(&(RAM..RAM + (128 << 20))));
    assert_eq!(machine.gic, Gic::V2 { gicd: 0x800_0000, gicc: 0x801_0000 });
    assert_eq!((machine.gic.version(), machine.psci), (2, Conduit::Hvc));
    assert_eq!((machine.uart, machine.timer), (UART, VIRTUAL_TIMER));
    assert_eq!(machine.bootargs, "");
}

#[test]
fn an_el2_machine_calls_its_firmware_by_smc() {
    let machine = read(EL2_8_CPUS).unwrap();
    assert_eq!((mpidrs(&machine), machine.cpus_in_tree), ((0..8).collect(), 8));
    assert_eq!(machine.memory[..], *slice::from_ref(&(RAM..RAM + (8 << 30))));
    assert_eq!(machine.psci, Conduit::Smc);
}

#[test]
fn bytes_behind_the_tree_do_not_matter() {
    let mut padded = GICV3_4_CPUS.to_vec();
    padded.resize(1 << 20, 0xff);
    assert_eq!(blob_bytes(*padded.first_chunk().unwrap()), Ok(GICV3_4_CPUS.len()));
    assert_eq!(read(&padded).unwrap().cpus_in_tree, 4);
}

#[test]
fn a_blob_longer_than_any_tree_is_none() {
    let header = |size: usize| {
        let [magic, size] = [0xd00d_feed_u32, u32::try_from(size).unwrap()].map(u32::to_be_bytes);
        [magic, size].concat().try_into().unwrap()
    };
    assert_eq!(blob_bytes(header(MAX_BLOB_BYTES)), Ok(MAX_BLOB_BYTES));
    let bytes = MAX_BLOB_BYTES + 1;
    assert_eq!(blob_bytes(header(bytes)), Err(DeviceTreeError::TooLong { bytes }));
}

#[test]
fn what_is_missing_is_named() {
    let lacks = |from: &[u8], to: &[u8]| {
        let error = read(&with(GICV3_4_CPUS, from, to)).unwrap_err();
        error.to_string()
    };
    assert_eq!(lacks(b"arm,gic-v3\0", b"arm,gic-v9\0"), "device tree: it lacks a GICv2 or GICv3");
    assert_eq!(lacks(b"arm,pl011\0", b"arm,pl019\0"), "device tree: it lacks a PL011 UART");
    assert_eq!(lacks(b"arm,psci", b"old,psci"), "device tree: it lacks /psci of version 0.2 or later");
    assert_eq!(lacks(b"arm,armv8-timer", b"arm,armv9-timer"), "device tree: it lacks /timer");
    assert_eq!(lacks(b"memory@", b"remory@"), "device tree: it lacks /memory");
    let nameless = with(GICV3_4_CPUS, b"cpu@", b"gpu@");
    assert_eq!(read(&nameless).unwrap().cpus.len(), 4, "the device_type says it too");
    let nowhere = read(&with(&nameless, b"cpu\0", b"gpu\0")).unwrap_err();
    assert_eq!(nowhere.to_string(), "device tree: it lacks /cpus/cpu");
    assert_eq!(lacks(b"cpus\0", b"gpus\0"), "device tree: it lacks /cpus");
    assert_eq!(lacks(b"hvc\0", b"abc\0"), "device tree: it makes no sense in method of /psci");
    assert_eq!(lacks(b"method\0", b"nethod\0"), "device tree: it lacks method of /psci");
    assert_eq!(lacks(b"stress seed", b"str\xffss seed"), "device tree: it makes no sense in bootargs");
}

/// The blob with `bytes` put in at `at`, and the header told so.
fn grown(blob: &[u8], at: usize, bytes: &[u8]) -> Vec<u8> {
    let word = |at: usize| u32::from_be_bytes(*blob[at..].first_chunk().unwrap()) as usize;
    let (total, structure, strings, structure_bytes) = (4, 8, 12, 36);
    let mut blob = [&blob[..at], bytes, &blob[at..]].concat();
    let mut add = |field: usize, old: usize| {
        blob[field..field + 4].copy_from_slice(&((old + bytes.len()) as u32).to_be_bytes());
    };
    add(total, word(total));
    add(strings, word(strings));
    let grown_field = if word(structure) > at { structure } else { structure_bytes };
    add(grown_field, word(grown_field));
    blob
}

/// The blob with so many memory reservations of 4 KiB each.
fn with_reservations(blob: &[u8], count: u64) -> Vec<u8> {
    let entries = (0..count).flat_map(|index| [RAM + (index << 16), 0x1000]).flat_map(u64::to_be_bytes);
    let reservations = u32::from_be_bytes(*blob[16..].first_chunk().unwrap()) as usize;
    grown(blob, reservations, &entries.collect::<Vec<u8>>())
}

#[test]
fn memory_of_others_is_reserved() {
    let machine = read(&with_reservations(GICV3_4_CPUS, 2)).unwrap();
    assert_eq!(machine.reserved[..], [RAM..RAM + 0x1000, RAM + 0x1_0000..RAM + 0x1_1000]);
    // The GIC's node under another name: its child with a `reg` is then a piece of reserved memory.
    let renamed = with(GICV3_4_CPUS, b"intc@8000000\0\0\0\0", b"reserved-memory\0");
    assert_eq!(read(&renamed).unwrap().reserved[..], *slice::from_ref(&(0x808_0000..0x80a_0000)));
}

#[test]
fn more_reservations_than_can_be_kept_free_are_refused() {
    let reserved = |count| read(&with_reservations(GICV3_4_CPUS, count)).map(|machine| machine.reserved.len());
    assert_eq!(reserved(MAX_RANGES as u64), Ok(MAX_RANGES));
    let too_many = DeviceTreeError::TooMany { what: "separate ranges of reserved memory", limit: MAX_RANGES };
    assert_eq!(reserved(MAX_RANGES as u64 + 1), Err(too_many));
}

#[test]
fn overlong_boot_arguments_are_refused_with_their_length() {
    let line = b"stress seed=7";
    let at = GICV3_4_CPUS.windows(line.len()).position(|bytes| bytes == line).unwrap();
    let length = u32::from_be_bytes(*GICV3_4_CPUS[at - 8..].first_chunk().unwrap());
    let with_more = |bytes: usize| {
        let mut blob = grown(GICV3_4_CPUS, at, &vec![b' '; bytes]);
        blob[at - 8..at - 4].copy_from_slice(&(length + bytes as u32).to_be_bytes());
        read(&blob).map(|machine| machine.bootargs.len())
    };
    assert_eq!(with_more(1000), Ok(1000 + length as usize - 1));
    assert_eq!(with_more(1004), Err(DeviceTreeError::BootArgsTooLong { bytes: 1004 + length as usize - 1 }));
}

#[test]
fn memory_beyond_the_last_address_is_refused() {
    let size = (512_u64 << 20).to_be_bytes();
    let reg = [RAM.to_be_bytes(), size].concat();
    let blob = with(GICV3_4_CPUS, &reg, &[RAM.to_be_bytes(), u64::MAX.to_be_bytes()].concat());
    assert_eq!(read(&blob).unwrap_err(), DeviceTreeError::Unusable("reg of /memory"));
}

#[test]
fn a_console_is_found_even_where_the_machine_is_refused() {
    let blob = with(GICV3_4_CPUS, b"arm,gic-v3\0", b"arm,gic-v9\0");
    assert!(read(&blob).is_err());
    assert_eq!(console(&blob), Ok(UART));
}

#[test]
fn what_is_no_tree_is_said_to_be_none() {
    for blob in [&[][..], &[0xd0], &[0; 64], b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0"] {
        assert_eq!(read(blob).unwrap_err(), DeviceTreeError::NotATree);
    }
}

#[test]
fn a_tree_that_is_cut_off_is_refused_at_every_length() {
    for present in 8..GICV2_1_CPU.len() {
        let expected = DeviceTreeError::CutOff { bytes: GICV2_1_CPU.len(), present };
        assert_eq!(read(&GICV2_1_CPU[..present]).unwrap_err(), expected);
    }
}

#[test]
fn a_damaged_tree_is_read_or_refused_but_never_a_panic() {
    const SEED: u64 = 0xd00d_feed_0003;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
    let (mut good, mut refused) = (0, 0);
    for case in 0..30_000 {
        let blob = [GICV3_4_CPUS, GICV2_1_CPU, EL2_8_CPUS][case % 3];
        let mut blob = blob.to_vec();
        for _ in 0..1 + below(8) {
            // Half of the damage goes to the header and the first properties, where lengths and offsets lie.
            let reach = if below(2) == 0 { 256 } else { blob.len() };
            let at = below(reach);
            match below(3) {
                0 => blob[at] ^= 1 << below(8),
                1 => blob[at] = below(256) as u8,
                _ => blob[at] = [0, 1, 0x7f, 0x80, 0xff][below(5)],
            }
        }
        if below(4) == 0 {
            // A shorter tree that says so itself.
            let length = 40 + below(blob.len() - 40);
            blob.truncate(length);
            blob[4..8].copy_from_slice(&(length as u32).to_be_bytes());
        }
        match std::panic::catch_unwind(|| read(&blob).map_err(|error| error.to_string())) {
            Ok(Ok(machine)) => {
                good += 1;
                assert!(machine.cpus_in_tree >= machine.cpus.len() && !machine.cpus.is_empty());
            }
            Ok(Err(text)) => {
                refused += 1;
                assert!(text.len() > 20 && !text.contains('\n'), "seed {SEED:#x} case {case}: {text:?}");
            }
            Err(_) => panic!("seed {SEED:#x} case {case}: the reader panicked"),
        }
    }
    assert!(good > 1_000 && refused > 1_000, "the damage is one-sided: {good} good, {refused} refused");
}
