//! Who gets the CPU: turns within a class are equal, the high class goes first, and load spreads over the CPUs.
//!
//! Shares are counted in ticks, by which turns are measured, so that a host that stops the guest changes nothing.
//! Tasks of a class take turns in a fixed order: any window holds of each the same number of whole turns, give or take
//! one. Besides, a look may fall into a tick's own handler, between the CPU's count and the task's; and a tick may find
//! a task whose turn is over and that has not been taken off yet (a host that stops the guest in between), which the
//! CPU counts. Bound: one turn, one tick, and those; and of those there are few.

use super::boosts::boosted;
use super::crew::{Crew, await_that};
use super::{Outcome, Run, check, turns};
use crate::arch::cpu;
use crate::sched::preemption::{model, turn_ticks};
use crate::sched::timers::Timer;
use crate::sched::{self, Class, Patience, Spawn, TICK_NS, Task, WaitQueue, tick};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::preempt;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;

/// Tasks that share a CPU, and turns of each that are looked at.
const SHARERS: usize = 5;
const TURNS: u64 = 10;
/// At most one tick in so many may be overdue.
const MOST_OVERDUE: u64 = 8;
/// Tasks for each CPU that spread.
const SPREAD: usize = 2;
/// Tasks on one CPU at most, once they have spread: see [`spread`].
const MOST_ON_ONE_CPU: u64 = 4;
const SPREAD_TICKS: u64 = 30;
/// For so long a task keeps its CPU to itself, while all CPUs run.
const STEAL_NS: u64 = 1_000_000_000;
/// How long after a tick the high task comes.
const AFTER_TICK_NS: u64 = TICK_NS / 4;

/// Ticks of one turn.
fn turn() -> u64 {
    u64::from(turn_ticks(model()))
}

/// A task that always wants to run.
pub(super) fn hog(is_running: &AtomicBool) {
    while is_running.load(Ordering::Relaxed) {
        core::hint::spin_loop();
        sched::cond_resched();
    }
}

/// `n` of them; they end when what is returned says so.
pub(super) fn hogs(crew: &mut Crew, n: usize, cpu: Option<usize>) -> Result<Arc<AtomicBool>, String> {
    let is_running = Arc::new(AtomicBool::new(true));
    for _ in 0..n {
        let is_running = Arc::clone(&is_running);
        crew.normal("hog", cpu, move || hog(&is_running))?;
    }
    Ok(is_running)
}

/// How often the tasks have left the CPU.
pub(super) fn departures(tasks: &[Arc<Task>]) -> u64 {
    tasks.iter().map(|task| task.nvcsw.load(Ordering::Relaxed) + task.nivcsw.load(Ordering::Relaxed)).sum()
}

/// Ticks of each task so far, looked at between two ticks of CPU number `cpu`, where they all run.
fn ticks_run(tasks: &[&Task], cpu: usize) -> Vec<u64> {
    loop {
        let before = sched::ticks(cpu);
        let ticks = tasks.iter().map(|task| task.ticks_run.load(Ordering::Relaxed)).collect();
        if sched::ticks(cpu) == before {
            return ticks;
        }
    }
}

/// Ticks of each task while `watch` waits, once each of them has had its first.
fn ticks_during(tasks: &[&Task], cpu: usize, watch: impl FnOnce() -> Outcome) -> Result<Vec<u64>, String> {
    await_that("each task to have its first turn", || ticks_run(tasks, cpu).iter().all(|&ticks| ticks > 0))?;
    let before = ticks_run(tasks, cpu);
    watch()?;
    Ok(ticks_run(tasks, cpu).iter().zip(before).map(|(after, before)| after - before).collect())
}

pub(super) fn shares(run: &mut Run) -> Outcome {
    let cpu = sched::nr_cpus() - 1;
    equal_turns(run, cpu)?;
    borrowed_turns(run, cpu)?;
    boosted(run, cpu)?;
    if sched::nr_cpus() > 1 {
        stolen(run)?;
    }
    spread(run)?;
    turns::by_time_used(run, cpu)
}

/// Holds tasks that took turns on CPU number `cpu` to the bound; `overdue` is what the CPU had counted before.
fn expect_equal(ticks: &[u64], cpu: usize, overdue: u64) -> Outcome {
    let (least, most) = spread_of(ticks);
    let overdue = sched::account(cpu).overdue - overdue;
    let sum: u64 = ticks.iter().sum();
    check!(MOST_OVERDUE * overdue <= sum, "turns were over and went on for {overdue} of {sum} ticks");
    check!(
        most - least <= turn() + 1 + overdue,
        "{} tasks that took turns had between {least} and {most} ticks of one CPU, {overdue} of them overdue",
        ticks.len()
    );
    Ok(())
}

fn spread_of(ticks: &[u64]) -> (u64, u64) {
    (ticks.iter().copied().min().unwrap_or_default(), ticks.iter().copied().max().unwrap_or_default())
}

