//! A kernel of a few steps: CPUs that run tasks and take SGIs, one literal, two ops, one grace period.
//!
//! Each CPU from 1 up is a thread with a script ([`crate::cpu`]). CPU 0 runs the grace-period task and nothing else.

use loom::cell::UnsafeCell;
use loom::model::Builder;
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::sync::mpsc::{Receiver, channel};
use loom::sync::{Arc, Condvar, Mutex, MutexGuard};
use loom::thread;

use crate::blind::{Blind, blind};
use crate::cpu::{Arrival, Cpu};
use crate::mailbox::Mailbox;
use crate::rcu::cookie::Sequence;
use crate::rcu::grace::{Action, Machine};
use crate::rcu::schemes::{
    self, At, Eyes, Kind, Look, Scheme, Sighting, Subject, Switch, Wake, What, resume, switch_out,
};
use crate::sched::rcu_words::TaskWords;

/// The complaint of a step that finds the poison.
pub const USED_AFTER_FREE: &str = "ops was used after it was freed";

/// The complaint of a grace period that nobody will end.
pub const NOBODY_LEFT: &str = "the grace period waits, and nobody is left to wake it";

const OLD: usize = 0;
const NEW: usize = 1;
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
    pub(crate) words: Vec<TaskWords>,
    literal: AtomicUsize,
    ops: [UnsafeCell<u32>; 2],
    lists: Mutex<Vec<Listed>>,
    /// The queue of the grace-period task, and how many scripts, migrated tasks and woken workers can still wake it.
    wait_queue: (Mutex<usize>, Condvar),
}

impl Kernel {
    pub(crate) fn has(&self, fault: Fault) -> bool {
        self.world.fault == fault
    }

    pub(crate) fn lists(&self) -> MutexGuard<'_, Vec<Listed>> {
        self.lists.lock().expect("no step panics with it")
    }

    pub(crate) fn wake(&self, wake: Wake) {
        if wake == Wake::GracePeriodTask {
            let _locked = self.wait_queue.0.lock().expect("no step panics with it");
            self.wait_queue.1.notify_all();
        }
    }

    /// loom would see that nobody is left to wake us, but ends the whole process when it does; so we count.
    fn wait_until(&self, is_over: impl Fn() -> bool) {
        let mut nr_wakers = self.wait_queue.0.lock().expect("no step panics with it");
        while !is_over() {
            assert_ne!(*nr_wakers, 0, "{NOBODY_LEFT}");
            nr_wakers = self.wait_queue.1.wait(nr_wakers).expect("no step panics with it");
        }
    }

    /// A task that goes on elsewhere, or a worker, will come to an end.
    pub(crate) fn has_begun(&self) {
        *self.wait_queue.0.lock().expect("no step panics with it") += 1;
    }

    /// It has, or a script has.
    pub(crate) fn has_ended(&self) {
        *self.wait_queue.0.lock().expect("no step panics with it") -= 1;
        self.wait_queue.1.notify_all();
    }

    /// The trampoline loads the literal: from here on this context holds what it found.
    pub(crate) fn load_literal(&self) -> usize {
        self.literal.load(Ordering::Relaxed)
    }

    /// The trampoline, or the func, uses the ops.
    pub(crate) fn use_ops(&self, ops: usize) {
        self.ops[ops].with(|word| {
            // SAFETY: 1. The cell is alive. 2. loom fails the model if somebody writes at the same time.
            assert_eq!(unsafe { *word }, LIVE, "{USED_AFTER_FREE}");
        });
    }
}

/// The grace-period task's view.
struct FromCpu0 {
    kernel: Arc<Kernel>,
    inboxes: Inboxes,
    answers: Receiver<()>,
}

impl Eyes for FromCpu0 {
    fn holds(&self, task: &TaskWords, at: At, what: What) -> bool {
        Blind.holds(task, at, what)
    }
    fn depth(&self, task: &TaskWords) -> u32 {
        Blind.depth(task)
    }
    fn want_report(&self, _: &TaskWords, _: bool) {}
    fn agree(&self, task: &TaskWords, at: At) -> bool {
        Blind.agree(task, at)
    }
    fn boost(&self, _: &TaskWords, _: bool) {}
}

impl schemes::World for FromCpu0 {
    fn number(&self) -> u64 {
        2
    }

    fn nr_cpus(&self) -> usize {
        1 + self.inboxes.len()
    }

