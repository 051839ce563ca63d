//! Switches: which task a CPU runs, and what the scheme hears of it, in the order in which the kernel says so.

use loom::sync::atomic::Ordering;

use super::{Arrival, Call, Cpu, Current, Pc};
use crate::kernel::{Fault, Message, Standing};
use crate::rcu::schemes::{Left, Switch, resume, switch_out};

impl Cpu {
    /// A reschedule is wanted and may happen here.
    pub(super) fn is_preemptible(&self) -> bool {
        let is_idle = self.current.get() == Current::Idle;
        let is_allowed = self.nesting.get() == 0 && self.preempt_count.get() == 0;
        is_allowed && self.needs_reschedule.get() && (self.kernel.world.preempts || is_idle)
    }

    /// Leaves the current task for the worker, if that was woken, and goes on with it.
    pub(super) fn reschedule(&self, how: Switch) {
        self.needs_reschedule.set(false);
        if self.worker_is_woken.get() {
            let task = self.current.get();
            self.switch_to(Current::Worker, how);
            self.work(task);
        } else {
            self.tell_of_switch(how);
            self.kernel.wake(resume(&*self.kernel.scheme, &self.context()));
        }
    }

    /// The worker runs as long as it is wanted; `next` is next.
    fn work(&self, next: Current) {
        self.worker_is_woken.set(false);
        while self.kernel.scheme.wants_worker(self.id) {
            self.kernel.wake(self.kernel.scheme.worker_ran(self.id));
        }
        self.switch_to(next, Switch::Voluntary);
        self.kernel.has_ended();
    }

    /// The hook of the task that is about to leave its CPU.
    fn tell_of_switch(&self, how: Switch) {
        let is_lie = self.kernel.has(Fault::PreemptionIsVoluntary);
        let told = if is_lie { Switch::Voluntary } else { how };
        let wake = switch_out(&*self.kernel.scheme, self.context().task, self.id, told);
        if let (Current::Task(task), true) = (self.current.get(), self.kernel.has(Fault::PreemptedSpared)) {
            self.kernel.lists()[task].standing =
                if how == Switch::Voluntary { Standing::Away } else { Standing::Preempted };
        }
        self.kernel.wake(wake);
    }

    /// Another task gets this CPU. IRQs are masked: no interrupt between the hooks.
    fn switch_to(&self, next: Current, how: Switch) {
        self.switch_from_to(Left::Alive, next, how);
    }

    fn switch_from_to(&self, left: Left, next: Current, how: Switch) {
        assert_eq!(self.nesting.get(), 0);
        let prev = self.context();
        self.tell_of_switch(how);
        self.current.set(next);
        self.tell_of_resume();
        if self.kernel.has(Fault::LeftSaidLate) {
            self.interrupts(Pc::Elsewhere);
        }
        let is_unsaid = match left {
            Left::Alive => self.kernel.has(Fault::LeftUnsaid),
            Left::Dead => self.kernel.has(Fault::DeathUnsaid),
        };
        if !is_unsaid {
            self.kernel.wake(self.kernel.scheme.off_cpu(&prev, self.id, left));
        }
    }

    fn tell_of_resume(&self) {
        let (scheme, context) = (&*self.kernel.scheme, self.context());
        if self.kernel.has(Fault::ResumedUnpinned) {
            return;
        }
        if self.kernel.has(Fault::DelistedAtSwitchIn) && !context.task.holdout.load(Ordering::Relaxed) {
            let _ = scheme.off_cpu(&context, self.id, Left::Dead);
        }
        self.kernel.wake(resume(scheme, &context));
    }

    fn leave_for_idle(&self, left: Left) {
        self.needs_reschedule.set(false);
        if self.worker_is_woken.get() {
            self.switch_from_to(left, Current::Worker, Switch::Voluntary);
            self.work(Current::Idle);
        } else {
            self.switch_from_to(left, Current::Idle, Switch::Voluntary);
        }
    }

    /// The current task blocks; whoever was woken gets the CPU.
    pub fn block(&self) {
        self.leave_for_idle(Left::Alive);
    }

    /// The current task, which exits, leaves for good.
    pub fn die(&self) {
        self.leave_for_idle(Left::Dead);
    }

    /// The task is on this CPU again, which was idle.
    pub fn resume(&self, task: usize) {
        self.switch_to(Current::Task(task), Switch::Voluntary);
    }

    /// The current task is preempted by no IRQ; `meanwhile` happens on its CPU until it goes on.
    pub fn preempted(&self, meanwhile: impl FnOnce(&Self)) {
        let task = self.current.get();
        self.switch_to(Current::Idle, Switch::Preempted);
        meanwhile(self);
        self.switch_to(task, Switch::Voluntary);
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

    /// An IRQ hits the current task at `pc`, and it is preempted at its exit; somebody will resume it, none of the IRQ's
    /// own marks is left.
    pub fn is_set_aside(&self, pc: Pc) {
        self.irq(pc, |_| ());
        self.switch_to(Current::Idle, Switch::Preempted);
    }

    /// The same for task 0, which goes on elsewhere; there it is preempted at once again if `is_preempted_again`.
    pub fn migrated_at(&self, pc: Pc, call: Call, to_cpu: usize, is_preempted_again: bool) {
        let mark = self.irq_in(pc);
        self.irq_exit();
        self.switch_to(Current::Idle, Switch::Preempted);
        self.kernel.has_begun();
        self.inboxes[to_cpu - 1].send(Message::Run(Arrival { call, mark, is_preempted_again }));
    }

    /// Task 0 arrives here, and finishes its call.
    pub(super) fn arrive(&self, arrival: Arrival) {
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
        self.kernel.wake(self.kernel.scheme.exit(self.context().task));
        if let Current::Task(task) = self.current.get() {
            self.kernel.lists()[task].is_exiting = true;
        }
    }
}
