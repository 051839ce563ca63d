//! The stall report: who keeps a grace period from ending, and where.
//!
//! The grace-period task tells it, unless that task is itself kept from its CPU: then the tick of that CPU does.
//! A holdout that is off its CPU is unwound from its saved frame, under the task list's lock: IRQs are masked there, so
//! its stack cannot be reaped meanwhile (the reaper takes a task off the list before it frees its stack). One that runs
//! says for itself where it is, from an SGI on its CPU. Whatever the scheme, each trampoline that a holdout is inside of is
//! told with the ops that it holds: `arch::unwind` finds it, `ftrace` knows what it is called.

use super::gp_task::{Rcu, rcu};
use super::schemes::Scheme;
use super::schemes::built::Built;
use super::standing::nr_outstanding;
use crate::arch::cpu;
use crate::arch::relax::SpinMutex;
use crate::arch::site::{CallSite, OpsHeader};
use crate::arch::unwind::{Frames, Holds};
use crate::console::epitaph::{Place, print_backtrace};
use crate::hook::Hook;
use crate::mm::heap;
use crate::println;
use crate::sched::{self, Task, Visit};
use crate::sync::atomic::Ordering;
use core::fmt;

/// More backtraces than this would only push the first ones off the screen.
const MOST_BACKTRACES: usize = 8;

/// Describes an ops or fan-out node that a frame names, for a call that stands at these places: in its func, and in what
/// that called; 0 where it called nothing. Wired by `kernel` to `ftrace`. Context: any.
pub static OPS: Hook<Describe> = Hook::new();

/// See [`OPS`].
pub type Describe = fn(ops: *const OpsHeader, inside: [usize; 2], out: &mut dyn fmt::Write);

/// CPUs tell one after the other.
static TELLING: SpinMutex<()> = SpinMutex::new(());

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
    let mut nr_told = 0;
    sched::for_each_task(|task| {
        if is_holdout(task) && !task.is_running() {
            nr_told += 1;
            if nr_told <= MOST_BACKTRACES {
                tell(task, task.state_name(), Frames::from_fp(task.saved_fp()));
            }
        }
    });
    if nr_told > MOST_BACKTRACES {
        println!("rcu: and {} more that do not run", nr_told - MOST_BACKTRACES);
    }
    sched::visit_every_cpu(tell_running);
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
    let _telling = TELLING.lock();
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
                println!("rcu:   {}, running", Holdout(task));
            } else {
                tell(task, task.state_name(), Frames::from_fp(task.saved_fp()));
            }
        }
    });
}

/// On each CPU: whether it, or the task that it runs, is waited for.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn tell_running(visit: &Visit) {
    let task = sched::current();
    let is_cpu_waited_for = rcu().scheme().waits_for_cpu(visit.cpu);
    if !is_holdout(task) && !is_cpu_waited_for {
        return;
    }
    let _telling = TELLING.lock();
    if is_cpu_waited_for {
        println!("rcu:   CPU {} was not seen outside of interrupts and atomic sections", visit.cpu);
    }
    tell(task, "running", Frames::here());
}

/// Whether something retired waits for the task. Context: a task list is locked, or the task stays.
#[inline(always)]
pub(super) fn is_holdout(task: &Task) -> bool {
    task.rcu.holdout.load(Ordering::Relaxed) || is_unmarked_holdout(task)
}

/// Whether it does though the task is not marked: it sleeps, and was examined before what it holds was retired. Context: as
/// [`is_holdout`].
#[inline(always)]
pub(super) fn is_unmarked_holdout(task: &Task) -> bool {
    !task.rcu.holdout.load(Ordering::Relaxed)
        && task.rcu.nr_counted.load(Ordering::Relaxed) > 0
        && task.is_off_cpu()
        && names_retired(Holds::of(Frames::from_fp(task.saved_fp())))
}

