//! `hold`: one task keeps a grace period waiting, in one of the ways of [`Hold`], and the shell waits for it.
//!
//! It shows what a scheme waits for and for how long, and what a stall report says meanwhile. Context: task; one at a
//! time.

use super::cpu_time::{use_up, use_up_until_interrupt};
use super::tracees;
use crate::arch::site::{OpsHeader, Regs};
use crate::arch::text::PatchError;
use crate::ftrace::live;
use crate::ftrace::ops::{Ops, OpsBox};
use crate::ftrace::recursion::{self, Guard};
use crate::ftrace::registry::RegisterError;
use crate::irq::serial;
use crate::platform::{Hold, Urgency};
use crate::sched::{self, Class, JoinHandle, Spawn, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::{println, rcu};
use alloc::boxed::Box;
use alloc::vec::Vec;

const NS_PER_US: u64 = 1_000;
const NS_PER_MS: u64 = 1_000_000;
/// The tracee that is held.
const TRACEE: usize = 7;
/// Tasks of the crowd, and what each does over and over: two turns of work, and a moment's sleep.
const CROWD: usize = 8;
const WORK_NS: u64 = 8 * NS_PER_MS;
const REST_NS: u64 = 100 * NS_PER_US;

static STAY_NS: AtomicU64 = AtomicU64::new(0);
static SLEEPS: AtomicBool = AtomicBool::new(false);
static IS_BROKEN: AtomicBool = AtomicBool::new(false);
static IS_GUARDED: AtomicBool = AtomicBool::new(false);
/// The holder has begun, and has let go.
static IS_INSIDE: AtomicBool = AtomicBool::new(false);
static HAS_LEFT: AtomicBool = AtomicBool::new(false);
/// What the waiter found: how long it took, and whether the holder had left then.
static WAITED_NS: AtomicU64 = AtomicU64::new(0);
static HAD_LEFT: AtomicBool = AtomicBool::new(false);
static CROWDED: AtomicBool = AtomicBool::new(false);

/// Keeps a grace period waiting for `ms` milliseconds, or until Ctrl-C, and says when it ended. On an error nothing was done.
pub fn run(how: Hold, ms: u32, urgency: Urgency) -> Result<(), RegisterError<PatchError>> {
    STAY_NS.store(u64::from(ms) * NS_PER_MS, Ordering::Relaxed);
    SLEEPS.store(matches!(how, Hold::Sleep | Hold::SleepUnguarded), Ordering::Relaxed);
    IS_GUARDED.store(how != Hold::SleepUnguarded, Ordering::Relaxed);
    IS_BROKEN.store(how == Hold::Broken, Ordering::Relaxed);
    IS_INSIDE.store(false, Ordering::Relaxed);
    HAS_LEFT.store(false, Ordering::Relaxed);
    let ops = OpsBox::try_new("held", func, 0)?;
    let ops = live::register_at(ops, tracees::sites([TRACEE].into_iter()))?;
    // The crowd's CPU is the first one; otherwise the last, where there is one beside the shell's.
    let cpu = if how == Hold::Crowd { 0 } else { sched::nr_cpus() - 1 };
    CROWDED.store(true, Ordering::Relaxed);
    let nr_crowd = if how == Hold::Crowd { CROWD } else { 0 };
    let crowd: Vec<JoinHandle> = (0..nr_crowd).map(|_| spawn("crowd", cpu, work_and_rest)).collect();
    let holder = match how {
        Hold::Hog => spawn("hog", cpu, stay_outside),
        Hold::Spin | Hold::Sleep | Hold::SleepUnguarded | Hold::Crowd | Hold::Broken => {
            spawn("holder", cpu, stay_inside)
        }
    };
    // Of the high class: what is measured is the grace period, not the waiter's own turns.
    let (what, ops) = (Spawn { name: "waiter", class: Class::High, cpu: None }, ops.expose_provenance());
    let work = move || free(core::ptr::with_exposed_provenance(ops), urgency);
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("hold: {error}")).join();
    CROWDED.store(false, Ordering::Relaxed);
    holder.join();
    crowd.into_iter().for_each(JoinHandle::join);
    let holder = if HAD_LEFT.load(Ordering::Relaxed) { "had left" } else { "was still there" };
    println!(
        "hold {how} {ms} {urgency}: an ops was freed after {} us; the holder {holder}",
        WAITED_NS.load(Ordering::Relaxed) / NS_PER_US
    );
    Ok(())
}

/// Takes `ops` off once it is held, and frees it when nobody can be inside any more.
fn free(ops: *const Ops, urgency: Urgency) {
    while !IS_INSIDE.load(Ordering::Relaxed) {
        sched::sleep(NS_PER_MS);
    }
    let began_ns = now_ns();
    let gone = live::unregister(ops).expect("registered by `run`, and nobody else takes it off");
    match urgency {
        Urgency::Normal => rcu::synchronize(),
        Urgency::Expedited => rcu::synchronize_expedited(),
    }
    WAITED_NS.store(now_ns() - began_ns, Ordering::Relaxed);
    HAD_LEFT.store(HAS_LEFT.load(Ordering::Relaxed), Ordering::Relaxed);
    let elapsed = gone.poll().expect("synchronize waits for what was retired before it");
    assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
}

fn spawn(name: &'static str, cpu: usize, work: fn()) -> JoinHandle {
    let what = Spawn { name, class: Class::Normal, cpu: Some(cpu) };
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("hold: {error}"))
}

/// A holder's work.
fn stay_inside() {
    tracees::call(TRACEE, 0);
}

/// A hog's work. The grace period is asked for here: where nobody is preempted, the shell does not run before the end.
fn stay_outside() {
    IS_INSIDE.store(true, Ordering::Relaxed);
    let _ = rcu::start_poll();
    use_up_until_interrupt(STAY_NS.load(Ordering::Relaxed));
    HAS_LEFT.store(true, Ordering::Relaxed);
}

/// The work of one of the crowd.
fn work_and_rest() {
    while CROWDED.load(Ordering::Relaxed) {
        use_up(WORK_NS);
        sched::sleep(REST_NS);
    }
}

extern "C" fn sleep_here() {
    serial::sleep(STAY_NS.load(Ordering::Relaxed));
}

/// Sleeps while a frame record of this task leads to address 8.
#[unsafe(naked)]
unsafe extern "C" fn sleep_behind_broken_record() {
    core::arch::naked_asm!(
        "sub sp, sp, #32",
        "mov x9, #8",
        "stp x9, x30, [sp]",
        "str x29, [sp, #16]",
        "mov x29, sp",
        "bl {sleep}",
        "ldr x29, [sp, #16]",
        "ldr x30, [sp, #8]",
        "add sp, sp, #32",
        "ret",
        sleep = sym sleep_here,
    )
}

/// Stays. Where it sleeps, it does what most schemes forbid.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    let guard = IS_GUARDED.load(Ordering::Relaxed).then(|| recursion::enter(Guard::Func));
    if matches!(guard, Some(None)) {
        return;
    }
    IS_INSIDE.store(true, Ordering::Relaxed);
    let stay_ns = STAY_NS.load(Ordering::Relaxed);
    if IS_BROKEN.load(Ordering::Relaxed) {
        // SAFETY: it keeps what the calling convention says that a callee keeps.
        unsafe { sleep_behind_broken_record() };
    } else if SLEEPS.load(Ordering::Relaxed) {
        serial::sleep(stay_ns);
    } else {
        use_up_until_interrupt(stay_ns);
    }
    HAS_LEFT.store(true, Ordering::Relaxed);
}
