//! What other rooms call, under whatever scheme is selected. Nothing here may be called before [`start`].
//!
//! | here | in Linux | what |
//! |---|---|---|
//! | [`synchronize`] | `synchronize_rcu_tasks` | waits for a grace period |
//! | [`synchronize_expedited`] | `synchronize_rcu_expedited` | the same, in a hurry; Linux has none for Tasks RCU |
//! | [`call`] | `call_rcu_tasks` | frees an object behind a grace period |
//! | [`barrier`] | `rcu_barrier_tasks` | waits for all that was given to `call` |
//! | [`next_number`] | `get_state_synchronize_rcu` | names the next grace period, and asks for none |
//! | [`start_poll`] | `start_poll_synchronize_rcu` | asks for one, and gives its cookie |
//! | [`poll`] | `poll_state_synchronize_rcu` | whether a cookie's has ended: gives the proof |
//! | [`cond_synchronize`] | `cond_synchronize_rcu` | waits for a cookie's, unless it has ended |

use super::cookie::{Cookie, Elapsed};
use super::gp_task::{self, ENDED, REQUESTS, rcu};
use super::grace::Statistics;
use super::reclaimer::{self, EXPIRED, RECLAIMED};
use super::report;
use super::retired::{Reclaim, Retired};
use super::schemes::{NAMES, Scheme, Trampoline};
use super::{hooks, hurry};
use crate::arch::cpu;
use crate::sched::{self, Class, Spawn, SpawnError, seam, tick};
use crate::sync::atomic::Ordering;
use crate::sync::preempt;
use alloc::boxed::Box;

/// There is no scheme of that name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchScheme;

impl core::fmt::Display for NoSuchScheme {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "no such scheme; there are: {}", NAMES.join(" "))
    }
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
    /// Objects that wait for a grace period, or are being freed.
    pub pending: u64,
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
    let grace_periods = sched::spawn(what("rcu_gp"), Box::new(|| gp_task::run_grace_periods(rcu)))?;
    rcu.task.call_once(|| Box::leak(Box::new(grace_periods)).task());
    tick::EACH.set(report::on_tick);
    sched::spawn(what("rcu_reclaim"), Box::new(|| reclaimer::reclaim(rcu)))?;
    for cpu in 0..sched::nr_cpus() {
        let what = Spawn { name: "rcu_worker", class: Class::High, cpu: Some(cpu) };
        sched::spawn(what, Box::new(move || gp_task::work(rcu, cpu)))?;
    }
    Ok(())
}

/// Blocks until a grace period that starts from now on has ended; the proof covers every cookie taken before.
/// Context: task, preemptible, not inside a func, holding no lock that a func may take (O9).
pub fn synchronize() -> Elapsed {
    cond_synchronize(start_poll())
}

/// As [`synchronize`], but the holdouts of the grace period, and of one that stands before it, go before all normal tasks:
/// those that only wait for the CPU get it at once. Not for ever: see `hurry`.
///
/// It differs where tasks are listed that may have been preempted: `classic`, `linux`, `ip`, `flag`. `depth` and `scan` boost
/// their holdouts in any case; `sched` asks each CPU to reschedule, `rude`'s workers are of the high class, and whom
/// `nopreempt` waits for has the CPU. Context: as [`synchronize`].
pub fn synchronize_expedited() -> Elapsed {
    let cookie = rcu().sequence.cookie();
    hurry::ask(rcu(), cookie);
    cond_synchronize(cookie)
}

/// Blocks until the grace period of `cookie` has ended: not for another one, as [`synchronize`] may have to.
/// Context: as [`synchronize`].
pub fn cond_synchronize(cookie: Cookie) -> Elapsed {
    assert_may_wait();
    request(cookie);
    let mut elapsed = None;
    ENDED.wait_until(|| {
        elapsed = poll(cookie);
        elapsed.is_some()
    });
    elapsed.expect("the wait ends when it is there")
}

/// Queues a retired object: when its grace period has ended, `then` gets it in the reclaimer's task. Objects go in the
/// order in which they were queued. Allocates nothing. Context: task.
pub fn call<T: Reclaim>(retired: Retired<T>, then: fn(Box<T>)) {
    let cookie = retired.cookie();
    rcu().callbacks.lock().push(retired, then);
    request(cookie);
    // It may have ended long ago: then no end of a grace period is to come that would wake the reclaimer.
    if poll(cookie).is_some() {
        EXPIRED.wake_all();
    }
}

/// Blocks until everything that was queued before has been freed. Context: as [`synchronize`], and not in a `then`,
/// which would wait for itself.
pub fn barrier() {
    assert_may_wait();
    let barrier = rcu().callbacks.lock().barrier();
    RECLAIMED.wait_until(|| rcu().callbacks.lock().has_passed(barrier));
}

/// Asks for a grace period that starts from now on, without waiting. Context: task.
#[must_use = "only the cookie tells when it has ended"]
pub fn start_poll() -> Cookie {
    let cookie = rcu().sequence.cookie();
    request(cookie);
    cookie
}

/// The number of the first grace period that starts from now on; asks nobody to run it. Context: any.
pub fn next_number() -> u64 {
    rcu().sequence.cookie().number()
}

/// The proof that the grace period of `cookie` has ended, if it has. Context: any.
pub fn poll(cookie: Cookie) -> Option<Elapsed> {
    rcu().sequence.poll(cookie)
}

/// Selects another scheme, once nothing waits for a grace period any more. No callsite may be enabled, and nobody may be
/// inside a trampoline: `ftrace::live::set_scheme` sees to that. Context: task; at boot it does not block.
pub fn set_scheme(name: &str) -> Result<(), NoSuchScheme> {
    let index = NAMES.iter().position(|&scheme| scheme == name).ok_or(NoSuchScheme)?;
    while !rcu().select(index) {
        barrier();
        let _ = synchronize();
    }
    Ok(())
}

/// Whether a func may sleep under the selected scheme. Context: any.
#[inline(always)]
pub fn lets_funcs_block() -> bool {
    rcu().scheme().lets_funcs_block()
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
    let sum = |field: fn(&Statistics) -> u64| of_schemes.iter().map(field).sum();
    Summary {
        scheme: scheme_name(),
        ended: sum(|of| of.nr_grace_periods),
        last_ns,
        max_ns: of_schemes.iter().map(|of| of.max_ns).max().unwrap_or(0),
        stalls: sum(|of| of.nr_stalls),
        pending: rcu().callbacks.lock().nr_pending(),
        stall_after_ns,
        of_schemes,
    }
}

fn request(cookie: Cookie) {
    if rcu().sequence.request(cookie) {
        REQUESTS.wake_all();
    }
}

/// A holder that waits for a grace period waits for itself (O9).
fn assert_may_wait() {
    let task = sched::current();
    assert!(
        task.header.recursion.load(Ordering::Relaxed) == 0,
        "task {task:?} waits for a grace period inside a func, which that grace period waits for",
    );
    assert!(preempt::count() == 0, "task {task:?} waits for a grace period with preemption disabled");
    assert!(!cpu::irqs_are_masked(), "task {task:?} waits for a grace period with IRQs masked");
}
