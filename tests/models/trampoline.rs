//! The trampoline, in the variant that the scheme needs, and func: the steps between which something can happen.

use loom::sync::atomic::Ordering;

use super::{Call, Cpu, Pc};
use crate::eyes::Frame;
use crate::kernel::{Fault, OTHER};
use crate::rcu::schemes::{Switch, Trampoline};

impl Cpu {
    fn uses(&self, trampoline: Trampoline) -> bool {
        self.kernel.scheme.trampoline() == trampoline && !self.kernel.has(Fault::NotCounted)
    }

    /// A variant of the trampoline counts before its load, unless a fault says otherwise.
    fn count(&self, is_late: bool) {
        if self.uses(Trampoline::Unpreemptible) && self.kernel.has(Fault::CountedLate) == is_late {
            self.preempt_count.set(self.preempt_count.get() + 1);
        }
        if self.uses(Trampoline::Counted) && self.kernel.has(Fault::DepthRaisedLate) == is_late {
            self.state_of(self.current.get()).deepen();
        }
    }

    /// A context enters the trampoline and loads the literal.
    pub fn enter(&self) -> Call {
        self.count(false);
        let ops = self.kernel.load_literal();
        if self.kernel.has(Fault::CountedLate) || self.kernel.has(Fault::DepthRaisedLate) {
            self.interrupts(Pc::Trampoline);
            self.count(true);
        }
        self.hold(ops)
    }

    /// The same by another callsite, whose ops stays.
    pub fn enter_another(&self) -> Call {
        self.count(false);
        self.hold(OTHER)
    }

    fn hold(&self, ops: usize) -> Call {
        self.state_of(self.current.get()).push(Frame { ops, level: self.nesting.get() });
        Call { ops }
    }

    /// Func uses the ops and returns through the trampoline.
    pub fn leave(&self, call: Call) {
        self.leave_late(call, |_| ());
    }

    /// The same, and `last` comes between func and the trampoline's last steps.
    pub fn leave_late(&self, call: Call, last: impl FnOnce(&Self)) {
        let is_early = self.kernel.has(Fault::UncountedEarly) || self.kernel.has(Fault::DepthLoweredEarly);
        if is_early {
            self.uncount(|_| ());
            self.interrupts(Pc::Elsewhere);
        }
        self.kernel.use_ops(call.ops);
        self.state_of(self.current.get()).pop();
        if is_early { last(self) } else { self.uncount(last) }
    }

    fn uncount(&self, last: impl FnOnce(&Self)) {
        let task = self.state_of(self.current.get());
        let is_wanted_early = task.report_is_wanted();
        last(self);
        if self.uses(Trampoline::Unpreemptible) {
            self.preempt_count.set(self.preempt_count.get() - 1);
            if self.is_preemptible() {
                self.reschedule(Switch::Preempted);
            }
        }
        if self.uses(Trampoline::Counted) {
            let order = if self.kernel.has(Fault::DepthLowered) { Ordering::Relaxed } else { Ordering::Release };
            task.rise(order);
            let is_early = self.kernel.has(Fault::ReportDecidedEarly);
            let is_wanted = if is_early { is_wanted_early } else { task.report_is_wanted() };
            if is_wanted && !self.kernel.has(Fault::ReportsForgotten) {
                self.kernel.wake(self.kernel.scheme.report(&self.context()));
            }
        }
    }

    /// A traced call, interrupted at `pc`, between the load and the last use.
    pub fn call(&self, pc: Pc) {
        let call = self.enter();
        self.interrupts(pc);
        self.leave(call);
    }

    /// Waits for the round.
    pub fn wait_for_visit(&self) {
        self.receive(self.inboxes[self.id - 1].wait(), Pc::Elsewhere);
    }

    /// The current task stays where it is until the world has ended.
    pub fn stays(&self) {
        self.end();
        self.idle_until_off();
    }
}
