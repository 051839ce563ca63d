//! A counterexample in words: who stood where, who freed what, and what the late use found.

use super::order;
use super::path::At;
use super::seen::{OtherSeen, Seen, Spot};
use crate::arch::insn::Insn;
use crate::console::epitaph::Place;
use crate::lab::oracle::Late;
use crate::lab::report::{Cell, HeldWhat};
use crate::lab::scenario::{Caller, Scenario};
use crate::platform::WindowFunc;
use crate::sched;
use crate::sync::atomic::Ordering;
use core::fmt;

/// The story of one run.
pub(super) struct Story<'a> {
    pub(super) func: WindowFunc,
    pub(super) spots: &'a [Spot<'a>],
    pub(super) scenario: &'a Scenario,
    pub(super) seen: &'a Seen,
    pub(super) cell: Cell,
}

fn holds(held: HeldWhat) -> &'static str {
    match held {
        HeldWhat::Ops => "it holds the ops: by the instructions that it executed it will read it again",
        HeldWhat::Text => "it holds func's text: it does not read the ops again, but is not out of func",
        HeldWhat::Nothing => "it holds nothing",
    }
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { func, spots, seen, .. } = *self;
        let Spot { n, at: boundary } = spots[0];
        let Insn(word) = boundary.insn;
        let traced = Place(order::SITE.load(Ordering::Relaxed));
        let caller = match self.scenario.caller {
            Caller::Softirq(_) => "a softirq",
            Caller::Irq(_) => "an IRQ handler",
            _ if self.scenario.has_task_of_its_own() => "task explored-once",
            Caller::Task(_) | Caller::LastWords => "task explored",
        };
        writeln!(f, "story: {caller} calls {traced}, whose func is of kind `{func}`; its ops is at {:#x}", seen.ops)?;
        writeln!(
            f,
            "story: it stands at boundary {n}: {:#x} <{}>, before {word:08x}, on CPU {}",
            seen.pc,
            At(seen.pc),
            seen.cpu
        )?;
        writeln!(f, "story: {}", self.scenario.words[usize::from(!seen.was_off_cpu)])?;
        writeln!(f, "story: {}", holds(boundary.held))?;
        if let (Some(pc), Some(second)) = (seen.second, spots.get(1)) {
            writeln!(
                f,
                "story: {} stands at boundary {}: {pc:#x} <{}>, in a call of the same ops; {}{}",
                if self.scenario.is_second_on_top() { "a softirq on top of it" } else { "another task" },
                second.n,
                At(pc),
                holds(second.at.held),
                if seen.is_second_first { "; it goes on first" } else { "" }
            )?;
        }
        let change =
            if self.scenario.leaves_nop { "unregisters the ops, so the literal names" } else { "swaps the literal to" };
        writeln!(
            f,
            "story: task {:?} on CPU {} {change} {:#x}; the callsite's branch is {:08x}",
            sched::current(),
            seen.updater,
            seen.successor,
            seen.branch.0
        )?;
        writeln!(f, "story: it retires the ops, as number {}", seen.retirement)?;
        if let Some(OtherSeen { ops, is_first, is_held }) = seen.other {
            let when = if is_first { "before" } else { "after" };
            let holds = if is_held { "is held there as well" } else { "nobody holds" };
            writeln!(f, "story: another ops, at {ops:#x}, which {holds}, is retired {when} it")?;
            writeln!(f, "story: what is told from here on is the worse of both")?;
        }
        let us = seen.waited_ns / 1000;
        match self.cell {
            Cell::Disputed => {
                writeln!(
                    f,
                    "story: after {us} us it is decided; what was executed and what was used late do not agree"
                )?;
            }
            Cell::Unsafe | Cell::Forbidden => {
                let text = if func == WindowFunc::Compiled { "stays" } else { "is gone" };
                writeln!(
                    f,
                    "story: the grace period ends after {us} us; the ops is poisoned, and its func's text {text}"
                )?;
            }
            Cell::Undecided => writeln!(f, "story: after {us} us the grace period has neither ended nor come to rest")?,
            _ => writeln!(f, "story: after {us} us the grace period waits for it")?,
        }
        match seen.late {
            Some(Late { property, pc, what }) => {
                writeln!(
                    f,
                    "story: the task goes on: p{} broken: {what}, at {:#x} <{}>",
                    property.index() + 1,
                    pc,
                    At(pc)
                )?;
            }
            None if seen.was_inside => {
                writeln!(f, "story: p3 broken: the task is inside the call that was made for it, and goes on there")?;
            }
            None => writeln!(f, "story: the task goes on, and nothing is used late")?,
        }
        if !seen.has_ended {
            writeln!(f, "story: the grace period never ends, though everybody went on")?;
        }
        Ok(())
    }
}
