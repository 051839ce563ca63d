//! A spin lock that masks IRQs while it is held: its holder cannot be preempted, nor interrupted by someone
//! who wants the same lock. Context: any, the panic path excepted (it uses `try_lock`).

use crate::arch::cpu;
use core::ops::{Deref, DerefMut};
use spin::mutex::{SpinMutex, SpinMutexGuard};

/// A value behind a spin lock that masks IRQs.
#[derive(Debug)]
pub struct IrqLock<T> {
    inner: SpinMutex<T>,
}

/// Access to the value; dropping it unlocks and restores the IRQ mask.
#[derive(Debug)]
pub struct IrqLockGuard<'a, T> {
    // Dropped by hand, before the mask is restored.
    inner: core::mem::ManuallyDrop<SpinMutexGuard<'a, T>>,
    irq_state: u64,
}

impl<T> IrqLock<T> {
    /// An unlocked lock.
    pub const fn new(value: T) -> Self {
        Self { inner: SpinMutex::new(value) }
    }

    /// Waits for the lock, IRQs masked. Order: acquire; the drop of the guard is the release.
    #[inline(always)]
    pub fn lock(&self) -> IrqLockGuard<'_, T> {
        let irq_state = cpu::mask_irqs();
        IrqLockGuard { inner: core::mem::ManuallyDrop::new(self.inner.lock()), irq_state }
    }

    /// The lock, if nobody holds it.
    pub fn try_lock(&self) -> Option<IrqLockGuard<'_, T>> {
        let irq_state = cpu::mask_irqs();
        match self.inner.try_lock() {
            Some(inner) => Some(IrqLockGuard { inner: core::mem::ManuallyDrop::new(inner), irq_state }),
            None => {
                cpu::restore_irqs(irq_state);
                None
            }
        }
    }
}

impl<T> Deref for IrqLockGuard<'_, T> {
    type Target = T;
    #[inline(always)]
    fn deref(&self) -> &T {
        &self.inner
    }
}

impl<T> DerefMut for IrqLockGuard<'_, T> {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut T {
        &mut self.inner
    }
}

impl<T> Drop for IrqLockGuard<'_, T> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: dropped here and nowhere else: the guard is going away.
        unsafe { core::mem::ManuallyDrop::drop(&mut self.inner) };
        cpu::restore_irqs(self.irq_state);
    }
}
