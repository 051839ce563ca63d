//! The explorer's ways to stand at a boundary, and to take the ops off there: a row each, of what it asks about. Pure.

mod rows;

use self::rows::{ALL, PREEMPTED};
use crate::platform::{WindowFunc, WindowScenario};

/// Who makes the call that is explored.
#[derive(Clone, Copy, Debug)]
pub enum Caller {
    /// A task, in a context of this kind.
    Task(Context),
    /// A task that exits, from its last words.
    LastWords,
    /// A softirq, on top of a task.
    Softirq(Below),
    /// An IRQ handler, on top of a task.
    Irq(Below),
}

/// What a task is, or has done, when it calls.
#[derive(Clone, Copy, Debug)]
pub enum Context {
    /// Nothing particular.
    Plain,
    /// It is of the high class.
    High,
    /// It has called itself so often that many frames lie below the call.
    Deep,
    /// It has disabled preemption.
    PreemptOff,
    /// It has masked IRQs.
    IrqsOff,
}

/// The task that an interrupt's call is on top of.
#[derive(Clone, Copy, Debug)]
pub enum Below {
    /// A CPU's idle task.
    Idle,
    /// The one that ends grace periods.
    GpTask,
}

/// What happens to the party at its boundary.
#[derive(Clone, Copy, Debug)]
pub enum Stand {
    /// Nothing: it stays on its CPU.
    Stays,
    /// An SGI comes, at whose exit it is preempted if it can be.
    Preempted,
    /// The same, after it was preempted one instruction before, and moved to another CPU.
    Moved,
    /// An SGI comes, and on top of it a softirq that does this; it is interrupted itself, and then the task is preempted.
    Softirq(OnTop),
    /// Its func lets go of the CPU in a helper, without an interrupt.
    LetsGo,
    /// The same, and afterwards it exits there.
    Exits,
}

/// What the softirq on top does.
#[derive(Clone, Copy, Debug)]
pub enum OnTop {
    /// It is interrupted where it calls nothing that is traced.
    Nothing,
    /// It calls a traced function, and is interrupted behind that.
    Call,
    /// It makes a call of the explored ops, and stands at a boundary of its own.
    Party,
}

/// When another ops is retired, which is registered beside the explored one: a member of the same node, the one of a call in a
/// call, or one that nobody calls.
#[derive(Clone, Copy, Debug)]
pub enum Other {
    /// None is.
    Never,
    /// Before the explored one.
    First,
    /// After it.
    Next,
}

/// One way to stand, and what is done meanwhile.
#[derive(Debug)]
pub struct Scenario {
    /// Its word.
    pub name: WindowScenario,
    /// Who calls.
    pub caller: Caller,
    /// How the caller comes to stand.
    pub stand: Stand,
    /// The party is waited for in its func, for something else, and goes on before it comes to its boundary.
    pub is_wished: bool,
    /// The party is boosted while it stands.
    pub is_boosted: bool,
    /// A second task stands at a boundary of its own.
    pub has_second_task: bool,
    /// The updater runs on the CPU that the party was preempted on.
    pub is_updater_here: bool,
    /// The ops is unregistered, not swapped.
    pub leaves_nop: bool,
    /// Whether another ops is retired as well.
    pub other: Other,
    /// The CPUs that it needs: two where the party stands on one, since the director looks on from another.
    pub cpus: usize,
    /// A grace period can look at the party, and end, while it stands. Where none can, the party stands where it holds something
    /// alone, so that none must.
    pub can_be_seen: bool,
    /// What is explored in this way.
    pub funcs: &'static [WindowFunc],
    /// What happens, in words: to a party that is off its CPU where it stands, and to one that is not.
    pub words: [&'static str; 2],
}

impl Scenario {
    /// The row of this name. Context: any.
    pub fn of(name: WindowScenario) -> &'static Self {
        &ALL[name as usize]
    }

