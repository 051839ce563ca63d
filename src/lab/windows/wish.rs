//! The long way out of a trampoline: somebody waits for its count to fall, or for its CPU, and it reports that.
//!
//! The party stops in its func until a grace period for something else waits for it; then it is stepped on. What the report
//! calls is stepped through, and not stopped at: locks are held there.

use super::decide::decide;
use super::director::{PATIENCE_NS, wait_until};
use super::party::{Between, CALL, DONE, GO, Party, WISHED, WISHING};
use super::path::Boundary;
use super::thread::{ENTRY, scenario_is, stay_open};
use crate::arch::cpu;
use crate::arch::trampoline::{self, Trampoline};
use crate::mm::text_page::place_of;
use crate::platform::WindowScenario;
use crate::rcu;
use crate::sched;
use crate::sync::atomic::Ordering;
use crate::sync::preempt;

/// Whether the party is in its func, and has yet to be waited for. Context: exception.
#[inline(always)]
pub(super) fn is_due(party: &Party, pc: usize) -> bool {
    scenario_is(WindowScenario::Wished) && party.phase() == CALL && place_of(pc).is_some()
}

/// Stays until it is waited for; where it cannot be preempted, a reschedule is wanted as well. Context: exception.
#[inline(always)]
pub(super) fn make(party: &Party) {
    party.cpu.store(cpu::id(), Ordering::Relaxed);
    party.enter(WISHING);
    if preempt::count() != 0 {
        sched::want_reschedule(cpu::id()); // the next interrupt finds it, and puts it off
    }
    stay_open(party);
    party.enter(WISHED);
}

/// Waits until the party is where it is to be waited for, and waits for it, with nothing to free. Context: the director.
pub(super) fn grant(party: &Party) {
    let has_come = wait_until(|| matches!(party.phase(), WISHING | DONE), PATIENCE_NS);
    assert!(has_come, "a call has not come to its func: phase {}", party.phase());
    if party.phase() == WISHING {
        let cookie = rcu::start_poll();
        let _ = decide(|| rcu::has_ended(cookie).then_some(()), &[party.task()]);
        party.order(GO);
    }
}

/// Whether `pc` is no boundary, but in what the trampoline calls on its way out. Context: exception.
#[inline(always)]
pub(super) fn is_of_what_a_report_calls(party: &Party, between: &Between, pc: usize) -> bool {
    let is_end = pc == ENTRY.load(Ordering::Relaxed) + 8 || pc == party.return_to.load(Ordering::Relaxed);
    party.phase() == WISHED && between.held.depth() == 0 && !is_end && !trampoline::contains(pc)
}

/// Whether a path goes the long way, behind the trampoline's return.
pub(super) fn is_long(path: &[Boundary], trampoline: &Trampoline) -> bool {
    path.iter().any(|at| is_behind(at, trampoline))
}

/// Whether a boundary is one of the long way alone.
pub(super) fn is_behind(at: &Boundary, trampoline: &Trampoline) -> bool {
    trampoline.contains(at.pc) && at.pc > trampoline.ret
}
