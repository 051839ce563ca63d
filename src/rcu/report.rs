//! The stall report: who keeps a grace period from ending, and where.
//!
//! The grace-period task tells it, unless that task is itself kept from its CPU: then the tick of that CPU does.
//! A holdout that is off its CPU is unwound from its saved frame (see `sight`). One that runs says for itself where it is, from an
//! SGI on its CPU. Whatever the scheme, each trampoline that a holdout is inside of is told with the ops that it holds:
//! `arch::unwind` finds it, `ftrace` knows what it is called.
//!
//! Whoever asks who holds keeps nobody else waiting: one stretch with IRQs masked, or with the task lists or the graveyard locked,
//! reads one task's stack, and what is told is looked up and printed behind it.

use super::gp_task::{Rcu, rcu};
use super::named::Held;
use super::schemes::Scheme;
use super::schemes::built::Built;
use super::sight::{HolderLine, Sight, Who, examine, is_holdout};
use super::standing::nr_outstanding;
use crate::arch::cpu;
use crate::arch::relax::SpinMutex;
use crate::arch::unwind::{Frames, Holds};
use crate::console::epitaph::print_backtrace;
use crate::println;
use crate::sched::roll::Stretch;
use crate::sched::{self, Task, Visit, Walk};
use crate::sync::atomic::Ordering;
use core::fmt;

/// More backtraces than this would only push the first ones off the screen.
const MOST_BACKTRACES: usize = 8;
/// The longest line: a fan-out node with all its members.
const MOST_BYTES: usize = 2048;

/// What the CPUs have seen of the tasks that they run; the first one's also of those that do not run. The grace-period task's, and
/// those CPUs' while they answer its visit.
static SIGHTS: [SpinMutex<Sight>; cpu::MAX_CPUS] = [const { SpinMutex::new(Sight::new()) }; cpu::MAX_CPUS];

/// Prints a line that takes long to make: the console's lock, which masks IRQs, is held for as long as that takes to write. Context:
/// task.
#[inline(never)]
fn say(line: fmt::Arguments<'_>) {
    let mut text = heapless::String::<MOST_BYTES>::new();
    match fmt::Write::write_fmt(&mut text, line) {
        Ok(()) => println!("{text}"),
        Err(fmt::Error) => println!("{line}"),
    }
}

/// Names every holdout of the running step. Context: the grace-period task.
#[inline(never)]
pub(super) fn tell_stall(scheme: &Built, step: usize, stalled_ns: u64) {
    println!(
        "rcu: grace period stalled: {} has waited {} ms in step {} of {} for {} holdouts",
        scheme.name(),
        stalled_ns / 1_000_000,
        step + 1,
        scheme.nr_steps(),
        nr_outstanding(scheme, step),
    );
    let mut sight = SIGHTS[0].lock();
    let (mut walk, mut nr_told) = (Walk::begin(), 0);
    while walk.visit_some(|task| {
        let (is_holdout, stretch) = examine(task);
        if !is_holdout || task.is_running() {
            return stretch;
        }
        nr_told += 1;
        if nr_told > MOST_BACKTRACES {
            return stretch;
        }
        sight.read_saved(task);
        Stretch::Ends
    }) {
        sight.tell(say);
    }
    drop(sight);
    if nr_told > MOST_BACKTRACES {
        println!("rcu: and {} more that do not run", nr_told - MOST_BACKTRACES);
    }
    sched::visit_every_cpu(see_running);
    for (cpu, sight) in SIGHTS.iter().enumerate().take(sched::nr_cpus()) {
        if scheme.waits_for_cpu(cpu) {
            println!("rcu:   CPU {cpu} was not seen outside of interrupts and atomic sections");
        }
        sight.lock().tell(say);
    }
}

/// Each tick: names the task that keeps the grace-period task from this CPU, where that has waited here for too long.
/// Context: IRQ. Waits for no lock but the console's.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn on_tick() {
    let rcu = rcu();
    if let Some(&task) = rcu.task.get()
        && task.waits_for_cpu() == Some(cpu::id())
        && rcu.sequence.is_wanted()
    {
        look_at_starved(rcu, task);
    }
}

#[inline(always)]
fn look_at_starved(rcu: &Rcu, task: &Task) {
    let (Some(mut starved), Some(mut machine)) = (rcu.starved.try_lock(), rcu.machine.try_lock()) else { return };
    let switches = task.nvcsw.load(Ordering::Relaxed) + task.nivcsw.load(Ordering::Relaxed);
    let waited_ns = starved.look(switches, sched::progress_ns(), machine.stall_after_ns());
    if waited_ns.is_some() {
        machine.count_stall();
    }
    drop((starved, machine));
    if let Some(waited_ns) = waited_ns {
        tell_starved(task, waited_ns);
    }
}

#[inline(never)]
fn tell_starved(task: &Task, waited_ns: u64) {
    println!(
        "rcu: grace period stalled: the grace-period task {task:?} has waited {} ms for CPU {}, which is not let go of",
        waited_ns / 1_000_000,
        cpu::id(),
    );
    tell(sched::current(), "running", interrupted(Frames::here()));
}

