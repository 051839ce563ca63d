//! The tables behind the rules on the image: roots, cuts and exceptions, each with its reason.
//!
//! A pattern is a demangled name in which `*` stands for anything. An entry that matches nothing in any
//! image is itself a violation, so that the tables do not outlive what they speak of.

/// A name pattern and why it is listed.
#[derive(Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) pattern: &'static str,
    pub(crate) reason: &'static str,
}

/// A caller of pointers, what they can point to, and how that is known.
#[derive(Clone, Copy)]
pub(crate) struct Indirect {
    pub(crate) caller: &'static str,
    pub(crate) callees: &'static [&'static str],
    /// It also calls methods of trait objects: all of each vtable that holds a function of such a name.
    pub(crate) vtables: &'static [&'static str],
    pub(crate) reason: &'static str,
}

/// A call that is allowed although its caller must not be traced: what is called runs outside of O8.
#[derive(Clone, Copy)]
pub(crate) struct Cut {
    pub(crate) caller: &'static str,
    pub(crate) callee: &'static str,
    pub(crate) reason: &'static str,
}

/// Whether `name` is one that `pattern` stands for.
pub(crate) fn matches(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((head, rest)) => name.strip_prefix(head).is_some_and(|tail| {
            rest.is_empty() || (0..=tail.len()).any(|at| tail.is_char_boundary(at) && matches(rest, &tail[at..]))
        }),
    }
}

/// Where code that must not be traced begins (O8).
pub(crate) const ROOTS: &[Listed] = &[
    Listed { pattern: "exception_vectors", reason: "every exception comes in here" },
    Listed { pattern: "entry_irq", reason: "IRQ entry and exit" },
    Listed { pattern: "holdout::irq::entry::irq", reason: "IRQ entry and exit, behind its hook" },
    Listed { pattern: "switch_context", reason: "the context switch" },
    Listed { pattern: "task_begin", reason: "the first switch to a task ends here" },
    Listed { pattern: "holdout::sched::switch::schedule", reason: "the context switch" },
    Listed { pattern: "holdout::sched::switch::task_main", reason: "what a new task owes to the switch" },
    Listed { pattern: "holdout::sched::switch::preempt_if_due", reason: "preemption out of any context" },
    Listed { pattern: "holdout::sched::switch::idle", reason: "the idle loop" },
    Listed { pattern: "holdout::sched::ipi::visit_every_cpu", reason: "the patcher's and the grace period's rounds" },
    Listed { pattern: "trampoline_t0", reason: "the trampoline" },
    Listed { pattern: "trampoline_depth_t0", reason: "the trampoline" },
    Listed { pattern: "holdout::tracers::*::func", reason: "funcs" },
    Listed { pattern: "holdout::ftrace::fanout::fan_out", reason: "the func of a node" },
    Listed { pattern: "holdout::ftrace::live::late_entry", reason: "the func of a dead ops" },
    Listed { pattern: "holdout::lab::oracle::hit::hit", reason: "the oracle's funcs end here" },
    Listed { pattern: "holdout::rcu::hooks::*", reason: "what a scheme hears of IRQs and switches" },
    Listed { pattern: "holdout::rcu::gp_task::*", reason: "grace-period code" },
];

/// Functions that end the kernel. What only leads to them may be traced: nothing runs after it.
pub(crate) const PANICS: &[Listed] = &[
    Listed { pattern: "core::panicking::*", reason: "a failed check" },
    Listed { pattern: "core::option::*_failed", reason: "a failed check" },
    Listed { pattern: "core::result::*_failed", reason: "a failed check" },
];

/// Calls out of code that must not be traced into code that may: interrupt handlers and softirqs are
/// IRQ-level tracees by design, and a task's own code begins and ends in the scheduler's.
pub(crate) const CUTS: &[Cut] = &[
    Cut {
        caller: "holdout::sched::switch::task_main",
        callee: "holdout::sched::switch::exit",
        reason: "task code again: the switch is finished, the next one is a root of its own",
    },
    Cut {
        caller: "holdout::sched::switch::task_main",
        callee: "<holdout::mm::heap::KernelHeap>::release",
        reason: "frees the task's closure, after the switch is finished",
    },
];

