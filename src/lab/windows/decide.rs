//! Whether the scheme waits, told by events, not by time: the grace period has looked at everybody, waits for nobody but the
//! parties or their CPUs, and stays so while every CPU takes part in more rounds ([`crate::rcu::standing`]).
//! Context: the director.

use super::director::wait_until;
use super::levels;
use crate::irq::entry;
use crate::rcu;
use crate::sched::{self, Task};

/// A scheme that has neither ended its grace period nor come to rest by then is `undecided`. Time in which every CPU ran: where a
/// holder keeps one from its ticks for longer, the watchdog comes first.
const BACKSTOP_NS: u64 = 8_000_000_000;

/// Waits until `poll` says that the wait is over, or the scheme is seen to wait for `tasks`; `None` if neither comes.
pub(super) fn decide<T>(poll: impl Fn() -> Option<T>, tasks: &[&Task]) -> Option<Option<T>> {
    let mut decided = None;
    wait_until(
        || {
            if levels::went_on() {
                decided = Some(None); // it had to be waited for, or the round would have been over
            } else if let Some(elapsed) = poll() {
                decided = Some(Some(elapsed));
            } else if levels::keeps_everybody_waiting() {
                decided = Some(None);
            } else if let Some(before) = rcu::standing(tasks).filter(|it| it.is_for_nobody_else(tasks)) {
                tasks.iter().for_each(|task| pass_interrupts(task));
                let is_so = |it: rcu::Standing| it == before && it.is_for_nobody_else(tasks);
                if rcu::standing(tasks).is_some_and(is_so) && poll().is_none() {
                    decided = Some(None);
                }
            }
            decided.is_some()
        },
        BACKSTOP_NS,
    );
    decided
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
