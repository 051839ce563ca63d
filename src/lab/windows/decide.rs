//! Whether the scheme waits, told by events, not by time: the grace period has looked at everybody, waits for nobody but the
//! parties or their CPUs, and stays so while every CPU takes part in more rounds ([`crate::rcu::standing`]).
//! Context: the director.

use super::order::scenario;
use super::party::{DONE, GO, Party, WISHING};
use super::patience::{PATIENCE_NS, wait_until};
use super::stance;
use crate::irq::entry;
use crate::rcu;
use crate::sched::{self, Task};

/// A scheme that has neither ended its grace period nor come to rest by then is `undecided`. Time in which every CPU ran: where a
/// holder keeps one from its ticks for longer, the watchdog comes first.
const BACKSTOP_NS: u64 = 8_000_000_000;

/// What a scheme has decided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// All has ended, or nothing more ends before a party goes on.
    AtRest,
    /// A party had to be waited for, or the round would have been over; it has gone on by itself. Nothing ended before.
    WentOn,
}

/// Waits until all that is retired has ended, of which `nr_left` has not, or the scheme is seen to wait for `tasks`; `None` if
/// neither comes.
pub(super) fn decide(nr_left: impl Fn() -> usize, tasks: &[&Task]) -> Option<Decision> {
    let mut decided = None;
    wait_until(
        || {
            decided = if stance::went_on() {
                Some(Decision::WentOn)
            } else if nr_left() == 0 || scenario().keeps_everybody_waiting() || is_at_rest(&nr_left, tasks) {
                Some(Decision::AtRest)
            } else {
                None
            };
            decided.is_some()
        },
        BACKSTOP_NS,
    );
    decided
}

/// Whether the scheme waits for `tasks`, and for nobody else, and nothing of that changes while they take interrupts.
fn is_at_rest(nr_left: &impl Fn() -> usize, tasks: &[&Task]) -> bool {
    let before = (rcu::standing(tasks), nr_left());
    let (Some(standing), _) = before else { return false };
    if !standing.is_for_nobody_else(tasks) {
        return false;
    }
    tasks.iter().for_each(|task| pass_interrupts(task));
    (rcu::standing(tasks), nr_left()) == before && standing.is_for_nobody_else(tasks)
}

/// Waits until the party is in its func, and waits for it there, with nothing to free; then it goes on.
pub(super) fn grant_wish(party: &Party) {
    let has_come = wait_until(|| matches!(party.phase(), WISHING | DONE), PATIENCE_NS);
    assert!(has_come, "a call has not come to its func: phase {}", party.phase());
    if party.phase() == WISHING {
        let cookie = rcu::start_poll();
        let _ = decide(|| usize::from(!rcu::has_ended(cookie)), &[party.task()]);
        party.order(GO);
    }
}

/// Rounds, until the CPU that runs the task has left an interrupt that began after this did: whoever wants that CPU, and
/// may have it, has it then.
fn pass_interrupts(task: &Task) {
    let cpu = task.cpu();
    let before = entry::taken(cpu);
    // The count is of those that began; an interrupt may answer several rounds.
    while entry::taken(cpu) < before + 2 {
        sched::synchronise_every_cpu();
        if !task.is_running() {
            return sched::synchronise_every_cpu();
        }
    }
}
