//! CPU 0: the grace-period task and the updater that it serves.

use loom::sync::Arc;
use loom::sync::atomic::{Ordering, fence};
use loom::sync::mpsc::Receiver;

use crate::eyes::{Onlooker, TaskState};
use crate::kernel::{Fault, Inboxes, Kernel, Message, Standing};
use crate::rcu::cookie::Sequence;
use crate::rcu::grace::{Action, Machine, Now};
use crate::rcu::schemes::{Context, Kind, Left, Look, Sighting, Subject, Switch, World, resume, switch_out};
use crate::sched::rcu_words::TaskWords;

/// The grace-period task's view.
pub(crate) struct FromCpu0 {
    kernel: Arc<Kernel>,
    inboxes: Inboxes,
    answers: Receiver<()>,
    own: TaskState,
    sequence: Sequence,
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
        let (kernel, lists) = (&self.kernel, self.kernel.lists());
        for (listed, TaskState { words, .. }) in lists.iter().zip(&kernel.tasks) {
            let is_spared = kernel.has(Fault::PreemptedSpared) && listed.standing == Standing::Preempted;
            if !(kernel.has(Fault::ExitingMissed) && listed.is_exiting) {
                look.look(&Subject { words, kind: if is_spared { Kind::Exempt } else { Kind::Ordinary } });
            }
        }
    }
}

impl FromCpu0 {
    pub(crate) fn new(kernel: Arc<Kernel>, inboxes: Inboxes, answers: Receiver<()>) -> Self {
        // SAFETY: 1. The only sequence of this world. 2. `retire` carries each grace period out.
        let sequence = unsafe { Sequence::new() };
        Self { kernel, inboxes, answers, own: TaskState::new(TaskWords::running()), sequence }
    }

    fn context(&self) -> Context<'_> {
        Context { task: &self.own.words, eyes: self }
    }

    /// Retires what is to be retired, one ops after the other.
    pub(crate) fn run(&self) {
        let mut machine = Machine::new(1);
        (0..self.kernel.world.nr_swaps).for_each(|ops| self.retire(ops, &mut machine));
        self.inboxes.iter().for_each(|inbox| inbox.send(Message::PowerOff));
    }

    /// Swaps the literal, waits, frees the ops: what an updater and the grace-period task do together.
    fn retire(&self, ops: usize, machine: &mut Machine) {
        let (kernel, scheme) = (&self.kernel, &*self.kernel.scheme);
        kernel.unlink(ops);
        fence(Ordering::SeqCst);
        let cookie = self.sequence.cookie();
        if !kernel.has(Fault::RetiredUnnamed) {
            kernel.name(ops, cookie.number());
        }
        let _ = self.sequence.request(cookie);
        let elapsed = loop {
            match machine.step(&self.sequence, scheme, Now::default()) {
                Action::Begin { step } if kernel.has(Fault::StepLeftOut(step)) => {}
                Action::Begin { step } => scheme.begin(step, self),
                Action::Wait { step, .. } => self.sleep_until(|| scheme.outstanding(step) == 0),
                Action::Finish(elapsed) => break elapsed,
                action @ (Action::Sleep | Action::Report { .. }) => unreachable!("{action:?}"),
            }
        };
        assert!(elapsed.covers(cookie));
        kernel.free(ops);
    }

    /// We block, so our CPU switches, and its worker runs.
    fn sleep_until(&self, is_over: impl Fn() -> bool) {
        let (kernel, scheme) = (&self.kernel, &*self.kernel.scheme);
        kernel.wake(switch_out(scheme, &self.own.words, 0, Switch::Voluntary));
        kernel.wake(scheme.off_cpu(&self.context(), Left::Alive));
        if scheme.wants_worker(0) && !kernel.has(Fault::WorkersForgotten) {
            kernel.wake(scheme.worker_ran(0));
        }
        kernel.wait_until(is_over);
        resume(scheme, &self.context());
    }
}
