//! A counterexample in words: who stood where, who freed what, and what the late use found.

use super::director::{Seen, Spot};
use super::pairs;
use super::thread;
use crate::arch::insn::Insn;
use crate::arch::mmu::PAGE_SIZE;
use crate::arch::trampoline;
use crate::console::epitaph::Place;
use crate::lab::oracle::Late;
use crate::lab::report::{Cell, HeldWhat};
use crate::mm::text_page::place_of;
use crate::platform::{WindowFunc, WindowScenario};
use crate::sched;
use crate::sync::atomic::Ordering;
use core::fmt::{self, Write};

/// Prints a place in one word: in the trampoline, in a func's page, or in other text.
#[derive(Clone, Copy)]
pub(super) struct At(pub(super) usize);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pc = self.0;
        match (place_of(pc), trampoline::around(pc)) {
            (Some(_), _) => write!(f, "func+{:#x}", pc % PAGE_SIZE),
            (None, Some(variant)) => write!(f, "trampoline+{:#x}", pc - variant.t0),
            (None, None) => write!(OneWord(f), "{}", Place(pc)),
        }
    }
}

/// Writes a name without its spaces: `<A as B>` has them.
struct OneWord<'a, 'b>(&'a mut fmt::Formatter<'b>);

impl fmt::Write for OneWord<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.split(' ').enumerate().try_for_each(|(index, word)| {
            self.0.write_str(if index == 0 { "" } else { "_" })?;
            self.0.write_str(word)
        })
    }
}

/// The story of one run.
pub(super) struct Story<'a> {
    pub(super) func: WindowFunc,
    pub(super) spots: &'a [Spot<'a>],
    pub(super) scenario: WindowScenario,
    pub(super) seen: &'a Seen,
    pub(super) cell: Cell,
}

impl Story<'_> {
    fn interruption(&self) -> &'static str {
        match (self.scenario, self.seen.was_off_cpu) {
            (WindowScenario::Running, _) => "nothing interrupts it but the grace period; it stays on its CPU",
            (WindowScenario::Inside, true) => {
                "its func lets go of the CPU by itself, with no interrupt; it is kept off"
            }
            (WindowScenario::Inside, false) => "its func would let go of the CPU, but cannot; it stays there",
            (WindowScenario::Irq, _) => {
                "an SGI comes; a softirq on top calls a traced function and is interrupted itself"
            }
            (WindowScenario::IrqElsewhere, _) => {
                "an SGI comes; a softirq on top, which is not traced, is interrupted itself"
            }
            (WindowScenario::PairOnTop, _) => "an SGI comes; a softirq on top makes a call of its own",
            (WindowScenario::Wished, true) => {
                "in func it was waited for; an SGI comes now, and at its exit it is preempted, and is kept off its CPU"
            }
            (WindowScenario::Preempted | WindowScenario::PreemptedNop | WindowScenario::Pair, true) => {
                "an SGI comes there; at its exit the task is preempted, and is kept off its CPU"
            }
            (WindowScenario::PreemptedHere, true) => {
                "an SGI comes there; at its exit the task is preempted and kept off, and its CPU is the updater's"
            }
            (WindowScenario::Exiting, true) => {
                "it exits, off the task list; an SGI comes, at whose exit it is preempted"
            }
            (WindowScenario::SoftirqOnIdle, _) => "the call is a softirq's, on top of the idle task",
            (WindowScenario::IrqOnIdle, _) => "the call is an IRQ handler's, on top of the idle task",
            (WindowScenario::IrqOnGp, _) => "the call is an IRQ handler's, on top of the grace-period task",
            (WindowScenario::SoftirqOnGp, _) => "the call is a softirq's, on top of the grace-period task",
            (WindowScenario::Migrated, true) => {
                "it was preempted one instruction before and moved here, and is preempted again"
            }
            (_, false) => "it cannot be preempted there; it stays on its CPU",
        }
    }
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
        let traced = Place(thread::SITE.load(Ordering::Relaxed));
        writeln!(
            f,
            "story: task explored calls {traced}, whose func is of kind `{func}`; its ops is at {:#x}",
            seen.ops
        )?;
        writeln!(
            f,
            "story: it stands at boundary {n}: {:#x} <{}>, before {word:08x}, on CPU {}",
            seen.pc,
            At(seen.pc),
            seen.cpu
        )?;
        writeln!(f, "story: {}", self.interruption())?;
        writeln!(f, "story: {}", holds(boundary.held))?;
        if let (Some(pc), Some(second)) = (seen.second, spots.get(1)) {
            writeln!(
                f,
                "story: {} stands at boundary {}: {pc:#x} <{}>, in a call of the same ops; {}{}",
                if self.scenario == WindowScenario::PairOnTop { "a softirq on top of it" } else { "another task" },
                second.n,
                At(pc),
                holds(second.at.held),
                if pairs::is_second_first(spots, self.scenario) { "; it goes on first" } else { "" }
            )?;
        }
        let change = match self.scenario {
            WindowScenario::PreemptedNop => "unregisters the ops, so the literal names",
            _ => "swaps the literal to",
        };
        writeln!(
            f,
            "story: task {:?} on CPU {} {change} {:#x}; the callsite's branch is {:08x}",
            sched::current(),
            seen.updater,
            seen.successor,
            seen.branch.0
        )?;
        writeln!(f, "story: it retires the ops, as number {}", seen.retirement)?;
        let us = seen.waited_ns / 1000;
        match self.cell {
            Cell::Disputed => {
                writeln!(
                    f,
                    "story: after {us} us it is decided; what was executed and what was used late do not agree"
                )?;
            }
            Cell::Unsafe | Cell::Forbidden => {
                writeln!(
                    f,
                    "story: the grace period ends after {us} us; the ops is poisoned, and its func's text is gone"
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
