//! Where a party is to stand, and what one run came to.

use super::party::{DONE, FIRST, NESTING, OFF_CPU, ON_CPU, Party};
use super::path::Boundary;
use crate::arch::insn::Insn;
use crate::lab::oracle::Late;
use crate::lab::report::{Cell, HeldWhat};
use crate::lab::scenario::Scenario;
use crate::sync::atomic::Ordering;

/// The call went another way, and stands at no boundary that was recorded.
pub(super) struct Elsewhere;

/// Where a party is to stand.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    /// The number of the boundary, and the boundary.
    pub(super) n: usize,
    pub(super) at: &'a Boundary,
}

impl Spot<'_> {
    /// The phases in which `party` stands, or will not any more. With nobody on top it may be on its way to stand.
    pub(super) fn phases(party: &Party, scenario: &Scenario) -> [u32; 4] {
        let is_below = scenario.is_second_on_top() && core::ptr::eq(party, &FIRST);
        [OFF_CPU, ON_CPU, DONE, if is_below { NESTING } else { DONE }]
    }

    /// Whether `party`, which is in one of those phases, stands here.
    pub(super) fn is_reached(&self, party: &Party, scenario: &Scenario) -> Result<bool, Elsewhere> {
        if party.phase() == DONE {
            // Somebody else may have taken the report off it, and it went the short way.
            return if scenario.is_wished { Err(Elsewhere) } else { Ok(false) };
        }
        if self.at.is_at(party.pc.load(Ordering::Relaxed)) { Ok(true) } else { Err(Elsewhere) }
    }

    /// Whether a party that stands here needs the text of the explored func, which its trampoline was sent on to.
    pub(super) fn needs_text(&self) -> bool {
        self.at.held == HeldWhat::Text
    }
}

/// The other ops that is retired: whether before the explored one, and whether somebody who stands holds it.
pub(super) struct OtherSeen {
    pub(super) ops: usize,
    pub(super) is_first: bool,
    pub(super) is_held: bool,
}

/// What one run came to.
pub(super) struct Seen {
    pub(super) cell: Cell,
    /// The grace periods ended, before the parties went on or after.
    pub(super) has_ended: bool,
    pub(super) pc: usize,
    pub(super) cpu: usize,
    pub(super) was_off_cpu: bool,
    /// Where the second of two stands, and whether it goes on first.
    pub(super) second: Option<usize>,
    pub(super) is_second_first: bool,
    pub(super) ops: usize,
    pub(super) successor: usize,
    pub(super) other: Option<OtherSeen>,
    /// What the callsite held then, and the CPU that asked for the grace period.
    pub(super) branch: Insn,
    pub(super) updater: usize,
    pub(super) retirement: u64,
    pub(super) waited_ns: u64,
    pub(super) late: Option<Late>,
    /// When the ops was freed somebody stood in the call that was made for it.
    pub(super) was_inside: bool,
}
