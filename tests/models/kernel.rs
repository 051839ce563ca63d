//! A kernel of a few steps: CPUs that run tasks and take SGIs, one literal, two ops, one grace period.
//!
//! Each CPU from 1 up is a thread with a script ([`crate::cpu`]). CPU 0 runs the grace-period task and nothing else
//! ([`crate::gp_task`]).

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::sync::mpsc::channel;
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;

use crate::arch::hold_words::HoldWords;
use crate::cpu::{Arrival, Cpu};
use crate::eyes::TaskState;
use crate::gp_task::FromCpu0;
use crate::mailbox::Mailbox;
use crate::rcu::schemes::{Scheme, Wake};
use crate::sched::rcu_words::TaskWords;

/// The complaint of a step that finds the poison.
pub const USED_AFTER_FREE: &str = "ops was used after it was freed";

/// The complaint of a grace period that nobody will end.
pub const NOBODY_LEFT: &str = "the grace period waits, and nobody is left to wake it";

/// Of another callsite, and never retired. The callsite's own are 0, 1 and 2, one after the other.
pub(crate) const OTHER: usize = 3;
const NR_OPS: usize = 4;
const LIVE: u32 = 1;
const POISON: u32 = 0xdead;

/// What is done wrong on purpose: nothing of it in a shipping file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// This step of the scheme is left out.
    StepLeftOut(usize),
    /// The lister is not shown tasks that have left the task list.
    ExitingMissed,
    /// The switch hook is told that a preempted task left by itself.
    PreemptionIsVoluntary,
    /// The lister lets a preempted task go.
    PreemptedSpared,
    /// The handler takes any interrupted context for a quiescent one.
    AcknowledgementIsQuiescence,
    /// The workers are not woken.
    WorkersForgotten,
    /// The trampoline does not disable preemption.
    NotCounted,
    /// The trampoline disables preemption after it has loaded the literal.
    CountedLate,
    /// The trampoline enables preemption before func has returned.
    UncountedEarly,
    /// An IRQ's exit undoes the mark of `flag` that another entry made.
    MarkOfTheInner,
    /// An IRQ's exit undoes its mark before the preemption point.
    MarkUndoneEarly,
    /// Whoever is sighted is said to have preemption enabled.
    CountNotSighted,
    /// No CPU is visited.
    RoundLeftOut,
    /// The visitor goes on before the CPUs have answered.
    AnswersNotAwaited,
    /// The grace period is told the number of the one before.
    NumberOfTheLast,
    /// The retired ops is not told that it is.
    RetiredUntold,
    /// Of the chain of contexts only the task's own is seen.
    OnlyTheTaskIsSeen,
    /// Only the innermost one is.
    OnlyTheInnermostIsSeen,
    /// A task that is resumed is first said to have died, so that it is no longer listed.
    DelistedAtSwitchIn,
    /// A task that is resumed does not say so.
    ResumedUnpinned,
    /// A task that has left its CPU does not say so.
    LeftUnsaid,
    /// A task that has died does not say so.
    DeathUnsaid,
    /// A task says that it has left its CPU when that has taken interrupts again.
    LeftSaidLate,
    /// The trampoline lowers the depth by a plain store.
    DepthLowered,
    /// The trampoline raises the depth after it has loaded the literal.
    DepthRaisedLate,
    /// The trampoline lowers the depth before func has returned.
    DepthLoweredEarly,
    /// The trampoline reports nothing.
    ReportsForgotten,
    /// The trampoline looks whether a report is wanted before it lowers the depth.
    ReportDecidedEarly,
}

/// A task at the start. The n-th one that runs does so on CPU n, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// On its CPU.
    Running,
    /// Off its CPU by a voluntary switch.
    Sleeping,
}

/// What one CPU does.
pub type Script = fn(&Cpu);

/// A world to explore.
#[derive(Clone, Copy)]
pub struct World {
    /// Makes the scheme.
    pub scheme: fn() -> Box<dyn Scheme + Send>,
    /// What is wrong with it.
    pub fault: Fault,
    /// Whether the preemption model is full; else nobody is preempted.
    pub preempts: bool,
    /// How many ops are swapped out and freed, one after the other.
    pub nr_swaps: usize,
    /// The next one is swapped out when the one before has been looked at, be it held or not.
    pub overlaps: bool,
    /// Its tasks.
    pub tasks: &'static [Task],
    /// One for each CPU from 1 up.
    pub scripts: &'static [Script],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Running,
    Preempted,
    Away,
}

/// What the task lists know about a task, under their lock.
pub(crate) struct Listed {
    pub(crate) is_exiting: bool,
    pub(crate) standing: Standing,
}

/// What one CPU is told by another.
pub(crate) enum Message {
    /// The SGI of a visit.
    Visit,
    /// The CPU's worker has been woken.
    Worker,
    /// Task 0 was preempted elsewhere inside the trampoline or a func, and goes on here.
    Run(Arrival),
    /// The world has ended.
    PowerOff,
}

/// One for each CPU from 1 up.
pub(crate) type Inboxes = Arc<Vec<Mailbox<Message>>>;

