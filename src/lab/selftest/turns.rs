//! Turns go by the time used: neither who runs across each tick nor who yields before each takes the CPU from a normal task.
//!
//! Shares are counted in rounds of one loop, which all of them run.

use super::crew::{Crew, await_that};
use super::{Outcome, Run, check};
use crate::sched::{self, Class, Spawn, TICK_NS, now_ns, tick};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use alloc::string::String;
use alloc::sync::Arc;
use core::ops::Range;

/// So long before a tick one comes, and the other yields.
const LEAD_NS: u64 = TICK_NS / 20;
/// Ticks before the window, and in the window.
const FIRST_TICKS: u64 = 8;
const WINDOW_TICKS: u64 = 48;
/// A task has a fourth of the other's rounds at least; half, if the other one yields.
const LEAST_FRACTION: u64 = 4;

/// Two tasks on one CPU.
struct Pair {
    cpu: usize,
    is_running: AtomicBool,
    rounds: [AtomicU64; 2],
}

impl Pair {
    fn new(cpu: usize) -> Arc<Self> {
        Arc::new(Self { cpu, is_running: AtomicBool::new(true), rounds: [const { AtomicU64::new(0) }; 2] })
    }

    fn is_running(&self) -> bool {
        self.is_running.load(Ordering::Relaxed)
    }

    /// The one or the other: always wants the CPU, but may yield before each tick.
    fn stay(&self, which: usize, yields: bool) {
        while self.is_running() {
            self.rounds[which].fetch_add(1, Ordering::Relaxed);
            let is_near = tick::next_ns(self.cpu).saturating_sub(now_ns()) < LEAD_NS;
            if yields && is_near {
                sched::yield_now();
            }
            sched::cond_resched();
        }
    }

    /// Of the high class: has the CPU at each tick.
    fn cross(&self) {
        while self.is_running() {
            let before = sched::ticks(self.cpu);
            sched::sleep(tick::next_ns(self.cpu).saturating_sub(now_ns() + LEAD_NS));
            while sched::ticks(self.cpu) == before && self.is_running() {
                core::hint::spin_loop();
            }
        }
    }

    /// Starts both; one of them may yield.
    fn start(self: &Arc<Self>, crew: &mut Crew, yielder: Range<usize>) -> Outcome {
        (0..2).try_for_each(|which| {
            let (pair, yields) = (Arc::clone(self), yielder.contains(&which));
            crew.normal(if yields { "yielder" } else { "hog" }, Some(self.cpu), move || pair.stay(which, yields))
        })
    }

    /// The rounds of each in the window, once the tasks of `crew` have gone on for some ticks; they end then.
    fn watch(&self, crew: Crew) -> Result<[u64; 2], String> {
        let rounds = || self.rounds.each_ref().map(|rounds| rounds.load(Ordering::Relaxed));
        let ticks = |n: u64| {
            let end = sched::ticks(self.cpu) + n;
            await_that("ticks", || sched::ticks(self.cpu) >= end)
        };
        let seen = ticks(FIRST_TICKS).and_then(|()| {
            let before = rounds();
            ticks(WINDOW_TICKS)?;
            let after = rounds();
            Ok([0, 1].map(|which: usize| after[which] - before[which]))
        });
        self.is_running.store(false, Ordering::Relaxed);
        crew.finish("ends its last turn")?;
        seen
    }
}

fn percent(part: u64, whole: [u64; 2]) -> u64 {
    part * 100 / whole.iter().sum::<u64>().max(1)
}

/// Both scenes, on CPU number `cpu`.
pub(super) fn by_time_used(run: &mut Run, cpu: usize) -> Outcome {
    // This task looks on from the high class, so that it can where there is one CPU, too.
    sched::boost(sched::current());
    let outcome = across_ticks(run, cpu).and_then(|()| before_ticks(run, cpu));
    sched::unboost(sched::current());
    outcome
}

/// Two normal tasks, and one of the high class that has the CPU at each tick: the two have the same of the rest.
fn across_ticks(run: &mut Run, cpu: usize) -> Outcome {
    let (pair, mut crew) = (Pair::new(cpu), Crew::new());
    pair.start(&mut crew, 0..0)?;
    let crosser = Arc::clone(&pair);
    crew.start(Spawn { name: "crosser", class: Class::High, cpu: Some(cpu) }, move || crosser.cross())?;
    let rounds = pair.watch(crew)?;
    let (least, most) = (rounds[0].min(rounds[1]), rounds[0].max(rounds[1]));
    run.note("across_ticks_percent", percent(least, rounds));
    check!(
        least > 0 && LEAST_FRACTION * least >= most,
        "of two normal tasks one had {least} rounds and one {most}, beside one of the high class that has each tick"
    );
    Ok(())
}

/// One that yields before each tick, and one that does not.
fn before_ticks(run: &mut Run, cpu: usize) -> Outcome {
    let (pair, mut crew) = (Pair::new(cpu), Crew::new());
    pair.start(&mut crew, 0..1)?;
    let [yielder, hog] = pair.watch(crew)?;
    run.note("beside_yielder_percent", percent(hog, [yielder, hog]));
    check!(2 * hog >= yielder, "beside one that yields before each tick, and had {yielder} rounds, a task had {hog}");
    Ok(())
}
