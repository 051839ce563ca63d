//! A spin lock that masks IRQs while it is held: its holder cannot be preempted, nor interrupted by someone
//! who wants the same lock. Context: any, the panic path excepted (it uses `try_lock`).
//!
//! Each CPU keeps a book of what it holds, and where it took it, and of what it waits for: for the lock helps of
//! `checked` builds, and for the watchdog's report in every build. It costs a few plain stores.
//!
//! # Order of locks
//! No order is declared: in `checked` builds the first nesting of two classes of locks (see [`super::order`]) fixes
//! theirs, and a later one that contradicts it panics with all places. As it stands, from the outside in: mutexes, in
//! task context alone (nothing sleeps under a lock of this file); then, each alone or on the way inward, the task lists,
//! the grace-period machine or one queue of timers; the graveyard, or the list of tasks that a scheme keeps for a CPU; a
//! wait queue; a run queue, innermost. The heap's and the console's lock are taken inside nothing but what may allocate
//! or print. Two of one class are never nested: who needs another run queue tries.
//! A new lock goes as far inside as it can, and is held for as little as it can.
//!
//! # What bounds the wait
//! A CPU waits for one holder, who cannot be preempted and takes few steps; then it may lose to another CPU, as whoever finds
//! the lock free takes it. Nothing bounds how often. But nobody takes one of these locks again from within the few instructions
//! between two looks of a waiter, and no holder waits for another CPU, so no protocol makes a waiter lose each time, as it did
//! where CPUs visit each other (`sched::ipi`): there, and for page tables, tickets are drawn. A CPU that waits for one lock
//! for as long as the watchdog's patience is a defect, and reported with the holder.
//!
//! # Why not by tickets
//! The next in line would have to run: where a host has fewer cores than the guest has CPUs, each hand-over to one that it
//! does not run lasts for a slice of the host's, with IRQs masked on all that wait.

use super::held::{Claim, Held, Wanted};
use super::order::Place;
use super::percpu::PerCpu;
use super::{helps, irqs::IrqsMasked};
use crate::arch::cpu;
use crate::arch::relax::{SpinMutex, SpinMutexGuard};
use crate::percpu;
use core::mem::ManuallyDrop;
use core::ops::{Deref, DerefMut};
use core::panic::Location;

/// What a CPU holds, and what it waits for.
#[derive(Debug)]
pub struct Book {
    /// The locks that it holds.
    pub held: Held,
    /// The lock that it wants and does not get.
    pub wanted: Wanted,
}

static BOOKS: PerCpu<Book> = percpu!(Book { held: Held::new(), wanted: Wanted::new() });

/// The book of CPU number `cpu`: one's own, or someone else's at a glance. Context: any.
#[inline(always)]
pub fn book(cpu: usize) -> &'static Book {
    BOOKS.of(cpu)
}

/// A value behind a spin lock that masks IRQs.
#[derive(Debug)]
pub struct IrqLock<T> {
    claim: Claim,
    inner: SpinMutex<T>,
}

/// Access to the value; dropping it unlocks and restores the IRQ mask.
#[derive(Debug)]
pub struct IrqLockGuard<'a, T> {
    // Dropped by hand, before the mask is restored.
    inner: ManuallyDrop<SpinMutexGuard<'a, T>>,
    claim: &'a Claim,
    /// Where this CPU's claims are: it stays itself while the guard lives.
    held: &'static Held,
    irq_state: u64,
}

impl<T> IrqLock<T> {
    /// An unlocked lock; the caller's place is its class.
    #[track_caller]
    pub const fn new(value: T) -> Self {
        Self { claim: Claim::new(), inner: SpinMutex::new(value) }
    }

    /// Its part that says who holds it.
    pub const fn claim(&self) -> &Claim {
        &self.claim
    }

    /// Waits for the lock, IRQs masked. Order: acquire; the drop of the guard is the release.
    #[inline(always)]
    #[track_caller]
    pub fn lock(&self) -> IrqLockGuard<'_, T> {
        let irq_state = cpu::mask_irqs();
        let (cpu, place) = (cpu::id(), Location::caller());
        helps::before_lock(&self.claim, place, &book(cpu).held);
        let inner = match self.inner.try_lock() {
            Some(inner) => inner,
            None => wait_for(&self.inner, &self.claim, place),
        };
        self.taken(inner, cpu, place, irq_state)
    }

    /// The lock, if nobody holds it.
    #[track_caller]
    pub fn try_lock(&self) -> Option<IrqLockGuard<'_, T>> {
        let irq_state = cpu::mask_irqs();
        match self.inner.try_lock() {
            Some(inner) => Some(self.taken(inner, cpu::id(), Location::caller(), irq_state)),
            None => {
                cpu::restore_irqs(irq_state);
                None
            }
        }
    }

    #[inline(always)]
    fn taken<'a>(
        &'a self,
        inner: SpinMutexGuard<'a, T>,
        cpu: usize,
        place: Place,
        irq_state: u64,
    ) -> IrqLockGuard<'a, T> {
        let held = &book(cpu).held;
        held.push(&self.claim, place, cpu);
        IrqLockGuard { inner: ManuallyDrop::new(inner), claim: &self.claim, held, irq_state }
    }
}

/// Waits where the lock was not free at once, and says so in this CPU's book. Context: IRQs masked.
#[inline(always)]
fn wait_for<'a, T>(inner: &'a SpinMutex<T>, claim: &Claim, place: Place) -> SpinMutexGuard<'a, T> {
    // SAFETY: `IrqLock::lock` masked them.
    let irqs = unsafe { IrqsMasked::assume() };
    let wanted = &BOOKS.this(&irqs).wanted;
    wanted.set(claim, place);
    let guard = inner.lock();
    wanted.clear();
    guard
}

impl<T> IrqLockGuard<'_, T> {
    /// Never unlocks, and nobody is said to hold it. Context: the kernel's end.
    pub fn keep(self) {
        self.held.pop(self.claim);
        core::mem::forget(self);
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
        self.held.pop(self.claim);
        // SAFETY: dropped here and nowhere else: the guard is going away.
        unsafe { ManuallyDrop::drop(&mut self.inner) };
        cpu::restore_irqs(self.irq_state);
    }
}
