//! The watchdog: what stands still for too long ends the kernel with a report and status 102.
//!
//! | what | seen by | named |
//! |---|---|---|
//! | a CPU takes no interrupts | its own beat | the CPU, and where it is |
//! | a lock is held for ever | the beats of its holder and of who waits | the lock, its holder, both places |
//! | a visit is not answered | the beat of the CPU that asked | the CPUs that do not answer |
//! | a CPU stops altogether | the beats of the others | the CPU, and what is known of it |
//! | a wake-up is lost | the watchdog's task, see `sched::waiting` | the task, where it waits, and in which queue |
//! | a task that could run gets no CPU | the watchdog's task, see `sched::starved` | the task, and who has its CPU |
//!
//! The last one is named once, in a line, and the kernel goes on.
//!
//! Each CPU has a *beat*: its physical timer, which arrives as FIQ, also where IRQs are masked, ten times within the
//! patience (10 s of guest time). At a beat the CPU judges itself and looks whether the others have theirs; what it sees
//! is judged by [`beat::overdue`], which is pure. Where the controller has no FIQs an IRQ takes the beat's place: then
//! a CPU that masks IRQs is told by the others, and cannot tell where it is.
//!
//! A beat takes no lock, changes nothing that anybody else reads, and is not part of the chain of interrupts that
//! grace-period schemes look at. Notrace (O8); the report ends the kernel.
//! Above: `kernel` wires [`fiq`], starts the task and wires [`HOLDOUTS`]; `shell` provokes. Below: `sched`, `gic`.

mod report;

use self::report::Culprit;
use super::beat::{self, Overdue, PATIENCE_BEATS, Pulse, Sight};
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic, timer};
use crate::hook::Hook;
use crate::sched::waiting::PATIENCE_ROUNDS;
use crate::sched::{self, Class, Spawn, SpawnError, TaskName, ipi};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::lock;
use crate::sync::percpu::PerCpu;
use crate::{percpu, println};
use alloc::boxed::Box;

const _: () = assert!(PATIENCE_BEATS == PATIENCE_ROUNDS, "one period serves both");

/// Prints who keeps a grace period from ending. Wired by `kernel` to `rcu`. Context: the report.
pub static HOLDOUTS: Hook<fn()> = Hook::new();

const NS_PER_MS: u64 = 1_000_000;

/// Guest time between two beats of a CPU: a tenth of the patience.
static PERIOD_NS: AtomicU64 = AtomicU64::new(1_000_000_000);

/// Progress in which a runnable task may go without a CPU.
static CPU_PATIENCE_NS: AtomicU64 = AtomicU64::new(10_000_000_000);
/// Starved tasks that are named at one look.
const MOST_NAMED: usize = 4;

/// What a CPU keeps from one beat to the next.
#[derive(Debug)]
struct Seat {
    /// Beats so far. Read by the others.
    beats: AtomicU64,
    tick: Pulse,
    visit: Pulse,
    others: [Pulse; cpu::MAX_CPUS],
    /// When an IRQ takes the place of a beat.
    next_ns: AtomicU64,
}

static SEATS: PerCpu<Seat> = percpu!(Seat {
    beats: AtomicU64::new(0),
    tick: Pulse::new(),
    visit: Pulse::new(),
    others: [const { Pulse::new() }; cpu::MAX_CPUS],
    next_ns: AtomicU64::new(0),
});

/// Some CPU may not use its physical timer: interrupts take the place of beats, on all of them.
static LACKS_TIMER: AtomicBool = AtomicBool::new(false);

/// Whether beats come by FIQ. Context: any.
#[inline(always)]
fn has_beats() -> bool {
    gic::has_fiq() && !LACKS_TIMER.load(Ordering::Relaxed)
}

/// Starts this CPU's beat, where it can have one. Context: boot of each CPU.
pub fn start_cpu() {
    if !timer::stop_physical() {
        LACKS_TIMER.store(true, Ordering::Relaxed);
    }
    if has_beats() {
        timer::set_beat_ns(PERIOD_NS.load(Ordering::Relaxed));
    }
}

/// Starts the task that looks for lost wake-ups. Context: boot.
pub fn start() -> Result<(), SpawnError> {
    let what = Spawn { name: "watchdog", class: Class::High, cpu: None };
    sched::spawn(what, Box::new(watch_waits)).map(drop)
}

/// Lets runnable tasks go without a CPU for so long from now on, in which every CPU runs. Returns what it was. Context: any.
pub fn set_cpu_patience_ns(ns: u64) -> u64 {
    CPU_PATIENCE_NS.swap(ns, Ordering::Relaxed)
}

/// Lets things stand still for `ms` milliseconds from now on, and says so. Context: task.
pub fn set_patience_ms(ms: u64) {
    PERIOD_NS.store(ms * NS_PER_MS / PATIENCE_BEATS, Ordering::Relaxed);
    println!("the watchdog's patience is {ms} ms from here on");
}

/// Beats, or rounds, as milliseconds.
fn in_ms(beats: u64) -> u64 {
    beats * PERIOD_NS.load(Ordering::Relaxed) / NS_PER_MS
}

