//! Whoever waits for holders takes the CPU from nobody for long: a bystander has its turns beside a crowd of them, and what a
//! holder waits for is done.

use super::crew::{Crew, await_that};
use super::fairness::hog;
use super::{Outcome, Run, check};
use crate::lab::bystander::{self, Stay};
use crate::rcu;
use crate::sched::preemption::{model, preempts, turn_ticks};
use crate::sched::{self, TICK_NS};
use crate::sync::atomic::{AtomicBool, Ordering};
use alloc::string::String;
use alloc::sync::Arc;

/// Holders that are preempted inside func, and turns that each needs to leave it; and far less than a tick, with many more.
const HOLDERS: usize = 20;
const NEED_TURNS: u64 = 3;
const SHORT_HOLDERS: usize = 100;
const SHORT_NEED_NS: u64 = TICK_NS / 4;
/// CPU time of the normal task that a holder waits for.
const HELP_NS: u64 = 40_000_000;
/// How long a func lasts that is called over and over: longer than a look.
const CALL_NS: u64 = 20_000;
/// Boosted tasks beside a normal one, and ticks of which that has half.
const BOOSTED: usize = 3;
const WINDOW_TICKS: u64 = 50;
const WINDOWS: usize = 2;

/// All of it.
pub(super) fn bystanders(run: &mut Run) -> Outcome {
    for yields in [false, true] {
        half_beside_boosted_ones(run, yields)?;
    }
    no_looks_beside_callers(run)?;
    if sched::nr_cpus() > 1 {
        half_beside_looks(run)?;
    }
    if !preempts(model()) {
        return Ok(());
    }
    let turn = u64::from(turn_ticks(model()));
    beside_holders(run, "longest_wait_ticks", HOLDERS, NEED_TURNS * turn * TICK_NS, 2 * (HOLDERS as u64 + 1) * turn)?;
    if rcu::lets_funcs_block() {
        // `scan` and `depth` boost them. They need 25 ticks together, of which the bystander does not wait for more than some.
        beside_holders(run, "longest_wait_beside_short_ones", SHORT_HOLDERS, SHORT_NEED_NS, 4 + 2 * turn)?;
    }
    let stays: &[Stay] = if rcu::lets_funcs_block() { &[Stay::Spin, Stay::Yield] } else { &[Stay::Spin] };
    stays.iter().try_for_each(|&stay| a_holder_that_waits_for_a_normal_task(run, stay))
}

/// A normal task has half of the CPU's ticks beside boosted ones, whether these spin or yield.
fn half_beside_boosted_ones(run: &mut Run, yields: bool) -> Outcome {
    let cpu = bystander::cpu();
    let mut crew = Crew::new();
    let is_running = Arc::new(AtomicBool::new(true));
    for number in 0..=BOOSTED {
        let is_running = Arc::clone(&is_running);
        crew.normal(if number == 0 { "bystander" } else { "boosted" }, Some(cpu), move || {
            if number == 0 || !yields {
                return hog(&is_running);
            }
            while is_running.load(Ordering::Relaxed) {
                sched::yield_now();
            }
        })?;
    }
    crew.tasks().skip(1).for_each(sched::lend);
    let seen = least_of_windows(&crew, cpu);
    crew.tasks().skip(1).for_each(sched::unboost);
    is_running.store(false, Ordering::Relaxed);
    crew.finish("ends its last turn")?;
    let least = seen?;
    run.note(if yields { "beside_yielders" } else { "beside_spinners" }, least);
    // The look and the tick that ends a turn may fall to either side of a window's edge; a turn of lazy is two ticks.
    let bound = WINDOW_TICKS / 2 - 2 * u64::from(turn_ticks(model()));
    check!(least >= bound, "a normal task had {least} of {WINDOW_TICKS} ticks beside boosted ones, yielding: {yields}");
    Ok(())
}

