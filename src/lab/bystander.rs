//! What a normal task that has nothing to do with a grace period waits for the CPU, while holders of a retired ops want it too;
//! and holders that themselves wait for a normal task.
//!
//! All share one CPU. A holder was preempted inside func, so that the schemes that boost holdouts boost it. What is retired is
//! freed when the last holder has left, whatever the scheme says before. Context: task; one at a time, where tasks are preempted.

use super::cpu_time::use_up;
use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live::{self, Gone};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Patience, Spawn, Task, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::black_box;

/// The task that ends grace periods.
pub fn grace_period_task() -> Option<Arc<Task>> {
    let mut id = None;
    sched::for_each_task(|task| {
        if task.name() == rcu::GP_TASK {
            id = Some(task.id);
        }
    });
    id.and_then(sched::find)
}

const PATIENCE_NS: u64 = 20_000_000_000;
const LOOK_NS: u64 = 1_000_000;

/// How a holder stays in func until it is let go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It uses the CPU.
    Spin,
    /// It lets others of its class go first, over and over.
    Yield,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// From the retirement to its proof, in time in which every CPU had its tick; `None` where that did not come.
    pub freed_ns: Option<u64>,
    /// The longest time that the bystander had no CPU meanwhile.
    pub waited_ns: u64,
    /// The same in ticks of the CPU, by which turns are measured: a host that stops the guest adds nothing.
    pub waited_ticks: u64,
}

static STAYS_BY_YIELDING: AtomicBool = AtomicBool::new(false);
/// CPU time that a holder needs once it may go.
static NEED_NS: AtomicU64 = AtomicU64::new(0);
static NR_INSIDE: AtomicUsize = AtomicUsize::new(0);
static MAY_GO: AtomicBool = AtomicBool::new(false);
static IS_OVER: AtomicBool = AtomicBool::new(false);
static WAITED_NS: AtomicU64 = AtomicU64::new(0);
static WAITED_TICKS: AtomicU64 = AtomicU64::new(0);

/// The traced function.
#[inline(never)]
fn held() {
    black_box(31);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    NR_INSIDE.fetch_add(1, Ordering::Relaxed);
    while !MAY_GO.load(Ordering::Acquire) {
        if STAYS_BY_YIELDING.load(Ordering::Relaxed) {
            sched::yield_now();
        }
    }
    use_up(NEED_NS.load(Ordering::Relaxed));
}

/// The CPU that they share: not that of whoever looks on, where there is another one.
pub fn cpu() -> usize {
    sched::nr_cpus() - 1
}

fn spawn(name: &'static str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle, String> {
    spawn_on(name, cpu(), work)
}

fn spawn_on(name: &'static str, cpu: usize, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle, String> {
    let what = Spawn { name, class: Class::Normal, cpu: Some(cpu) };
    sched::spawn(what, Box::new(work)).map_err(|error| format!("no task: {error}"))
}

/// Always wants the CPU, since it was made, and notes how long it does not have it.
fn look_at_clock(mut last_ns: u64, mut last_tick: u64) {
    loop {
        let is_over = IS_OVER.load(Ordering::Relaxed);
        let (ns, tick) = (now_ns(), sched::ticks(cpu()));
        WAITED_NS.fetch_max(ns - last_ns, Ordering::Relaxed);
        WAITED_TICKS.fetch_max(tick - last_tick, Ordering::Relaxed);
        if is_over {
            return;
        }
        (last_ns, last_tick) = (ns, tick);
    }
}

fn register() -> Result<*const Ops, String> {
    let site = live::site_at(held as *const () as usize).expect("this function is traceable");
    let ops = live::register_at(OpsBox::new("beside", func, 0), alloc::vec![site]);
    ops.map_err(|error| format!("cannot register: {error}"))
}

/// Registers the ops, and takes it off again once so many tasks are inside.
fn retire_under(holders: usize) -> Result<(Vec<JoinHandle>, Gone), String> {
    let ops = register()?;
    let (mut tasks, mut failed) = (Vec::new(), None);
    while tasks.len() < holders && failed.is_none() {
        match spawn("holder", held) {
            Ok(task) => tasks.push(task),
            Err(error) => failed = Some(error),
        }
    }
    let patience = Patience::of(PATIENCE_NS);
    while failed.is_none() && NR_INSIDE.load(Ordering::Relaxed) < holders && !patience.is_over() {
        sched::sleep(LOOK_NS);
    }
    let gone = live::unregister(ops).expect("registered above");
    let inside = NR_INSIDE.load(Ordering::Relaxed);
    if inside == holders {
        return Ok((tasks, gone));
    }
    MAY_GO.store(true, Ordering::Release);
    rcu::call(gone, drop);
    tasks.into_iter().for_each(JoinHandle::join);
    Err(failed.unwrap_or_else(|| format!("{inside} of {holders} holders came into func")))
}

