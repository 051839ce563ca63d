//! The machines of the boot contract: each comes up as what it is, and passes a second of stress.

use crate::guest::Guest;
use crate::verdict::{FirstLine, Verdict};

/// Boots `guest` for a second of stress: it must say that it has so many CPUs, this GIC and this level of entry, and
/// find nothing wrong while it swaps and frees on all of them.
#[track_caller]
fn passes(guest: &Guest, cpus: u64, gic: u64, el: u64) {
    let ended = guest.boot(&["stress", "secs=1", "seed=7"]).expect_status(0);
    let line = FirstLine::of(&ended);
    assert_eq!((line.cpus, line.gic, line.el), (cpus, gic, el), "{line:?}");
    let verdict = Verdict::of("stress", &ended);
    assert!(verdict.passed, "{}", ended.story());
    verdict.pairs.expect("cpus", |found| found == cpus, "the CPUs of the machine");
    verdict.pairs.expect("irq_holders", |count| count > 0, "more than 0: interrupts arrive");
    for property in ["p1", "p2", "p3", "p4", "p5", "p6"] {
        verdict.pairs.expect(property, |violations| violations == 0, "0");
    }
    for counted in ["calls", "swaps", "freed", "gps"] {
        verdict.pairs.expect(counted, |count| count > 0, "more than 0");
    }
}

#[test]
fn a_gicv2_carries_one_cpu() {
    passes(&Guest::with_cpus(1).option("--gic=2"), 1, 2, 1);
}

#[test]
fn a_gicv2_carries_four_cpus() {
    passes(&Guest::with_cpus(4).option("--gic=2"), 4, 2, 1);
}

#[test]
fn a_gicv2_carries_as_many_cpus_as_it_has_interfaces() {
    passes(&Guest::with_cpus(8).option("--gic=2"), 8, 2, 1);
}
