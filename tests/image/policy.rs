//! The tables behind the rules on the image: roots, cuts and exceptions, each with its reason.
//!
//! A pattern is a demangled name in which `*` stands for anything. An entry that matches nothing in any
//! image is itself a violation, so that the tables do not outlive what they speak of.

mod own_frames;
pub(crate) use own_frames::OWN_FRAMES;

/// A name pattern and why it is listed.
#[derive(Clone, Copy)]
pub(crate) struct Listed {
    pub(crate) pattern: &'static str,
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
    Listed { pattern: "entry_fiq", reason: "the watchdog's beat, on top of anything" },
    Listed { pattern: "holdout::irq::watchdog::fiq", reason: "the watchdog's beat, behind its hook" },
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
    Listed { pattern: "trampoline_nopreempt_t0", reason: "the trampoline" },
    Listed { pattern: "holdout::tracers::*::func", reason: "funcs" },
    Listed { pattern: "holdout::ftrace::fanout::fan_out", reason: "the func of a node" },
    Listed { pattern: "holdout::ftrace::live::late_entry", reason: "the func of a dead ops" },
    Listed { pattern: "holdout::ftrace::live::stale_hit", reason: "the func of the no-op ops" },
    Listed { pattern: "holdout::lab::oracle::hit::hit", reason: "the oracle's funcs end here" },
    Listed { pattern: "holdout::lab::demo::func", reason: "the demo's func" },
    Listed { pattern: "holdout::lab::hold::func", reason: "the func that stays" },
    Listed { pattern: "holdout::lab::stress::redirect::func", reason: "the func that redirects" },
    Listed { pattern: "holdout::lab::windows::funcs::note", reason: "what explored funcs call" },
    Listed { pattern: "holdout::lab::windows::funcs::enable", reason: "what explored funcs call" },
    Listed { pattern: "<holdout::rcu::hooks::Wiring as *", reason: "what a scheme hears of IRQs and switches" },
    Listed { pattern: "holdout::rcu::gp_task::*", reason: "grace-period code" },
];

/// Functions that end the kernel. What only leads to them may be traced: nothing runs after it.
pub(crate) const PANICS: &[Listed] = &[
    Listed { pattern: "core::panicking::*", reason: "a failed check" },
    Listed { pattern: "core::option::*_failed", reason: "a failed check" },
    Listed { pattern: "core::result::*_failed", reason: "a failed check" },
    Listed { pattern: "alloc::alloc::handle_alloc_error", reason: "out of memory: tells how the heap stands" },
    Listed { pattern: "holdout::mm::heap::damaged", reason: "a misuse of the heap: tells its story" },
    Listed {
        pattern: "holdout::lab::oracle::violation::tell",
        reason: "a violation: tells its story and ends in FAIL",
    },
    Listed { pattern: "holdout::irq::watchdog::report::*", reason: "the watchdog's report: every CPU tells and stops" },
];

/// The report of a stall, by the grace-period task: no grace period waits for it, since it alone ends them, and it stands
/// outside of every trampoline when it decides. Or by a tick, as an IRQ-level tracee.
const STALL_REPORT: &str = "the stall report, by the task that no grace period waits for, or at interrupt level";

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
    Cut {
        caller: "holdout::lab::oracle::hit::*",
        callee: "holdout::lab::tracees::*",
        reason: "recursion on purpose: the guard skips and counts it",
    },
    Cut {
        caller: "holdout::lab::stress::redirect::func",
        callee: "holdout::lab::stress::redirect::stand_in",
        reason: "its address alone is used: where the trampoline goes on",
    },
    Cut {
        caller: "holdout::lab::hold::func",
        callee: "holdout::irq::serial::sleep",
        reason: "recursion on purpose: the guard skips it",
    },
    Cut {
        caller: "holdout::lab::hold::sleep_behind_broken_record",
        callee: "holdout::lab::hold::sleep_here",
        reason: "recursion on purpose: the guard skips it",
    },
    Cut {
        caller: "holdout::irq::entry::irq",
        callee: "holdout::irq::serial::on_receive",
        reason: "the UART's handler",
    },
    Cut { caller: "holdout::rcu::*", callee: "holdout::rcu::report::tell*", reason: STALL_REPORT },
    Cut { caller: "holdout::rcu::report::*", callee: "<holdout::rcu::sight::*>::read_running", reason: STALL_REPORT },
    Cut { caller: "holdout::rcu::*", callee: "holdout::rcu::broken::tell", reason: STALL_REPORT },
    Cut { caller: "holdout::rcu::*", callee: "holdout::console::*", reason: STALL_REPORT },
    Cut { caller: "holdout::rcu::*", callee: "<holdout::console::*", reason: STALL_REPORT },
    Cut { caller: "holdout::rcu::*", callee: "<* as core::fmt::*", reason: STALL_REPORT },
    Cut { caller: "holdout::rcu::*", callee: "core::fmt::*", reason: STALL_REPORT },
    Cut { caller: "holdout::rcu::*", callee: "_start", reason: "its address alone is used: where text begins" },
    Cut {
        caller: "holdout::arch::aarch64::image::room_around",
        callee: "_start",
        reason: "its address alone is used: where the image begins",
    },
    Cut {
        caller: "<holdout::arch::aarch64::unwind::*",
        callee: "_start",
        reason: "its address alone is used: where text begins",
    },
];

