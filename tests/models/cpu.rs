//! A CPU: the task that it runs, the interrupts on top, and the hooks that it calls on the way.
//!
//! Between two steps, where interrupts are unmasked, it handles the messages that it finds ([`Cpu::interrupts`]); a step
//! that holds them off simply has no such point in it. A deferred wake-up of the grace-period task comes at once.

use std::cell::Cell;

use loom::sync::Arc;
use loom::sync::atomic::{Ordering, fence};
use loom::sync::mpsc::Sender;

use crate::blind::blind;
use crate::kernel::{Fault, Inboxes, Kernel, Message, Script, Standing};
use crate::rcu::schemes::{Interrupted, Nudge, Sighting, Switch, Trampoline, resume, switch_out};
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

/// A CPU that runs a script and then idles.
pub struct Cpu {
    id: usize,
    kernel: Arc<Kernel>,
    inboxes: Inboxes,
    answers: Sender<()>,
    idle: TaskWords,
    worker: TaskWords,
    /// The task on it; none is idle.
    current: Cell<Option<usize>>,
    /// Interrupts and softirqs on top of that task.
    nesting: Cell<usize>,
    preempt_count: Cell<u32>,
    needs_reschedule: Cell<bool>,
    worker_is_woken: Cell<bool>,
    is_off: Cell<bool>,
}

impl Cpu {
    pub(crate) fn new(
        id: usize,
        current: Option<usize>,
        kernel: Arc<Kernel>,
        inboxes: Inboxes,
        answers: Sender<()>,
    ) -> Self {
        Self {
            id,
            kernel,
            inboxes,
            answers,
            idle: TaskWords::running(),
            worker: TaskWords::new(),
            current: Cell::new(current),
            nesting: Cell::new(0),
            preempt_count: Cell::new(0),
            needs_reschedule: Cell::new(false),
            worker_is_woken: Cell::new(false),
            is_off: Cell::new(false),
        }
    }

    pub(crate) fn run(self, script: Script) {
        script(&self);
        assert_eq!((self.current.get(), self.nesting.get(), self.preempt_count.get()), (None, 0, 0));
        self.kernel.has_ended();
        while !self.is_off.get() {
            self.receive(self.inboxes[self.id - 1].wait(), Pc::Elsewhere);
        }
    }

    fn words(&self) -> &TaskWords {
        self.current.get().map_or(&self.idle, |task| &self.kernel.words[task])
    }

    // ---- Interrupts --------------------------------------------------------------------------------------------

