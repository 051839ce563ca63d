//! CPU 0: the grace-period task and the updater that it serves.

use std::ptr::NonNull;

use loom::sync::Arc;
use loom::sync::atomic::{Ordering, fence};
use loom::sync::mpsc::Receiver;

use crate::arch::hold_words::HoldWords;
use crate::eyes::{Onlooker, TaskState};
use crate::kernel::{Fault, Inboxes, Kernel, Message, Standing};
use crate::rcu::conclude::conclude;
use crate::rcu::cookie::Sequence;
use crate::rcu::extent::Extent;
use crate::rcu::grace::{Action, Machine, Now};
use crate::rcu::graveyard::Graveyard;
use crate::rcu::retired::{Answer, Node, Reclaim, Retired};
use crate::rcu::schemes::{Context, Kind, Left, Look, Sighting, Subject, Switch, World, resume, switch_out};
use crate::sched::rcu_words::TaskWords;
use crate::sync::lock::IrqLock;

/// A retired ops.
struct Object {
    node: Node<Object>,
    ops: usize,
    /// The kernel's, which outlives all that it retires. No `Arc`: what a failing model leaks would keep it.
    holds: *const HoldWords,
}

// SAFETY: the words are shared.
unsafe impl Send for Object {}

impl Reclaim for Object {
    fn node(&self) -> &Node<Self> {
        &self.node
    }
    fn ask(&self, _: bool, look: u64) -> Answer {
        // SAFETY: the kernel lives.
        Answer { is_held: unsafe { &*self.holds }.is_held(look), is_last: true }
    }
}

/// The grace-period task's view.
pub(crate) struct FromCpu0 {
    kernel: Arc<Kernel>,
    inboxes: Inboxes,
    answers: Receiver<()>,
    own: TaskState,
    sequence: Sequence,
    extent: Extent,
}

impl Onlooker for FromCpu0 {
    fn kernel(&self) -> &Kernel {
        &self.kernel
    }
    fn own(&self, _: &TaskWords) -> &TaskState {
        &self.own
    }
    fn nesting(&self) -> usize {
        0
    }
}

impl World for FromCpu0 {
    fn nr_cpus(&self) -> usize {
        1 + self.inboxes.len()
    }

    fn number(&self) -> u64 {
        self.sequence.running() - if self.kernel.has(Fault::NumberOfTheLast) { 2 } else { 0 }
    }

    fn visit_every_cpu(&self) {
        if self.kernel.has(Fault::RoundLeftOut) {
            return;
        }
        self.inboxes.iter().for_each(|inbox| inbox.send(Message::Visit));
        fence(Ordering::SeqCst);
        let sighting = Sighting { cpu: 0, is_outermost: true, is_idle: false, preempt_count: 0 };
        let _ = self.kernel.scheme.visited(&sighting, &self.context());
        if !self.kernel.has(Fault::AnswersNotAwaited) {
            self.inboxes.iter().for_each(|_| self.answers.recv().expect("every CPU answers"));
        }
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
        let kernel = &self.kernel;
        for (number, TaskState { words, .. }) in kernel.tasks.iter().enumerate() {
            // One task a piece: between any two of them the others go on.
            let lists = kernel.lists();
            let listed = &lists[number];
            let is_spared = kernel.has(Fault::PreemptedSpared) && listed.standing == Standing::Preempted;
            if !(kernel.has(Fault::ExitingMissed) && listed.is_exiting) {
                look.look(&Subject { words, kind: if is_spared { Kind::Exempt } else { Kind::Ordinary } });
            }
        }
    }
}

impl FromCpu0 {
    pub(crate) fn new(kernel: Arc<Kernel>, inboxes: Inboxes, answers: Receiver<()>) -> Self {
        Self {
            kernel,
            inboxes,
            answers,
            own: TaskState::new(TaskWords::running()),
            sequence: Sequence::new(),
            extent: Extent::default(),
        }
    }

    fn context(&self) -> Context<'_> {
        Context { task: &self.own.words, eyes: self }
    }

    /// Retires what is to be retired, one ops after the other.
    pub(crate) fn run(&self) {
        let world = &self.kernel.world;
        // SAFETY: `serve` carries the grace periods out.
        let graveyard = IrqLock::new(unsafe { Graveyard::new() });
        let (mut machine, mut pending) = (Machine::new(1), Vec::new());
        for ops in 0..world.nr_swaps {
            pending.push(self.retire(ops, &graveyard));
            self.serve(&mut machine, &graveyard, &mut pending, world.overlaps && ops + 1 < world.nr_swaps);
        }
        self.inboxes.iter().for_each(|inbox| inbox.send(Message::PowerOff));
    }

    /// Swaps the literal, and hands over the ops: what an updater does.
    fn retire(&self, ops: usize, graveyard: &IrqLock<Graveyard>) -> Retired<Object> {
        let kernel = &self.kernel;
        kernel.unlink(ops);
        fence(Ordering::SeqCst);
        if !kernel.has(Fault::RetiredUntold) {
            kernel.holds_of(ops).note_retired();
        }
        let object = Box::leak(Box::new(Object { node: Node::new(), ops, holds: kernel.holds_of(ops) }));
        // SAFETY: 1. Just leaked, and nobody else has the pointer. 2. The literal was swapped, and a fence followed.
        let retired = unsafe { graveyard.lock().retire(NonNull::from(object)) };
        let _ = self.sequence.request(self.sequence.cookie());
        retired
    }

    /// Runs grace periods, and frees what nobody holds, until all is freed; or until one is over, if the next ops does not wait.
    fn serve(
        &self,
        machine: &mut Machine,
        graveyard: &IrqLock<Graveyard>,
        pending: &mut Vec<Retired<Object>>,
        is_enough: bool,
    ) {
        let (kernel, scheme) = (&self.kernel, &*self.kernel.scheme);
        loop {
            let stands = graveyard.lock().stands();
            match machine.step(&self.sequence, scheme, Now::default(), stands, || graveyard.lock().begin()) {
                Action::Begin { step } if kernel.has(Fault::StepLeftOut(step)) => {}
                Action::Begin { step } => scheme.begin(step, self),
                Action::Wait { step, .. } => self.sleep_until(|| scheme.outstanding(step) == 0),
                Action::Judge => {
                    let _ = conclude(graveyard, &self.extent, scheme, self.sequence.running());
                    machine.finish(&self.sequence, Now::default());
                    for retired in std::mem::take(pending) {
                        let Some(elapsed) = retired.poll() else {
                            pending.push(retired);
                            continue;
                        };
                        let Ok(object) = retired.reclaim(elapsed) else { panic!("the proof is its own") };
                        kernel.free(object.ops);
                    }
                    if is_enough || pending.is_empty() && !scheme.is_due() {
                        return;
                    }
                }
                Action::Rest { .. } => self.sleep_until(|| Machine::is_wanted(&self.sequence, scheme)),
                action @ (Action::Sleep | Action::Report { .. }) => unreachable!("{action:?}"),
            }
        }
    }

    /// We block, so our CPU switches, and its worker runs.
    fn sleep_until(&self, is_over: impl Fn() -> bool) {
        let (kernel, scheme) = (&self.kernel, &*self.kernel.scheme);
        kernel.wake(switch_out(scheme, &self.own.words, 0, Switch::Voluntary));
        kernel.wake(scheme.off_cpu(&self.context(), 0, Left::Alive));
        if scheme.wants_worker(0) && !kernel.has(Fault::WorkersForgotten) {
            kernel.wake(scheme.worker_ran(0));
        }
        kernel.wait_until(is_over);
        kernel.wake(resume(scheme, &self.context()));
    }
}