/// The same frames from the first one on that an interrupt cut short: without the handler's own.
fn interrupted(all: Frames) -> Frames {
    let mut rest = all;
    loop {
        let from_here = rest;
        match rest.next() {
            Some(step) if step.interrupted => return from_here,
            Some(_) => {}
            None => return all,
        }
    }
}

/// Prints who keeps the running grace period from ending, without waiting for any lock: what is locked is left out.
/// Context: the watchdog's report, every CPU stands still.
pub fn tell_holdouts() {
    let rcu = rcu();
    let scheme = rcu.scheme();
    let running = rcu.machine.try_lock().map(|machine| machine.waiting());
    match running {
        None => println!("rcu: {} decides right now", scheme.name()),
        Some(None) => return println!("rcu: {}, no grace period waits", scheme.name()),
        Some(Some((step, since_ns))) => println!(
            "rcu: {} has waited {} ms in step {} of {} for {} holdouts",
            scheme.name(),
            sched::progress_ns().saturating_sub(since_ns) / 1_000_000,
            step + 1,
            scheme.nr_steps(),
            scheme.nr_holdouts(step),
        ),
    }
    for cpu in (0..sched::nr_cpus()).filter(|&cpu| scheme.waits_for_cpu(cpu)) {
        println!("rcu:   CPU {cpu} was not seen outside of interrupts and atomic sections");
    }
    sched::try_for_each_task(|task| {
        if is_holdout(task) {
            if task.is_running() {
                println!("rcu:   {}, running", Who::of(task));
            } else {
                tell(task, task.state_name(), Frames::from_fp(task.saved_fp()));
            }
        }
    });
}

/// On each CPU: sees where the task is that it runs, if that or the CPU itself is waited for.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn see_running(visit: &Visit) {
    let task = sched::current();
    if is_holdout(task) || rcu().scheme().waits_for_cpu(visit.cpu) {
        SIGHTS[visit.cpu].lock().read_running(task, Frames::here());
    }
}

/// Prints who a task is, what it is inside of, and where. Context: any; nothing is locked, or every CPU stands still.
#[inline(never)]
fn tell(task: &Task, state: &str, frames: Frames) {
    println!("rcu:   {}, {state}", Who::of(task));
    for hold in Holds::of(frames) {
        println!("rcu:     {}", Held::of(hold, frames));
    }
    print_backtrace(frames);
}

/// Shows the first `most` who hold what is retired; says how many there are. Context: task; `show` may sleep.
fn for_each_holder(most: usize, mut show: impl FnMut(&HolderLine)) -> usize {
    let (mut walk, mut nr_holders) = (Walk::begin(), 0);
    loop {
        let mut met = None;
        let goes_on = walk.visit_some(|task| {
            let (is_holder, stretch) = examine(task);
            nr_holders += usize::from(is_holder);
            if !is_holder || nr_holders > most {
                return stretch;
            }
            met = Some(HolderLine::of(task));
            Stretch::Ends
        });
        if let Some(line) = met {
            show(&line);
        }
        if !goes_on {
            return nr_holders;
        }
    }
}

/// How many tasks hold what is retired, and one of them, cut where there is no more room. Context: task.
pub(super) fn holders() -> (usize, heapless::String<192>) {
    let mut first = heapless::String::new();
    let nr_holders = for_each_holder(1, |line| {
        // The reader has seen enough if it does not fit.
        let _ = fmt::Write::write_fmt(&mut Cut(&mut first), format_args!("{line}"));
    });
    (nr_holders, first)
}

/// Takes what fits.
struct Cut<'a>(&'a mut heapless::String<192>);

impl fmt::Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| self.0.push(character)).map_err(|_| fmt::Error)
    }
}

/// Prints who holds what is retired, a line each, up to eight. Context: task.
pub fn tell_holders() {
    let nr_holders = for_each_holder(MOST_BACKTRACES, |line| say(format_args!("holder        {line}")));
    if nr_holders > MOST_BACKTRACES {
        println!("holder        and {} more", nr_holders - MOST_BACKTRACES);
    }
}

/// Panics if `task`, which runs and is about to wait for a grace period, or for nobody to be inside, does so inside of a func, guarded
/// or not: its frames tell (O9). Context: task.
pub fn forbid_wait_in_func(task: &Task) {
    let frames = Frames::here();
    if let Some(hold) = Holds::of(frames).next() {
        let held = Held::of(hold, frames);
        panic!("task {task:?} waits for a grace period inside a func, which a grace period waits for: it is {held}");
    }
}

/// Panics: `task`, which runs, blocks inside of a func where `scheme` cannot have that.
#[cold]
#[inline(never)]
pub(super) fn forbid_block(task: &Task, scheme: &str) -> ! {
    let frames = Frames::here();
    let message = format_args!("task {task:?} blocks inside a func, which the scheme {scheme} forbids");
    match Holds::of(frames).next() {
        Some(hold) => panic!("{message}: it is {}", Held::of(hold, frames)),
        None => panic!("{message}"),
    }
}
