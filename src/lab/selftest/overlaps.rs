//! Grace periods that overlap: what nobody holds is freed, whatever else is held, by whomever.
//!
//! Sleepers stand in funcs until their gate opens. Where the scheme forbids that, or cannot tell ops apart, nothing is shown.

mod change;

use super::{Outcome, Run, check};
use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live::{self, Gone};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::ftrace::registry::RegisterError;
use crate::ftrace::table::SiteId;
use crate::mm::heap;
use crate::rcu;
use crate::rcu::room::MOST_OBJECTS;
use crate::sched::{self, Class, JoinHandle, Patience, Spawn, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::tracers::nop;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::hint::black_box;

/// Ops that are retired, one after the other, beside one that is held. Each of them is some five rounds of the other CPUs.
const MANY_ON_ONE_CPU: usize = 100_000;
const MANY_ON_SEVERAL: usize = 1_000;
const PATIENCE_NS: u64 = 10_000_000_000;
/// Ops that are retired before the task lets go of its CPU.
const AT_ONCE: usize = 256;
/// What tables may have grown by, and do not give back.
const SLACK: usize = 64 << 10;
/// How long what is held is looked at, to see that it is not freed.
const LOOK_NS: u64 = 30_000_000;

/// Closed until it is opened, with those who came there.
struct Gate {
    is_open: AtomicBool,
    nr_inside: AtomicUsize,
    queue: WaitQueue,
}

impl Gate {
    const fn new() -> Self {
        Self { is_open: AtomicBool::new(false), nr_inside: AtomicUsize::new(0), queue: WaitQueue::new() }
    }

    fn pass(&self) {
        self.nr_inside.fetch_add(1, Ordering::Relaxed);
        self.queue.wake_all();
        self.queue.wait_until(|| self.is_open.load(Ordering::Relaxed));
    }

    fn open(&self) {
        self.is_open.store(true, Ordering::Relaxed);
        self.queue.wake_all();
    }

    fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
        self.nr_inside.store(0, Ordering::Relaxed);
    }

    fn wait_for_one(&self) {
        self.queue.wait_until(|| self.nr_inside.load(Ordering::Relaxed) > 0);
    }
}

static OUTER: Gate = Gate::new();
static INNER: Gate = Gate::new();

// Bodies that differ: equal ones would be one function.
#[inline(never)]
fn outer() {
    black_box(1);
}

#[inline(never)]
fn inner() {
    black_box(2);
}

#[inline(never)]
fn other() {
    black_box(3);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn outer_func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    inner();
    OUTER.pass();
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn inner_func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    INNER.pass();
}

/// Bytes of the heap that somebody has: what is in quarantine is freed.
fn in_use() -> usize {
    let usage = heap::usage();
    usage.allocated - usage.quarantined
}

fn site(function: fn()) -> Vec<SiteId> {
    alloc::vec![live::site_at(function as *const () as usize).expect("this function is traceable")]
}

fn register(ops: OpsBox, function: fn()) -> Result<*const Ops, String> {
    live::register_at(ops, site(function)).map_err(|error| alloc::format!("cannot register: {error}"))
}

fn retire(ops: *const Ops) -> Gone {
    live::unregister(ops).expect("registered by this scenario")
}

fn call(function: fn()) -> Result<JoinHandle, String> {
    let what = Spawn { name: "holder", class: Class::Normal, cpu: None };
    sched::spawn(what, Box::new(function)).map_err(|error| alloc::format!("no task: {error}"))
}

fn comes(mut is_so: impl FnMut() -> bool) -> bool {
    let patience = Patience::of(PATIENCE_NS);
    while !is_so() && !patience.is_over() {
        sched::sleep(1_000_000);
    }
    is_so()
}

fn free(gone: Gone) -> Outcome {
    let elapsed = rcu::synchronize_for(&gone);
    check!(gone.reclaim(elapsed).is_ok(), "a proof is not about its own object");
    Ok(())
}

/// All of it.
pub(super) fn overlaps(run: &mut Run) -> Outcome {
    if !rcu::tells_ops_apart() && rcu::lets_funcs_block() && sched::nr_cpus() == 1 {
        return memory_is_bounded(run);
    }
    if !rcu::tells_ops_apart() {
        return run.skip(String::from("the scheme cannot tell who holds which ops"));
    }
    many_beside_one_that_is_held(run)?;
    an_inner_one_under_one_that_is_held()?;
    for is_first_first in [true, false] {
        members_of_a_node(is_first_first)?;
    }
    one_that_was_dropped()?;
    change::beside_a_sleeper()?;
    change::beside_those_that_synchronize(run)
}

