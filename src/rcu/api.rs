//! What other rooms call, under whatever scheme is selected. Nothing here may be called before [`start`].
//!
//! | here | in Linux | what |
//! |---|---|---|
//! | [`retire`] | | hands over what was unlinked: it is listed until nobody uses it |
//! | [`synchronize_for`] | | waits for one retired object, whatever else is held |
//! | [`call`] | `call_rcu_tasks` | frees one retired object when nobody uses it |
//! | [`barrier`] | `rcu_barrier_tasks` | waits until all that was given to `call` is freed |
//! | [`synchronize`] | `synchronize_rcu_tasks` | waits for a grace period, and for all that was retired before |
//! | [`synchronize_expedited`] | `synchronize_rcu_expedited` | the same, in a hurry; Linux has none for Tasks RCU |
//! | [`start_poll`] | `start_poll_synchronize_rcu` | asks for the same, and gives a cookie |
//! | [`has_ended`] | `poll_state_synchronize_rcu` | whether that has come |
//! | [`cond_synchronize`] | `cond_synchronize_rcu` | waits for a cookie's, unless it has come |
//!
//! What was retired counts for those that wait without a name from [`retire`] on, whether it was called, is polled, or was dropped.

use super::cookie;
use super::gp_task::{self, STEP, rcu};
use super::grace::Statistics;
use super::reclaimer::{self, EXPIRED, RECLAIMED};
use super::report;
use super::retired::{Elapsed, Reclaim, Retired};
use super::room::{Full, Kept};
use super::schemes::{NAMES, Scheme, Trampoline};
use super::{hooks, hurry, waits};
use crate::arch::cpu;
use crate::mm::heap;
use crate::sched::{self, Class, Spawn, SpawnError, seam, tick};
use crate::sync::preempt;
use alloc::boxed::Box;
use core::ptr::NonNull;

/// The name of the task that ends grace periods.
pub const GP_TASK: &str = "rcu_gp";

/// There is no scheme of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchScheme;

impl core::fmt::Display for NoSuchScheme {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no such scheme; there are: {}", NAMES.join(" "))
    }
}

/// Names a grace period that begins from now on, and all that was retired before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookie {
    number: cookie::Cookie,
    retired: u64,
}

/// How Tasks RCU stands.
#[derive(Clone, Copy, Debug)]
pub struct Summary {
    /// The selected scheme.
    pub scheme: &'static str,
    /// Grace periods that have ended.
    pub ended: u64,
    /// How long the selected scheme's last one took.
    pub last_ns: u64,
    /// How long the longest one took.
    pub max_ns: u64,
    /// Stall reports made.
    pub stalls: u64,
    /// Objects that were given to `call`, and are not freed.
    pub pending: u64,
    /// Objects that are retired, and that somebody may use.
    pub retired: usize,
    /// What is retired and not yet freed.
    pub kept: Kept,
    /// The number of the oldest retirement of what somebody may use.
    pub oldest: Option<u64>,
    /// The number of the last retirement.
    pub last: u64,
    /// When a step counts as stalled.
    pub stall_after_ns: u64,
    /// What each scheme's grace periods came to, in the order of [`NAMES`].
    pub of_schemes: [Statistics; NAMES.len()],
}

/// Starts the tasks and fills the scheduler's seam; the scheme is the first of [`NAMES`] until one is selected.
/// Context: boot.
pub fn start() -> Result<(), SpawnError> {
    let rcu = gp_task::init();
    seam::set_hooks(Box::leak(Box::new(hooks::wiring())));
    let what = |name| Spawn { name, class: Class::High, cpu: None };
    let grace_periods = sched::spawn(what(GP_TASK), Box::new(|| gp_task::run_grace_periods(rcu)))?;
    // Whoever asks for one grace period after the other takes no more than half of a CPU from normal tasks.
    sched::owe(grace_periods.task());
    rcu.task.call_once(|| Box::leak(Box::new(grace_periods)).task());
    tick::EACH.set(report::on_tick);
    sched::spawn(what("rcu_reclaim"), Box::new(|| reclaimer::reclaim(rcu)))?;
    for cpu in 0..sched::nr_cpus() {
        let what = Spawn { name: "rcu_worker", class: Class::High, cpu: Some(cpu) };
        sched::spawn(what, Box::new(move || gp_task::work(rcu, cpu)))?;
    }
    Ok(())
}

