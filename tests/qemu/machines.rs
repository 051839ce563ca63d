//! The machines of the boot contract: each comes up as what it is, and passes a second of stress.
//!
//! Not every combination: each value of each axis (controller, level of entry, CPU, number of CPUs, memory, form of
//! the image, time) is in at least one machine, and values that could get in each other's way are paired.

use crate::guest::{Ended, Guest};
use crate::verdict::{FirstLine, Pairs, Verdict};

/// What the first line has to say.
#[derive(Debug, PartialEq, Eq)]
struct Says {
    cpus: u64,
    gic: u64,
    el: u64,
}

/// Boots `guest` for a second of stress: it must say what it is, and find nothing wrong while it swaps and frees on
/// all of its CPUs.
#[track_caller]
fn passes(guest: &Guest, says: Says) -> Ended {
    let ended = guest.boot(&["stress", "secs=1", "seed=7"]).expect_status(0);
    let line = FirstLine::of(&ended);
    assert_eq!(Says { cpus: line.cpus, gic: line.gic, el: line.el }, says, "{}", ended.story());
    let verdict = Verdict::of("stress", &ended);
    assert!(verdict.passed, "{}", ended.story());
    verdict.pairs.expect("cpus", |found| found == says.cpus, "the CPUs of the machine");
    verdict.pairs.expect("irq_holders", |count| count > 0, "more than 0: interrupts arrive");
    for property in ["p1", "p2", "p3", "p4", "p5", "p6"] {
        verdict.pairs.expect(property, |violations| violations == 0, "0");
    }
    for counted in ["calls", "swaps", "freed", "gps"] {
        verdict.pairs.expect(counted, |count| count > 0, "more than 0");
    }
    ended
}

#[test]
fn gicv2_with_one_cpu() {
    let ended = passes(&Guest::with_cpus(1).option("--gic=2"), Says { cpus: 1, gic: 2, el: 1 });
    // Softirqs are interrupted by SGIs that they send to their own CPU, and hardly by anything else.
    Verdict::of("stress", &ended).pairs.expect("softirq_nested", |count| count > 100, "more than 100: SGIs arrive");
}

#[test]
fn gicv2_with_four_cpus_as_its_machine_file_says() {
    let guest = Guest::with_cpus(4).option("--machine=virt-4-gicv2");
    passes(&guest, Says { cpus: 4, gic: 2, el: 1 });
}

#[test]
fn gicv2_with_as_many_cpus_as_it_has_interfaces() {
    passes(&Guest::with_cpus(8).option("--gic=2"), Says { cpus: 8, gic: 2, el: 1 });
}

#[test]
fn entry_at_el2_on_gicv3_calls_firmware_by_smc() {
    let guest = Guest::with_cpus(4).qemu(&["-machine", "virtualization=on"]);
    passes(&guest, Says { cpus: 4, gic: 3, el: 2 });
}

#[test]
fn entry_at_el2_on_gicv2_with_neoverse_n1() {
    let guest = Guest::with_cpus(3).option("--gic=2").option("--cpu=neoverse-n1");
    passes(&guest.qemu(&["-machine", "virtualization=on"]), Says { cpus: 3, gic: 2, el: 2 });
}

#[test]
fn entry_at_el2_with_all_features_and_tagged_memory() {
    let guest = Guest::with_cpus(2).option("--cpu=max,pauth-impdef=on");
    passes(&guest.qemu(&["-machine", "virtualization=on,mte=on"]), Says { cpus: 2, gic: 3, el: 2 });
}

#[test]
fn cortex_a76_with_five_cpus_and_the_least_memory_of_the_contract() {
    let guest = Guest::with_cpus(5).option("--cpu=cortex-a76").option("--memory=128M");
    passes(&guest, Says { cpus: 5, gic: 3, el: 1 });
}

#[test]
fn max_with_seven_cpus_pauth_mte_and_an_odd_size_of_memory() {
    let guest = Guest::with_cpus(7).option("--cpu=max,pauth-impdef=on").option("--memory=333M");
    passes(&guest.qemu(&["-machine", "mte=on"]), Says { cpus: 7, gic: 3, el: 1 });
}

