//! What other rooms rely on, each tried by itself while nothing else runs: enabling, barriers, the heap's quarantine.

use super::held::{last_cpu, wait_until};
use crate::ftrace::live::{self, Gone, Grave};
use crate::ftrace::ops::OpsBox;
use crate::ftrace::registry::Registration;
use crate::lab::oracle::{Property, violation};
use crate::lab::tracees;
use crate::sched::{self, Class, Spawn};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::tracers::count;
use crate::{println, rcu};
use alloc::boxed::Box;

/// Callsites are enabled so often under a caller's feet.
const ENABLES: usize = 12;
const TRACEE: usize = 0;

/// Shows them all. Context: task, while nobody else calls tracees.
pub(super) fn scenario() {
    a_branch_goes_on_after_its_literal();
    a_barrier_waits_for_the_last_one();
    freed_memory_rests();
    println!("enabled {ENABLES} times under a caller, a barrier waited, freed memory was not handed out again at once");
}

fn register() -> *const crate::ftrace::ops::Ops {
    let sites = tracees::sites(TRACEE..=TRACEE);
    live::register_at(count::counter("promise"), sites).unwrap_or_else(|error| panic!("stress: {error}"))
}

fn unregister(ops: *const crate::ftrace::ops::Ops) -> Gone {
    live::unregister(ops).expect("registered by register")
}

/// The round in which the caller calls, and the last one that it has left.
static ROUND: AtomicUsize = AtomicUsize::new(0);
static LEFT: AtomicUsize = AtomicUsize::new(0);
const LAST: usize = usize::MAX;

/// Calls as long as a round lasts, waits in between. A round is an odd number.
fn call_in_rounds() {
    loop {
        let round = ROUND.load(Ordering::Acquire);
        if round == LAST {
            return;
        }
        if round % 2 == 1 {
            tracees::call(TRACEE, 0);
        } else {
            LEFT.store(round, Ordering::Release);
            sched::yield_now();
        }
    }
}

/// Whoever takes the branch while it goes on finds the ops: no hit is lost on the no-op ops (P6).
fn a_branch_goes_on_after_its_literal() {
    if sched::nr_cpus() < 2 {
        return;
    }
    ROUND.store(0, Ordering::Relaxed);
    sched::set_affinity(sched::current(), !(1 << last_cpu()));
    let what = Spawn { name: "caller", class: Class::Normal, cpu: Some(last_cpu()) };
    let caller = sched::spawn(what, Box::new(call_in_rounds)).unwrap_or_else(|error| panic!("stress: {error}"));
    for round in 1..=ENABLES {
        let before = (live::stale_hits(), tracees::passes(TRACEE..=TRACEE));
        ROUND.store(2 * round - 1, Ordering::Release);
        wait_until(|| tracees::passes(TRACEE..=TRACEE) > before.1, "a caller does not call");
        let ops = register();
        ROUND.store(2 * round, Ordering::Release);
        // Nobody is left in the trampoline when the callsite is disabled: then the no-op ops is rightly found.
        wait_until(|| LEFT.load(Ordering::Acquire) == 2 * round, "a caller does not end");
        if live::stale_hits() != before.0 {
            violation(
                Property::NoLoss,
                None,
                tracees::entry(TRACEE),
                "the branch was on before the literal named the ops",
            );
        }
        rcu::call(unregister(ops), drop);
    }
    ROUND.store(LAST, Ordering::Release);
    caller.join();
    sched::set_affinity(sched::current(), u32::MAX);
}

static FREED: AtomicBool = AtomicBool::new(false);

fn free_slowly(gone: Box<Registration<Grave>>) {
    sched::sleep(5_000_000);
    drop(gone);
    FREED.store(true, Ordering::Release);
}

/// A barrier passes when the last callback that was queued before it has run to its end.
fn a_barrier_waits_for_the_last_one() {
    FREED.store(false, Ordering::Relaxed);
    let (first, second) = (unregister(register()), unregister(register()));
    rcu::call(first, drop);
    rcu::call(second, free_slowly);
    rcu::barrier();
    if !FREED.load(Ordering::Acquire) {
        violation(Property::Progress, None, 0, "a barrier passed before what it waits for was freed");
    }
}

/// The memory of an ops is not another's for a while: else whoever comes late finds what is good (P1).
fn freed_memory_rests() {
    let make = || OpsBox::new("rests", crate::arch::trampoline::FUNC_RET, 0);
    let freed = make();
    let address = freed.address();
    drop(freed);
    if make().address() == address {
        violation(Property::NoUaf, None, 0, "freed memory was handed out again at once: a late load would not be seen");
    }
}
