//! A mutex whose waiters sleep, and have it by turns. Context: task, preemptible. Not for a func, nor for IRQ or softirq handlers.
//!
//! Whoever unlocks hands the mutex over to the task that waits longest: `sched::handover` says what bounds the wait. No wait
//! ends otherwise: it has no deadline, and a task ends by itself alone, which one that waits cannot. So who is granted the mutex
//! takes it, and nobody has to hand on what nobody wants any more. A mutex that is granted is held, even before its holder has a
//! CPU.
//!
//! # Why a holder that was granted the mutex is lent its CPU
//! It was woken, and would wait for its turn behind all that are runnable, while everybody who wants the mutex queues behind it:
//! among 200 tasks that made one swap of an ops where five were made before. So it is boosted (`sched::loan`) until it lets go. A
//! boost is no count: whoever boosts it for something else meanwhile, or takes that back, does so for both.
//!
//! A task keeps what it holds among its claims, with the place, as a CPU does with spin locks; see `sync::lock` for the
//! order of locks. Its wait is watched for lost wake-ups, as those in wait queues: `sched::waiting`.

use super::fifo::{Fifo, Linked, Links};
use super::handover::Word;
use super::runqueue::{lend, unboost};
use super::switch::{block, current, might_sleep, preempt_if_due, wake};
use super::task::{BLOCKING, Task};
use super::wait::may_sleep_at;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::held::Claim;
use crate::sync::lock::IrqLock;
use crate::sync::order::Place;
use crate::sync::{helps, preempt};
use core::cell::UnsafeCell;
use core::marker::PhantomData;
use core::ops::{Deref, DerefMut};
use core::panic::Location;

/// A value behind a sleeping lock.
#[derive(Debug)]
pub struct Mutex<T> {
    claim: Claim,
    word: Word,
    /// Its holder was granted the mutex, and is lent its CPU until it lets go. The holder's own.
    is_lent: AtomicBool,
    queue: IrqLock<Queue>,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by the one holder of the lock.
unsafe impl<T: Send> Sync for Mutex<T> {}

/// Access to the value; dropping it unlocks. `!Send`: the claim is on the list of the task that took it.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(&'a Mutex<T>, PhantomData<*mut ()>);

/// A task that waits: on its own stack, in the queue until the mutex is granted to it. Guarded by the queue's lock.
#[derive(Debug)]
struct Waiter {
    task: &'static Task,
    links: Links<Waiter>,
    is_granted: AtomicBool,
}

impl Linked for Waiter {
    #[inline(always)]
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

/// Those that wait, who waits longest first.
#[derive(Debug)]
struct Queue(Fifo<Waiter>);

// SAFETY: the waiters are reached under the lock alone.
unsafe impl Send for Queue {}

impl Queue {
    /// Makes whoever waits longest the holder, and wakes it. Returns whether anybody waits.
    #[inline(always)]
    fn grant_oldest(&mut self) -> bool {
        let Some(waiter) = self.0.take(|_| true) else { return false };
        waiter.is_granted.store(true, Ordering::Relaxed);
        lend(waiter.task);
        wake(waiter.task);
        true
    }
}

impl<T> Mutex<T> {
    /// An unlocked mutex; the caller's place is its class.
    #[track_caller]
    pub const fn new(value: T) -> Self {
        let word = Word(AtomicUsize::new(Word::FREE));
        let is_lent = AtomicBool::new(false);
        Self { claim: Claim::new(), word, is_lent, queue: new_queue(), value: UnsafeCell::new(value) }
    }

    /// Waits for the mutex. Order: acquire; the drop of the guard is the release.
    ///
    /// # Panics
    /// In a context that must not sleep.
    #[track_caller]
    pub fn lock(&self) -> MutexGuard<'_, T> {
        let place = Location::caller();
        may_sleep_at(place);
        assert!(preempt::count() == 0, "a sleeping lock is taken at {place}, which must not sleep");
        helps::before_lock(&self.claim, place, &current().held);
        might_sleep();
        if !self.word.take() {
            let is_granted = wait(&self.word, &self.queue, place);
            self.is_lent.store(is_granted, Ordering::Relaxed);
        }
        self.taken(place)
    }

    /// The mutex, if nobody holds it. Context: task, or boot.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let place = Location::caller(); // a closure has a place of its own
        self.word.take().then(|| self.taken(place))
    }

    fn taken(&self, place: Place) -> MutexGuard<'_, T> {
        let task = current();
        task.held.push(&self.claim, place, task.id as usize);
        MutexGuard(self, PhantomData)
    }
}

/// Made here, so that the queue's own lock is of another class than the mutex.
const fn new_queue() -> IrqLock<Queue> {
    IrqLock::new(Queue(Fifo::new()))
}

/// Waits until the mutex is granted, unless it is free by now. It is the caller's then. Says whether it was granted.
#[cold]
fn wait(word: &Word, queue: &IrqLock<Queue>, place: Place) -> bool {
    let task = current();
    let waiter = Waiter { task, links: Links::new(), is_granted: AtomicBool::new(false) };
    {
        let mut queue = queue.lock();
        let is_taken = word.take_or_queue(|| {
            // SAFETY: `linked-once`: on no list, and it stays here until it is granted the mutex, for which it is taken out.
            unsafe { queue.0.push(&waiter) };
            // Order: under the lock, so whoever grants finds the entry and this state.
            task.state.store(BLOCKING, Ordering::Relaxed);
        });
        if is_taken {
            return false;
        }
    }
    task.waiting.begin(queue.claim(), place);
    loop {
        block();
        // Whoever grants is done with the entry when it lets go of the lock.
        let _queue = queue.lock();
        if waiter.is_granted.load(Ordering::Relaxed) {
            break;
        }
        // The watchdog wants this task to look: that nobody has the mutex, which is never so, would be a lost wake-up.
        task.state.store(BLOCKING, Ordering::Relaxed);
        task.waiting.set_doubts(word.is_free());
    }
    task.waiting.end();
    true
}

#[cold]
fn hand_over(word: &Word, queue: &IrqLock<Queue>) {
    {
        let mut queue = queue.lock();
        word.hand_over(|| queue.grant_oldest());
    }
    preempt_if_due();
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        // SAFETY: the guard holds the lock.
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the guard holds the lock.
        unsafe { &mut *self.0.value.get() }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        let Mutex { claim, word, is_lent, queue, .. } = self.0;
        current().held.pop(claim);
        let was_lent = is_lent.load(Ordering::Relaxed);
        is_lent.store(false, Ordering::Relaxed);
        if !word.free() {
            hand_over(word, queue);
        }
        if was_lent {
            unboost(current());
        }
    }
}
