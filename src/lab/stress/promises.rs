//! What other rooms rely on, each tried by itself while nothing else runs: enabling, barriers, the heap's quarantine.

use super::held::wait_until;
use crate::ftrace::live::{self, Gone, Grave};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::ftrace::registry::Registration;
use crate::lab::oracle::{Property, violation};
use crate::lab::tracees;
use crate::sched::{self, Class, JoinHandle, Spawn};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::tracers::count;
use crate::{println, rcu};
use alloc::boxed::Box;

/// A callsite is enabled and disabled so often under its callers' feet.
const CHANGES: usize = 12;
const TRACEE: usize = 0;

/// Shows them all. Context: task, while nobody else calls tracees.
pub(super) fn scenario() {
    a_branch_changes_under_its_callers();
    a_barrier_waits_for_the_last_one();
    freed_memory_rests();
    println!(
        "enabled and disabled {CHANGES} times under callers, a barrier waited, freed memory was not handed out again at once"
    );
}

fn register() -> *const Ops {
    let sites = tracees::sites(TRACEE..=TRACEE);
    live::register_at(count::counter("promise"), sites).unwrap_or_else(|error| panic!("stress: {error}"))
}

fn unregister(ops: *const Ops) -> Gone {
    live::unregister(ops).expect("registered by register")
}

/// What the callers do: call as long as this is odd, wait while it is even, end.
static PHASE: AtomicUsize = AtomicUsize::new(0);
const LAST: usize = usize::MAX;
/// Callers that have seen the even phase: none of them is in the tracee or its trampoline.
///
/// Order: Release, pairs with the Acquire in `stop`: the counts of a caller's calls are there. It is set to 0 before the
/// store-release of the phase, whose Acquire comes before a caller adds to it.
static WAITING: AtomicUsize = AtomicUsize::new(0);
/// Callers at most: on as many CPUs, beside the one that enables.
const MOST_CALLERS: usize = 3;
/// Passes that a change has to bear at least.
const PASSES: u64 = 500;

fn call_in_phases() {
    let mut seen = 0;
    loop {
        let phase = PHASE.load(Ordering::Acquire);
        if phase == LAST {
            return;
        }
        if phase % 2 == 1 {
            tracees::call(TRACEE, 0);
        } else if phase != core::mem::replace(&mut seen, phase) {
            WAITING.fetch_add(1, Ordering::Release);
        } else {
            sched::yield_now();
        }
    }
}

/// Callers, and what the one who enables and disables under their feet wants of them.
struct Callers {
    tasks: heapless::Vec<JoinHandle, MOST_CALLERS>,
    phase: usize,
}

impl Callers {
    /// As many as there are other CPUs. They wait.
    fn start() -> Self {
        PHASE.store(0, Ordering::Relaxed);
        sched::set_affinity(sched::current(), 1);
        let spawn = |cpu| {
            let what = Spawn { name: "caller", class: Class::Normal, cpu: Some(cpu) };
            sched::spawn(what, Box::new(call_in_phases)).unwrap_or_else(|error| panic!("stress: {error}"))
        };
        Self { tasks: (1..sched::nr_cpus()).take(MOST_CALLERS).map(spawn).collect(), phase: 0 }
    }

    /// Calls that may be under way at once.
    fn count(&self) -> u64 {
        self.tasks.len() as u64
    }

    /// They call, and have begun to.
    fn go(&mut self) {
        let before = passes();
        self.phase += 1;
        PHASE.store(self.phase, Ordering::Release);
        wait_until(|| passes() > before, "callers do not call");
    }

    /// They call for a while from now on, and leave.
    fn stop(&mut self) {
        let before = passes();
        wait_until(|| passes() >= before + PASSES, "callers do not go on");
        WAITING.store(0, Ordering::Relaxed);
        self.phase += 1;
        PHASE.store(self.phase, Ordering::Release);
        wait_until(|| WAITING.load(Ordering::Acquire) == self.tasks.len(), "callers do not end");
    }

    fn end(self) {
        PHASE.store(LAST, Ordering::Release);
        self.tasks.into_iter().for_each(JoinHandle::join);
        sched::set_affinity(sched::current(), u32::MAX);
    }
}

fn passes() -> u64 {
    tracees::passes(TRACEE..=TRACEE)
}

fn hits_of(ops: *const Ops) -> u64 {
    let found =
        live::with_registry(|registry| registry.registration(ops).map(|it| it.ops.hits.load(Ordering::Relaxed)));
    found.expect("registered by register")
}

/// A callsite is on for everybody when registering has returned, and off when unregistering has; while it goes on, whoever
/// takes the branch finds the ops (P6). What is under way at the return may go either way.
fn a_branch_changes_under_its_callers() {
    if sched::nr_cpus() < 2 {
        return;
    }
    let lost = |what: &str| violation(Property::NoLoss, None, tracees::entry(TRACEE), what);
    let mut callers = Callers::start();
    for _ in 0..CHANGES {
        live::watch_stale_hits(tracees::site(TRACEE));
        callers.go();
        let (ops, before) = (register(), passes());
        callers.stop();
        if live::stale_hits() != 0 {
            lost("the branch was on before the literal named the ops");
        }
        let (then, hits) = (passes(), hits_of(ops));
        callers.go();
        callers.stop();
        if hits + callers.count() < then - before || hits_of(ops) - hits != passes() - then {
            lost("a callsite that was enabled is passed by");
        }
        callers.go();
        rcu::call(unregister(ops), drop);
        let stale = live::stale_hits();
        callers.stop();
        if live::stale_hits() - stale > callers.count() {
            lost("the branch of a callsite that was disabled is still taken");
        }
    }
    callers.end();
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
