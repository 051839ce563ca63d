//! The sequences that our code rests on, and the litmus tests that show them enough.

/// The mark of a load that takes its address from the load before it.
pub(crate) const VIA: &str = " via";

/// How the steps of a sequence hang together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Around each instruction like step number so, nothing else comes between: no other store, barrier, acquire or call.
    Around(usize),
    /// From the first step no path reaches the last without the middle one.
    Between,
}

/// A sequence that our code rests on.
#[derive(Debug)]
pub(crate) struct Sequence {
    pub(crate) name: &'static str,
    /// Whose code has it, wherever the compiler inlined it: those of these functions that have the step that all
    /// hangs on (the one around which one looks; the last one for `Between`).
    pub(crate) functions: &'static [&'static str],
    /// As [`event`] names them, `bl` with whom it calls; or `entry`, `exit`; [`VIA`] marks a load by what was loaded before.
    pub(crate) steps: &'static [&'static str],
    pub(crate) shape: Shape,
    /// The litmus tests that it rests on, and in which column they have it.
    pub(crate) litmus: &'static [(&'static str, usize)],
}

/// By place, as `tests/litmus/INDEX.md` has them.
pub(crate) const SEQUENCES: &[Sequence] = &[
    Sequence {
        name: "literal-then-branch",
        functions: &["*"],
        steps: &["stlr x", "dmb ishst", "str w"],
        shape: Shape::Around(1),
        litmus: &[("O3-enable-dmbst", 0)],
    },
    Sequence {
        name: "branch-then-clean",
        functions: &["*::registry::Registry<*>>::patch*"],
        steps: &["str w", "dc cvau"],
        shape: Shape::Around(1),
        litmus: &[("O3-enable-vis-full-dsbisb", 0), ("O3-disable-exc-dsb-new", 0)],
    },
    // The unlock of the patcher is what comes after the batch, whether branches changed or not.
    Sequence {
        name: "literals-then-request",
        functions: &["*::registry::Registry<*>>::patch*"],
        steps: &["stlr x", "dsb ish", "stlrb"],
        shape: Shape::Between,
        litmus: &[("O3-disable-exc-dsb-new", 0)],
    },
    Sequence {
        name: "clean-then-invalidate",
        functions: &["*"],
        steps: &["dc cvau", "dsb ish", "ic"],
        shape: Shape::Between,
        litmus: &[("O3-enable-vis-full-dsbisb", 0), ("O3-disable-exc-dsb-new", 0)],
    },
    Sequence {
        name: "invalidate-then-request",
        functions: &["*"],
        steps: &["ic", "dsb ish", "exit"],
        shape: Shape::Between,
        litmus: &[("O3-enable-vis-full-dsbisb", 0), ("O3-disable-exc-dsb-new", 0)],
    },
    Sequence {
        name: "T2-then-T5",
        functions: &["trampoline*_t0"],
        steps: &["ldr x", "ldr x via", "blr"],
        shape: Shape::Around(2),
        litmus: &[("O1-publish-stlr", 1), ("GP-depth-dmb-h0", 1)],
    },
    Sequence {
        name: "depth-then-T2",
        functions: &["trampoline_depth_t0"],
        steps: &["str w", "ldr x", "ldr x via", "blr"],
        shape: Shape::Around(3),
        litmus: &[("GP-depth-dmb-h0", 1), ("GP-depth-dmb-h4", 1)],
    },
    Sequence {
        name: "func-then-depth",
        functions: &["trampoline_depth_t0"],
        steps: &["blr", "stlr w"],
        shape: Shape::Around(0),
        litmus: &[("GP-depth-dmb-h0", 1), ("O5-stlr", 1)],
    },
    Sequence {
        name: "barrier-then-SGI",
        functions: &["holdout::arch::aarch64::gic::send_sgi"],
        steps: &["entry", "dsb ish", "bl"],
        shape: Shape::Between,
        litmus: &[("O4-exc-dmb-between", 0)],
    },
    Sequence {
        name: "barrier-then-SGI-of-GICv2",
        functions: &["holdout::arch::aarch64::gic::send_sgi"],
        steps: &["entry", "dsb ish", "str w"],
        shape: Shape::Between,
        litmus: &[("O4-exc-dmb-between", 0), ("O3-disable-exc-dsb-new", 0)],
    },
    Sequence {
        name: "own-CPU-has-the-barrier",
        functions: &["holdout::sched::ipi::visit_every_cpu"],
        steps: &["dsb ish", "blr"],
        shape: Shape::Around(0),
        litmus: &[("ROUND-dmb-before", 1)],
    },
    Sequence {
        name: "answers-are-acquired",
        functions: &["holdout::sched::ipi::visit_every_cpu"],
        steps: &["ldar x"],
        shape: Shape::Around(0),
        litmus: &[("O4-exc-dmb-between", 0)],
    },
    Sequence {
        name: "handler",
        functions: &["holdout::irq::entry::irq", "holdout::sched::ipi::on_visit"],
        steps: &["ldar x", "dsb ish", "blr", "stlr x"],
        shape: Shape::Around(1),
        litmus: &[("O4-exc-dmb-between", 2), ("O3-disable-exc-dsb-new", 2)],
    },
    // The GIC is outside the model: no litmus test has these two.
    Sequence {
        name: "acknowledged-then-visit",
        functions: &["holdout::irq::entry::irq"],
        steps: &["ack", "dsb sy", "bl *ipi::on_visit"],
        shape: Shape::Between,
        litmus: &[],
    },
    Sequence {
        name: "acknowledged-on-either-GIC-then-visit",
        functions: &["holdout::irq::entry::irq"],
        steps: &["entry", "dsb sy", "bl *ipi::on_visit"],
        shape: Shape::Between,
        litmus: &[],
    },
    Sequence {
        name: "each-CPU-synchronises",
        functions: &["holdout::sched::ipi::synchronise_context"],
        steps: &["entry", "isb", "exit"],
        shape: Shape::Between,
        litmus: &[("O3-enable-vis-full-dsbisb", 1)],
    },
    Sequence {
        name: "report-is-a-release",
        functions: &["<holdout::rcu::bracket::CpuReports>::report"],
        steps: &["stlr x"],
        shape: Shape::Around(0),
        litmus: &[("O5-stlr", 1)],
    },
    Sequence {
        name: "away-then-mark",
        functions: &["<holdout::rcu::hooks::Wiring as *>::switch"],
        steps: &["stlrb", "dmb ish"],
        shape: Shape::Around(1),
        litmus: &[("P1-scan-pin-dmb", 1)],
    },
    Sequence {
        name: "mark-then-away",
        functions: &["*::Look>::look"],
        steps: &["stlrb", "dmb ish", "ldarb"],
        shape: Shape::Around(1),
        litmus: &[("P1-scan-pin-dmb", 0)],
    },
    Sequence {
        name: "saved-then-off-CPU",
        functions: &["holdout::sched::switch::schedule"],
        steps: &["bl switch_context", "stlrb", "bl *runqueue::enqueue"],
        shape: Shape::Between,
        litmus: &[("P1-scan-holder-rel", 1)],
    },
];