#[test]
fn two_cpus_with_eight_gib() {
    passes(&Guest::with_cpus(2).option("--memory=8G"), Says { cpus: 2, gic: 3, el: 1 });
}

/// A walk over so much would show: one instruction for each page alone is twice a boot.
#[test]
fn nobody_walks_all_of_memory() {
    let [little, much] = ["128M", "8G"].map(|memory| {
        let guest = Guest::with_cpus(1).option("--icount").option("--memory").option(memory);
        let ended = guest.boot(&["bench", "only=boot"]).expect_status(0);
        let line = ended.line_with(&["bench: boot "]);
        Pairs::parse(line.strip_prefix("bench: boot ").unwrap_or_default()).number("insns")
    });
    assert!(much < little + little / 5, "a boot takes {little} instructions with 128 MiB, and {much} with 8 GiB");
}

#[test]
fn memory_in_two_banks() {
    let banks = [
        ["-object", "memory-backend-ram,id=low,size=128M"],
        ["-object", "memory-backend-ram,id=high,size=384M"],
        ["-numa", "node,memdev=low"],
        ["-numa", "node,memdev=high"],
    ];
    passes(&Guest::with_cpus(4).qemu(banks.as_flattened()), Says { cpus: 4, gic: 3, el: 1 });
}

#[test]
fn counted_instructions_on_one_cpu() {
    passes(&Guest::with_cpus(1).option("--icount"), Says { cpus: 1, gic: 3, el: 1 });
}

/// Here QEMU runs one CPU after the other, and whoever waits for another CPU has to let it.
#[test]
fn counted_instructions_on_four_cpus() {
    let ended = passes(&Guest::with_cpus(4).option("--icount").patience(60), Says { cpus: 4, gic: 3, el: 1 });
    assert!(ended.seconds < 120.0, "{} s for {}", ended.seconds, ended.story());
}

#[test]
fn a_raw_image_with_its_tree_behind_the_image() {
    let guest = Guest::with_cpus(4).raw_image().option("--memory=129M");
    passes(&guest, Says { cpus: 4, gic: 3, el: 1 });
}

/// The scenario writes to every block that the heap can give: none of them may lie past the end.
#[test]
fn memory_of_an_odd_size_is_used_to_its_end_and_no_further() {
    let guest = Guest::with_cpus(1).raw_image().option("--memory=129M");
    let ended = guest.boot(&["selftest", "only=heap-whole"]).expect_status(0);
    ended.line_with(&["test: heap-whole ok "]);
}

#[test]
fn a_raw_image_entered_at_el2_with_memory_just_past_a_gib() {
    let guest = Guest::with_cpus(2).raw_image().option("--memory=1025M").option("--gic=2");
    passes(&guest.qemu(&["-machine", "virtualization=on"]), Says { cpus: 2, gic: 2, el: 2 });
}

/// The exit status is QEMU's own then: the machine powered off.
#[test]
fn without_semihosting_all_works_and_ends_by_powering_off() {
    passes(&Guest::with_cpus(4).option("--no-semihosting"), Says { cpus: 4, gic: 3, el: 1 });
    let ended = Guest::with_cpus(1).option("--no-semihosting").boot(&["frobnicate"]).expect_status(0);
    assert!(ended.refusal().contains("frobnicate"), "{}", ended.story());
}

#[test]
fn more_cpus_than_can_be_used_are_left_alone_and_counted() {
    let ended = Guest::with_cpus(9).boot(&["shell", "cmds=version"]).expect_status(0);
    assert_eq!(FirstLine::of(&ended).cpus, 8);
    assert_eq!(ended.refusal(), "9 CPUs, of which 8 can be used");
    let ended = Guest::with_cpus(9).boot(&["shell", "cpus=9"]).expect_status(2);
    assert!(ended.refusal().contains("cpus=9") && ended.refusal().contains('8'), "{}", ended.story());
}
