//! Timers: at a moment of guest time a task is woken or a function called. Per CPU, in order of deadlines.
//!
//! Armed on the CPU that asks, where the alarm is then set; cancelled from any. Context: task or IRQ.

use super::task::Task;
use super::{switch, tick};
use crate::arch::cpu;
use crate::console::events::{self, Event};
use crate::percpu;
use crate::sync::irqs;
use crate::sync::lock::IrqLock;
use crate::sync::percpu::PerCpu;
use alloc::collections::BTreeMap;

/// What happens at the deadline, in IRQ context.
#[derive(Clone, Copy)]
enum Action {
    Wake(*const Task),
    Call(fn(usize), usize),
}

// SAFETY: a task that waits for a timer cancels it before it goes on, so the pointer is live while armed.
unsafe impl Send for Action {}

struct Queue {
    /// Ordered by deadline; the serial number keeps equal ones apart.
    entries: BTreeMap<(u64, u64), Action>,
    serial: u64,
}

static QUEUES: PerCpu<IrqLock<Queue>> = percpu!(IrqLock::new(Queue { entries: BTreeMap::new(), serial: 0 }));

/// An armed timer.
#[derive(Debug)]
#[must_use = "a timer of a waiting task is cancelled"]
pub struct Timer {
    cpu: usize,
    key: (u64, u64),
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn arm(deadline_ns: u64, action: Action) -> Timer {
    irqs::with_masked(|_| {
        let cpu = cpu::id();
        let key = {
            let mut queue = QUEUES.of(cpu).lock();
            queue.serial += 1;
            let key = (deadline_ns, queue.serial);
            queue.entries.insert(key, action);
            key
        };
        tick::rearm(cpu);
        Timer { cpu, key }
    })
}

/// Wakes the task at `deadline_ns`.
///
/// # Safety
/// `task` lives until the timer is cancelled or has gone off.
pub(super) unsafe fn arm_wake(deadline_ns: u64, task: &Task) -> Timer {
    arm(deadline_ns, Action::Wake(task))
}

/// Calls `function(argument)` at `deadline_ns`, in IRQ context on this CPU.
pub fn arm_call(deadline_ns: u64, function: fn(usize), argument: usize) -> Timer {
    arm(deadline_ns, Action::Call(function, argument))
}

impl Timer {
    /// Takes the timer back. When this returns it has gone off or never will. Returns whether it never will.
    pub fn cancel(self) -> bool {
        QUEUES.of(self.cpu).lock().entries.remove(&self.key).is_some()
    }
}

/// The first deadline of CPU number `cpu`, far away if there is none.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn first_deadline(cpu: usize) -> u64 {
    QUEUES.of(cpu).lock().entries.first_key_value().map_or(u64::MAX, |(&(deadline, _), _)| deadline)
}

/// Does what is due on this CPU. Context: IRQ.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn expire(cpu: usize) {
    loop {
        let call = {
            let mut queue = QUEUES.of(cpu).lock();
            let Some(entry) = queue.entries.first_entry() else { return };
            if entry.key().0 > tick::now_ns() {
                return;
            }
            match entry.remove() {
                Action::Wake(task) => {
                    // SAFETY: armed, so alive; under the lock, so its `cancel` waits until this is over.
                    switch::wake(unsafe { &*task });
                    continue;
                }
                Action::Call(function, argument) => (function, argument),
            }
        };
        irqs::with_masked(|irqs| events::record(irqs, Event::Timer, call.0 as usize, 0));
        call.0(call.1);
    }
}
