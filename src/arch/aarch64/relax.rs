//! Waiting for another CPU without getting in its way.
//!
//! YIELD is a hint to hardware that runs several CPUs on one core; and an emulator that runs one CPU after the other,
//! as QEMU does with `-icount`, goes on with the next CPU there. Rust's own hint is an ISB, which tells it nothing:
//! each wait would last until the waiting CPU's turn is over, and a second of guest time took minutes.
//! Context: any.

use core::arch::asm;

/// One round of waiting for what another CPU does.
#[inline(always)]
pub fn relax() {
    // SAFETY: a hint. No `nomem`: what is waited for is read anew.
    unsafe { asm!("yield", options(nostack, preserves_flags)) };
}

/// How spin locks wait.
#[derive(Debug)]
pub struct Relax;

impl spin::RelaxStrategy for Relax {
    #[inline(always)]
    fn relax() {
        relax();
    }
}

/// The crate's spin lock, waiting by [`relax`].
///
/// Whoever finds it free takes it, so what bounds a wait is what its users do: those that take one of these directly do so once
/// in a boot, a report or a run, or under a mutex. What is taken over and over is an `IrqLock`, or a [`TicketMutex`].
pub type SpinMutex<T> = spin::mutex::SpinMutex<T, Relax>;
/// Access to what it guards.
pub type SpinMutexGuard<'a, T> = spin::mutex::SpinMutexGuard<'a, T, Relax>;

/// The crate's lock by tickets, waiting by [`relax`]: a waiter is overtaken by nobody who came later.
pub type TicketMutex<T> = spin::mutex::TicketMutex<T, Relax>;