/// Several tasks of one class on one CPU.
fn equal_turns(run: &mut Run, cpu: usize) -> Outcome {
    let mut crew = Crew::new();
    let is_running = hogs(&mut crew, SHARERS, Some(cpu))?;
    let tasks: Vec<&Task> = crew.tasks().collect();
    let overdue = sched::account(cpu).overdue;
    let ticks = ticks_during(&tasks, cpu, || {
        let end = sched::ticks(cpu) + turn() * TURNS * SHARERS as u64;
        await_that("ticks", || sched::ticks(cpu) >= end)
    });
    is_running.store(false, Ordering::Relaxed);
    let ticks = ticks?;
    let (least, most) = spread_of(&ticks);
    crew.finish("ends its last turn")?;
    run.note("share_ticks", alloc::format!("{least}..{most}"));
    expect_equal(&ticks, cpu, overdue)?;
    check!(least >= TURNS / 2 * turn(), "a task had {least} ticks of {}", TURNS * turn() * SHARERS as u64);
    Ok(())
}

/// A task of the high class, and who calls it: a timer, a while after each tick.
struct Caller {
    cpu: usize,
    is_running: AtomicBool,
    timer: spin::Once<core::pin::Pin<Box<Timer>>>,
    is_called: AtomicBool,
    called: WaitQueue,
    /// The normal tasks that share the CPU with it.
    hogs: spin::Once<Vec<Arc<Task>>>,
    /// How often they had left the CPU when it was called.
    departures: AtomicU64,
    nr_calls: AtomicU64,
    nr_late: AtomicU64,
}

/// Context: IRQ.
fn call(caller: usize) {
    // SAFETY: the scenario keeps it until the timer is taken back and the CPU has gone on.
    let caller = unsafe { &*core::ptr::with_exposed_provenance::<Caller>(caller) };
    caller.departures.store(caller.departures(), Ordering::Relaxed);
    caller.is_called.store(true, Ordering::Release);
    caller.called.wake_one();
    caller.arm();
}

impl Caller {
    fn arm(&self) {
        if self.is_running.load(Ordering::Relaxed)
            && let Some(timer) = self.timer.get()
        {
            timer.as_ref().arm(tick::next_ns(self.cpu) + AFTER_TICK_NS);
        }
    }

    /// How often the normal tasks have left the CPU. Others of the high class may come between, as the watchdog's task.
    fn departures(&self) -> u64 {
        self.hogs.get().map_or(0, |hogs| departures(hogs))
    }

    /// The high task: whoever has the CPU leaves it, and no other normal task runs before this one.
    fn answer(&self) {
        self.arm();
        loop {
            self.called.wait_until(|| {
                self.is_called.swap(false, Ordering::Acquire) || !self.is_running.load(Ordering::Relaxed)
            });
            if !self.is_running.load(Ordering::Relaxed) {
                return;
            }
            let departures = self.departures() - self.departures.load(Ordering::Relaxed);
            self.nr_calls.fetch_add(1, Ordering::Relaxed);
            self.nr_late.fetch_add(u64::from(departures > 1), Ordering::Relaxed);
        }
    }
}

/// Two tasks, and between each two ticks one of the high class that takes the CPU from whoever has it: always next, and
/// never at the cost of one of the two alone.
fn borrowed_turns(run: &mut Run, cpu: usize) -> Outcome {
    let caller = Arc::new(Caller {
        cpu,
        is_running: AtomicBool::new(true),
        timer: spin::Once::new(),
        is_called: AtomicBool::new(false),
        called: WaitQueue::new(),
        hogs: spin::Once::new(),
        departures: AtomicU64::new(0),
        nr_calls: AtomicU64::new(0),
        nr_late: AtomicU64::new(0),
    });
    let address = Arc::as_ptr(&caller).expose_provenance();
    caller.timer.call_once(|| Box::pin(Timer::new(call, address)));
    let mut crew = Crew::new();
    let is_running = hogs(&mut crew, 2, Some(cpu))?;
    caller.hogs.call_once(|| crew.tasks().filter_map(|task| sched::find(task.id)).collect());
    {
        let caller = Arc::clone(&caller);
        crew.start(Spawn { name: "high", class: Class::High, cpu: Some(cpu) }, move || caller.answer())?;
    }
    let tasks: Vec<&Task> = crew.tasks().take(2).collect();
    let overdue = sched::account(cpu).overdue;
    let ticks = ticks_during(&tasks, cpu, || {
        let end = caller.nr_calls.load(Ordering::Relaxed) + 4 * turn() * TURNS;
        await_that("calls of a high task", || caller.nr_calls.load(Ordering::Relaxed) >= end)
    });
    is_running.store(false, Ordering::Relaxed);
    caller.is_running.store(false, Ordering::Relaxed);
    if let Some(timer) = caller.timer.get() {
        timer.as_ref().cancel();
    }
    caller.called.wake_all();
    let ticks = ticks?;
    let (least, most) = spread_of(&ticks);
    crew.finish("answers a call")?;
    // The timer's last function is over when this has been answered.
    sched::synchronise_every_cpu();
    let (calls, late) = (caller.nr_calls.load(Ordering::Relaxed), caller.nr_late.load(Ordering::Relaxed));
    run.note("calls", calls);
    run.note("late", late);
    run.note("borrowed_ticks", alloc::format!("{least}..{most}"));
    check!(late == 0, "{late} of {calls} times a normal task ran before one of the high class that was woken");
    expect_equal(&ticks, cpu, overdue)
}

