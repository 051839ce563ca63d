//! The grace-period task, and the one instance of Tasks RCU that it shares with everybody.
//!
//! It is of the high class, so that a task that never sleeps does not delay it, and carries out what [`Machine`] decides.
//! Notrace (O8), but for the stall report.
//! INVARIANT `one-scheme`: the selected scheme changes only under the machine's lock and while no grace period runs, so a
//! grace period has one scheme from its begin to its end; and only while nothing is retired, so what is retired is judged by the
//! scheme that it was retired under.
//!
//! # Why this task makes a change of schemes
//! Where others ask for grace periods all the time, the next one begins in the step in which the last one ended: nobody else ever
//! finds that none runs. Those that ask without having retired anything need not be served first: one scheme is as good as the
//! other to them. So a change waits for the running grace period, and for those that what is retired needs.

use super::bracket::MAX_CPUS;
use super::broken;
use super::conclude::conclude;
use super::cookie::Sequence;
use super::extent::Extent;
use super::eyes::Kernel;
use super::grace::{Action, Machine, Now};
use super::graveyard::Graveyard;
use super::hooks;
use super::judging::Stands;
use super::reclaimer::EXPIRED;
use super::schemes::built::Built;
use super::schemes::{Kind, Look, NAMES, Nudge, Scheme, Sighting, Subject, Wake, World};
use super::starved::Starved;
use super::{hurry, report, waits};
use crate::arch::cpu;
use crate::fault::{self, Fault};
use crate::sched::{self, Task, Visit, WaitQueue};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::lock::IrqLock;

const _: () = assert!(MAX_CPUS == cpu::MAX_CPUS);

/// After how much progress a step counts as stalled, until somebody sets another time.
const STALL_AFTER_NS: u64 = 10_000_000_000;

/// The grace-period task waits here: for requests, for the end of a step, for somebody who holds less.
pub(super) static STEP: WaitQueue = WaitQueue::new();

/// Whoever has another scheme selected waits here for that.
static SELECTED: WaitQueue = WaitQueue::new();

/// The workers wait here to be wanted.
static WORKERS: WaitQueue = WaitQueue::new();

/// The one instance.
static RCU: spin::Once<Rcu> = spin::Once::new();

/// All of Tasks RCU.
pub(super) struct Rcu {
    pub(super) sequence: Sequence,
    pub(super) machine: IrqLock<Machine>,
    pub(super) graveyard: IrqLock<Graveyard>,
    /// Of the graveyard.
    pub(super) extent: Extent,
    /// The grace-period task, once it is spawned.
    pub(super) task: spin::Once<&'static Task>,
    pub(super) starved: IrqLock<Starved>,
    /// The number of the last grace period that somebody is in a hurry for.
    pub(super) hurried: AtomicU64,
    selected: AtomicUsize,
    /// The scheme that is to be selected, or [`NO_CHANGE`].
    wanted: AtomicUsize,
    schemes: [Built; NAMES.len()],
}

/// No scheme's place in [`NAMES`].
const NO_CHANGE: usize = NAMES.len();

/// Makes the instance; the first call counts.
pub(super) fn init() -> &'static Rcu {
    RCU.call_once(|| Rcu {
        sequence: Sequence::new(),
        machine: IrqLock::new(Machine::new(STALL_AFTER_NS)),
        // SAFETY: 1. `run_grace_periods` carries each step out, and judges what it has begun with behind the last. 2. The only one:
        // `Once`, and `RCU` is private.
        graveyard: IrqLock::new(unsafe { Graveyard::new() }),
        extent: Extent::default(),
        task: spin::Once::new(),
        starved: IrqLock::new(Starved::default()),
        hurried: AtomicU64::new(0),
        selected: AtomicUsize::new(0),
        wanted: AtomicUsize::new(NO_CHANGE),
        schemes: Built::all(),
    })
}

/// The instance. Context: any, after `start`.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn rcu() -> &'static Rcu {
    RCU.get().expect("rcu::start ran")
}

impl Rcu {
    /// The selected scheme.
    #[inline(always)]
    pub(super) fn scheme(&self) -> &Built {
        &self.schemes[self.selected.load(Ordering::Relaxed)]
    }

    /// Selects the scheme that stands at this place of [`NAMES`], when no grace period runs and nothing is retired or waits to be
    /// freed; blocks until then. One caller at a time. Context: task; where all is quiet already, it does not block.
    pub(super) fn select(&self, index: usize) {
        if self.try_select(&mut self.machine.lock(), index) {
            return;
        }
        self.wanted.store(index, Ordering::Relaxed);
        // Order: the queue's lock; the grace-period task may be asleep.
        STEP.wake_all();
        SELECTED.wait_until(|| !self.is_change_wanted());
    }

    /// Whether somebody waits for a change. Order: `Acquire`, pairing with [`Rcu::change`]: who finds none finds the new scheme.
    #[inline(always)]
    pub(super) fn is_change_wanted(&self) -> bool {
        self.wanted.load(Ordering::Acquire) != NO_CHANGE
    }

