//! A mutex whose waiters sleep. Context: task, preemptible. Not for a func, nor for IRQ or softirq handlers.

use super::wait::WaitQueue;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::preempt;
use core::cell::UnsafeCell;
use core::ops::{Deref, DerefMut};

/// A value behind a sleeping lock.
#[derive(Debug)]
pub struct Mutex<T> {
    locked: AtomicBool,
    waiters: WaitQueue,
    value: UnsafeCell<T>,
}

// SAFETY: the value is reached by the one holder of the lock.
unsafe impl<T: Send> Sync for Mutex<T> {}

/// Access to the value; dropping it unlocks.
#[derive(Debug)]
pub struct MutexGuard<'a, T>(&'a Mutex<T>);

impl<T> Mutex<T> {
    /// An unlocked mutex.
    pub const fn new(value: T) -> Self {
        Self { locked: AtomicBool::new(false), waiters: WaitQueue::new(), value: UnsafeCell::new(value) }
    }

    /// Waits for the mutex. Order: acquire; the drop of the guard is the release.
    ///
    /// # Panics
    /// In a context that must not sleep.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        assert!(preempt::count() == 0, "a sleeping lock is taken in a context that must not sleep");
        self.waiters.wait_until(|| !self.locked.swap(true, Ordering::Acquire));
        MutexGuard(self)
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
        self.0.locked.store(false, Ordering::Release);
        self.0.waiters.wake_one();
    }
}