/// Every func that an ops can have.
const FUNCS: &[&str] = &[
    "trampoline_func_ret",
    "holdout::tracers::*::func",
    "holdout::ftrace::fanout::fan_out",
    "holdout::ftrace::live::late_entry",
    "holdout::lab::oracle::hit::hit",
];

/// The work of a visit, which every CPU runs in its SGI handler.
const VISIT: &[&str] = &["<* as core::ops::function::FnOnce<(&holdout::sched::ipi::Visit,)>>::call_once*"];

/// Reachable callers of pointers, and what the pointers are.
pub(crate) const INDIRECT: &[Indirect] = &[
    Indirect { caller: "exception_irq", callees: &["holdout::irq::entry::irq"], vtables: &[], reason: "the hook IRQ" },
    Indirect { caller: "exception_*", callees: &[], vtables: &[], reason: "the hook FAULT: ends the kernel" },
    Indirect {
        caller: "holdout::irq::entry::irq",
        callees: &[],
        vtables: VISIT,
        reason: "visits; the hooks LAB_SGI and LAB are IRQ-level and softirq tracees, traceable by design",
    },
    Indirect { caller: "holdout::sched::ipi::visit_every_cpu", callees: &[], vtables: VISIT, reason: "visits" },
    Indirect { caller: "holdout::sched::switch::task_main", callees: &[], vtables: &[], reason: "the task's own code" },
    Indirect { caller: "trampoline*_t0", callees: FUNCS, vtables: &[], reason: "ops.func" },
    Indirect { caller: "holdout::ftrace::fanout::fan_out", callees: FUNCS, vtables: &[], reason: "each member's func" },
];

/// Functions of this crate without a callsite: `notrace` for O8, or before there is anything to trace with.
pub(crate) const NO_CALLSITE: &[Listed] = &[
    Listed { pattern: "holdout::arch::aarch64::boot::*_entry", reason: "boot: the callsites are not patched yet" },
    Listed { pattern: "holdout::arch::aarch64::exit::exit", reason: "the kernel's end, from any context" },
    Listed { pattern: "holdout::irq::entry::*", reason: "O8: IRQ entry and exit" },
    Listed { pattern: "holdout::sched::ipi::run_idle", reason: "O8: becomes the idle loop" },
    Listed { pattern: "holdout::sched::ipi::visit_every_cpu", reason: "O8: rounds of patcher and grace period" },
    Listed { pattern: "holdout::sched::runqueue::*", reason: "O8: inside the switch, and wake-ups from IRQ exit" },
    Listed { pattern: "holdout::sched::switch::*", reason: "O8: the context switch and idle" },
    Listed { pattern: "holdout::sched::wait::wake", reason: "O8: wake-ups from IRQ exit" },
];

/// Code that keeps other rules about x29 than the procedure call standard's: all of it is assembly.
pub(crate) const OWN_FRAMES: &[Listed] = &[
    Listed { pattern: "first_cpu", reason: "reset: makes the chain's base before Rust runs" },
    Listed { pattern: "secondary_entry", reason: "reset: makes the chain's base before Rust runs" },
    Listed {
        pattern: "switch_context",
        reason: "goes on with the x29 of the next task, above whose sp its record lies",
    },
    Listed { pattern: "task_begin", reason: "makes the chain's base of a new task" },
    Listed {
        pattern: "trampoline_t0",
        reason: "two records, the callsite's and its caller's; stepped through by the GDB test",
    },
    Listed { pattern: "trampoline_depth_t0", reason: "as trampoline_t0" },
    Listed { pattern: "entry_*", reason: "exception entry: its record ends the saved frame" },
    Listed { pattern: "restore_frame", reason: "exception return: x29 of what was interrupted" },
];

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_stands_for_anything_and_nothing_else_does() {
        assert!(matches("a::*::c", "a::b::b::c") && matches("*", "") && matches("<a::*>::f", "<a::B<u8>>::f"));
        assert!(!matches("a::*::c", "a::b::cd") && !matches("a", "ab") && !matches("b*", "ab"));
    }
}