    fn sighting(&self) -> Sighting {
        Sighting {
            cpu: self.id,
            is_outermost: self.nesting.get() == 0 || self.kernel.has(Fault::AcknowledgementIsQuiescence),
            is_idle: self.current.get().is_none(),
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
        let nudge = self.kernel.scheme.visited(&self.sighting(), &blind(self.words()));
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
        self.kernel.scheme.irq_in(&mut mark, &at, self.words());
        self.nesting.set(self.nesting.get() + 1);
        mark
    }

    fn irq_exit(&self) {
        self.nesting.set(self.nesting.get() - 1);
        if self.nesting.get() == 0 {
            self.kernel.wake(self.kernel.scheme.irq_exit_outermost(&self.sighting(), &blind(self.words())));
        }
    }

    fn irq_out(&self, mark: bool) {
        let mut mark = mark || self.kernel.has(Fault::MarkOfTheInner);
        self.kernel.scheme.irq_out(&mut mark, self.words());
    }

    // ---- Switches ----------------------------------------------------------------------------------------------

    /// A reschedule is wanted and may happen here.
    fn is_preemptible(&self) -> bool {
        let is_idle = self.current.get().is_none();
        let is_allowed = self.nesting.get() == 0 && self.preempt_count.get() == 0;
        is_allowed && self.needs_reschedule.get() && (self.kernel.world.preempts || is_idle)
    }

    /// Leaves the current task for the worker, or for nobody, and goes on with it.
    fn reschedule(&self, how: Switch) {
        self.needs_reschedule.set(false);
        let task = self.current.get();
        self.switch_out(how);
        self.run_worker();
        self.resume_any(task);
    }

    /// The worker runs as long as it is wanted.
    fn run_worker(&self) {
        if self.worker_is_woken.take() {
            let scheme = &*self.kernel.scheme;
            resume(scheme, &blind(&self.worker));
            while scheme.wants_worker(self.id) {
                self.kernel.wake(scheme.worker_ran(self.id));
            }
            self.kernel.wake(switch_out(scheme, &self.worker, self.id, Switch::Voluntary));
            self.kernel.has_ended();
        }
    }

    /// The task leaves this CPU, which idles. IRQs are masked: no interrupt between the hook and the switch.
    fn switch_out(&self, how: Switch) {
        assert_eq!(self.nesting.get(), 0);
        let is_lie = self.kernel.has(Fault::PreemptionIsVoluntary);
        let told = if is_lie { Switch::Voluntary } else { how };
        let wake = switch_out(&*self.kernel.scheme, self.words(), self.id, told);
        if let (Some(task), true) = (self.current.get(), self.kernel.has(Fault::PreemptedSpared)) {
            self.kernel.lists()[task].standing =
                if how == Switch::Voluntary { Standing::Away } else { Standing::Preempted };
        }
        self.kernel.wake(wake);
        self.current.set(None);
    }

    /// The current task blocks; whoever was woken gets the CPU.
    pub fn block(&self) {
        self.needs_reschedule.set(false);
        self.switch_out(Switch::Voluntary);
        self.run_worker();
    }

    /// The task is on this CPU again.
    pub fn resume(&self, task: usize) {
        self.resume_any(Some(task));
    }

    fn resume_any(&self, task: Option<usize>) {
        self.current.set(task);
        resume(&*self.kernel.scheme, &blind(self.words()));
    }

    /// The current task is preempted by no IRQ; `meanwhile` happens on its CPU until it goes on.
    pub fn preempted(&self, meanwhile: impl FnOnce(&Self)) {
        let task = self.current.get();
        self.switch_out(Switch::Preempted);
        self.run_worker();
        meanwhile(self);
        self.resume_any(task);
    }

    /// An IRQ hits the current task at `pc`, and it is preempted at its exit.
    pub fn preempted_at(&self, pc: Pc, meanwhile: impl FnOnce(&Self)) {
        self.preempted_after(pc, |_| (), meanwhile);
    }

    /// The same, and the IRQ brings a softirq along.
    pub fn preempted_after(&self, pc: Pc, softirq: impl FnOnce(&Self), meanwhile: impl FnOnce(&Self)) {
        let mark = self.irq_in(pc);
        softirq(self);
        self.irq_exit();
        if self.kernel.has(Fault::MarkUndoneEarly) {
            self.irq_out(mark);
        }
        self.preempted(meanwhile);
        self.irq_out(mark);
    }

    /// The same for task 0, which goes on elsewhere; there it is preempted at once again if `is_preempted_again`.
    pub fn migrated_at(&self, pc: Pc, call: Call, to_cpu: usize, is_preempted_again: bool) {
        let mark = self.irq_in(pc);
        self.irq_exit();
        self.switch_out(Switch::Preempted);
        self.kernel.has_begun();
        self.inboxes[to_cpu - 1].send(Message::Run(Arrival { call, mark, is_preempted_again }));
    }

    /// Task 0 arrives here, and finishes its call.
    fn arrive(&self, arrival: Arrival) {
        self.resume(0);
        if arrival.is_preempted_again {
            self.preempted(|cpu| cpu.interrupts(Pc::Elsewhere));
        }
        self.irq_out(arrival.mark);
        self.interrupts(Pc::Elsewhere);
        self.leave(arrival.call);
        self.block();
        self.kernel.has_ended();
    }

    /// The current task begins to exit: the hook, then it moves from the task list to the exiting list.
    pub fn exit(&self) {
        let task = self.current.get().expect("idle does not exit");
        self.kernel.wake(self.kernel.scheme.exit(&self.kernel.words[task]));
        self.kernel.lists()[task].is_exiting = true;
    }

    // ---- The trampoline ----------------------------------------------------------------------------------------

    /// What the trampoline of the scheme counts in the preempt count.
    fn counts(&self) -> u32 {
        let is_counted = self.kernel.scheme.trampoline() == Trampoline::Unpreemptible;
        u32::from(is_counted && !self.kernel.has(Fault::NotCounted))
    }

    /// A context enters the trampoline and loads the literal.
    pub fn enter(&self) -> Call {
        let is_late = self.kernel.has(Fault::CountedLate);
        let early = if is_late { 0 } else { self.counts() };
        self.preempt_count.set(self.preempt_count.get() + early);
        let call = Call { ops: self.kernel.load_literal() };
        if is_late {
            self.interrupts(Pc::Trampoline);
            self.preempt_count.set(self.preempt_count.get() + self.counts());
        }
        call
    }

    /// Func uses the ops and returns through the trampoline.
    pub fn leave(&self, call: Call) {
        let is_early = self.kernel.has(Fault::UncountedEarly);
        if is_early {
            self.preempt_count.set(self.preempt_count.get() - self.counts());
            self.interrupts(Pc::Elsewhere);
        }
        self.kernel.use_ops(call.ops);
        if !is_early {
            self.preempt_count.set(self.preempt_count.get() - self.counts());
        }
        if self.counts() > 0 && self.is_preemptible() {
            self.reschedule(Switch::Preempted);
        }
    }

    /// A traced call, interrupted at `pc`, between the load and the last use.
    pub fn call(&self, pc: Pc) {
        let call = self.enter();
        self.interrupts(pc);
        self.leave(call);
    }
}