    /// The plainest. Context: any.
    #[inline(always)]
    pub const fn plainest() -> &'static Self {
        &PREEMPTED
    }

    /// Whether two stand.
    pub const fn has_two(&self) -> bool {
        self.has_second_task || self.is_second_on_top()
    }

    /// Whether the second that stands is a softirq on top of the first.
    #[inline(always)]
    pub const fn is_second_on_top(&self) -> bool {
        matches!(self.stand, Stand::Softirq(OnTop::Party))
    }

    /// Whether the call is an interrupt's, on top of whatever task that hits.
    #[inline(always)]
    pub const fn is_of_interrupt(&self) -> bool {
        self.below().is_some()
    }

    /// What an interrupt's call is on top of.
    #[inline(always)]
    pub const fn below(&self) -> Option<Below> {
        match self.caller {
            Caller::Softirq(below) | Caller::Irq(below) => Some(below),
            Caller::Task(_) | Caller::LastWords => None,
        }
    }

    /// Whether the party calls, and stands, with IRQs masked: it answers no round.
    #[inline(always)]
    pub const fn is_masked(&self) -> bool {
        matches!(self.caller, Caller::Irq(_) | Caller::Task(Context::IrqsOff))
    }

    /// Whether the task that ends grace periods stands under the party: none ends before that goes on.
    #[inline(always)]
    pub const fn keeps_everybody_waiting(&self) -> bool {
        matches!(self.below(), Some(Below::GpTask))
    }

    /// Whether each call is that of another task.
    pub const fn has_task_of_its_own(&self) -> bool {
        matches!(self.caller, Caller::LastWords | Caller::Task(Context::High)) || matches!(self.stand, Stand::Exits)
    }

    /// Whether the call is made from what a task calls when it exits, not from a tracee.
    pub const fn is_last_call(&self) -> bool {
        matches!(self.caller, Caller::LastWords)
    }

    /// Whether the party stands in a helper of its func, and not at any boundary.
    #[inline(always)]
    pub const fn is_in_helper(&self) -> bool {
        matches!(self.stand, Stand::LetsGo | Stand::Exits)
    }

    /// Whether a party that cannot leave its CPU does not stand.
    #[inline(always)]
    pub const fn needs_to_leave(&self) -> bool {
        self.is_updater_here || matches!(self.stand, Stand::Moved)
    }
}

#[cfg(test)]
mod tests {
    use super::{ALL, Scenario, Stand};
    use crate::platform::{Name, WindowFunc, WindowScenario};

    #[test]
    fn each_name_has_the_row_of_its_place() {
        for &name in WindowScenario::ALL {
            assert_eq!(Scenario::of(name).name.as_str(), name.as_str());
        }
    }

    #[test]
    fn each_func_is_explored_and_none_twice_in_one_way() {
        let all = || ALL.iter().flat_map(|it| it.funcs);
        for func in WindowFunc::ALL {
            assert!(all().any(|it| it == func), "{func}");
        }
        for it in &ALL {
            assert!((1..it.funcs.len()).all(|n| !it.funcs[..n].contains(&it.funcs[n])), "{}", it.name);
        }
    }

    /// What one task for each call is not wired for: orders that are given to the task that stays, and a second party.
    #[test]
    fn a_task_for_one_call_is_preempted_or_exits_and_stands_alone() {
        for it in ALL.iter().filter(|it| it.has_task_of_its_own()) {
            assert!(matches!(it.stand, Stand::Preempted | Stand::Exits), "{}", it.name);
            assert!(!it.is_wished && !it.is_boosted && !it.has_two() && !it.is_of_interrupt(), "{}", it.name);
        }
    }

    #[test]
    fn who_is_seen_by_no_grace_period_is_masked_or_on_top_of_the_task_that_ends_them() {
        for it in &ALL {
            assert_eq!(it.can_be_seen, !it.is_masked() && !it.keeps_everybody_waiting(), "{}", it.name);
        }
    }
}