/// A task waits behind one that keeps its CPU to itself: a CPU that idles fetches it, under every model.
fn stolen(run: &mut Run) -> Outcome {
    let cpu = sched::nr_cpus() - 1;
    let (is_alone, has_run) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    // This task looks on from elsewhere.
    sched::set_affinity(sched::current(), 1);
    let mut crew = Crew::new();
    {
        let (is_alone, has_run) = (Arc::clone(&is_alone), Arc::clone(&has_run));
        crew.normal("miser", Some(cpu), move || {
            let _pinned = preempt::disable();
            is_alone.store(true, Ordering::Relaxed);
            let patience = Patience::of(STEAL_NS);
            while !has_run.load(Ordering::Relaxed) && !patience.is_over() {
                core::hint::spin_loop();
            }
        })?;
    }
    await_that("a task to keep its CPU", || is_alone.load(Ordering::Relaxed))?;
    let began_on = Arc::new(AtomicU64::new(u64::MAX));
    {
        let (began_on, has_run) = (Arc::clone(&began_on), Arc::clone(&has_run));
        crew.normal("stolen", Some(cpu), move || {
            began_on.store(cpu::id() as u64, Ordering::Relaxed);
            has_run.store(true, Ordering::Relaxed);
        })?;
    }
    if let Some(task) = crew.tasks().last() {
        sched::set_affinity(task, u32::MAX);
    }
    crew.finish("waits for a CPU while others idle")?;
    sched::set_affinity(sched::current(), u32::MAX);
    let began_on = began_on.load(Ordering::Relaxed);
    run.note("stolen", 1);
    check!(began_on != cpu as u64, "a task waited {} ms behind another while other CPUs idled", STEAL_NS / 1_000_000);
    Ok(())
}

/// Twice as many tasks as CPUs: no CPU idles, and each task goes on.
///
/// Whoever is queued again after a turn goes where two tasks less wait, so that the numbers of those that wait differ
/// by two at most; with as many that wait as CPUs, two wait on one CPU at most, behind the one that runs. This
/// scenario's own task may be a fourth.
fn spread(run: &mut Run) -> Outcome {
    let cpus = sched::nr_cpus();
    let mut crew = Crew::new();
    let is_running = hogs(&mut crew, SPREAD * cpus, None)?;
    let tasks: Vec<&Task> = crew.tasks().collect();
    let idle: Vec<&Task> = (0..cpus).filter_map(sched::idle_task).collect();
    let settled = await_that("every CPU to be busy", || !idle.iter().any(|task| task.is_running()));
    let nr_hogs = tasks.len();
    let ticks_of_cpus = || (0..cpus).map(sched::ticks).collect::<Vec<u64>>();
    // Both are looked at inside of the tasks' own window: how long their first turns take to come says nothing.
    let (mut window, mut idled) = (0, 0);
    let ticks = ticks_during(&tasks, 0, || {
        let (idle_before, before) = (ticks_run(&idle, 0), ticks_of_cpus());
        let has_passed = |(cpu, before): (usize, &u64)| sched::ticks(cpu) - before >= SPREAD_TICKS * turn();
        await_that("ticks", || before.iter().enumerate().all(has_passed))?;
        window = ticks_of_cpus().iter().zip(before).map(|(after, before)| after - before).min().unwrap_or_default();
        idled = ticks_run(&idle, 0).iter().zip(idle_before).map(|(after, before)| after - before).sum::<u64>();
        Ok(())
    });
    is_running.store(false, Ordering::Relaxed);
    let ticks = ticks?;
    let (least, most) = spread_of(&ticks);
    crew.finish("ends its last turn")?;
    settled?;
    run.note("spread_ticks", alloc::format!("{least}..{most}"));
    run.note("idle_ticks", idled);
    check!(idled == 0, "CPUs idled for {idled} ticks while {nr_hogs} tasks wanted to run");
    let bound = (window / MOST_ON_ONE_CPU).saturating_sub(2 * turn());
    check!(least >= bound, "of {nr_hogs} tasks on {cpus} CPUs one had {least} ticks of {window}, not {bound}");
    Ok(())
}