/// Takes over an object that was unlinked. Allocates nothing, waits for nobody, and does not fail. Context: task.
///
/// # Safety
/// 1. `object` came from `Box::into_raw`, and nobody else will free it.
/// 2. The last store that made it reachable was overwritten, and that overwrite was followed by a full barrier:
///    `retired-is-unlinked`.
pub unsafe fn retire<T: Reclaim>(object: NonNull<T>) -> Retired<T> {
    let mut graveyard = rcu().graveyard.lock();
    // SAFETY: the caller.
    let retired = unsafe { graveyard.retire(object) };
    graveyard.tell(&rcu().extent);
    drop(graveyard);
    request(rcu().sequence.cookie());
    retired
}

/// Whether what is retired and not yet freed leaves room for more; if not, who holds it. Whoever makes something that will be
/// retired asks before it does: retiring itself never fails. Context: task.
pub fn check_room() -> Option<Full> {
    let kept = rcu().graveyard.lock().kept();
    if kept.leaves_room(heap::usage().total) {
        return None;
    }
    let (nr_holders, holder) = report::holders();
    Some(Full { kept, nr_holders, holder })
}

/// Blocks until nobody uses this object, whatever else is held by whomever.
/// Context: task, preemptible, not inside a func, holding no lock that a func may take (O9).
pub fn synchronize_for<T: Reclaim>(retired: &Retired<T>) -> Elapsed {
    assert_may_wait();
    let mut elapsed = None;
    waits::of(retired.number()).wait_until(|| {
        elapsed = retired.poll();
        elapsed.is_some()
    });
    elapsed.expect("the wait ends when it is there")
}

/// Blocks until a grace period that starts from now on has ended, and all that was retired before has elapsed.
/// Context: as [`synchronize_for`].
pub fn synchronize() {
    cond_synchronize(start_poll());
}

/// As [`synchronize`], but the holdouts of the grace period, and of one that stands before it, go before all normal tasks:
/// those that only wait for the CPU get it at once, and half of its time while others want it (`sched::loan`).
///
/// It differs where tasks are listed that may have been preempted: `classic`, `linux`, `ip`, `flag`. `depth` and `scan` boost
/// their holdouts in any case; `sched` asks each CPU to reschedule, `rude`'s workers are of the high class, and whom
/// `nopreempt` waits for has the CPU. Context: as [`synchronize_for`].
pub fn synchronize_expedited() {
    let cookie = name_next();
    hurry::ask(rcu(), cookie.number);
    request(cookie.number);
    cond_synchronize(cookie);
}

/// Blocks until what `cookie` names has come: not for another grace period, as [`synchronize`] may have to.
/// Context: as [`synchronize_for`].
pub fn cond_synchronize(cookie: Cookie) {
    assert_may_wait();
    waits::NUMBERS.wait_until(|| rcu().sequence.has_ended(cookie.number));
    waits::OLDEST.wait_until(|| rcu().extent.is_past(cookie.retired));
}

/// Frees a retired object when nobody uses it: `then` gets it in the reclaimer's task. Objects go in the order in which they
/// elapse. Allocates nothing. Context: task.
pub fn call<T: Reclaim>(retired: Retired<T>, then: fn(Box<T>)) {
    // It may have elapsed long ago: then no end of a grace period is to come that would wake the reclaimer.
    if rcu().graveyard.lock().call(retired, then) {
        EXPIRED.wake_all();
    }
}

