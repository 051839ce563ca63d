//! Preemption, disabled and enabled again: a nesting count in the current task.
//!
//! The count belongs to the task, which alone changes it; an IRQ restores what it changed before it returns.
//! So plain loads and stores do. Above: `sched` wires [`RESCHEDULE`].

use super::helps;
use super::percpu::PerCpu;
use crate::arch::cpu;
use crate::arch::site::{PREEMPT_ONE, TaskHeader};
use crate::hook::Hook;
use crate::percpu;
use crate::sync::atomic::{AtomicBool, Ordering};
use core::panic::Location;

/// A reschedule is wanted on this CPU, now.
pub static NEED_RESCHED: PerCpu<AtomicBool> = percpu!(AtomicBool::new(false));

/// Preempts the current task if its model allows it; called when the count falls to 0 with a reschedule
/// wanted. Wired by `kernel` to `sched`.
pub static RESCHEDULE: Hook<fn()> = Hook::new();

/// Preemption stays disabled while this lives.
#[derive(Debug)]
#[must_use = "preemption is enabled again when this is dropped"]
pub struct Disabled(core::marker::PhantomData<*mut ()>);

/// The current task's header. Context: any.
#[inline(always)]
pub fn header<'a>() -> &'a TaskHeader {
    // SAFETY: SP_EL0 points to a live task's header (or the boot header) from boot on, and all its words are
    // atomics; a task outlives its own execution.
    unsafe { &*cpu::current() }
}

/// The current task's nesting counts.
#[inline(always)]
pub fn count() -> u32 {
    header().preempt_count.load(Ordering::Relaxed)
}

/// Adds `levels` to the count. Context: any; the caller takes them away again.
#[inline(always)]
pub fn add(levels: u32) {
    let count = &header().preempt_count;
    count.store(count.load(Ordering::Relaxed).wrapping_add(levels), Ordering::Relaxed);
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
}

/// Takes `levels` away, and reschedules nothing.
#[inline(always)]
pub fn sub(levels: u32) {
    core::sync::atomic::compiler_fence(Ordering::SeqCst);
    let count = &header().preempt_count;
    count.store(count.load(Ordering::Relaxed).wrapping_sub(levels), Ordering::Relaxed);
}

/// Disables preemption until the result is dropped. Context: any.
#[inline(always)]
#[track_caller]
pub fn disable() -> Disabled {
    add(PREEMPT_ONE);
    helps::preemption_disabled(Location::caller());
    Disabled(core::marker::PhantomData)
}

impl Drop for Disabled {
    #[inline(always)]
    fn drop(&mut self) {
        enable();
    }
}

/// Takes one level away; the last one preempts if that is due and IRQs are unmasked.
#[inline(always)]
fn enable() {
    sub(PREEMPT_ONE);
    // The flag of a CPU that this task just left is another's business: at worst one needless look.
    if count() == 0 && NEED_RESCHED.of(cpu::id()).load(Ordering::Relaxed) {
        enable_slow();
    }
}

#[cold]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn enable_slow() {
    if let Some(reschedule) = RESCHEDULE.get()
        && !cpu::irqs_are_masked()
    {
        reschedule();
    }
}