    /// Makes the change that somebody waits for, if that can be; says whether it did. Context: the grace-period task.
    #[inline(always)]
    fn change(&self, machine: &mut Machine) -> bool {
        let wanted = self.wanted.load(Ordering::Relaxed);
        let is_made = wanted != NO_CHANGE && self.try_select(machine, wanted);
        if is_made {
            self.wanted.store(NO_CHANGE, Ordering::Release);
        }
        is_made
    }

    #[inline(always)]
    fn try_select(&self, machine: &mut Machine, index: usize) -> bool {
        let is_quiet = machine.is_idle() && self.graveyard.lock().is_empty();
        if is_quiet {
            self.scheme().select(false);
            self.schemes[index].select(true);
            self.selected.store(index, Ordering::Relaxed);
            machine.count_for(index);
        }
        is_quiet
    }
}

impl World for Kernel {
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn nr_cpus(&self) -> usize {
        sched::nr_cpus()
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn number(&self) -> u64 {
        rcu().sequence.running()
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn visit_every_cpu(&self) {
        ask_every_cpu();
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn wake_workers(&self) {
        WORKERS.wake_all();
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn for_each_task(&self, look: &dyn Look) {
        sched::for_each_task(|task| look.look(&Subject { words: &task.rcu, kind: kind_of(task) }));
    }
}

/// A function of its own: the image test finds the work of a visit where it is handed over.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn ask_every_cpu() {
    rcu().machine.lock().count_round();
    sched::visit_every_cpu(on_visit);
}

/// On each CPU, in the visit's SGI, after its barrier.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn on_visit(visit: &Visit) {
    let task = sched::current();
    let sighting = Sighting {
        cpu: visit.cpu,
        is_outermost: visit.outermost,
        is_idle: task.is_idle(),
        preempt_count: visit.preempt_count,
    };
    let nudge = rcu().scheme().visited(&sighting, &hooks::context(task));
    if nudge == Nudge::Reschedule {
        sched::want_reschedule(visit.cpu);
    }
}

#[inline(always)]
fn kind_of(task: &Task) -> Kind {
    let is_missed = fault::is(Fault::ExitingMissed) && task.is_exiting();
    let is_exempt = task.is_idle() || core::ptr::eq(task, sched::current()) || is_missed;
    if is_exempt { Kind::Exempt } else { Kind::Ordinary }
}

/// The worker task of CPU number `cpu`: that it runs is all that is asked of it.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn work(rcu: &'static Rcu, cpu: usize) -> ! {
    loop {
        WORKERS.wait_until(|| rcu.scheme().wants_worker(cpu));
        let wake = irqs::with_masked(|_| rcu.scheme().worker_ran(cpu));
        if wake == Wake::GracePeriodTask {
            STEP.wake_all();
        }
    }
}

/// Whether a change that somebody waits for can be made, as far as what is retired tells. Context: the grace-period task, which
/// knows whether one runs. A function of its own: the condition of a wait stays small, and is not outlined.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn can_change(rcu: &Rcu) -> bool {
    rcu.is_change_wanted() && rcu.graveyard.lock().is_empty()
}

#[inline(always)]
fn now() -> Now {
    Now { clock_ns: sched::now_ns(), progress_ns: sched::progress_ns() }
}

/// The grace-period task. Every decision is the machine's, or the graveyard's.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn run_grace_periods(rcu: &'static Rcu) -> ! {
    // Nobody else adds to what is held, or takes from it.
    let mut stands = Stands::default();
    loop {
        let mut machine = rcu.machine.lock();
        let has_changed = rcu.change(&mut machine);
        let scheme = rcu.scheme(); // under the lock: `one-scheme`
        let action = machine.step(&rcu.sequence, scheme, now(), stands, || rcu.graveyard.lock().begin());
        drop(machine);
        if has_changed {
            SELECTED.wake_all();
        }
        let is_wanted = || Machine::is_wanted(&rcu.sequence, scheme) || can_change(rcu);
        match action {
            Action::Sleep => STEP.wait_until(is_wanted),
            Action::Rest { most_ns } => {
                let _ = STEP.wait_until_deadline(is_wanted, sched::now_ns() + most_ns);
            }
            Action::Begin { step } => scheme.begin(step, &Kernel),
            Action::Wait { step, most_ns } => hurry::wait(rcu, scheme, step, most_ns),
            Action::Report { step, stalled_ns } => report::tell_stall(scheme, step, stalled_ns),
            Action::Judge => {
                let left = conclude(&rcu.graveyard, &rcu.extent, scheme, rcu.sequence.running());
                stands = left.stands;
                rcu.machine.lock().finish(&rcu.sequence, now());
                broken::tell_once();
                waits::wake(&left);
                // Who calls something that has elapsed wakes the reclaimer by itself.
                if left.has_expired {
                    EXPIRED.wake_all();
                }
            }
        }
    }
}
