//! What `lab`'s SGI and softirq do: the experiment that runs says so, one at a time.
//!
//! The handlers are ordinary code at their levels, traceable by design: the IRQ-level and softirq-level holders of the
//! theory. Wired by `kernel` to `irq`.

use crate::sync::atomic::{AtomicPtr, Ordering};

/// What an experiment does in the handlers. Both run on any CPU, at any time between [`begin`] and [`end`].
#[derive(Clone, Copy, Debug)]
pub struct Calls {
    /// In the SGI's handler. Context: IRQ.
    pub sgi: fn(),
    /// In the softirq. Context: softirq, IRQs on.
    pub softirq: fn(),
}

static CALLS: AtomicPtr<Calls> = AtomicPtr::new(core::ptr::null_mut());

/// Says what the handlers do from now on. Context: task.
pub fn begin(calls: &'static Calls) {
    // Order: Release pairs with the Acquire of `current`: what the experiment set up before is visible.
    CALLS.store(core::ptr::from_ref(calls).cast_mut(), Ordering::Release);
}

/// From now on they do nothing; one that has begun may still be running. Context: task.
pub fn end() {
    CALLS.store(core::ptr::null_mut(), Ordering::Release);
}

fn current() -> Option<&'static Calls> {
    // SAFETY: only `begin` stores a pointer, and it is a reference to a static.
    unsafe { CALLS.load(Ordering::Acquire).as_ref() }
}

/// The SGI's handler. Context: IRQ.
pub fn on_sgi() {
    if let Some(calls) = current() {
        (calls.sgi)();
    }
}

/// The softirq. Context: softirq, IRQs on.
pub fn on_softirq() {
    if let Some(calls) = current() {
        (calls.softirq)();
    }
}
