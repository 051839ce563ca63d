//! A task that others wait for gets the CPU at once when it is boosted, though it is queued behind those of its own
//! class, or behind the high class; and no longer than until the boost is taken back.

use super::crew::{Crew, await_that};
use super::fairness::{departures, hogs};
use super::{Outcome, Run, check};
use crate::arch::cpu;
use crate::sched::preemption::{model, turn_ticks};
use crate::sched::{self, Class, Spawn, Task};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Normal tasks that the boosted one is queued behind, and how often.
const HOGS: usize = 5;
const BOOSTS: u64 = 8;
/// Departures of hogs between a boost and its effect: of the one that is taken off, and of one before it that was
/// being taken off for another hog just then.
const MOST_DEPARTURES: u64 = 2;

/// A task that wants to run, and says when it does.
struct Waiting {
    is_running: AtomicBool,
    rounds: AtomicU64,
    /// Set by who boosts it; it notes how often the hogs had left the CPU when it saw that, and the CPU's ticks.
    is_boosted: AtomicBool,
    seen: AtomicU64,
    seen_tick: AtomicU64,
    hogs: spin::Once<Vec<Arc<Task>>>,
}

impl Waiting {
    fn work(&self) {
        while self.is_running.load(Ordering::Relaxed) {
            self.rounds.fetch_add(1, Ordering::Relaxed);
            if self.is_boosted.load(Ordering::Acquire) {
                self.seen.store(self.departures(), Ordering::Relaxed);
                self.seen_tick.store(sched::ticks(cpu::id()), Ordering::Relaxed);
                self.is_boosted.store(false, Ordering::Release);
            }
            sched::cond_resched();
        }
    }

    fn departures(&self) -> u64 {
        self.hogs.get().map_or(0, |hogs| departures(hogs))
    }

    fn rounds(&self) -> u64 {
        self.rounds.load(Ordering::Relaxed)
    }
}

/// The scenario: on CPU number `cpu`.
pub(super) fn boosted(run: &mut Run, cpu: usize) -> Outcome {
    // This task looks on from the high class, so that it can where there is one CPU, too.
    sched::boost(sched::current());
    let outcome = before_its_own_class(cpu).and_then(|found| Ok((found, before_the_high_class(cpu)?)));
    sched::unboost(sched::current());
    sched::set_affinity(sched::current(), u32::MAX);
    let ((late, in_time), rounds) = outcome?;
    run.note("boosts", BOOSTS);
    run.note("late_boosts", late);
    run.note("boosts_before_a_tick", in_time);
    run.note("boosted_rounds", rounds);
    check!(late == 0, "{late} of {BOOSTS} times other normal tasks ran before a queued one that was boosted");
    check!(in_time > 0, "each of {BOOSTS} times a boosted task had to wait for a tick");
    Ok(())
}

fn start(crew: &mut Crew, cpu: usize) -> Result<Arc<Waiting>, String> {
    let waiting = Arc::new(Waiting {
        is_running: AtomicBool::new(true),
        rounds: AtomicU64::new(0),
        is_boosted: AtomicBool::new(false),
        seen: AtomicU64::new(0),
        seen_tick: AtomicU64::new(0),
        hogs: spin::Once::new(),
    });
    let itself = Arc::clone(&waiting);
    crew.normal("waiting", Some(cpu), move || itself.work())?;
    Ok(waiting)
}

/// How often a queued task that was boosted had to wait for others of its class, and how often not even for a tick.
fn before_its_own_class(cpu: usize) -> Result<(u64, u64), String> {
    let mut crew = Crew::new();
    let waiting = start(&mut crew, cpu)?;
    let is_running = hogs(&mut crew, HOGS, Some(cpu))?;
    waiting.hogs.call_once(|| crew.tasks().skip(1).filter_map(|task| sched::find(task.id)).collect());
    let (mut late, mut in_time) = (0, 0);
    let outcome = (0..BOOSTS).try_for_each(|_| {
        let Some(task) = crew.tasks().next() else { return Ok(()) };
        // Its turn is over, and so is that of the first hog after it: all others are before it.
        let (mut rounds, mut since) = (waiting.rounds(), waiting.departures());
        await_that("turns of others", || {
            if waiting.rounds() != rounds {
                (rounds, since) = (waiting.rounds(), waiting.departures());
            }
            waiting.departures() > since
        })?;
        let tick = sched::ticks(cpu);
        sched::boost(task);
        let boosted_at = waiting.departures();
        waiting.is_boosted.store(true, Ordering::Release);
        let answered = await_that("a boosted task to run", || !waiting.is_boosted.load(Ordering::Acquire));
        sched::unboost(task);
        let departures = waiting.seen.load(Ordering::Relaxed).saturating_sub(boosted_at);
        late += u64::from(departures > MOST_DEPARTURES);
        in_time += u64::from(waiting.seen_tick.load(Ordering::Relaxed) == tick);
        answered
    });
    is_running.store(false, Ordering::Relaxed);
    waiting.is_running.store(false, Ordering::Relaxed);
    crew.finish("ends its last turn")?;
    outcome.map(|()| (late, in_time))
}

/// A normal task behind one of the high class that never sleeps runs while it is boosted, and only then. Returns its
/// rounds meanwhile. This task is on that CPU, so that the other one is queued whenever it looks.
fn before_the_high_class(cpu: usize) -> Result<u64, String> {
    let turns = 4 * u64::from(turn_ticks(model()));
    sched::set_affinity(sched::current(), 1 << cpu);
    await_that("this task to be moved", || cpu::id() == cpu)?;
    let mut crew = Crew::new();
    let waiting = start(&mut crew, cpu)?;
    let is_running = Arc::new(AtomicBool::new(true));
    {
        let is_running = Arc::clone(&is_running);
        let what = Spawn { name: "high_hog", class: Class::High, cpu: Some(cpu) };
        crew.start(what, move || super::fairness::hog(&is_running))?;
    }
    // A normal one beside them: what it is owed, it cannot have while one of the high class wants the CPU.
    let behind = Arc::clone(&is_running);
    crew.normal("normal_hog", Some(cpu), move || super::fairness::hog(&behind))?;
    // What is lent is called in within the first window, since a normal one waits: the second shows whether it is lent again.
    let ways: [fn(&Task); 6] = [sched::unboost, sched::boost, sched::unboost, sched::lend, sched::lend, sched::unboost];
    let rounds = ways.map(|treat| {
        if let Some(task) = crew.tasks().next() {
            treat(task);
        }
        let (before, end) = (waiting.rounds(), sched::ticks(cpu) + turns);
        await_that("ticks", || sched::ticks(cpu) >= end).map(|()| waiting.rounds() - before)
    });
    is_running.store(false, Ordering::Relaxed);
    waiting.is_running.store(false, Ordering::Relaxed);
    crew.finish("ends its last turn")?;
    let [before, boosted, after, lent, lent_again, at_last] = rounds;
    for (rounds, when) in [(before?, "before any boost"), (after?, "after a boost"), (at_last?, "after a loan")] {
        check!(rounds == 0, "a normal task had {rounds} rounds beside one of the high class that never sleeps, {when}");
    }
    let boosted = boosted?;
    for (rounds, when) in [(boosted, "boosted"), (lent?, "lent"), (lent_again?, "lent again")] {
        check!(rounds > 0, "a task that is {when} had no round beside one of the high class that never sleeps");
    }
    Ok(boosted)
}