fn begin(stay: Stay, need_ns: u64) {
    STAYS_BY_YIELDING.store(stay == Stay::Yield, Ordering::Relaxed);
    NEED_NS.store(need_ns, Ordering::Relaxed);
    NR_INSIDE.store(0, Ordering::Relaxed);
    [&MAY_GO, &IS_OVER].iter().for_each(|flag| flag.store(false, Ordering::Relaxed));
    [&WAITED_NS, &WAITED_TICKS].iter().for_each(|most| most.store(0, Ordering::Relaxed));
}

/// Waits for the proof; lets everybody go then, or when there is no patience left, and frees.
fn end(began_ns: u64, tasks: Vec<JoinHandle>, gone: Gone) -> Seen {
    let patience = Patience::of(PATIENCE_NS);
    while gone.poll().is_none() && !patience.is_over() {
        sched::sleep(LOOK_NS);
    }
    let freed_ns = gone.poll().map(|_| sched::progress_ns() - began_ns);
    [&MAY_GO, &IS_OVER].iter().for_each(|flag| flag.store(true, Ordering::Release));
    tasks.into_iter().for_each(JoinHandle::join);
    rcu::call(gone, drop);
    rcu::barrier();
    let [waited_ns, waited_ticks] = [&WAITED_NS, &WAITED_TICKS].map(|most| most.load(Ordering::Relaxed));
    Seen { freed_ns, waited_ns, waited_ticks }
}

/// So many holders need so much CPU time each, and a bystander always wants the CPU.
pub fn beside(holders: usize, need_ns: u64) -> Result<Seen, String> {
    begin(Stay::Spin, need_ns);
    let (mut tasks, gone) = retire_under(holders)?;
    let began_ns = sched::progress_ns();
    let (ns, tick) = (now_ns(), sched::ticks(cpu()));
    let bystander = spawn("bystander", move || look_at_clock(ns, tick)).map(|task| tasks.push(task));
    MAY_GO.store(true, Ordering::Release);
    let seen = end(began_ns, tasks, gone);
    bystander.map(|()| seen)
}

/// A holder stays until a normal task, which needs so much CPU time for it, lets it go.
pub fn for_a_normal_task(stay: Stay, need_ns: u64) -> Result<Seen, String> {
    begin(stay, 0);
    let (mut tasks, gone) = retire_under(1)?;
    let began_ns = sched::progress_ns();
    let work = move || {
        use_up(need_ns);
        MAY_GO.store(true, Ordering::Release);
    };
    let helper = spawn("helper", work).map(|task| tasks.push(task));
    if helper.is_err() {
        MAY_GO.store(true, Ordering::Release);
    }
    let seen = end(began_ns, tasks, gone);
    helper.map(|()| seen)
}

/// How many grace periods follow one that somebody waits for, in so many ticks, while tasks of other CPUs are in and out of a func
/// of `need_ns` all the time and nothing is retired. (On one CPU one task is, while the caller sleeps.)
pub fn looks_beside_callers(need_ns: u64, ticks: u64) -> Result<u64, String> {
    begin(Stay::Spin, need_ns);
    MAY_GO.store(true, Ordering::Release);
    let ops = register()?;
    let call = || {
        while !IS_OVER.load(Ordering::Relaxed) {
            held();
            sched::yield_now(); // without it the schemes that wait for a switch wait for ever
        }
    };
    let first = 1.min(cpu());
    let spawned: Result<Vec<_>, _> = (first..=cpu()).map(|cpu| spawn_on("caller", cpu, call)).collect();
    let patience = Patience::of(PATIENCE_NS);
    while NR_INSIDE.load(Ordering::Relaxed) == 0 && spawned.is_ok() && !patience.is_over() {
        sched::sleep(LOOK_NS);
    }
    let are_inside = NR_INSIDE.load(Ordering::Relaxed) > 0;
    rcu::synchronize();
    let (before, begin) = (rcu::nr_ended(), sched::ticks(cpu()));
    while sched::ticks(cpu()) < begin + ticks && !patience.is_over() {
        sched::sleep(LOOK_NS);
    }
    let (followed, is_whole) = (rcu::nr_ended() - before, sched::ticks(cpu()) >= begin + ticks);
    IS_OVER.store(true, Ordering::Relaxed);
    let is_over = spawned.map(|tasks| tasks.into_iter().for_each(JoinHandle::join));
    rcu::call(live::unregister(ops).expect("registered above"), drop);
    rcu::barrier();
    is_over?;
    if are_inside && is_whole { Ok(followed) } else { Err(format!("no caller, or no {ticks} ticks, in time")) }
}
