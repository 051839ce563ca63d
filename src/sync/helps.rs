//! Lock helps of `checked` builds: what would deadlock, or sleep where nobody may, panics before it does, and names
//! both places: where it happens, and where the lock was taken or the context became atomic.
//!
//! | wrong | found by |
//! |---|---|
//! | a lock is taken that this CPU, or this task, holds already | its address among the claims |
//! | locks are nested in an order that can deadlock | [`Order`], for spin locks and for mutexes |
//! | something sleeps with a lock held, preemption disabled, IRQs masked, or in an interrupt | [`may_sleep`] |
//!
//! "Taken in IRQ context and elsewhere with IRQs on" cannot be written here: every lock of this floor masks IRQs.
//! Other builds have `helps_off` in this file's place, whose functions do nothing. Notrace: locks are taken inside
//! the switch (O8). Below: `order`, `held`. Above: `lock`, `preempt`, `sched::wait`, `sched::mutex`.

use super::held::{Claim, Held};
use super::lock;
use super::order::{Class, Order, Place};
use super::percpu::PerCpu;
use super::preempt;
use crate::arch::cpu;
use crate::arch::relax::SpinMutex;
use crate::arch::site::{HARDIRQ_MASK, PREEMPT_MASK, PREEMPT_ONE, SOFTIRQ_MASK};
use crate::percpu;
use crate::sync::atomic::{AtomicPtr, Ordering};
use core::panic::Location;

static ORDER: Order = Order::new();
/// Whoever adds an edge. Nothing is waited for under it, so it is in no order itself.
static ADDING: SpinMutex<()> = SpinMutex::new(());
/// Where preemption was disabled on each CPU, the outermost time.
static DISABLED_AT: PerCpu<AtomicPtr<Location<'static>>> = percpu!(AtomicPtr::new(core::ptr::null_mut()));

/// `lock` is about to be waited for at `place` by the owner of `held`. Context: any.
#[inline(always)]
pub fn before_lock(lock: &Claim, place: Place, held: &Held) {
    if !held.is_empty() {
        check_order(lock, place, held);
    }
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn check_order(lock: &Claim, place: Place, held: &Held) {
    for outer in held.claims() {
        assert!(
            !core::ptr::eq(outer, lock),
            "the lock of {} is taken twice: at {place}, and already at {}",
            lock.class.born,
            outer.place(),
        );
        if !ORDER.knows(&outer.class, &lock.class) {
            add((&outer.class, outer.place()), (&lock.class, place));
        }
    }
}

#[cold]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn add(outer: (&Class, Place), inner: (&Class, Place)) {
    let added = cpu::without_irqs(|| {
        let _adding = ADDING.lock();
        ORDER.add(outer, inner)
    });
    if let Err(refused) = added {
        panic!("{refused}");
    }
}

/// Preemption was just disabled at `place`. Context: any.
#[inline(always)]
pub fn preemption_disabled(place: Place) {
    if preempt::count() & PREEMPT_MASK == PREEMPT_ONE {
        DISABLED_AT.of(cpu::id()).store(core::ptr::from_ref(place).cast_mut(), Ordering::Relaxed);
    }
}

/// Says that the caller may sleep at `place`. Context: any; it panics in those where nobody sleeps.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn may_sleep(place: Place) {
    let count = preempt::count();
    if count == 0 && !cpu::irqs_are_masked() {
        return; // whoever holds a lock has IRQs masked
    }
    // From here on this task stays on this CPU: it is atomic.
    if let Some(held) = lock::book(cpu::id()).held.claims().next() {
        panic!("would sleep at {place} while the lock of {} is held, taken at {}", held.class.born, held.place());
    }
    assert!(count & HARDIRQ_MASK == 0, "would sleep at {place} in an interrupt handler");
    assert!(count & SOFTIRQ_MASK == 0, "would sleep at {place} in a softirq");
    // SAFETY: `preemption_disabled` stores references that are never taken away.
    if let Some(disabled_at) = unsafe { DISABLED_AT.of(cpu::id()).load(Ordering::Relaxed).as_ref() }
        && count != 0
    {
        panic!("would sleep at {place} with preemption disabled at {disabled_at}");
    }
    panic!("would sleep at {place} with IRQs masked");
}
