//! Timers: at a moment of guest time a task is woken or a function called. Per CPU, in order of deadlines.
//!
//! A timer is its owner's, who pins it: arming allocates nothing and cannot fail, going off frees nothing. It is armed
//! on the CPU that asks, where the alarm is then set, and taken back from any; a timer that is dropped is taken back.
//! Promises: never early; in order of deadlines on one CPU; once for each arming, or never if it was taken back.
//! An alarm does what was armed before it rang: what goes off may be armed again, for the past too, and does not
//! keep the interrupt from its end. Context: any but inside a switch. See [`super::deadlines`] for the order.

use super::deadlines::{Deadlines, Node};
use super::task::Task;
use super::{switch, tick};
use crate::arch::cpu;
use crate::console::events::{self, Event};
use crate::percpu;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::lock::IrqLock;
use crate::sync::percpu::PerCpu;
use core::marker::PhantomPinned;
use core::pin::Pin;
use core::ptr::NonNull;

/// What happens at the deadline, in IRQ context.
#[derive(Clone, Copy, Debug)]
enum Action {
    Wake(*const Task),
    Call(fn(usize), usize),
}

struct Queue(Deadlines);

// SAFETY: the nodes are reached under the queue's lock alone.
unsafe impl Send for Queue {}

static QUEUES: PerCpu<IrqLock<Queue>> = percpu!(IrqLock::new(Queue(Deadlines::new())));

/// Where a timer is that is not armed.
const NOWHERE: usize = usize::MAX;

/// A timer, armed or not.
#[derive(Debug)]
#[repr(C)]
pub struct Timer {
    /// First: a node's address is its timer's.
    node: Node,
    /// The CPU on whose queue it is; written under that queue's lock.
    cpu: AtomicUsize,
    action: Action,
    _pinned: PhantomPinned,
}

// SAFETY:
// 1. The node is touched under the lock of the queue that `cpu` names, by whoever saw that name under that lock, and
//    by `arm`, which made it so.  2. A task that a timer wakes outlives it: see `Timer::wake`.
unsafe impl Sync for Timer {}
// SAFETY: as above; nothing of it is bound to a CPU or a task.
unsafe impl Send for Timer {}

impl Timer {
    /// Calls `function(argument)` in IRQ context, on the CPU that arms it.
    pub const fn new(function: fn(usize), argument: usize) -> Self {
        Self::of(Action::Call(function, argument))
    }

    /// Wakes `task`.
    ///
    /// # Safety
    /// The task lives for as long as the timer.
    #[inline(always)]
    pub(super) const unsafe fn wake(task: &Task) -> Self {
        Self::of(Action::Wake(task))
    }

    #[inline(always)]
    const fn of(action: Action) -> Self {
        Self { node: Node::new(), cpu: AtomicUsize::new(NOWHERE), action, _pinned: PhantomPinned }
    }

    /// Lets it go off on this CPU at `deadline_ns`, unless it is armed already: returns whether it was not.
    #[inline(always)]
    pub fn arm(self: Pin<&Self>, deadline_ns: u64) -> bool {
        arm(self, deadline_ns)
    }

    /// Takes it back. Returns whether it was armed: it has not gone off then, and will not. Otherwise its function may
    /// be running still, on the CPU that armed it.
    #[inline(always)]
    pub fn cancel(self: Pin<&Self>) -> bool {
        cancel(&self)
    }
}

impl Drop for Timer {
    #[inline(always)]
    fn drop(&mut self) {
        cancel(self);
    }
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn arm(timer: Pin<&Timer>, deadline_ns: u64) -> bool {
    irqs::with_masked(|_| {
        let cpu = cpu::id();
        let is_first = {
            let mut queue = QUEUES.of(cpu).lock();
            // Order: Acquire pairs with the Release of whoever took it out: the node is ours.
            if timer.cpu.compare_exchange(NOWHERE, cpu, Ordering::Acquire, Ordering::Relaxed).is_err() {
                return false;
            }
            let node = NonNull::from(timer.get_ref()).cast::<Node>();
            // SAFETY: it was nowhere; pinned, and `drop` takes it out before it goes away.
            unsafe { queue.0.insert(node, deadline_ns) };
            queue.0.first() == Some(node)
        };
        if is_first {
            tick::rearm(cpu);
        }
        true
    })
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn cancel(timer: &Timer) -> bool {
    loop {
        // Order: Acquire pairs with the Release of `expire`, which is done with the timer.
        let cpu = timer.cpu.load(Ordering::Acquire);
        if cpu == NOWHERE {
            return false;
        }
        let mut queue = QUEUES.of(cpu).lock();
        if timer.cpu.load(Ordering::Relaxed) == cpu {
            // SAFETY: under this lock, it is in this queue.
            unsafe { queue.0.remove(NonNull::from(timer).cast()) };
            timer.cpu.store(NOWHERE, Ordering::Release);
            return true;
        }
    }
}

/// The first deadline of CPU number `cpu`, far away if there is none.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn first_deadline(cpu: usize) -> u64 {
    QUEUES.of(cpu).lock().0.first_deadline_ns()
}

/// Does what is due on this CPU and was armed before. Context: IRQ.
#[inline(always)]
pub(super) fn expire(cpu: usize) {
    let round = QUEUES.of(cpu).lock().0.serial();
    loop {
        let (function, argument) = {
            let mut queue = QUEUES.of(cpu).lock();
            let Some(node) = queue.0.first_of(tick::now_ns(), round) else { return };
            // SAFETY: queued, so its timer is alive until it is taken out, under this lock; the node is its first field.
            let timer = unsafe { node.cast::<Timer>().as_ref() };
            // SAFETY: in this queue.
            unsafe { queue.0.remove(node) };
            let action = timer.action;
            if let Action::Wake(task) = action {
                // SAFETY: it outlives its timer, whose `drop` waits for this lock.
                switch::wake(unsafe { &*task });
            }
            // From here on its owner may drop it, as soon as the queue is unlocked.
            timer.cpu.store(NOWHERE, Ordering::Release);
            match action {
                Action::Wake(_) => continue,
                Action::Call(function, argument) => (function, argument),
            }
        };
        irqs::with_masked(|irqs| events::record(irqs, Event::Timer, function as usize, 0));
        function(argument);
    }
}
