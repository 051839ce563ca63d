//! A kernel of a few steps: CPUs that run tasks and take SGIs, one literal, two ops, one grace period.
//!
//! Each CPU is a thread. Between two steps, where interrupts are unmasked, it handles the messages it finds
//! ([`Cpu::interrupts`]); a step that holds them off simply has no such point in it. CPU 0 runs the grace-period task.

use std::cell::Cell;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicUsize, Ordering, fence};
use loom::sync::mpsc::{Receiver, Sender, channel};
use loom::sync::{Arc, Condvar, Mutex};
use loom::thread;

use crate::mailbox::Mailbox;
use crate::rcu::cookie::Sequence;
use crate::rcu::grace::{Action, Machine};
use crate::rcu::schemes::{Kind, Look, Scheme, Sighting, Subject, Switch, Wake, World, resume, switch_out};
use crate::sched::rcu_words::TaskWords;

/// The complaint of a step that finds the poison.
pub const USED_AFTER_FREE: &str = "ops was used after it was freed";

/// The complaint of a grace period that nobody will end.
pub const NOBODY_LEFT: &str = "the grace period waits, and nobody is left to wake it";

const OLD: usize = 0;
const NEW: usize = 1;
const LIVE: u32 = 1;
const POISON: u32 = 0xdead;

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// This step of the scheme is left out.
    pub skipped_step: Option<usize>,
    /// The lister is not shown tasks that have left the task list.
    pub misses_exiting: bool,
    /// The switch hook is told that a preempted task left by itself.
    pub preemption_is_voluntary: bool,
    /// The lister lets a preempted task go.
    pub spares_preempted: bool,
    /// The handler takes any interrupted context for a quiescent one.
    pub acknowledgement_is_quiescence: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Running,
    Preempted,
    Away,
}

/// What the task lists know about a task, under their lock.
struct Listed {
    is_exiting: bool,
    standing: Standing,
}

/// What one CPU is told by another.
enum Message {
    /// The SGI of a visit.
    Visit,
    /// Task 0 was preempted elsewhere while it held these ops, and goes on here.
    Run { ops: usize },
    /// The world has ended.
    PowerOff,
}

/// One for each CPU from 1 up.
type Inboxes = Arc<Vec<Mailbox<Message>>>;

/// What all CPUs share.
pub struct Kernel {
    scheme: Box<dyn Scheme + Send>,
    faults: Faults,
    literal: AtomicUsize,
    ops: [UnsafeCell<u32>; 2],
    words: Vec<TaskWords>,
    lists: Mutex<Vec<Listed>>,
    /// The queue of the grace-period task, and how many scripts and migrated tasks can still wake it.
    wait_queue: (Mutex<usize>, Condvar),
}

impl Kernel {
    fn wake(&self, wake: Wake) {
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

    /// A script, or a migrated task, has come to its end.
    fn has_ended(&self) {
        *self.wait_queue.0.lock().expect("no step panics with it") -= 1;
        self.wait_queue.1.notify_all();
    }
}

/// A CPU that runs a script and then idles.
pub struct Cpu {
    id: usize,
    kernel: Arc<Kernel>,
    inboxes: Inboxes,
    answers: Sender<()>,
    is_off: Cell<bool>,
}

/// Task level, with preemption enabled.
pub const TASK: (bool, bool) = (true, false);
/// The idle task.
pub const IDLE: (bool, bool) = (true, true);
/// Inside an interrupt or softirq, on top of whatever.
pub const IRQ: (bool, bool) = (false, true);

impl Cpu {
    fn sighting(&self, (is_outermost, is_idle): (bool, bool)) -> Sighting {
        let is_outermost = is_outermost || self.kernel.faults.acknowledgement_is_quiescence;
        Sighting { cpu: self.id, is_outermost, is_idle, preempt_count: 0 }
    }

    fn handle(&self, level: (bool, bool)) {
        fence(Ordering::SeqCst);
        let sighting = self.sighting(level);
        let _ = self.kernel.scheme.visited(&sighting);
        self.answers.send(()).expect("the grace-period task waits for it");
        if sighting.is_outermost {
            self.irq_exit(level);
        }
    }

    /// Interrupts are unmasked here, at this level.
    pub fn interrupts(&self, level: (bool, bool)) {
        while let Some(message) = self.inboxes[self.id - 1].look() {
            self.receive(message, level);
        }
    }

    fn receive(&self, message: Message, level: (bool, bool)) {
        match message {
            Message::Visit => self.handle(level),
            Message::Run { ops } => self.finish_migrated(ops),
            Message::PowerOff => self.is_off.set(true),
        }
    }

    /// Task 0 arrives here from another CPU, inside the trampoline.
    fn finish_migrated(&self, ops: usize) {
        self.resume(0);
        self.interrupts(TASK);
        self.use_ops(ops);
        self.switch_out(0, Switch::Voluntary);
        self.kernel.has_ended();
    }

    /// Hands task 0 over to another CPU.
    pub fn migrate(&self, to_cpu: usize, ops: usize) {
        *self.kernel.wait_queue.0.lock().expect("no step panics with it") += 1;
        self.inboxes[to_cpu - 1].send(Message::Run { ops });
    }

    /// The outermost interrupt returns to this level.
    pub fn irq_exit(&self, level: (bool, bool)) {
        self.kernel.wake(self.kernel.scheme.irq_exit_outermost(&self.sighting(level)));
    }

