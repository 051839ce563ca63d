//! Wait queues: tasks that wait for a condition, and wakers that say when to look again.
//!
//! A waiter's entry lies on its own stack and is linked under the queue's lock; it is unlinked under that lock
//! before the waiter goes on, so a waker never follows a dead one. Waking is allowed in any context but inside
//! a switch (see [`defer_wake`]).
//!
//! # What bounds the wait
//! Whoever is woken is runnable, and has its turn (`sched::turn`). Where all are woken, everybody looks; where one is, the one
//! that waits longest. But a queue promises no condition: another task may have made it false again before the woken one
//! looks, which then waits behind those that came meanwhile. So a wait for what one task alone can have is a
//! [`Mutex`](super::Mutex)'s, which hands over. What the kernel waits for in queues stays true until the waiter has seen it: an
//! end (a task's, a grace period's, a callback's), or work for the one task whose queue it is.

use super::seam;
use super::switch::{self, block, current, might_sleep};
use super::task::{BLOCKING, RUNNABLE, Task};
use super::timers::Timer;
use crate::arch::cpu;
use crate::arch::site::PREEMPT_MASK;
use crate::percpu;
use crate::sync::atomic::{AtomicPtr, Ordering};
use crate::sync::helps;
use crate::sync::irqs;
use crate::sync::lock::IrqLock;
use crate::sync::order::Place;
use crate::sync::percpu::PerCpu;
use crate::sync::preempt;
use core::panic::Location;
use core::ptr::NonNull;

struct Waiter {
    task: &'static Task,
    /// Who waits for longer and for less long. Meaningful while it is linked.
    older: Option<NonNull<Waiter>>,
    newer: Option<NonNull<Waiter>>,
    is_linked: bool,
    /// How often the queue had been woken when it came.
    came: u64,
}

impl Waiter {
    const fn new(task: &'static Task) -> Self {
        Self { task, older: None, newer: None, is_linked: false, came: 0 }
    }
}

/// So many are woken under one lock, IRQs masked, however many wait.
const WOKEN_AT_ONCE: usize = 16;

#[derive(Debug)]
struct List {
    oldest: Option<NonNull<Waiter>>,
    newest: Option<NonNull<Waiter>>,
    /// How often somebody woke one or all.
    wakes: u64,
}

// SAFETY: the entries are reached under the lock alone.
unsafe impl Send for List {}

// An entry is alive while it is linked: its waiter takes the lock to unlink it before it goes on. Each of these takes
// a few steps, however many wait: they are done with IRQs masked.
impl List {
    /// Links a new entry, behind all others.
    #[inline(always)]
    fn push(&mut self, mut entry: NonNull<Waiter>) {
        // SAFETY: the entry is the caller's until it is linked, below.
        let waiter = unsafe { entry.as_mut() };
        (waiter.older, waiter.newer, waiter.is_linked, waiter.came) = (self.newest, None, true, self.wakes);
        match self.newest {
            // SAFETY: linked entries are alive.
            Some(mut newest) => unsafe { newest.as_mut() }.newer = Some(entry),
            None => self.oldest = Some(entry),
        }
        self.newest = Some(entry);
    }

    /// Takes `entry` out, if no waker has.
    #[inline(always)]
    fn remove(&mut self, mut entry: NonNull<Waiter>) {
        // SAFETY: the caller's own, or linked, and under the lock.
        let waiter = unsafe { entry.as_mut() };
        if !core::mem::replace(&mut waiter.is_linked, false) {
            return;
        }
        match waiter.older {
            // SAFETY: linked entries are alive.
            Some(mut older) => unsafe { older.as_mut() }.newer = waiter.newer,
            None => self.oldest = waiter.newer,
        }
        match waiter.newer {
            // SAFETY: linked entries are alive.
            Some(mut newer) => unsafe { newer.as_mut() }.older = waiter.older,
            None => self.newest = waiter.older,
        }
    }