/// Functions of this crate without a callsite: `notrace` for O8, or before there is anything to trace with.
pub(crate) const NO_CALLSITE: &[Listed] = &[
    Listed { pattern: "holdout::arch::aarch64::boot::*_entry", reason: "boot: the callsites are not patched yet" },
    Listed { pattern: "holdout::arch::aarch64::vectors::*", reason: "O8: exception entry" },
    Listed { pattern: "holdout::arch::aarch64::gic::send_*", reason: "O8: wake-ups, rounds and the watchdog" },
    Listed { pattern: "holdout::arch::aarch64::image::is_stack_guard", reason: "exception entry, and every unwinding" },
    Listed {
        pattern: "holdout::arch::aarch64::image::room_around",
        reason: "O8: frames are looked at inside the switch",
    },
    Listed { pattern: "holdout::rcu::inside::look", reason: "O8: runs in the visit's SGI" },
    Listed { pattern: "holdout::arch::aarch64::uart::write", reason: "the panic path" },
    Listed { pattern: "holdout::sched::tick::*", reason: "O8: the alarm, set inside waits of the grace period" },
    Listed { pattern: "holdout::arch::aarch64::exit::exit", reason: "the kernel's end, from any context" },
    Listed { pattern: "holdout::ftrace::fanout::*", reason: "O8: the func of a node" },
    Listed { pattern: "holdout::ftrace::live::late_entry", reason: "O8: the func of a dead ops" },
    Listed { pattern: "holdout::ftrace::live::stale_hit", reason: "O8: the func of the no-op ops" },
    Listed { pattern: "holdout::irq::entry::*", reason: "O8: IRQ entry and exit" },
    Listed { pattern: "holdout::irq::watchdog::*", reason: "O8: beats come on top of anything" },
    Listed { pattern: "holdout::shell::faults::hangs::s*", reason: "O8: runs in the visit's SGI" },
    Listed { pattern: "<holdout::rcu::bracket::*", reason: "O8: grace-period code" },
    Listed { pattern: "holdout::lab::*::func", reason: "O8: funcs" },
    Listed { pattern: "holdout::lab::hold::func", reason: "O8: a func" },
    Listed { pattern: "holdout::lab::selftest::overlaps::*_func", reason: "O8: funcs" },
    Listed { pattern: "holdout::shell::faults::funcs::*", reason: "O8: funcs" },
    Listed { pattern: "holdout::lab::bench::switch::stay", reason: "O8: what a func calls" },
    Listed { pattern: "holdout::lab::bench::switch::leave", reason: "O8: what a func calls" },
    Listed { pattern: "holdout::lab::bench::overlap::until_it_may_leave", reason: "O8: a func" },
    Listed { pattern: "holdout::lab::bench::masked::deep::deepen", reason: "O8: what a func calls" },
    Listed { pattern: "holdout::lab::bench::masked::deep::stay", reason: "O8: what a func calls" },
    Listed { pattern: "holdout::lab::hold::sleep_behind_broken_record", reason: "O8: what a func calls" },
    Listed { pattern: "holdout::rcu::broken::note", reason: "O8: grace-period code" },
    Listed { pattern: "holdout::lab::cpu_time::use_up*", reason: "O8: what a func calls" },
    Listed { pattern: "holdout::lab::demo::place::note", reason: "O8: runs in the visit's SGI" },
    Listed { pattern: "holdout::lab::selftest::ground::count_visit", reason: "O8: runs in the visit's SGI" },
    Listed { pattern: "holdout::lab::selftest::debug::*_points", reason: "O8: runs in the visit's SGI" },
    Listed { pattern: "holdout::lab::walk::on_stop", reason: "O8: the handler of a debugged thread" },
    Listed { pattern: "holdout::lab::stress::in_trampoline::on_stop", reason: "O8: the handler of a debugged thread" },
    Listed { pattern: "holdout::lab::windows::thread::on_stop", reason: "O8: the handler of a debugged thread" },
    Listed { pattern: "holdout::lab::windows::funcs::*", reason: "O8: what funcs call" },
    Listed { pattern: "holdout::lab::selftest::*::on_*", reason: "O8: the handler of a debugged thread" },
    Listed { pattern: "holdout::lab::oracle::*", reason: "O8: funcs, and what they call" },
    Listed { pattern: "holdout::rcu::gp_task::*", reason: "O8: grace-period code" },
    Listed { pattern: "<holdout::rcu::hooks::*", reason: "O8: what a scheme hears of IRQs and switches" },
    Listed { pattern: "holdout::rcu::report::*", reason: "O8: runs in the visit's SGI" },
    Listed { pattern: "<holdout::rcu::eyes::*", reason: "O8: grace-period code" },
    Listed { pattern: "holdout::rcu::hooks::report", reason: "O8: on the trampoline's way out" },
    Listed { pattern: "holdout::rcu::hooks::stands_in_func", reason: "O8: in a switch of a checked build" },
    Listed { pattern: "<holdout::arch::aarch64::unwind::*", reason: "O8: frames are looked at inside the switch" },
    Listed { pattern: "<holdout::rcu::schemes::*", reason: "O8: grace-period code" },
    Listed { pattern: "holdout::rcu::retired::ask::*", reason: "O8: what is retired is asked by grace-period code" },
    Listed { pattern: "holdout::shell::look::answer", reason: "O8: runs in the visit's SGI" },
    Listed { pattern: "<holdout::sched::deadlines::*", reason: "O8: the timers' order" },
    Listed { pattern: "holdout::sched::deadlines::*", reason: "O8: the timers' order" },
    Listed { pattern: "holdout::sched::affinity::hold_back", reason: "O8: what an explored func calls" },
    Listed { pattern: "holdout::sched::ipi::*", reason: "O8: rounds of patcher and grace period" },
    Listed { pattern: "holdout::sched::timers::*", reason: "O8: waits of the grace period" },
    Listed { pattern: "<holdout::mm::heap::*", reason: "O8: task_main drops a task's work" },
    Listed { pattern: "<holdout::mm::poison::*", reason: "O8: task_main drops a task's work" },
    Listed { pattern: "holdout::mm::poison::*", reason: "O8: task_main drops a task's work" },
    Listed { pattern: "<holdout::mm::classes::*", reason: "O8: task_main drops a task's work" },
    Listed { pattern: "holdout::mm::classes::*", reason: "O8: task_main drops a task's work" },
    Listed { pattern: "holdout::sched::runqueue::*", reason: "O8: inside the switch, and wake-ups from IRQ exit" },
    Listed { pattern: "holdout::sched::switch::*", reason: "O8: the context switch and idle" },
    Listed { pattern: "holdout::sched::wait::*", reason: "O8: wake-ups from IRQ exit; waits of the grace period" },
    Listed { pattern: "holdout::sync::helps::*", reason: "O8: locks are taken inside the switch" },
    Listed { pattern: "<holdout::sync::order::*", reason: "O8: locks are taken inside the switch" },
    Listed { pattern: "holdout::tracers::*::func", reason: "O8: funcs" },
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
