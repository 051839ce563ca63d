//! The lock of pure code on the host, where there are no IRQs to mask.

use std::sync::{Mutex, MutexGuard};

/// A value behind a lock.
#[derive(Debug)]
pub struct IrqLock<T>(Mutex<T>);

impl<T> IrqLock<T> {
    /// An unlocked lock.
    pub const fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Waits for the lock.
    ///
    /// # Panics
    /// When somebody panicked while holding it.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().expect("nobody panics with it")
    }
}
