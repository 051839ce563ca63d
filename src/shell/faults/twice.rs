//! A panic that meets another one: on its own way, or on another CPU.

use super::{access, stack};
use crate::arch::cpu;
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

/// CPUs that are about to panic.
static READY: AtomicUsize = AtomicUsize::new(0);

/// Waits until so many CPUs are here, and panics with them.
fn panic_together(nr_cpus: usize) {
    irqs::with_masked(|_| {
        READY.fetch_add(1, Ordering::Relaxed);
        while READY.load(Ordering::Relaxed) < nr_cpus {
            core::hint::spin_loop();
        }
        panic!("one of {nr_cpus}, on CPU {}", cpu::id());
    });
}

/// Panics on two CPUs at once; on one, where there is only one.
#[inline(never)]
pub(super) fn panic_on_two_cpus() {
    let nr_cpus = sched::nr_cpus().min(2);
    sched::set_affinity(sched::current(), 1);
    while cpu::id() != 0 {
        sched::yield_now();
    }
    if nr_cpus > 1 {
        let what = Spawn { name: "other", class: Class::Normal, cpu: Some(1) };
        let other = sched::spawn(what, Box::new(move || panic_together(nr_cpus)));
        other.unwrap_or_else(|error| panic!("{error}"));
    }
    panic_together(nr_cpus);
}
