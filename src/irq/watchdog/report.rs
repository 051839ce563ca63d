//! The report: what stood still, every CPU in turn, every holdout, every long wait; then status 102.
//!
//! One CPU reports, which shares no lock with anybody. It calls the others by FIQ; each stands still where it is, and
//! tells when it is its turn: task, context, locks, backtrace, last events. Of one that does not come, the reporter tells
//! what is known. Nobody goes on. A panic that is under way goes first: then there is no report.
//! Context: a beat, or the watchdog's task.

use super::{HOLDOUTS, SEATS, in_ms};
use crate::arch::unwind::Frames;
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, exit, gic, relax, timer};
use crate::console::context::Context;
use crate::console::epitaph::print_backtrace;
use crate::console::events::Log;
use crate::console::print;
use crate::sched::{self, ipi};
use crate::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use crate::sync::lock;
use crate::sync::percpu::PerCpu;
use crate::sync::preempt;
use crate::{percpu, println};
use core::fmt;

/// What is reported.
#[derive(Clone, Copy, Debug)]
pub(super) enum Culprit {
    /// This CPU waits for a lock.
    Wanted { cpu: usize },
    /// This CPU holds a lock.
    Held { cpu: usize },
    /// This CPU waits for the answers to a visit.
    Visit { cpu: usize },
    /// This CPU takes no interrupts.
    NoInterrupts { cpu: usize },
    /// This CPU has no beat.
    Silent { cpu: usize },
    /// This task was not woken.
    LostWakeUp { task: u32 },
}

impl fmt::Display for Culprit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Wanted { cpu } => {
                let Some((claim, place)) = lock::book(cpu).wanted.get() else { return Ok(()) };
                let (born, owner, taken) = (claim.class.born, claim.owner(), claim.place());
                write!(f, "CPU {cpu} waits at {place} for the lock of {born}, which CPU {owner} took at {taken}")
            }
            Self::Held { cpu } => {
                let Some(claim) = lock::book(cpu).held.claims().last() else { return Ok(()) };
                write!(f, "CPU {cpu} holds the lock of {}, taken at {}", claim.class.born, claim.place())
            }
            Self::Visit { cpu } => write!(f, "the visit that CPU {cpu} asked for is not answered"),
            Self::NoInterrupts { cpu } => write!(f, "CPU {cpu} takes no interrupts"),
            Self::Silent { cpu } => write!(f, "CPU {cpu} has stopped"),
            Self::LostWakeUp { task } => {
                let mut told = Ok(());
                sched::try_for_each_task(|other| {
                    if other.id == task
                        && let Some((place, queue, _)) = other.waiting.get()
                    {
                        told = write!(f, "lost wake-up: task {other:?} waits at {place} in the queue of {queue}, ");
                    }
                });
                told?;
                f.write_str("its condition holds, and nobody woke it")
            }
        }
    }
}

/// A CPU goes on; it stands still; it has told.
const GOES_ON: u8 = 0;
const STANDS_STILL: u8 = 1;
const HAS_TOLD: u8 = 2;
static STATES: PerCpu<AtomicU8> = percpu!(AtomicU8::new(GOES_ON));
/// The CPU whose turn it is to tell, counted from 1. While it is 0 nobody has to stand still.
static TURN: AtomicUsize = AtomicUsize::new(0);
/// Nobody's turn, but the report has begun.
const NOBODY: usize = usize::MAX;

/// What the reporter waits for a CPU to stand still, and to tell: a stopped one must not keep it for ever.
const MOST_NS_TO_COME: u64 = 200_000_000;
const MOST_NS_TO_TELL: u64 = 5_000_000_000;
/// One look counts for so much of it at most: time in which the host stops the guest is no time in which a CPU could come.
const MOST_NS_A_LOOK: u64 = 1_000_000;
/// Events told of each CPU.
const MOST_EVENTS: usize = 8;

/// Reports and ends the kernel. Returns where a panic or another report is on its way.
pub(super) fn tell(culprit: &Culprit, frame: Option<&ExceptionFrame>) {
    let irqs = cpu::mask_irqs();
    if print::take_console().is_err() {
        cpu::restore_irqs(irqs);
        return;
    }
    cpu::mask_irqs_and_fiqs();
    let this = cpu::id();
    TURN.store(NOBODY, Ordering::Release);
    let others = || (0..sched::nr_cpus()).filter(move |&other| other != this);
    for other in others() {
        if gic::has_fiq() {
            gic::send_fiq(ipi::SGI_FIQ, other);
        } else {
            gic::send_sgi(ipi::SGI_RESCHED, other);
        }
    }
    let all_stand = || others().all(|other| STATES.of(other).load(Ordering::Acquire) == STANDS_STILL);
    let _ = comes_true(all_stand, MOST_NS_TO_COME);

    println!("\nwatchdog: {culprit}; seen to for {} ms", in_ms(super::PATIENCE_BEATS));
    print_visit();
    if let Culprit::LostWakeUp { task } = *culprit {
        print_waiter(task);
    }
    tell_this_cpu(frame);
    for other in others() {
        if STATES.of(other).load(Ordering::Acquire) != STANDS_STILL {
            tell_silent_cpu(other);
            continue;
        }
        print::hand_console_to(other);
        TURN.store(other + 1, Ordering::Release);
        let has_told = || STATES.of(other).load(Ordering::Acquire) == HAS_TOLD;
        let is_done = comes_true(has_told, MOST_NS_TO_TELL);
        print::hand_console_to(this);
        if !is_done {
            println!("CPU {other} did not end its story");
        }
    }
    if let Some(print_holdouts) = HOLDOUTS.get() {
        print_holdouts();
    }
    print_waits();
    exit::exit(exit::STATUS_WATCHDOG)
}

