//! Machines that it cannot run on: each is one line that names what is lacking, and status 2.

use std::path::PathBuf;
use std::process::Command;

use crate::guest::{Ended, Guest, emulator, image, raw_image, run};

/// A file of this test, in cargo's folder for such.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[track_caller]
fn is_refused(guest: &Guest, said: &str) {
    let ended = guest.clone().on_one_cpu_of_the_host().boot(&["shell", "cmds=version"]).expect_status(2);
    assert_eq!(ended.refusal(), said, "{}", ended.story());
}

#[test]
fn entry_at_el3() {
    let said = "entered at EL3, needs EL1 or EL2 (leave out secure=on)";
    is_refused(&Guest::with_cpus(4).qemu(&["-machine", "secure=on"]), said);
}

#[test]
fn a_cpu_without_lse() {
    let said = "this CPU has no large-system atomics (LSE), use -cpu max, cortex-a76 or neoverse-n1";
    for cpu in ["cortex-a53", "cortex-a57", "cortex-a72"] {
        is_refused(&Guest::with_cpus(2).option("--cpu").option(cpu), said);
    }
}

#[test]
fn too_little_memory() {
    is_refused(&Guest::with_cpus(1).option("--memory=32M"), "32 MiB of memory, needs 64 MiB");
}

/// The device tree of QEMU's `virt`, as it is for this number of CPUs.
fn tree(cpus: u32, name: &str) -> Vec<u8> {
    let path = file(name);
    let machine = format!("-M virt,gic-version=3,dumpdtb={} -cpu max -smp {cpus} -m 512M -nic none", path.display());
    let output = Command::new(emulator()).args(machine.split_whitespace()).arg("-nographic").output();
    assert!(output.as_ref().is_ok_and(|output| output.status.success()), "no tree from {}: {output:?}", emulator());
    let mut tree = std::fs::read(path).expect("the tree");
    // QEMU pads it to a MiB, and what it is given to twice that: too much for the room in front of an ELF.
    let word = |at: usize| u32::from_be_bytes(tree[at..at + 4].try_into().expect("4 bytes"));
    let (structure, strings) = (word(8) + word(36), word(12) + word(32));
    let bytes = structure.max(strings);
    tree.truncate(bytes as usize);
    tree[4..8].copy_from_slice(&bytes.to_be_bytes());
    tree
}

/// A guest whose device tree is `tree`.
fn with_tree(cpus: u32, tree: &[u8], name: &str) -> Guest {
    let path = file(name);
    std::fs::write(&path, tree).expect("the changed tree");
    Guest::with_cpus(cpus).qemu(&["-dtb", &path.display().to_string()])
}

fn place(bytes: &[u8], wanted: &[u8]) -> usize {
    let at = bytes.windows(wanted.len()).position(|window| window == wanted);
    at.unwrap_or_else(|| panic!("the tree does not hold {wanted:?}"))
}

#[test]
fn a_machine_without_a_gic() {
    let mut tree = tree(1, "no-gic.dtb");
    let at = place(&tree, b"arm,gic-v3\0");
    tree[at..at + 10].copy_from_slice(b"arm,gic-v9");
    is_refused(&with_tree(1, &tree, "no-gic.dtb"), "device tree: it lacks a GICv2 or GICv3");
}

/// The fourth CPU's node names one that is not there.
#[test]
fn a_cpu_that_firmware_does_not_start() {
    let mut tree = tree(4, "no-cpu.dtb");
    let node = place(&tree, b"cpu@3\0");
    let is_reg_3 = |window: &[u8]| window[..8] == [0, 0, 0, 3, 0, 0, 0, 4] && window[12..] == [0, 0, 0, 3];
    let property = tree[node..].windows(16).position(is_reg_3).expect("reg = <3> of cpu@3");
    tree[node + property + 15] = 0x33;
    let said = "CPU 3 with MPIDR 0x33 does not start, says PSCI: ";
    let ended = with_tree(4, &tree, "no-cpu.dtb").boot(&["shell", "cmds=version"]).expect_status(2);
    assert!(ended.refusal().starts_with(said), "{}", ended.story());
}

