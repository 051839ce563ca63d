//! Calls of pointers that the rules on the image meet, and what the pointers are.

/// A caller of pointers, what they can point to, and how that is known.
#[derive(Clone, Copy)]
pub(crate) struct Indirect {
    pub(crate) caller: &'static str,
    pub(crate) callees: &'static [&'static str],
    /// It also calls what is handed, as first argument, to functions of these names.
    pub(crate) given_to: &'static [&'static str],
    pub(crate) reason: &'static str,
}

/// Every func that an ops can have.
const FUNCS: &[&str] = &[
    "trampoline_func_ret",
    "holdout::tracers::*::func",
    "holdout::ftrace::fanout::fan_out",
    "holdout::ftrace::live::late_entry",
    "holdout::ftrace::live::stale_hit",
    "holdout::lab::oracle::hit::hit",
    "holdout::lab::demo::func",
    "holdout::lab::hold::func",
    "holdout::lab::stress::redirect::func",
    "holdout::lab::bench::held::func",
];

/// Who takes the work of a visit, which every CPU then runs in its SGI handler.
const VISIT: &[&str] = &["holdout::sched::ipi::visit_every_cpu"];

/// What a grace period does to the kernel.
const WORLD: &[&str] = &["<holdout::rcu::eyes::Kernel as *>::*"];

/// What a scheme may be told and asked.
const SCHEMES: &[&str] = &["<* as holdout::sched::seam::Hooks>::*"];

/// Reachable callers of pointers, and what the pointers are.
pub(crate) const INDIRECT: &[Indirect] = &[
    Indirect { caller: "exception_irq", callees: &["holdout::irq::entry::irq"], given_to: &[], reason: "the hook IRQ" },
    Indirect {
        caller: "exception_sync",
        callees: &[
            "holdout::lab::selftest::*::on_stop",
            "holdout::lab::selftest::debug::on_point",
            "holdout::lab::walk::on_stop",
            "holdout::lab::stress::in_trampoline::on_stop",
            "holdout::lab::windows::thread::on_stop",
        ],
        given_to: &[],
        reason: "the handler of a debugged thread",
    },
    Indirect {
        caller: "exception_fiq",
        callees: &["holdout::irq::watchdog::fiq"],
        given_to: &[],
        reason: "the hook FIQ",
    },
    Indirect { caller: "exception_*", callees: &[], given_to: &[], reason: "the hook FAULT: ends the kernel" },
    Indirect {
        caller: "holdout::arch::aarch64::vectors::fault",
        callees: &[],
        given_to: &[],
        reason: "the hook FAULT: ends the kernel",
    },
    Indirect {
        caller: "core::ptr::drop_in_place::<holdout::sync::preempt::Disabled>",
        callees: &["holdout::sched::switch::preempt_if_due"],
        given_to: &[],
        reason: "the hook RESCHEDULE",
    },
    Indirect {
        caller: "holdout::sched::tick::on_alarm",
        callees: &["holdout::rcu::report::on_tick"],
        given_to: &[],
        reason: "the hook EACH; what a timer calls is an IRQ-level tracee, traceable by design",
    },
    Indirect {
        caller: "holdout::irq::entry::irq",
        callees: SCHEMES,
        given_to: &[],
        reason: "the seam; the hooks LAB_SGI and LAB are IRQ-level and softirq tracees, traceable by design",
    },
    Indirect { caller: "holdout::sched::ipi::on_visit", callees: &[], given_to: VISIT, reason: "visits" },
    Indirect { caller: "holdout::sched::ipi::visit_every_cpu", callees: &[], given_to: VISIT, reason: "visits" },
    Indirect { caller: "holdout::sched::wait::blocks_atomic", callees: SCHEMES, given_to: &[], reason: "the seam" },
    Indirect { caller: "holdout::sched::switch::schedule", callees: SCHEMES, given_to: &[], reason: "the seam" },
    Indirect {
        caller: "holdout::sched::switch::task_main",
        callees: SCHEMES,
        given_to: &[],
        reason: "the task's own code",
    },
    Indirect {
        caller: "<holdout::rcu::schemes::*",
        callees: WORLD,
        given_to: &[],
        reason: "what a scheme may do to the kernel",
    },
    Indirect {
        caller: "<holdout::rcu::hooks::Wiring as *",
        callees: WORLD,
        given_to: &[],
        reason: "how a scheme looks inside a task",
    },
    Indirect {
        caller: "holdout::rcu::gp_task::on_visit",
        callees: WORLD,
        given_to: &[],
        reason: "how a scheme looks inside a task",
    },
    Indirect {
        caller: "holdout::rcu::hooks::report",
        callees: WORLD,
        given_to: &[],
        reason: "how a scheme looks inside a task",
    },
    Indirect {
        caller: "<holdout::rcu::bracket::*",
        callees: WORLD,
        given_to: &[],
        reason: "what a scheme may do to the kernel",
    },
    Indirect {
        caller: "<holdout::rcu::eyes::Kernel as *",
        callees: &["<* as holdout::rcu::schemes::world::Look>::look"],
        given_to: &[],
        reason: "whoever looks at each task",
    },
    Indirect {
        caller: "holdout::rcu::gp_task::run_grace_periods",
        callees: &["holdout::sched::switch::preempt_if_due", "holdout::rcu::retired::ask::*"],
        given_to: &[],
        reason: "the hook RESCHEDULE, and the retired objects that it judges",
    },
    Indirect {
        caller: "holdout::ftrace::live::late_entry",
        callees: &[],
        given_to: &[],
        reason: "the hook LATE: the oracle ends the kernel",
    },
    Indirect {
        caller: "holdout::lab::oracle::hit::*",
        callees: &["holdout::sched::switch::preempt_if_due"],
        given_to: &[],
        reason: "the hook RESCHEDULE, and tracees: recursion on purpose, which the guard skips and counts",
    },
    Indirect {
        caller: "trampoline_reschedule",
        callees: &["holdout::sched::switch::make_up"],
        given_to: &[],
        reason: "the hook RESCHEDULE of the trampoline",
    },
    Indirect {
        caller: "trampoline_report",
        callees: &["holdout::rcu::hooks::report"],
        given_to: &[],
        reason: "the hook REPORT of the trampoline",
    },
    Indirect { caller: "trampoline*_t0", callees: FUNCS, given_to: &[], reason: "ops.func" },
    Indirect {
        caller: "holdout::ftrace::fanout::fan_out",
        callees: FUNCS,
        given_to: &[],
        reason: "each member's func",
    },
];