    /// The trampoline loads the literal: from here on this context holds what it found.
    pub fn load(&self) -> usize {
        self.kernel.literal.load(Ordering::Relaxed)
    }

    /// The trampoline, or the func, uses the ops.
    pub fn use_ops(&self, ops: usize) {
        self.kernel.ops[ops].with(|word| {
            // SAFETY: 1. The cell is alive. 2. loom fails the model if somebody writes at the same time.
            assert_eq!(unsafe { *word }, LIVE, "{USED_AFTER_FREE}");
        });
    }

    /// A traced call at this level, interrupted between the load and the use.
    pub fn call(&self, level: (bool, bool)) {
        let ops = self.load();
        self.interrupts(level);
        self.use_ops(ops);
    }

    /// The task leaves this CPU. IRQs are masked: no interrupt between the hook and the switch.
    pub fn switch_out(&self, task: usize, how: Switch) {
        let told = if self.kernel.faults.preemption_is_voluntary { Switch::Voluntary } else { how };
        let standing = if how == Switch::Voluntary { Standing::Away } else { Standing::Preempted };
        let wake = switch_out(&*self.kernel.scheme, &self.kernel.words[task], self.id, told);
        if self.kernel.faults.spares_preempted {
            self.kernel.lists.lock().expect("no step panics with it")[task].standing = standing;
        }
        self.kernel.wake(wake);
    }

    /// The task is on this CPU again.
    pub fn resume(&self, task: usize) {
        resume(&*self.kernel.scheme, &self.kernel.words[task]);
    }

    /// The task begins to exit: the hook, then it moves from the task list to the exiting list.
    pub fn exit(&self, task: usize) {
        self.kernel.wake(self.kernel.scheme.exit(&self.kernel.words[task]));
        self.kernel.lists.lock().expect("no step panics with it")[task].is_exiting = true;
    }

    fn idle(&self) {
        while !self.is_off.get() {
            self.receive(self.inboxes[self.id - 1].wait(), IDLE);
        }
    }
}

/// The grace-period task's view.
struct FromCpu0 {
    kernel: Arc<Kernel>,
    inboxes: Inboxes,
    answers: Receiver<()>,
}

impl World for FromCpu0 {
    fn nr_cpus(&self) -> usize {
        1 + self.inboxes.len()
    }

    fn visit_every_cpu(&self) {
        self.inboxes.iter().for_each(|inbox| inbox.send(Message::Visit));
        fence(Ordering::SeqCst);
        let _ = self.kernel.scheme.visited(&Sighting { cpu: 0, is_outermost: true, is_idle: false, preempt_count: 0 });
        self.inboxes.iter().for_each(|_| self.answers.recv().expect("every CPU answers"));
    }

    fn wake_workers(&self) {
        unreachable!("no scheme that is modelled has workers");
    }

    fn for_each_task(&self, look: &dyn Look) {
        let (faults, lists) = (self.kernel.faults, self.kernel.lists.lock().expect("no step panics with it"));
        for (listed, words) in lists.iter().zip(&self.kernel.words) {
            let is_spared = faults.spares_preempted && listed.standing == Standing::Preempted;
            if !(faults.misses_exiting && listed.is_exiting) {
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
        let mut machine = Machine::new(1);
        kernel.literal.store(NEW, Ordering::Release);
        fence(Ordering::SeqCst);
        let cookie = sequence.cookie();
        let _ = sequence.request(cookie);
        let elapsed = loop {
            match machine.step(&sequence, scheme, 0) {
                Action::Begin { step } if kernel.faults.skipped_step == Some(step) => {}
                Action::Begin { step } => scheme.begin(step, self),
                Action::Wait { step, .. } => kernel.wait_until(|| scheme.outstanding(step) == 0),
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

/// What one CPU does.
pub type Script = fn(&Cpu);

/// Boots CPU 0 with the grace-period task and one CPU for each script; returns when all are off.
pub fn boot(scheme: Box<dyn Scheme + Send>, faults: Faults, tasks: Vec<TaskWords>, scripts: &[Script]) {
    let standing = |words: &TaskWords| {
        let is_away = words.away.load(Ordering::Relaxed);
        Listed { is_exiting: false, standing: if is_away { Standing::Away } else { Standing::Running } }
    };
    let kernel = Arc::new(Kernel {
        scheme,
        faults,
        literal: AtomicUsize::new(OLD),
        ops: [UnsafeCell::new(LIVE), UnsafeCell::new(LIVE)],
        lists: Mutex::new(tasks.iter().map(standing).collect()),
        words: tasks,
        wait_queue: (Mutex::new(scripts.len()), Condvar::new()),
    });
    let (answers_in, answers) = channel();
    let inboxes = Arc::new(scripts.iter().map(|_| Mailbox::default()).collect::<Vec<_>>());
    let mut threads = Vec::new();
    for (index, &script) in scripts.iter().enumerate() {
        let (kernel, inboxes, answers) = (kernel.clone(), inboxes.clone(), answers_in.clone());
        let cpu = Cpu { id: index + 1, kernel, inboxes, answers, is_off: Cell::new(false) };
        threads.push(thread::spawn(move || {
            script(&cpu);
            cpu.kernel.has_ended();
            cpu.idle();
        }));
    }
    FromCpu0 { kernel, inboxes, answers }.retire_old_ops();
    threads.into_iter().for_each(|thread| thread.join().expect("no script panics"));
}
