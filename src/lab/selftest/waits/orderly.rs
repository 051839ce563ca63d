//! All of a crowd are woken, round after round; and who waits longest is woken first.

use crate::lab::selftest::crew::{Crew, PATIENCE_NS, await_that, wait_in};
use crate::lab::selftest::{Outcome, Run, check};
use crate::sched::{self, Task, WaitQueue};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

const ROUNDS: u64 = 200;
/// Tasks that wait in a known order.
const IN_LINE: usize = 8;
/// A host with other things to do lets most of them go by.
const ATTEMPTS: usize = 100;

#[derive(Default)]
struct Crowd {
    round: AtomicU64,
    begun: WaitQueue,
    arrived: AtomicUsize,
    all_arrived: WaitQueue,
}

/// Everybody waits for the next round, which begins when all have arrived.
pub(super) fn rounds(run: &mut Run) -> Outcome {
    let n = 2 * sched::nr_cpus() + 2;
    let crowd = Arc::new(Crowd::default());
    let mut crew = Crew::new();
    for _ in 0..n {
        let crowd = Arc::clone(&crowd);
        crew.normal("walker", None, move || {
            for round in 1..=ROUNDS {
                crowd.begun.wait_until(|| crowd.round.load(Ordering::Acquire) >= round);
                if crowd.arrived.fetch_add(1, Ordering::AcqRel) + 1 == n * round as usize {
                    crowd.all_arrived.wake_all();
                }
            }
        })?;
    }
    for round in 1..=ROUNDS {
        crowd.round.store(round, Ordering::Release);
        crowd.begun.wake_all();
        let arrived = || crowd.arrived.load(Ordering::Acquire);
        let all = wait_in(&crowd.all_arrived, PATIENCE_NS, || arrived() == n * round as usize);
        check!(all, "of {n} tasks that were all woken {} arrived in round {round}", arrived() % n);
    }
    run.note("rounds", ROUNDS);
    crew.finish("walks its last round")
}

struct Queue {
    gate: WaitQueue,
    tickets: AtomicUsize,
    order: IrqLock<Vec<usize>>,
}

/// So many tasks of one CPU, which have come to a queue one after the other.
fn stand_in_line(queue: &Arc<Queue>) -> Result<Crew, String> {
    let mut crew = Crew::new();
    for number in 0..IN_LINE {
        let queue = Arc::clone(queue);
        crew.normal("in-line", Some(0), move || {
            let take = |tickets: usize| tickets.checked_sub(1);
            queue.gate.wait_until(|| {
                let mut order = queue.order.lock();
                let has_ticket = queue.tickets.fetch_update(Ordering::AcqRel, Ordering::Relaxed, take).is_ok();
                if has_ticket {
                    order.push(number);
                }
                has_ticket
            });
        })?;
        await_that("a task to stand in line", || crew.tasks().last().is_some_and(Task::is_blocked))?;
    }
    Ok(crew)
}

fn queue() -> Arc<Queue> {
    Arc::new(Queue { gate: WaitQueue::new(), tickets: AtomicUsize::new(0), order: IrqLock::new(Vec::new()) })
}

/// Tasks that came one after the other are woken in that order: one by one, then all at once.
pub(super) fn first_come(run: &mut Run) -> Outcome {
    let line = queue();
    let crew = stand_in_line(&line)?;
    for number in 0..IN_LINE {
        line.tickets.fetch_add(1, Ordering::AcqRel);
        line.gate.wake_one();
        let still: Vec<usize> =
            crew.tasks().enumerate().filter(|(_, task)| task.is_blocked()).map(|(number, _)| number).collect();
        check!(
            still.iter().eq((number + 1..IN_LINE).collect::<Vec<_>>().iter()),
            "{number} wake-ups after the first, tasks {still:?} of {IN_LINE} stand in line"
        );
    }
    crew.finish("stands in line")?;
    for _ in 0..ATTEMPTS {
        let line = queue();
        let crew = stand_in_line(&line)?;
        let ticks = |crew: &Crew| crew.tasks().map(|task| task.ticks_run.load(Ordering::Relaxed)).sum::<u64>();
        let before = ticks(&crew);
        line.tickets.store(IN_LINE, Ordering::Release);
        line.gate.wake_all();
        let mut was_disturbed = false;
        crew.finish_keeping("stands in line", |crew| {
            was_disturbed = ticks(crew) > before;
            Ok(())
        })?;
        let order = line.order.lock().clone();
        // Whose turn was over, by a tick, before it could say that it ran lets others say so first.
        if !was_disturbed {
            run.note("in_line", IN_LINE);
            check!(
                order.iter().copied().eq(0..IN_LINE),
                "tasks 0 to {} were woken in the order {order:?}",
                IN_LINE - 1
            );
            return Ok(());
        }
    }
    Err(alloc::format!("in each of {ATTEMPTS} attempts a tick ended the turn of a woken task"))
}
