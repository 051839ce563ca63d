//! A mutex whose waiters sleep. Context: task, preemptible. Not for a func, nor for IRQ or softirq handlers.
//!
//! A task keeps what it holds among its claims, with the place, as a CPU does with spin locks; see `sync::lock` for the
//! order of locks.

use super::switch::current;
use super::wait::{WaitQueue, may_sleep_at};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::held::Claim;
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
    locked: AtomicBool,
    waiters: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by the one holder of the lock.
unsafe impl<T: Send> Sync for Mutex<T> {}

/// Access to the value; dropping it unlocks. `!Send`: the claim is on the list of the task that took it.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(&'a Mutex<T>, PhantomData<*mut ()>);

impl<T> Mutex<T> {
    /// An unlocked mutex; the caller's place is its class.
    #[track_caller]
    pub const fn new(value: T) -> Self {
        let locked = AtomicBool::new(false);
        Self { claim: Claim::new(), locked, waiters: Self::waiters(), value: UnsafeCell::new(value) }
    }

    /// Made here, so that the queue's own lock is of another class than the mutex.
    const fn waiters() -> WaitQueue {
        WaitQueue::new()
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
        self.waiters.wait_until(|| self.take());
        self.taken(place)
    }

    /// The mutex, if nobody holds it. Context: task, or boot.
    #[track_caller]
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let place = Location::caller(); // a closure has a place of its own
        self.take().then(|| self.taken(place))
    }

    fn take(&self) -> bool {
        !self.locked.swap(true, Ordering::Acquire)
    }

    fn taken(&self, place: Place) -> MutexGuard<'_, T> {
        let task = current();
        task.held.push(&self.claim, place, task.id as usize);
        MutexGuard(self, PhantomData)
    }
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
        current().held.pop(&self.0.claim);
        self.0.locked.store(false, Ordering::Release);
        self.0.waiters.wake_one();
    }
}