    /// Takes out the entry that has been in for longest, if it came before the queue was woken for the time of number `wakes`.
    #[inline(always)]
    fn take_oldest(&mut self, wakes: u64) -> Option<NonNull<Waiter>> {
        let entry = self.oldest?;
        // SAFETY: linked entries are alive.
        if unsafe { entry.as_ref() }.came >= wakes {
            return None;
        }
        self.remove(entry);
        Some(entry)
    }

    /// Wakes so many, at most, of those that came before the queue was woken for the time of number `wakes`; says how many.
    #[inline(always)]
    fn wake_some(&mut self, wakes: u64, most: usize) -> usize {
        let mut nr_woken = 0;
        while nr_woken < most
            && let Some(entry) = self.take_oldest(wakes)
        {
            // SAFETY: the waiter takes the lock, which is held, before its entry goes away.
            switch::wake(unsafe { entry.as_ref() }.task);
            nr_woken += 1;
        }
        nr_woken
    }
}

/// Tasks that wait for something.
#[derive(Debug)]
pub struct WaitQueue {
    list: IrqLock<List>,
}

impl Default for WaitQueue {
    #[track_caller]
    fn default() -> Self {
        Self::new()
    }
}

impl WaitQueue {
    /// Nobody waits; the caller's place is its lock's class.
    #[track_caller]
    pub const fn new() -> Self {
        Self { list: IrqLock::new(List { oldest: None, newest: None, wakes: 0 }) }
    }

    /// Blocks until `condition` holds. It is looked at again after each wake-up. Context: task, preemptible.
    ///
    /// Order: a waker makes the condition true, then wakes; the queue's lock orders the two looks.
    #[track_caller]
    pub fn wait_until(&self, condition: impl FnMut() -> bool) {
        self.wait(condition, None);
    }

    /// The same, until `deadline_ns` of guest time at most. Returns whether the condition held.
    #[track_caller]
    pub fn wait_until_deadline(&self, condition: impl FnMut() -> bool, deadline_ns: u64) -> bool {
        self.wait(condition, Some(deadline_ns))
    }

    #[inline(always)]
    #[track_caller]
    fn wait(&self, condition: impl FnMut() -> bool, deadline_ns: Option<u64>) -> bool {
        wait(&self.list, condition, deadline_ns, Location::caller())
    }

    /// Wakes the task that waits longest, if any. Context: any but inside a switch.
    ///
    /// That one may have found its condition a moment before, and what this wake-up stands for is left to nobody: for
    /// conditions that whoever found them makes true for the next one, and wakes it, as a mutex does.
    #[inline(always)]
    pub fn wake_one(&self) {
        wake(&self.list, 1);
    }

    /// Wakes all that wait, who waits longest first. Context: any but inside a switch.
    #[inline(always)]
    pub fn wake_all(&self) {
        wake(&self.list, usize::MAX);
    }
}

// Free functions: `notrace` is not possible on methods.

/// This task is about to block with preemption disabled. Whoever disabled it may have something to say first.
#[cold]
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn blocks_atomic() {
    seam::with(|hooks| hooks.blocks_atomic(current()));
}

