//! A CPU: the task that it runs, the interrupts on top, and the hooks that it calls on the way.
//!
//! Between two steps, where interrupts are unmasked, it handles the messages that it finds ([`Cpu::interrupts`]); a step
//! that holds them off simply has no such point in it. A deferred wake-up of the grace-period task comes at once.

mod switches;
mod trampoline;

use std::cell::Cell;

use loom::sync::Arc;
use loom::sync::atomic::{Ordering, fence};
use loom::sync::mpsc::Sender;

use crate::eyes::{Onlooker, TaskState};
use crate::kernel::{Fault, Inboxes, Kernel, Message, Script};
use crate::rcu::schemes::{Context, Interrupted, Nudge, Sighting, Switch, irq_out};
use crate::sched::rcu_words::TaskWords;

/// Where a context stands when it is interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pc {
    /// In the trampoline, after the literal is loaded.
    Trampoline,
    /// In func, in what it called, or nowhere near a traced call.
    Elsewhere,
}

/// A traced call that has loaded the literal.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    ops: usize,
}

/// Task 0 as it arrives on another CPU, at the preemption point of the IRQ that hit its call.
#[derive(Clone, Copy, Debug)]
pub struct Arrival {
    call: Call,
    mark: bool,
    is_preempted_again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Current {
    Idle,
    Worker,
    Task(usize),
}

/// A CPU that runs a script and then idles.
pub struct Cpu {
    id: usize,
    kernel: Arc<Kernel>,
    inboxes: Inboxes,
    answers: Sender<()>,
    idle: TaskState,
    worker: TaskState,
    current: Cell<Current>,
    /// Interrupts and softirqs on top of that task.
    nesting: Cell<usize>,
    preempt_count: Cell<u32>,
    needs_reschedule: Cell<bool>,
    worker_is_woken: Cell<bool>,
    is_off: Cell<bool>,
    has_ended: Cell<bool>,
}

impl Onlooker for Cpu {
    fn kernel(&self) -> &Kernel {
        &self.kernel
    }
    fn own(&self, words: &TaskWords) -> &TaskState {
        if std::ptr::eq(&raw const self.worker.words, words) { &self.worker } else { &self.idle }
    }
    fn nesting(&self) -> usize {
        self.nesting.get()
    }
}

impl Cpu {
    pub(crate) fn new(
        id: usize,
        task: Option<usize>,
        kernel: Arc<Kernel>,
        inboxes: Inboxes,
        answers: Sender<()>,
    ) -> Self {
        Self {
            id,
            kernel,
            inboxes,
            answers,
            idle: TaskState::new(TaskWords::running()),
            worker: TaskState::new(TaskWords::new()),
            current: Cell::new(task.map_or(Current::Idle, Current::Task)),
            nesting: Cell::new(0),
            preempt_count: Cell::new(0),
            needs_reschedule: Cell::new(false),
            worker_is_woken: Cell::new(false),
            is_off: Cell::new(false),
            has_ended: Cell::new(false),
        }
    }

    pub(crate) fn run(self, script: Script) {
        script(&self);
        assert_eq!((self.current.get(), self.nesting.get(), self.preempt_count.get()), (Current::Idle, 0, 0));
        self.end();
        self.idle_until_off();
    }

    /// The script does nothing more that could end a wait.
    fn end(&self) {
        if !self.has_ended.replace(true) {
            self.kernel.has_ended();
        }
    }

    fn idle_until_off(&self) {
        while !self.is_off.get() {
            self.receive(self.inboxes[self.id - 1].wait(), Pc::Elsewhere);
        }
    }

    fn state_of(&self, current: Current) -> &TaskState {
        match current {
            Current::Idle => &self.idle,
            Current::Worker => &self.worker,
            Current::Task(task) => &self.kernel.tasks[task],
        }
    }

    fn context_of(&self, current: Current) -> Context<'_> {
        Context { task: &self.state_of(current).words, eyes: self }
    }

    fn context(&self) -> Context<'_> {
        self.context_of(self.current.get())
    }

    fn sighting(&self) -> Sighting {
        Sighting {
            cpu: self.id,
            is_outermost: self.nesting.get() == 0 || self.kernel.has(Fault::AcknowledgementIsQuiescence),
            is_idle: self.current.get() == Current::Idle,
            preempt_count: if self.kernel.has(Fault::CountNotSighted) { 0 } else { self.preempt_count.get() },
        }
    }

    /// Interrupts are unmasked here.
    pub fn interrupts(&self, pc: Pc) {
        while let Some(message) = self.inboxes[self.id - 1].look() {
            self.receive(message, pc);
        }
    }

    fn receive(&self, message: Message, pc: Pc) {
        match message {
            Message::Visit => self.irq(pc, Self::handle_visit),
            Message::Worker => self.irq(pc, |cpu| {
                cpu.worker_is_woken.set(true);
                cpu.needs_reschedule.set(true);
            }),
            Message::Run(arrival) => self.arrive(arrival),
            Message::PowerOff => self.is_off.set(true),
        }
    }

    fn handle_visit(&self) {
        self.nesting.set(self.nesting.get() - 1); // what is sighted is what the SGI interrupted
        fence(Ordering::SeqCst);
        let nudge = self.kernel.scheme.visited(&self.sighting(), &self.context());
        self.nesting.set(self.nesting.get() + 1);
        if nudge == Nudge::Reschedule {
            self.needs_reschedule.set(true);
        }
        self.answers.send(()).expect("the grace-period task waits for it");
    }

    /// An IRQ, with its softirqs, hits the context at `pc`: entry, work, exit, with a preemption point if it is the
    /// outermost one.
    pub fn irq(&self, pc: Pc, work: impl FnOnce(&Self)) {
        let mark = self.irq_in(pc);
        work(self);
        self.irq_exit();
        if self.is_preemptible() {
            self.reschedule(Switch::Preempted);
        }
        self.irq_out(mark);
    }

    fn irq_in(&self, pc: Pc) -> bool {
        let mut mark = false;
        let at = Interrupted { cpu: self.id, is_in_trampoline: pc == Pc::Trampoline };
        self.kernel.scheme.irq_in(&mut mark, &at, self.context().task);
        self.nesting.set(self.nesting.get() + 1);
        mark
    }

    fn irq_exit(&self) {
        self.nesting.set(self.nesting.get() - 1);
        if self.nesting.get() == 0 {
            self.kernel.wake(self.kernel.scheme.irq_exit_outermost(&self.sighting(), &self.context()));
        }
    }

    fn irq_out(&self, mark: bool) {
        let mut mark = mark || self.kernel.has(Fault::MarkOfTheInner);
        irq_out(&*self.kernel.scheme, &mut mark, self.context().task);
    }
}