/// The task: each wait without a deadline, and each wait for a CPU, is looked at once in a period.
fn watch_waits() {
    loop {
        let (before_ns, period_ns) = (sched::progress_ns(), PERIOD_NS.load(Ordering::Relaxed));
        sched::sleep(period_ns);
        let late_ns = (sched::progress_ns() - before_ns).saturating_sub(period_ns);
        if late_ns > CPU_PATIENCE_NS.load(Ordering::Relaxed) {
            println!(
                "watchdog: its own task {:?} could run and had no CPU for {} ms",
                sched::current(),
                late_ns / NS_PER_MS
            );
        }
        if let Some(task) = sched::watch_waits() {
            report::tell(&Culprit::LostWakeUp { task }, None);
        }
        name_starved();
    }
}

/// A task that has had no CPU for too long: which, where it waits, and for how long it has.
type Named = (TaskName, usize, u64);

/// Looks at the waits for a CPU, and names tasks that have had none for too long.
fn name_starved() {
    let (now_ns, patience_ns) = (sched::progress_ns(), CPU_PATIENCE_NS.load(Ordering::Relaxed));
    let (mut named, mut nr_more) = (heapless::Vec::<Named, MOST_NAMED>::new(), 0);
    sched::for_each_task(|task| {
        let waits_for = task.waits_for_cpu();
        let switches = task.nvcsw.load(Ordering::Relaxed) + task.nivcsw.load(Ordering::Relaxed);
        let waited_ns = task.starved.look(waits_for.is_some(), switches, now_ns, patience_ns);
        if let (Some(cpu), Some(waited_ns)) = (waits_for, waited_ns)
            && named.push((TaskName { number: task.id, cpu }, cpu, waited_ns)).is_err()
        {
            nr_more += 1;
        }
    });
    for (task, cpu, waited_ns) in &named {
        println!("watchdog: task {task} can run on CPU {cpu} and has not for {} ms", waited_ns / NS_PER_MS);
        sched::try_current_of(*cpu, |other| {
            // This task runs on some CPU, but took it from another.
            if !core::ptr::eq(other, sched::current()) {
                println!("watchdog: {other:?} has CPU {cpu}");
            }
        });
    }
    if nr_more > 0 {
        println!("watchdog: and {nr_more} more");
    }
}

/// A FIQ was taken: a beat, or the call to stand still and tell. Wired by `kernel` to `arch::vectors::FIQ`.
/// Context: any, IRQs and FIQs masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn fiq(frame: &mut ExceptionFrame) {
    // Once only: a second look may answer with an IRQ, on a GICv2.
    let Some(interrupt) = gic::acknowledge_fiq() else { return };
    match interrupt.id() {
        ipi::SGI_FIQ => report::stand_still(frame),
        _ => {
            timer::set_beat_ns(PERIOD_NS.load(Ordering::Relaxed));
            beat(frame);
        }
    }
    gic::end_fiq(interrupt);
}

/// Where there are no FIQs: whatever interrupt comes may be the call to stand still, and the time of a beat. Context: IRQ.
#[inline(always)]
pub(super) fn after_irq(frame: &ExceptionFrame) {
    if !has_beats() {
        instead_of_fiq(frame);
    }
}

#[cold]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn instead_of_fiq(frame: &ExceptionFrame) {
    report::stand_still_if_asked(frame);
    let (next_ns, now_ns) = (&SEATS.of(cpu::id()).next_ns, timer::now_ns());
    if now_ns >= next_ns.load(Ordering::Relaxed) {
        next_ns.store(now_ns + PERIOD_NS.load(Ordering::Relaxed), Ordering::Relaxed);
        beat(frame);
    }
}

/// Judges. Context: IRQs masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn beat(frame: &ExceptionFrame) {
    let cpu = cpu::id();
    let seat = SEATS.of(cpu);
    let beats = seat.beats.load(Ordering::Relaxed) + 1;
    seat.beats.store(beats, Ordering::Relaxed);
    if let Some(overdue) = beat::overdue(&look(cpu, seat, beats)) {
        report::tell(&culprit(overdue, cpu), Some(frame));
    }
}

/// What this CPU sees at a beat.
#[inline(always)]
fn look(cpu: usize, seat: &Seat, beats: u64) -> Sight {
    let book = lock::book(cpu);
    let visit = ipi::pending_visit().filter(|visit| visit.requester == cpu);
    Sight {
        wanted: if book.wanted.get().is_some() { beats - book.wanted.seen_since(beats) } else { 0 },
        held: book.held.claims().map(|claim| beats - claim.seen_since(beats)).max().unwrap_or(0),
        visit: seat.visit.look(visit.map_or(0, |visit| visit.generation)) * u64::from(visit.is_some()),
        tick: seat.tick.look(sched::ticks(cpu)),
        silent: beat::most_silent(
            &seat.others,
            (0..sched::nr_cpus())
                .filter(|&other| other != cpu)
                .map(|other| (other, SEATS.of(other).beats.load(Ordering::Relaxed))),
        ),
    }
}

#[inline(always)]
fn culprit(overdue: Overdue, cpu: usize) -> Culprit {
    match overdue {
        Overdue::Wanted => Culprit::Wanted { cpu },
        Overdue::Held => Culprit::Held { cpu },
        Overdue::Visit => Culprit::Visit { cpu },
        Overdue::Tick => Culprit::NoInterrupts { cpu },
        Overdue::Silent(silent) => Culprit::Silent { cpu: silent },
    }
}
