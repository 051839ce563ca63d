//! `mutex`: to take a mutex and give it back, which nobody else wants, or another task does too.
//!
//! The other one is on the same CPU, and sleeps while it has the mutex; it has it whenever the measuring task wants it. So that one
//! blocks, and is handed the mutex when a timer has woken the other one: two switches and a timer's end are in the figure.

use super::{Bencher, SAMPLES, Sample, measure, settle};
use crate::arch::cpu;
use crate::lab::report::BenchLine;
use crate::platform::Bench;
use crate::sched::{self, Class, JoinHandle, Mutex, Spawn};
use crate::sync::atomic::{AtomicBool, Ordering};
use alloc::boxed::Box;

/// Times in one sample.
const TIMES: u64 = 50;

/// How long the other task sleeps.
const NAP_NS: u64 = 10_000;

static MUTEX: Mutex<u64> = Mutex::new(0);
static IS_OVER: AtomicBool = AtomicBool::new(false);

fn take() {
    *MUTEX.lock() += 1;
}

fn samples() -> [Sample; SAMPLES] {
    core::array::from_fn(|_| measure(TIMES, || (0..TIMES).for_each(|_| take())))
}

/// The same once where the other task has it.
fn wanted_samples() -> [Sample; SAMPLES] {
    core::array::from_fn(|_| {
        while MUTEX.try_lock().is_some() {
            sched::yield_now();
        }
        measure(1, take)
    })
}

/// Prints the rows, by the number of tasks that want it.
pub(super) fn rows(bencher: &mut Bencher) {
    sched::set_affinity(sched::current(), 1 << cpu::id());
    settle();
    bencher.print(BenchLine { tasks: Some(1), ..BenchLine::new(Bench::Mutex) }, &samples());
    IS_OVER.store(false, Ordering::Relaxed);
    let what = Spawn { name: "partner", class: Class::Normal, cpu: Some(cpu::id()) };
    let work = || {
        while !IS_OVER.load(Ordering::Relaxed) {
            let _held = MUTEX.lock();
            sched::sleep(NAP_NS);
        }
    };
    let partner = sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("bench: {error}"));
    settle();
    bencher.print(BenchLine { tasks: Some(2), ..BenchLine::new(Bench::Mutex) }, &wanted_samples());
    IS_OVER.store(true, Ordering::Relaxed);
    JoinHandle::join(partner);
    sched::set_affinity(sched::current(), u32::MAX);
}