/// Blocks until everything that was called before has been freed. Context: as [`synchronize_for`], and not in a `then`,
/// which would wait for itself.
pub fn barrier() {
    assert_may_wait();
    let barrier = rcu().graveyard.lock().barrier();
    RECLAIMED.wait_until(|| rcu().graveyard.lock().has_passed(barrier));
}

/// Names what [`synchronize`] would wait for; asks nobody for it.
fn name_next() -> Cookie {
    Cookie { number: rcu().sequence.cookie(), retired: rcu().extent.last() }
}

/// Asks for a grace period that starts from now on, without waiting. Context: task.
#[must_use = "only the cookie tells when it has ended"]
pub fn start_poll() -> Cookie {
    let cookie = name_next();
    request(cookie.number);
    cookie
}

/// Whether what `cookie` names has come. Context: any.
pub fn has_ended(cookie: Cookie) -> bool {
    rcu().sequence.has_ended(cookie.number) && rcu().extent.is_past(cookie.retired)
}

/// Selects another scheme, once all that is retired is freed, however many wait for grace periods all the time. No callsite may be
/// enabled, and nobody may be inside a trampoline: `ftrace::live::set_scheme` sees to that. One caller at a time. Context: task, not
/// inside a func; at boot it does not block.
pub fn set_scheme(name: &str) -> Result<(), NoSuchScheme> {
    report::forbid_wait_in_func(sched::current());
    let index = NAMES.iter().position(|&scheme| scheme == name).ok_or(NoSuchScheme)?;
    rcu().select(index);
    Ok(())
}

/// Whether a func may sleep under the selected scheme. Context: any.
#[inline(always)]
pub fn lets_funcs_block() -> bool {
    rcu().scheme().lets_funcs_block()
}

/// Whether a holder keeps what it holds and nothing else, under the selected scheme. Context: any.
pub fn tells_ops_apart() -> bool {
    rcu().scheme().tells_ops_apart()
}

/// The selected scheme.
pub fn scheme_name() -> &'static str {
    rcu().scheme().name()
}

/// The variant of the trampoline that the selected scheme needs.
pub fn trampoline() -> Trampoline {
    rcu().scheme().trampoline()
}

/// Reports a step that has waited for this long, from the next one on; returns how long it was before.
pub fn set_stall_after(ns: u64) -> u64 {
    rcu().machine.lock().set_stall_after(ns)
}

/// How many grace periods have ended. Context: any, the panic path too.
pub fn nr_ended() -> u64 {
    rcu().sequence.nr_ended()
}

/// How Tasks RCU stands. Context: any but the panic path.
pub fn statistics() -> Summary {
    let (last_ns, of_schemes, stall_after_ns) = {
        let machine = rcu().machine.lock();
        (machine.statistics().last_ns, machine.all_statistics(), machine.stall_after_ns())
    };
    let (pending, retired, kept) = {
        let graveyard = rcu().graveyard.lock();
        (graveyard.nr_pending(), graveyard.nr_retired(), graveyard.kept())
    };
    let sum = |field: fn(&Statistics) -> u64| of_schemes.iter().map(field).sum();
    Summary {
        scheme: scheme_name(),
        ended: sum(|of| of.nr_grace_periods),
        last_ns,
        max_ns: of_schemes.iter().map(|of| of.max_ns).max().unwrap_or(0),
        stalls: sum(|of| of.nr_stalls),
        pending,
        retired,
        kept,
        oldest: rcu().extent.oldest(),
        last: rcu().extent.last(),
        stall_after_ns,
        of_schemes,
    }
}

fn request(number: cookie::Cookie) {
    if rcu().sequence.request(number) {
        STEP.wake_all();
    }
}

/// A holder that waits for a grace period waits for itself (O9).
fn assert_may_wait() {
    let task = sched::current();
    report::forbid_wait_in_func(task);
    assert!(preempt::count() == 0, "task {task:?} waits for a grace period with preemption disabled");
    assert!(!cpu::irqs_are_masked(), "task {task:?} waits for a grace period with IRQs masked");
}