/// What all CPUs share.
pub(crate) struct Kernel {
    pub(crate) scheme: Box<dyn Scheme + Send>,
    pub(crate) world: World,
    pub(crate) tasks: Vec<TaskState>,
    literal: AtomicUsize,
    /// Who was seen to hold each ops.
    holds: [HoldWords; NR_OPS],
    ops: [UnsafeCell<u32>; NR_OPS],
    lists: Mutex<Vec<Listed>>,
    wait_queue: (Mutex<WaitQueue>, Condvar),
}

/// Where the grace-period task waits.
struct WaitQueue {
    /// Scripts, migrated tasks and woken workers that can still wake it.
    nr_wakers: usize,
    is_woken: bool,
}

impl Kernel {
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.world.fault == fault
    }

    pub(crate) fn lists(&self) -> MutexGuard<'_, Vec<Listed>> {
        self.lists.lock().expect("no step panics with it")
    }

    fn queue(&self) -> MutexGuard<'_, WaitQueue> {
        self.wait_queue.0.lock().expect("no step panics with it")
    }

    pub(crate) fn wake(&self, wake: Wake) {
        if wake == Wake::GracePeriodTask {
            self.queue().is_woken = true;
            self.wait_queue.1.notify_all();
        }
    }

    /// Looks again only when woken, so a wake-up that is lost is found. loom would see that nobody is left to wake us, but
    /// ends the whole process when it does; so we count.
    pub(crate) fn wait_until(&self, is_over: impl Fn() -> bool) {
        let mut queue = self.queue();
        while !is_over() {
            while !queue.is_woken {
                assert_ne!(queue.nr_wakers, 0, "{NOBODY_LEFT}");
                queue = self.wait_queue.1.wait(queue).expect("no step panics with it");
            }
            queue.is_woken = false;
        }
    }

    /// A task that goes on elsewhere, or a worker, will come to an end.
    pub(crate) fn has_begun(&self) {
        self.queue().nr_wakers += 1;
    }

    /// It has, or a script has.
    pub(crate) fn has_ended(&self) {
        self.queue().nr_wakers -= 1;
        self.wait_queue.1.notify_all();
    }

    /// The trampoline loads the literal: from here on this context holds what it found.
    pub(crate) fn load_literal(&self) -> usize {
        self.literal.load(Ordering::Relaxed)
    }

    /// Swaps the literal from `ops` to the next one.
    pub(crate) fn unlink(&self, ops: usize) {
        self.literal.store(ops + 1, Ordering::Release);
    }

    pub(crate) fn holds_of(&self, ops: usize) -> &HoldWords {
        &self.holds[ops]
    }

    pub(crate) fn free(&self, ops: usize) {
        self.ops[ops].with_mut(|word| {
            // SAFETY: 1. The cell is alive. 2. loom fails the model if a use is not ordered before.
            unsafe { *word = POISON };
        });
    }

    /// The trampoline, or the func, uses the ops.
    pub(crate) fn use_ops(&self, ops: usize) {
        self.ops[ops].with(|word| {
            // SAFETY: 1. The cell is alive. 2. loom fails the model if somebody writes at the same time.
            assert_eq!(unsafe { *word }, LIVE, "{USED_AFTER_FREE}");
        });
    }
}

impl World {
    /// The same with a fault.
    pub const fn with(self, fault: Fault) -> Self {
        Self { fault, ..self }
    }

    /// Boots it in each interleaving, and lets it run until all CPUs are off.
    pub fn explore(self, builder: &Builder) {
        builder.check(move || self.boot());
    }

    fn boot(self) {
        let words = |task: &Task| if *task == Task::Running { TaskWords::running() } else { TaskWords::new() };
        let state = |task| TaskState::new(words(task));
        let standing = |task: &Task| if *task == Task::Running { Standing::Running } else { Standing::Away };
        let listed = |task| Listed { is_exiting: false, standing: standing(task) };
        let kernel = Arc::new(Kernel {
            scheme: (self.scheme)(),
            world: self,
            tasks: self.tasks.iter().map(state).collect(),
            literal: AtomicUsize::new(0),
            holds: std::array::from_fn(|_| HoldWords::new()),
            ops: std::array::from_fn(|_| UnsafeCell::new(LIVE)),
            lists: Mutex::new(self.tasks.iter().map(listed).collect()),
            wait_queue: (Mutex::new(WaitQueue { nr_wakers: self.scripts.len(), is_woken: false }), Condvar::new()),
        });
        kernel.scheme.select(true);
        let (answers_in, answers) = channel();
        let inboxes = Arc::new(self.scripts.iter().map(|_| Mailbox::default()).collect::<Vec<_>>());
        let mut threads = Vec::new();
        for (index, script) in self.scripts.iter().enumerate() {
            let current = (self.tasks.get(index) == Some(&Task::Running)).then_some(index);
            let cpu = Cpu::new(index + 1, current, kernel.clone(), inboxes.clone(), answers_in.clone());
            threads.push(thread::spawn(move || cpu.run(*script)));
        }
        let cpu0 = FromCpu0::new(kernel.clone(), inboxes, answers);
        cpu0.run();
        threads.into_iter().for_each(|thread| thread.join().expect("no script panics"));
        // Nobody waits for whoever holds nothing.
        for TaskState { words, .. } in &kernel.tasks {
            assert!(!words.holdout.load(Ordering::Relaxed), "{words:?}");
        }
    }
}
