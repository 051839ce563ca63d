//! `ip`: as `classic`, but a preemption also ends the wait for a task, if the CPU's last interrupted PC lies outside the
//! trampoline.
//!
//! The PC is kept per CPU at IRQ entry, as the thread first proposed it (Rostedt, 2024-02-21), and so it is faithful to
//! what that means: a nested interrupt overwrites it, a preemption that no interrupt caused finds an old one, and a task
//! that migrated leaves its PC behind.
//! Against it: a context that stands in func, or in what func called, holds the ops with its PC outside the trampoline,
//! and that is most of the time (rows 3 to 7 of the theory). Sound only where nobody is preempted. Cost: one store per
//! interrupt.

use super::Interrupted;
use super::holdouts::{Listed, Rule};
use crate::rcu::bracket::MAX_CPUS;
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::{AtomicBool, Ordering};

/// Whether each CPU's last interrupted PC was in the trampoline. Each word is its CPU's own, IRQs masked.
#[derive(Debug)]
pub struct LastPc([AtomicBool; MAX_CPUS]);

impl Default for LastPc {
    fn default() -> Self {
        Self(core::array::from_fn(|_| AtomicBool::new(false)))
    }
}

impl Rule for LastPc {
    const NAME: &'static str = "ip";

    #[inline(always)]
    fn irq_in(&self, _: &mut bool, at: &Interrupted, _: &TaskWords) {
        self.0[at.cpu].store(at.is_in_trampoline, Ordering::Relaxed);
    }

    #[inline(always)]
    fn lets_go(&self, _: &TaskWords, cpu: usize) -> bool {
        !self.0[cpu].load(Ordering::Relaxed)
    }
}

/// Tasks RCU that also looks at the interrupted PC.
pub type Ip = Listed<LastPc>;