/// Says that the caller may sleep at `place`, which is a panic where nobody may. Context: any.
#[inline(always)]
pub(super) fn may_sleep_at(place: Place) {
    if preempt::count() & PREEMPT_MASK != 0 {
        blocks_atomic();
    }
    helps::may_sleep(place);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn wait(list: &IrqLock<List>, mut condition: impl FnMut() -> bool, deadline_ns: Option<u64>, place: Place) -> bool {
    may_sleep_at(place);
    might_sleep();
    loop {
        if condition() {
            return true;
        }
        if deadline_ns.is_some_and(|deadline| super::tick::now_ns() >= deadline) {
            return false;
        }
        let task = current();
        let mut waiter = Waiter::new(task);
        let entry = NonNull::from(&mut waiter);
        let mut last_wakes;
        {
            let mut list = list.lock();
            last_wakes = list.wakes;
            list.push(entry);
            // Order: under the lock, so a waker that comes later finds the entry and this state.
            task.state.store(BLOCKING, Ordering::Relaxed);
        }
        if condition() {
            task.state.store(RUNNABLE, Ordering::Relaxed);
            list.lock().remove(entry);
            return true;
        }
        match deadline_ns {
            Some(deadline_ns) => {
                block_until(task, deadline_ns);
                list.lock().remove(entry);
            }
            None => {
                task.waiting.begin(list.claim(), place);
                let mut holds = false;
                while let Some(wakes) = block_while_linked(list, entry) {
                    // Nobody took the entry out: the watchdog wants this task to look; see `waiting`.
                    holds = holds || condition();
                    if holds && wakes != last_wakes {
                        task.state.store(RUNNABLE, Ordering::Relaxed);
                        list.lock().remove(entry);
                        break;
                    }
                    last_wakes = wakes;
                    task.waiting.set_doubts(holds);
                }
                task.waiting.end();
                if holds {
                    return true;
                }
            }
        }
    }
}

/// [`block`], but for a timer that wakes this `task` at `deadline_ns`.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn block_until(task: &'static Task, deadline_ns: u64) {
    // SAFETY: this task goes on after the timer is gone.
    let timer = core::pin::pin!(unsafe { Timer::wake(task) });
    timer.as_ref().arm(deadline_ns);
    block();
    timer.as_ref().cancel();
}

/// Blocks once, in a wait that is announced. When the entry is linked still, gives how often the queue was woken so far,
/// and another wait is announced.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn block_while_linked(list: &IrqLock<List>, entry: NonNull<Waiter>) -> Option<u64> {
    block();
    let list = list.lock();
    // SAFETY: the caller's own entry, and under the lock.
    unsafe { entry.as_ref() }.is_linked.then(|| {
        // Order: under the lock, so a waker that comes later finds the entry and this state. The look at the condition
        // that follows may come too early, but not too late: then a waker is to come.
        current().state.store(BLOCKING, Ordering::Relaxed);
        list.wakes
    })
}

/// Wakes the oldest ones, in pieces: whoever comes to the queue between two of them finds its condition, or waits for another time.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn wake(list: &IrqLock<List>, mut most: usize) {
    let mut locked = list.lock();
    locked.wakes += 1;
    let wakes = locked.wakes;
    loop {
        let piece = if most < WOKEN_AT_ONCE { most } else { WOKEN_AT_ONCE };
        let nr_woken = locked.wake_some(wakes, piece);
        drop(locked);
        most -= nr_woken;
        if nr_woken < WOKEN_AT_ONCE {
            break;
        }
        locked = list.lock();
    }
    switch::preempt_if_due();
}

/// Queues to be woken on this CPU once it is out of the switch or the IRQ it is in.
const DEFERRED: usize = 4;
static WAKES: PerCpu<[AtomicPtr<WaitQueue>; DEFERRED]> =
    percpu!([const { AtomicPtr::new(core::ptr::null_mut()) }; DEFERRED]);

/// Wakes all of `queue` as soon as this CPU has left the switch or the IRQ that it is in. Context: any, the
/// inside of a switch too (IRQs masked there).
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn defer_wake(queue: &'static WaitQueue) {
    let wanted = core::ptr::from_ref(queue).cast_mut();
    irqs::with_masked(|irqs| {
        let slots = WAKES.this(irqs);
        let free = slots
            .iter()
            .find(|slot| {
                let held = slot.load(Ordering::Relaxed);
                held.is_null() || held == wanted
            })
            .expect("as many deferred wake-ups as queues that are woken so");
        free.store(wanted, Ordering::Relaxed);
    });
}

/// Does the deferred wake-ups of this CPU. Context: IRQs masked, no lock held.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn drain_deferred() {
    for slot in WAKES.of(cpu::id()) {
        if slot.load(Ordering::Relaxed).is_null() {
            continue;
        }
        // SAFETY: `defer_wake` stores references to statics.
        if let Some(queue) = unsafe { slot.swap(core::ptr::null_mut(), Ordering::Relaxed).as_ref() } {
            queue.wake_all();
        }
    }
}