/// A normal task has half of the ticks of the CPU where the grace-period task looks again and again, since another CPU's task asks
/// for one grace period after the other.
fn half_beside_looks(run: &mut Run) -> Outcome {
    let cpu = bystander::cpu();
    let Some(looker) = bystander::grace_period_task() else { return Err(String::from("no task ends grace periods")) };
    let mut crew = Crew::new();
    let is_running = Arc::new(AtomicBool::new(true));
    let hogs = Arc::clone(&is_running);
    crew.normal("bystander", Some(cpu), move || hog(&hogs))?;
    let asks = Arc::clone(&is_running);
    crew.normal("asks", Some((cpu + 1) % sched::nr_cpus()), move || {
        while asks.load(Ordering::Relaxed) {
            let _ = rcu::start_poll();
            sched::cond_resched();
        }
    })?;
    let ended = rcu::nr_ended();
    sched::set_affinity(&looker, 1 << cpu);
    let seen = least_of_windows(&crew, cpu);
    sched::set_affinity(&looker, u32::MAX);
    is_running.store(false, Ordering::Relaxed);
    crew.finish("asks for the last time")?;
    // What was asked for last is not to be under way still when the next scenario retires something.
    rcu::synchronize();
    let (least, looks) = (seen?, rcu::nr_ended() - ended);
    run.note("beside_looks", least);
    let bound = WINDOW_TICKS / 2 - 2 * u64::from(turn_ticks(model()));
    check!(least >= bound, "a normal task had {least} of {WINDOW_TICKS} ticks beside {looks} grace periods");
    let has_looked = looks > WINDOW_TICKS || !rcu::lets_funcs_block();
    check!(has_looked, "only {looks} grace periods came, and the scenario shows nothing");
    Ok(())
}

/// The fewest ticks that the first of the crew had in a window.
fn least_of_windows(crew: &Crew, cpu: usize) -> Result<u64, String> {
    let ticks_run = || crew.tasks().next().map_or(0, |task| task.ticks_run.load(Ordering::Relaxed));
    await_that("the bystander to run", || ticks_run() > 0)?;
    let mut least = WINDOW_TICKS;
    for _ in 0..WINDOWS {
        let (before, begin) = (ticks_run(), sched::ticks(cpu));
        await_that("ticks", || sched::ticks(cpu) >= begin + WINDOW_TICKS)?;
        let had = ticks_run() - before;
        // The look came late by some ticks: they count for the others.
        least = least.min(had.saturating_sub(sched::ticks(cpu) - begin - WINDOW_TICKS));
    }
    Ok(least)
}

/// A bystander waits no longer than among so many tasks of its own class, which have turns like it: twice that at most, or less.
fn beside_holders(run: &mut Run, key: &str, holders: usize, need_ns: u64, most_ticks: u64) -> Outcome {
    let seen = bystander::beside(holders, need_ns)?;
    run.note(key, seen.waited_ticks);
    check!(seen.freed_ns.is_some(), "the ops is not freed though all of its {holders} holders have left");
    check!(
        seen.waited_ticks <= most_ticks,
        "a bystander waited {} ticks for the CPU beside {holders} holders that need {need_ns} ns each",
        seen.waited_ticks
    );
    Ok(())
}

/// Where nothing is retired, tasks that come and go have no grace period follow another.
fn no_looks_beside_callers(run: &mut Run) -> Outcome {
    let followed = bystander::looks_beside_callers(CALL_NS, WINDOW_TICKS)?;
    run.note("looks_beside_callers", followed);
    check!(followed <= 1, "{followed} grace periods in {WINDOW_TICKS} ticks, of which nobody asked for one");
    Ok(())
}

/// Whoever waits for a holder lets those run for whom the holder waits.
fn a_holder_that_waits_for_a_normal_task(run: &mut Run, stay: Stay) -> Outcome {
    let seen = bystander::for_a_normal_task(stay, HELP_NS)?;
    let Some(ns) = seen.freed_ns else {
        return Err(alloc::format!("a holder that {stay:?}s for a normal task was waited for in vain"));
    };
    run.note(if stay == Stay::Spin { "helped_spinner_ms" } else { "helped_yielder_ms" }, ns / 1_000_000);
    // Of two that take turns each has half; twice that, and some ticks of looking.
    let bound_ns = 4 * HELP_NS + 8 * TICK_NS;
    check!(ns <= bound_ns, "a holder that {stay:?}s for {HELP_NS} ns of a normal task's was waited for {ns} ns");
    Ok(())
}