/// Looks at `condition` until it holds, at most for so long.
fn comes_true(condition: impl Fn() -> bool, most_ns: u64) -> bool {
    let (mut waited_ns, mut last_ns) = (0, timer::now_ns());
    while waited_ns < most_ns {
        if condition() {
            return true;
        }
        relax::relax();
        let now_ns = timer::now_ns();
        waited_ns += (now_ns - last_ns).min(MOST_NS_A_LOOK);
        last_ns = now_ns;
    }
    condition()
}

/// A reporter called: stands still, tells when asked, and never goes on. Context: FIQ, or IRQ without FIQs.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn stand_still(frame: &ExceptionFrame) {
    cpu::mask_fiqs();
    let this = cpu::id();
    STATES.of(this).store(STANDS_STILL, Ordering::Release);
    while TURN.load(Ordering::Acquire) != this + 1 {
        relax::relax();
    }
    tell_this_cpu(Some(frame));
    STATES.of(this).store(HAS_TOLD, Ordering::Release);
    cpu::park()
}

/// The same, if a reporter has called at all.
#[inline(always)]
pub(super) fn stand_still_if_asked(frame: &ExceptionFrame) {
    if TURN.load(Ordering::Relaxed) != 0 {
        stand_still(frame);
    }
}

fn print_visit() {
    let Some(visit) = sched::pending_visit().filter(|visit| visit.missing != 0) else { return };
    println!(
        "visit {} asked for by CPU {} is not answered by CPU{}",
        visit.generation,
        visit.requester,
        Cpus(visit.missing)
    );
}

/// Where a task is that does not run.
fn print_waiter(number: u32) {
    sched::try_for_each_task(|task| {
        if task.id == number && !task.is_running() {
            println!("task {task:?}, {}", task.state_name());
            print_mutexes(task);
            println!("backtrace:");
            print_backtrace(Frames::from_fp(task.saved_fp()));
        }
    });
}

struct Cpus(u32);

impl fmt::Display for Cpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (0..32).filter(|cpu| self.0 & 1 << cpu != 0).try_for_each(|cpu| write!(f, " {cpu}"))
    }
}

/// This CPU: who runs, in what context, with which locks, and where. `frame` is what the FIQ interrupted.
fn tell_this_cpu(frame: Option<&ExceptionFrame>) {
    let this = cpu::id();
    let masked = if frame.is_none_or(ExceptionFrame::masks_irqs) { "masked" } else { "unmasked" };
    println!("CPU {this}, task {:?}, {}, IRQs {masked}", sched::current(), Context(preempt::count()));
    print_locks(this);
    print_mutexes(sched::current());
    println!("backtrace:");
    print_backtrace(frame.map_or_else(Frames::here, Frames::of_exception));
    print_events(this);
}

/// What CPU number `cpu` holds and waits for: this one, or one that has stood still for long.
fn print_locks(cpu: usize) {
    let (book, beats) = (lock::book(cpu), SEATS.of(cpu).beats.load(Ordering::Relaxed).max(1));
    if let Some((claim, place)) = book.wanted.get() {
        let ms = in_ms(beats - book.wanted.seen_since(beats));
        let (born, owner, taken) = (claim.class.born, claim.owner(), claim.place());
        println!("  waits at {place} for the lock of {born}, for {ms} ms; CPU {owner} took it at {taken}");
    }
    for claim in book.held.claims() {
        let ms = in_ms(beats - claim.seen_since(beats));
        println!("  holds the lock of {}, taken at {}, for {ms} ms", claim.class.born, claim.place());
    }
}

fn print_mutexes(task: &sched::Task) {
    for claim in task.held.claims() {
        println!("  holds the mutex of {}, taken at {}", claim.class.born, claim.place());
    }
}

/// A CPU that did not come: what others know of it.
fn tell_silent_cpu(cpu: usize) {
    println!("CPU {cpu} does not answer");
    sched::try_current_of(cpu, |task| println!("  last seen in task {task:?}"));
    print_locks(cpu);
    print_events(cpu);
}

fn print_events(cpu: usize) {
    println!("last events of CPU {cpu}:");
    Log::of(|of| of == cpu, MOST_EVENTS).for_each(|happening| println!("{happening}"));
}

/// Tasks that have been seen waiting without a deadline: most do so by right.
fn print_waits() {
    println!("tasks that wait:");
    sched::try_for_each_task(|task| {
        // Blocked first: then its queue stands still while the list is held.
        if task.is_blocked()
            && let Some((place, queue, rounds)) = task.waiting.get()
        {
            println!("  {task:?} at {place} in the queue of {queue}, for {} ms", in_ms(rounds));
            print_mutexes(task);
        }
    });
}
