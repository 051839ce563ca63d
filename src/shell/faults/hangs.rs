//! What stands still for ever, done on purpose: the watchdog reports it. Its patience is cut first, so that the report
//! comes soon. Context: task.

use crate::arch::cpu;
use crate::irq::watchdog;
use crate::rcu;
use crate::sched::{self, Class, Spawn, Visit, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;
use crate::sync::preempt;
use alloc::boxed::Box;

const PATIENCE_MS: u64 = 1000;

static LOCK: IrqLock<u64> = IrqLock::new(0);
static QUEUE: WaitQueue = WaitQueue::new();
static TRUE: AtomicBool = AtomicBool::new(false);
static DEAF: AtomicUsize = AtomicUsize::new(0);

/// Lets the others run until they have done what a scenario takes.
fn settle() {
    sched::sleep(30_000_000);
}

/// Starts a task on CPU number `cpu`.
fn spawn(name: &'static str, cpu: usize, work: fn()) -> sched::JoinHandle {
    let what = Spawn { name, class: Class::Normal, cpu: Some(cpu) };
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("{error}"))
}

/// Never ends. Not `loop {}`: what can be interrupted stays a place of its own in a backtrace.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn spin() -> ! {
    loop {
        core::hint::spin_loop(); // no YIELD: on an exact machine that ends a turn after three instructions
    }
}

/// Masks interrupts and spins.
#[inline(never)]
pub(super) fn mask_irqs() {
    watchdog::set_patience_ms(PATIENCE_MS);
    cpu::mask_irqs();
    spin();
}

/// Holds a lock on the last CPU, beside a task that a grace period waits for, and then wants it on this one.
#[inline(never)]
pub(super) fn hold_lock() {
    watchdog::set_patience_ms(PATIENCE_MS);
    let last = sched::nr_cpus() - 1;
    let _ = spawn("hog", last, || spin());
    settle();
    let _ = rcu::start_poll();
    settle();
    let _ = spawn("holder", last, || {
        let _held = LOCK.lock();
        spin();
    });
    settle();
    *LOCK.lock() += 1;
}

/// Asks every CPU for a visit that the next one never ends.
#[inline(never)]
pub(super) fn be_deaf() {
    watchdog::set_patience_ms(PATIENCE_MS);
    let _here = preempt::disable();
    DEAF.store((cpu::id() + 1) % sched::nr_cpus(), Ordering::Relaxed);
    sched::visit_every_cpu(stay);
}

/// What the visit does.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn stay(visit: &Visit) {
    if visit.cpu == DEAF.load(Ordering::Relaxed) {
        spin();
    }
}

/// Makes a condition true that a task waits for, and does not wake it.
#[inline(never)]
pub(super) fn lose_wake_up() {
    watchdog::set_patience_ms(PATIENCE_MS);
    let waiter = spawn("forgotten", sched::nr_cpus() - 1, || QUEUE.wait_until(|| TRUE.load(Ordering::Relaxed)));
    settle();
    TRUE.store(true, Ordering::Relaxed);
    waiter.join();
}