    fn visit_every_cpu(&self) {
        self.inboxes.iter().for_each(|inbox| inbox.send(Message::Visit));
        fence(Ordering::SeqCst);
        let sighting = Sighting { cpu: 0, is_outermost: true, is_idle: false, preempt_count: 0 };
        let _ = self.kernel.scheme.visited(&sighting, &blind(&TaskWords::running()));
        self.inboxes.iter().for_each(|_| self.answers.recv().expect("every CPU answers"));
    }

    fn wake_workers(&self) {
        if self.kernel.has(Fault::WorkersForgotten) {
            return;
        }
        for inbox in self.inboxes.iter() {
            self.kernel.has_begun();
            inbox.send(Message::Worker);
        }
    }

    fn for_each_task(&self, look: &dyn Look) {
        let (kernel, lists) = (&self.kernel, self.kernel.lists());
        for (listed, words) in lists.iter().zip(&kernel.words) {
            let is_spared = kernel.has(Fault::PreemptedSpared) && listed.standing == Standing::Preempted;
            if !(kernel.has(Fault::ExitingMissed) && listed.is_exiting) {
                look.look(&Subject { words, kind: if is_spared { Kind::Exempt } else { Kind::Ordinary } });
            }
        }
    }
}

impl FromCpu0 {
    /// Swaps the literal, waits, frees the old ops: what an updater and the grace-period task do together.
    fn retire_old_ops(&self) {
        let (kernel, scheme) = (&self.kernel, &*self.kernel.scheme);
        // SAFETY: 1. The only sequence of this world. 2. The loop below carries the grace period out.
        let sequence = unsafe { Sequence::new() };
        let (mut machine, own_words) = (Machine::new(1), TaskWords::running());
        kernel.literal.store(NEW, Ordering::Release);
        fence(Ordering::SeqCst);
        let cookie = sequence.cookie();
        let _ = sequence.request(cookie);
        let elapsed = loop {
            match machine.step(&sequence, scheme, 0) {
                Action::Begin { step } if kernel.has(Fault::StepLeftOut(step)) => {}
                Action::Begin { step } => scheme.begin(step, self),
                Action::Wait { step, .. } => {
                    // We block, so our CPU switches, and its worker runs.
                    kernel.wake(switch_out(scheme, &own_words, 0, Switch::Voluntary));
                    if scheme.wants_worker(0) && !kernel.has(Fault::WorkersForgotten) {
                        kernel.wake(scheme.worker_ran(0));
                    }
                    kernel.wait_until(|| scheme.outstanding(step) == 0);
                    resume(scheme, &blind(&own_words));
                }
                Action::Finish(elapsed) => break elapsed,
                action @ (Action::Sleep | Action::Report { .. }) => unreachable!("{action:?}"),
            }
        };
        assert!(elapsed.covers(cookie));
        kernel.ops[OLD].with_mut(|word| {
            // SAFETY: 1. The cell is alive. 2. loom fails the model if a use is not ordered before.
            unsafe { *word = POISON };
        });
        self.inboxes.iter().for_each(|inbox| inbox.send(Message::PowerOff));
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
        let standing = |task: &Task| if *task == Task::Running { Standing::Running } else { Standing::Away };
        let listed = |task| Listed { is_exiting: false, standing: standing(task) };
        let kernel = Arc::new(Kernel {
            scheme: (self.scheme)(),
            world: self,
            words: self.tasks.iter().map(words).collect(),
            literal: AtomicUsize::new(OLD),
            ops: [UnsafeCell::new(LIVE), UnsafeCell::new(LIVE)],
            lists: Mutex::new(self.tasks.iter().map(listed).collect()),
            wait_queue: (Mutex::new(self.scripts.len()), Condvar::new()),
        });
        let (answers_in, answers) = channel();
        let inboxes = Arc::new(self.scripts.iter().map(|_| Mailbox::default()).collect::<Vec<_>>());
        let mut threads = Vec::new();
        for (index, script) in self.scripts.iter().enumerate() {
            let current = (self.tasks.get(index) == Some(&Task::Running)).then_some(index);
            let cpu = Cpu::new(index + 1, current, kernel.clone(), inboxes.clone(), answers_in.clone());
            threads.push(thread::spawn(move || cpu.run(*script)));
        }
        FromCpu0 { kernel, inboxes, answers }.retire_old_ops();
        threads.into_iter().for_each(|thread| thread.join().expect("no script panics"));
    }
}
