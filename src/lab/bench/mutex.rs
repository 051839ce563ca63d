//! `mutex`: to take a mutex and give it back, which nobody else wants, or another task does too.
//!
//! The other one is on the same CPU. It takes the mutex again as soon as it has given it back, and yields while it has it: so
//! the mutex is taken whenever the measuring task wants it, and each time is handed over there and back.

use super::{Bencher, SAMPLES, Sample, measure, settle};
use crate::arch::cpu;
use crate::lab::report::BenchLine;
use crate::platform::Bench;
use crate::sched::{self, Class, JoinHandle, Mutex, Spawn};
use crate::sync::atomic::{AtomicBool, Ordering};
use alloc::boxed::Box;

/// Times in one sample.
const TIMES: u64 = 50;

static MUTEX: Mutex<u64> = Mutex::new(0);
static IS_OVER: AtomicBool = AtomicBool::new(false);

fn take() {
    *MUTEX.lock() += 1;
}

fn samples() -> [Sample; SAMPLES] {
    core::array::from_fn(|_| measure(TIMES, || (0..TIMES).for_each(|_| take())))
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
            sched::yield_now();
        }
    };
    let partner = sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("bench: {error}"));
    sched::yield_now();
    bencher.print(BenchLine { tasks: Some(2), ..BenchLine::new(Bench::Mutex) }, &samples());
    IS_OVER.store(true, Ordering::Relaxed);
    JoinHandle::join(partner);
    sched::set_affinity(sched::current(), u32::MAX);
}