/// Puts the image in place and enters it with `x0`, as a loader that has wiped the device tree at the start of RAM.
fn entered_by_a_loader_of_its_own(x0: u64) -> Ended {
    let movz = |register: u32, value: u64| 0xd280_0000 | ((value & 0xffff) as u32) << 5 | register;
    let movk = |register: u32, value: u64, part: u32| {
        0xf280_0000 | part << 21 | ((value >> (16 * part) & 0xffff) as u32) << 5 | register
    };
    let load = |register: u32, value: u64| {
        [movz(register, value), movk(register, value, 1), movk(register, value, 2), movk(register, value, 3)]
    };
    const STORE_ZERO_TO_X1: u32 = 0xf900_003f;
    const BRANCH_TO_X1: u32 = 0xd61f_0020;
    let mut code = load(1, 0x4000_0000).to_vec();
    code.push(STORE_ZERO_TO_X1);
    code.extend(load(0, x0).into_iter().chain(load(1, 0x4020_0000)).chain([BRANCH_TO_X1]));
    let bytes: Vec<u8> = code.into_iter().flat_map(u32::to_le_bytes).collect();
    let loader = file("loader.bin");
    std::fs::write(&loader, bytes).expect("the loader");
    with_devices(&[
        format!("loader,file={}", image().display()),
        format!("loader,file={},addr=0x44000000,force-raw=on,cpu-num=0", loader.display()),
    ])
}

/// A machine without `-kernel`, with these devices.
fn with_devices(devices: &[String]) -> Ended {
    let machine = "-M virt,gic-version=3 -cpu max -smp 2 -m 512M -nographic -nic none \
                   -semihosting-config enable=on,target=native";
    let mut arguments: Vec<String> = machine.split_whitespace().map(str::to_owned).collect();
    arguments.extend(devices.iter().flat_map(|device| ["-device".to_owned(), device.clone()]));
    run(60, &emulator(), &arguments, "").unwrap_or_else(|error| panic!("{error}"))
}

/// Nothing, what is no address, what is misaligned, what holds something else.
#[test]
fn no_device_tree_is_said_by_semihosting() {
    for (x0, at) in [(0, 0x4000_0000), (3 << 60, 0x4000_0000), (0x4400_0003, 0x4000_0000), (0x4400_0000, 0x4400_0000)] {
        let ended = entered_by_a_loader_of_its_own(x0).expect_status(2);
        let said = format!("there is no device tree at {at:#x}: a loader hands it over in x0, as -kernel does");
        assert_eq!(ended.refusal(), said, "{}", ended.story());
    }
}

#[test]
fn a_device_tree_where_there_is_no_memory_is_said_by_semihosting() {
    let ended = entered_by_a_loader_of_its_own(0x3_0000_0000).expect_status(2);
    let said = "what the loader handed over is no device tree: load external abort at address 0x300000000";
    assert!(ended.refusal().starts_with(&said[..said.len() - 1]), "{}", ended.story());
}

#[test]
fn an_image_at_another_address_than_its_own() {
    let image = raw_image().display();
    let ended = with_devices(&[format!("loader,file={image},addr=0x44000000,force-raw=on,cpu-num=0")]).expect_status(2);
    let said = "loaded at another address than 0x40200000, which it is linked for: RAM must start at 0x40000000";
    assert_eq!(ended.refusal(), said, "{}", ended.story());
}

/// Before a guest is explored, or instead of that: what one guest refuses each would.
#[test]
fn what_a_script_is_not_to_be_given_is_one_line_that_says_what_is_allowed() {
    let image = image().display().to_string();
    let page = format!("--html={}", file("refused.html").display());
    let cases = [
        ("scripts/boot", vec!["--smp=0", &image, "--", "shell"], "option '--smp' is a number of CPUs, not '0'"),
        ("scripts/boot", vec!["--smp=two", &image], "option '--smp' is a number of CPUs, not 'two'"),
        ("scripts/windows", vec![&*page, "only=bogus"], "`bogus` is not a value of only; allowed: funcs, scenarios"),
        ("scripts/windows", vec![&*page, "--smp=0"], "option '--smp' is a number of CPUs, not '0'"),
        ("scripts/windows", vec![&*page, "tasks_rcu=bogus"], "`tasks_rcu=bogus` is not a value of tasks_rcu; allowed"),
    ];
    for (script, arguments, said) in cases {
        let arguments: Vec<String> = arguments.into_iter().map(String::from).collect();
        let ended = run(120, script, &arguments, "").expect("an end").expect_status(2);
        let said = format!("{script}: {said}");
        let told: Vec<&str> = ended.errors.lines().filter(|line| !line.trim_start().starts_with("Finished ")).collect();
        assert!(ended.console.is_empty() && told.len() == 1 && told[0].starts_with(&said), "{}", ended.story());
    }
}
