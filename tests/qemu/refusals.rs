//! Machines that it cannot run on: each is one line that names what is lacking, and status 2.

use std::path::PathBuf;

use crate::guest::{Guest, Handed, image, raw_image, run, virt_tree};

/// A file of this test, in cargo's folder for such.
fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[track_caller]
fn is_refused(guest: &Guest, said: &str) {
    let ended = guest.clone().boot(&["shell", "cmds=version"]).expect_status(2);
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

/// The fourth CPU's node names one that is not there.
#[test]
fn a_cpu_that_firmware_does_not_start() {
    let mut tree = virt_tree("virt,gic-version=2", 4);
    tree.at("cpus").at("cpu@3").set("reg", vec![0, 0, 0, 0x33]);
    let ended = Handed::tree("no-cpu", &tree).option("-M", "virt,gic-version=2").boot("cmds=version").expect_status(2);
    let said = "CPU 3 with MPIDR 0x33 does not start, says PSCI: ";
    assert!(ended.refusal().starts_with(said), "{}", ended.story());
}

/// Nothing, what is no address, what is misaligned, what holds something else.
#[test]
fn no_device_tree_is_said_by_semihosting() {
    for (x0, at) in [(0, 0x4000_0000), (3 << 60, 0x4000_0000), (0x4400_0003, 0x4000_0000), (0x4400_0000, 0x4400_0000)] {
        let ended = Handed::address("no-tree", x0).boot("").expect_status(2);
        let said = format!("there is no device tree at {at:#x}: a loader hands it over in x0, which held {x0:#x}");
        assert_eq!(ended.refusal(), said, "{}", ended.story());
    }
}

#[test]
fn a_device_tree_where_there_is_no_memory_is_said_by_semihosting() {
    let ended = Handed::address("no-memory", 0x3_0000_0000).boot("").expect_status(2);
    let said = "what the loader handed over is no device tree: load external abort at address 0x300000000";
    assert!(ended.refusal().starts_with(&said[..said.len() - 1]), "{}", ended.story());
}

#[test]
fn an_image_at_another_address_than_its_own() {
    let image = format!("loader,file={},addr=0x44000000,force-raw=on,cpu-num=0", raw_image().display());
    let ended = Handed::image(&image).boot("").expect_status(2);
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