/// Whether a chain holds what is retired, as far as can be told of a task that may go on meanwhile. No closure: those can be traced.
#[inline(always)]
fn names_retired(holds: Holds) -> bool {
    for hold in holds {
        // A task that goes on at this instant may have left anything where its frame was.
        let last = hold.ops.addr().saturating_add(size_of::<OpsHeader>() - 1);
        let can_be_ops = hold.ops.is_aligned() && heap::holds(hold.ops.addr()) && heap::holds(last);
        // SAFETY: aligned, and from end to end in the heap, which is mapped: what is read is told, not believed.
        if can_be_ops && unsafe { &*hold.ops }.holds.is_retired() {
            return true;
        }
    }
    false
}

/// Prints who a task is, what it is inside of, and where.
#[inline(never)]
fn tell(task: &Task, state: &str, frames: Frames) {
    println!("rcu:   {}, {state}", Holdout(task));
    for hold in Holds::of(frames) {
        println!("rcu:     {}", Held { ops: hold.ops, site: hold.site, frames });
    }
    print_backtrace(frames);
}

/// Prints a task and its CPU.
struct Holdout<'a>(&'a Task);

impl fmt::Display for Holdout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} {} on CPU {}", self.0.id, self.0.name(), self.0.cpu())
    }
}

/// Prints one trampoline that a context is inside of.
struct Held {
    ops: *const OpsHeader,
    site: CallSite,
    frames: Frames,
}

impl Held {
    /// Where the call stands: in the func, and in what that called.
    fn inside(&self) -> [usize; 2] {
        // From outside to inside: the trampoline, its func, what that called.
        let mut inner = [0; 3];
        for step in self.frames {
            if !step.interrupted && step.pc == self.site.body() {
                break;
            }
            inner = [step.pc, inner[0], inner[1]];
        }
        [inner[1], inner[2]]
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "in the trampoline of {}, holds ", Place(self.site.entry()))?;
        match OPS.get() {
            Some(describe) => describe(self.ops, self.inside(), f),
            None => write!(f, "ops {:#x}", self.ops.addr())?,
        }
        Ok(())
    }
}

/// A holder of what is retired that is off its CPU, and what it holds; or only who it is. Context: a task list is locked.
struct HolderLine<'a>(&'a Task);

impl fmt::Display for HolderLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let task = self.0;
        write!(f, "{}", Holdout(task))?;
        if task.is_running() {
            return f.write_str(" runs");
        }
        let frames = Frames::from_fp(task.saved_fp());
        match Holds::of(frames).next() {
            Some(hold) => write!(f, " is {}", Held { ops: hold.ops, site: hold.site, frames }),
            None => Ok(()),
        }
    }
}

/// How many tasks hold what is retired, and one of them, cut where there is no more room. Context: task.
pub(super) fn holders() -> (usize, heapless::String<192>) {
    let (mut nr_holders, mut first) = (0, heapless::String::new());
    // A task may go on, and what its frame named be freed while it is described: not while nothing elapses.
    let _nothing_elapses = rcu().graveyard.lock();
    sched::for_each_task(|task| {
        if is_holdout(task) {
            nr_holders += 1;
            if nr_holders == 1 {
                // The reader has seen enough if it does not fit.
                let _ = fmt::Write::write_fmt(&mut Cut(&mut first), format_args!("{}", HolderLine(task)));
            }
        }
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
    let mut nr_holders = 0;
    let _nothing_elapses = rcu().graveyard.lock(); // as in `holders`
    sched::for_each_task(|task| {
        if is_holdout(task) {
            nr_holders += 1;
            if nr_holders <= MOST_BACKTRACES {
                println!("holder        {}", HolderLine(task));
            }
        }
    });
    if nr_holders > MOST_BACKTRACES {
        println!("holder        and {} more", nr_holders - MOST_BACKTRACES);
    }
}

/// Panics if `task`, which runs and is about to wait for a grace period, does so inside of a func, guarded or not: its frames
/// tell (O9). Context: task.
pub(super) fn forbid_wait_in_func(task: &Task) {
    let frames = Frames::here();
    if let Some(hold) = Holds::of(frames).next() {
        let held = Held { ops: hold.ops, site: hold.site, frames };
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
        Some(hold) => panic!("{message}: it is {}", Held { ops: hold.ops, site: hold.site, frames }),
        None => panic!("{message}"),
    }
}