/// One sleeper keeps all that is retired: from some number on nothing can be registered, which says who holds it, until it leaves.
fn memory_is_bounded(run: &mut Run) -> Outcome {
    [&OUTER, &INNER].iter().for_each(|gate| gate.close());
    let before = in_use();
    let held = register(OpsBox::new("held", inner_func, 0), inner)?;
    let holder = call(inner)?;
    INNER.wait_for_one();
    let sites = site(other);
    let mut nr_retired = 0;
    let refusal = loop {
        match live::register_at(nop::empty(), sites.clone()) {
            Ok(ops) => rcu::call(retire(ops), drop),
            Err(RegisterError::Full(full)) => break full,
            Err(error) => return Err(alloc::format!("cannot register: {error}")),
        }
        nr_retired += 1;
        check!(nr_retired <= MOST_OBJECTS, "{nr_retired} ops are retired under a sleeper, and more can be registered");
    };
    run.note("kept", refusal.kept.objects);
    run.note("kept_bytes", refusal.kept.bytes);
    let refused = live::swap(held, nop::empty());
    check!(matches!(refused, Err(RegisterError::Full(_))), "what is replaced is retired as well, and is not refused");
    let what = alloc::format!("{refusal}");
    let is_named = refusal.nr_holders == 1 && what.contains("holder on CPU 0 is in the trampoline of");
    check!(is_named, "the refusal does not say who holds what: {what}");
    rcu::call(retire(held), drop); // retiring is never refused
    INNER.open();
    holder.join();
    check!(comes(|| rcu::statistics().kept.objects == 0), "{:?} is kept by nobody", rcu::statistics().kept);
    check!(rcu::statistics().kept.bytes == 0, "{:?} is left of nothing", rcu::statistics().kept);
    drop(free(retire(register(nop::empty(), other)?)));
    check!(
        comes(|| in_use() <= before + SLACK),
        "{nr_retired} ops were freed, and {} bytes are missing",
        in_use() - before
    );
    Ok(())
}

/// What nobody holds is freed beside one that is held, and memory comes back.
fn many_beside_one_that_is_held(run: &mut Run) -> Outcome {
    [&OUTER, &INNER].iter().for_each(|gate| gate.close());
    let held = register(OpsBox::new("held", inner_func, 0), inner)?;
    let holder = call(inner)?;
    INNER.wait_for_one();
    let held = retire(held);
    let many = if sched::nr_cpus() == 1 { MANY_ON_ONE_CPU } else { MANY_ON_SEVERAL };
    let before = in_use();
    let sites = site(other);
    for number in 0..many {
        if number % AT_ONCE == 0 {
            sched::yield_now(); // where nobody is preempted, who frees runs here
        }
        let ops = live::register_at(nop::empty(), sites.clone()).map_err(|error| alloc::format!("{error}"))?;
        rcu::call(retire(ops), drop);
    }
    check!(comes(|| rcu::statistics().pending == 0), "{} of {many} are not freed", rcu::statistics().pending);
    check!(comes(|| in_use() <= before + SLACK), "{many} ops were freed, and {} bytes are missing", in_use() - before);
    check!(held.poll().is_none(), "the ops under a sleeper is freed");
    run.note("freed", many);
    INNER.open();
    holder.join();
    free(held)
}

/// A sleeper holds two: leaving the inner one frees that.
fn an_inner_one_under_one_that_is_held() -> Outcome {
    [&OUTER, &INNER].iter().for_each(|gate| gate.close());
    let ops =
        [register(OpsBox::new("outer", outer_func, 0), outer)?, register(OpsBox::new("inner", inner_func, 0), inner)?];
    let holder = call(outer)?;
    INNER.wait_for_one();
    let [outer, inner] = ops.map(retire);
    sched::sleep(LOOK_NS);
    check!(outer.poll().is_none() && inner.poll().is_none(), "one of two that a sleeper holds is freed");
    INNER.open();
    OUTER.wait_for_one();
    check!(comes(|| inner.poll().is_some()), "the inner ops is not freed, though its func has returned");
    check!(outer.poll().is_none(), "the outer ops is freed under its sleeper");
    OUTER.open();
    holder.join();
    free(inner)?;
    free(outer)
}

/// Who sleeps in the func of one member of a fan-out node holds the other as well, whichever is retired first.
fn members_of_a_node(is_first_first: bool) -> Outcome {
    [&OUTER, &INNER].iter().for_each(|gate| gate.close());
    let sleeps = register(OpsBox::new("sleeps", inner_func, 0), inner)?;
    let member = register(nop::empty(), inner)?;
    let holder = call(inner)?;
    INNER.wait_for_one();
    let gone = if is_first_first { [sleeps, member] } else { [member, sleeps] };
    let gone = gone.map(|ops| {
        let gone = retire(ops);
        sched::sleep(LOOK_NS);
        gone
    });
    check!(gone.iter().all(|gone| gone.poll().is_none()), "a member of a node that a sleeper holds is freed");
    let free_one = retire(register(nop::empty(), other)?);
    check!(comes(|| free_one.poll().is_some()), "an ops that nobody holds waits for members of a node");
    INNER.open();
    holder.join();
    free(free_one)?;
    let [first, second] = gone;
    free(first)?;
    free(second)
}

/// Who waits without a name waits for what nobody asks about any more.
fn one_that_was_dropped() -> Outcome {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    [&OUTER, &INNER].iter().for_each(|gate| gate.close());
    IS_OVER.store(false, Ordering::Relaxed);
    let held = register(OpsBox::new("dropped", inner_func, 0), inner)?;
    let holder = call(inner)?;
    INNER.wait_for_one();
    drop(retire(held)); // leaks
    let waiter = call(|| {
        rcu::synchronize();
        IS_OVER.store(true, Ordering::Relaxed);
    })?;
    sched::sleep(LOOK_NS);
    check!(!IS_OVER.load(Ordering::Relaxed), "synchronize has not waited for an ops that was dropped while it is held");
    INNER.open();
    holder.join();
    waiter.join();
    Ok(())
}
