//! The grace-period task, and the one instance of Tasks RCU that it shares with everybody.
//!
//! It is of the high class, so that a task that never sleeps does not delay it, and carries out what [`Machine`] decides.
//! Notrace (O8), but for the stall report.
//! INVARIANT `one-scheme`: the selected scheme changes only under the machine's lock and while no grace period runs, so a
//! grace period has one scheme from its begin to its end.

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
    schemes: [Built; NAMES.len()],
}

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

    /// Selects the scheme that stands at this place of [`NAMES`], unless a grace period runs or is wanted, or something
    /// is retired or waits to be freed; says whether it did.
    pub(super) fn select(&self, index: usize) -> bool {
        let mut machine = self.machine.lock();
        let is_quiet = machine.is_idle() && !self.sequence.is_wanted() && self.graveyard.lock().is_empty();
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
        let scheme = rcu.scheme(); // under the lock: `one-scheme`
        let action = machine.step(&rcu.sequence, scheme, now(), stands, || rcu.graveyard.lock().begin());
        drop(machine);
        let is_wanted = || Machine::is_wanted(&rcu.sequence, scheme);
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
