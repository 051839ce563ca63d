//! A panic that meets another one: on its own way, or on another CPU.

use super::{access, stack};
use crate::arch::cpu;
use crate::arch::relax::relax;
use crate::console::print::panicked_too;
use crate::println;
use crate::sched::{self, Class, Spawn};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::irqs;
use alloc::boxed::Box;
use core::fmt;

/// Does something else than to tell what it is, when the panic prints it.
struct Broken(fn());

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("its message does")?;
        (self.0)();
        f.write_str(" nothing")
    }
}

#[inline(never)]
pub(super) fn fault_in_panic() {
    panic!("{}", Broken(|| access::load(0)));
}

#[inline(never)]
pub(super) fn panic_in_panic() {
    panic!("{}", Broken(|| panic!("the second")));
}

#[inline(never)]
pub(super) fn overflow_in_panic() {
    panic!("{}", Broken(|| stack::overflow(0)));
}

/// Lines that another CPU prints before this one panics.
const LINES: usize = 20;
/// CPUs that are about to panic, or lines that were printed.
static READY: AtomicUsize = AtomicUsize::new(0);

/// Waits until so many CPUs are here, and panics with them.
fn panic_together(nr_cpus: usize) {
    irqs::with_masked(|_| {
        READY.fetch_add(1, Ordering::Relaxed);
        while READY.load(Ordering::Relaxed) < nr_cpus {
            relax();
        }
        panic!("{}", OneOf(nr_cpus));
    });
}

/// What it says when all have panicked: whoever tells waits for the others, which may be stopped by the host meanwhile.
struct OneOf(usize);

impl fmt::Display for OneOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        while (0..self.0).filter(|&cpu| panicked_too(cpu)).count() + 1 < self.0 {
            relax();
        }
        write!(f, "one of {}, on CPU {}", self.0, cpu::id())
    }
}

/// Makes a task on CPU 1, if there is one, and goes on on CPU 0.
fn with_another_cpu(work: fn()) {
    sched::set_affinity(sched::current(), 1);
    while cpu::id() != 0 {
        sched::yield_now();
    }
    if sched::nr_cpus() > 1 {
        let what = Spawn { name: "other", class: Class::Normal, cpu: Some(1) };
        sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Panics on two CPUs at once; on one, where there is only one.
#[inline(never)]
pub(super) fn panic_on_two_cpus() {
    with_another_cpu(|| panic_together(2));
    panic_together(sched::nr_cpus().min(2));
}

/// Panics while another CPU prints one line after the other.
#[inline(never)]
pub(super) fn panic_while_another_prints() {
    with_another_cpu(|| {
        loop {
            READY.fetch_add(1, Ordering::Relaxed);
            println!("CPU {} prints a line that nobody may cut short", cpu::id());
        }
    });
    while sched::nr_cpus() > 1 && READY.load(Ordering::Relaxed) < LINES {
        relax();
    }
    panic!("in the middle of another CPU's lines");
}
