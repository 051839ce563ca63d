//! The rows: one a scenario.

use super::{Below, Caller, Context, OnTop, Other, Scenario, Stand};
use crate::platform::WindowFunc::{self, Block, Callee, Compiled, Enable, FanOut, Nest, Nested, Plain, Redirect, Tail};
use crate::platform::{Name as _, WindowScenario};

/// Where a func does not block, which it does in a scenario of its own alone, it is one more that calls a helper. Two
/// trampolines in one call are twice as long, and a way to stand adds to one of them what it adds to the other.
const ONE_TRAMPOLINE: &[WindowFunc] = &[Plain, Callee, Tail, Enable, Redirect, FanOut];
/// An interrupt has another caller to be sent on to, and a shorter way to enable preemption.
const OF_INTERRUPTS: &[WindowFunc] = &[Plain, Callee, Tail, FanOut];

const STAYS: &str = "it cannot be preempted there; it stays on its CPU";

/// The plainest: the others say in what they differ.
pub(super) const PREEMPTED: Scenario = Scenario {
    name: WindowScenario::Preempted,
    caller: Caller::Task(Context::Plain),
    stand: Stand::Preempted,
    is_wished: false,
    is_boosted: false,
    has_second_task: false,
    is_updater_here: false,
    leaves_nop: false,
    other: Other::Never,
    cpus: 1,
    can_be_seen: true,
    funcs: &[Plain, Callee, Tail, Enable, Redirect, Nest, Nested, FanOut, Compiled],
    words: ["an SGI comes there; at its exit the task is preempted, and is kept off its CPU", STAYS],
};

/// A call out of an interrupt.
const fn interrupt(name: WindowScenario, caller: Caller, can_be_seen: bool, words: &'static str) -> Scenario {
    Scenario {
        name,
        caller,
        stand: Stand::Stays,
        cpus: 2,
        can_be_seen,
        funcs: OF_INTERRUPTS,
        words: [words; 2],
        ..PREEMPTED
    }
}

/// All, in the order of their names.
pub(super) static ALL: [Scenario; WindowScenario::ALL.len()] = [
    PREEMPTED,
    Scenario {
        name: WindowScenario::PreemptedHere,
        is_updater_here: true,
        // How the ops is taken off, and where from, is the same to each func.
        funcs: &[Callee],
        words: [
            "an SGI comes there; at its exit the task is preempted and kept off, and its CPU is the updater's",
            STAYS,
        ],
        ..PREEMPTED
    },
    // The same; one that calls, and one with others beside it.
    Scenario { name: WindowScenario::PreemptedNop, leaves_nop: true, funcs: &[Callee, FanOut], ..PREEMPTED },
    Scenario {
        name: WindowScenario::Migrated,
        stand: Stand::Moved,
        cpus: 2,
        funcs: ONE_TRAMPOLINE,
        words: ["it was preempted one instruction before and moved here, and is preempted again", STAYS],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::Exiting,
        caller: Caller::LastWords,
        funcs: &[Callee, FanOut],
        words: ["it exits, off the task list; an SGI comes, at whose exit it is preempted", STAYS],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::Irq,
        stand: Stand::Softirq(OnTop::Call),
        funcs: ONE_TRAMPOLINE,
        words: ["an SGI comes; a softirq on top calls a traced function and is interrupted itself"; 2],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::IrqElsewhere,
        stand: Stand::Softirq(OnTop::Nothing),
        // The longest of the calls, in a way that is told from `irq` by the trampoline alone, is left out.
        funcs: &[Plain, Callee, Tail, Redirect, FanOut],
        words: ["an SGI comes; a softirq on top, which is not traced, is interrupted itself"; 2],
        ..PREEMPTED
    },
    Scenario { name: WindowScenario::Pair, has_second_task: true, funcs: &[Callee], ..PREEMPTED },
    Scenario {
        name: WindowScenario::PairOnTop,
        stand: Stand::Softirq(OnTop::Party),
        cpus: 2,
        funcs: &[Callee],
        words: ["an SGI comes; a softirq on top makes a call of its own"; 2],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::Wished,
        is_wished: true,
        cpus: 2,
        funcs: &[Plain],
        words: [
            "in func it was waited for; an SGI comes now, and at its exit it is preempted, and is kept off its CPU",
            STAYS,
        ],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::Running,
        stand: Stand::Stays,
        cpus: 2,
        funcs: ONE_TRAMPOLINE,
        words: ["nothing interrupts it but the grace period; it stays on its CPU"; 2],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::Inside,
        stand: Stand::LetsGo,
        funcs: &[Enable, Block],
        words: [
            "its func lets go of the CPU by itself, with no interrupt; it is kept off",
            "its func would let go of the CPU, but cannot; it stays there",
        ],
        ..PREEMPTED
    },
    interrupt(
        WindowScenario::SoftirqOnIdle,
        Caller::Softirq(Below::Idle),
        true,
        "the call is a softirq's, on top of the idle task",
    ),
    interrupt(
        WindowScenario::IrqOnIdle,
        Caller::Irq(Below::Idle),
        false,
        "the call is an IRQ handler's, on top of the idle task",
    ),
    interrupt(
        WindowScenario::SoftirqOnGp,
        Caller::Softirq(Below::GpTask),
        false,
        "the call is a softirq's, on top of the grace-period task",
    ),
    interrupt(
        WindowScenario::IrqOnGp,
        Caller::Irq(Below::GpTask),
        false,
        "the call is an IRQ handler's, on top of the grace-period task",
    ),
    Scenario {
        name: WindowScenario::OtherFirst,
        other: Other::First,
        funcs: &[Callee, Nest, Nested, FanOut],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::OtherNext,
        other: Other::Next,
        funcs: &[Callee, Nest, Nested, FanOut],
        ..PREEMPTED
    },
    Scenario { name: WindowScenario::High, caller: Caller::Task(Context::High), funcs: &[Callee], ..PREEMPTED },
    Scenario { name: WindowScenario::Boosted, is_boosted: true, funcs: &[Callee], ..PREEMPTED },
    Scenario { name: WindowScenario::Deep, caller: Caller::Task(Context::Deep), funcs: &[Callee], ..PREEMPTED },
    Scenario {
        name: WindowScenario::PreemptOff,
        caller: Caller::Task(Context::PreemptOff),
        stand: Stand::Stays,
        cpus: 2,
        funcs: &[Callee, FanOut],
        words: ["it has disabled preemption, and stays on its CPU"; 2],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::IrqsOff,
        caller: Caller::Task(Context::IrqsOff),
        stand: Stand::Stays,
        cpus: 2,
        can_be_seen: false,
        funcs: &[Callee, FanOut],
        words: ["it has masked IRQs, and stays on its CPU"; 2],
        ..PREEMPTED
    },
    Scenario {
        name: WindowScenario::ExitsInside,
        stand: Stand::Exits,
        funcs: &[Block],
        words: ["its func lets go of the CPU by itself, and its task exits there when it has it back", STAYS],
        ..PREEMPTED
    },
];
