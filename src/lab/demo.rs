//! `demo`: trace, swap, wait, free, on a kernel that runs; then the same without waiting, in a sandbox.
//!
//! The demo's func stays inside for a while when the gate is closed, so that somebody holds the old ops whenever
//! it is swapped. The sandbox poisons the ops but does not give its memory back, so the kernel survives what it
//! shows.

use super::tracees;
use crate::arch::site::{CallSite, OpsHeader, Regs};
use crate::arch::text::{read_insn, read_literal};
use crate::arch::unwind::Frames;
use crate::console::epitaph::Place;
use crate::ftrace::live;
use crate::ftrace::ops::{Ops, OpsBox};
use crate::irq::entry;
use crate::mm::poison::{POISON, is_poison};
use crate::sched::{self, Class, JoinHandle, Spawn, Task, Visit, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::{println, rcu};
use alloc::boxed::Box;
use alloc::vec::Vec;

const MILLISECOND_NS: u64 = 1_000_000;
/// How long a caller stays inside func while the gate is closed.
const STAY_NS: u64 = 30 * MILLISECOND_NS;
const CALLERS: usize = 8;
/// What [`Ops::private`] of the demo's ops holds: anything else means that the ops is gone.
const ALIVE: usize = 0xa11e;

static RUNNING: AtomicBool = AtomicBool::new(false);
/// The next caller stays inside.
static GATE: AtomicBool = AtomicBool::new(false);
static HOLDER: AtomicU32 = AtomicU32::new(0);
static STANDS_AT: AtomicUsize = AtomicUsize::new(0);
static LATE_READ: AtomicU64 = AtomicU64::new(0);
static LATE_READ_NS: AtomicU64 = AtomicU64::new(0);

/// Runs the demo. Context: task.
pub fn run() {
    let site = tracees::site(0);
    println!();
    println!("== a callsite, as the compiler left it and the boot prepared it");
    show(site);
    println!("== trace it: an ops is registered, {CALLERS} tasks call the function on {} CPUs", sched::nr_cpus());
    let first = OpsBox::new("first", func, ALIVE);
    let old = register(first);
    show(site);
    let callers = start_callers();
    sched::sleep(20 * MILLISECOND_NS);
    println!("   calls seen: {}", hits(old));

    println!("== swap its ops under load, while somebody is inside the old one's func");
    close_gate();
    let before = now_ns();
    let (gone, new) = swap(old, "second");
    show(site);
    tell_holders("still held");
    println!("   waiting for a grace period ({})", rcu::scheme_name());
    let elapsed = rcu::synchronize();
    println!("   over after {} us: nobody can be inside the old ops any more", (now_ns() - before) / 1000);
    match gone.reclaim(elapsed) {
        Ok(registration) => {
            println!(
                "   old ops {old:p} freed, after {} calls; the new one has {}",
                registration.ops.hits.load(Ordering::Relaxed),
                hits(new)
            );
        }
        Err(_) => panic!("demo: the grace period is not about the old ops"),
    }
    without_waiting(new);
    RUNNING.store(false, Ordering::Relaxed);
    callers.into_iter().for_each(JoinHandle::join);
    println!(
        "== done. What is freed when, and what each answer costs, is what this kernel is about: help, stress, poweroff"
    );
    println!();
}

/// The same swap, but the old ops is gone at once.
fn without_waiting(old: *const Ops) {
    println!("== the same without a grace period (in a sandbox: the memory is poisoned, but not handed out again)");
    LATE_READ.store(0, Ordering::Relaxed);
    close_gate();
    let (gone, last) = swap(old, "third");
    let freed_ns = now_ns();
    // SAFETY: retired, and freed only below: live memory. Only the demo's func reads this word.
    unsafe { (&raw const (*old).private).cast_mut().cast::<u64>().write_volatile(POISON) };
    tell_holders("freed under");
    let patience = now_ns() + 100 * STAY_NS;
    while LATE_READ.load(Ordering::Relaxed) == 0 && now_ns() < patience {
        sched::sleep(MILLISECOND_NS);
    }
    let word = LATE_READ.load(Ordering::Relaxed);
    if is_poison(word) {
        let later = LATE_READ_NS.load(Ordering::Relaxed).saturating_sub(freed_ns) / 1000;
        println!("   {later} us after the free that task read {word:#x} from the freed ops (p1 broken)");
        println!("   and went on in a func that nobody keeps for it any more (p3 broken): a crash, or worse, silence");
    } else {
        println!("   the oracle saw no late read within {} ms", 100 * STAY_NS / MILLISECOND_NS);
    }
    // The sandbox ends as it should have begun.
    let elapsed = rcu::synchronize();
    drop(gone.reclaim(elapsed));
    if let Some(gone) = live::unregister(last) {
        let elapsed = rcu::synchronize();
        drop(gone.reclaim(elapsed));
    }
}

/// Prints a callsite: its address, name, literal and instructions.
fn show(site: CallSite) {
    println!("   {:#x} <{}>", site.entry(), Place(site.entry()));
    let literal = read_literal(site);
    // SAFETY: the literal names a live ops or the no-op's header, and only this demo changes it.
    let func = unsafe { &*literal }.func.load(Ordering::Relaxed);
    println!("     F-8  .quad {:#x}   ops, func {}", literal.addr(), Place(func));
    println!("     F+0  {:?}", read_insn(site.entry()));
    let branch = read_insn(site.branch());
    match branch.bl_target(site.branch()) {
        Some(target) => println!("     F+4  bl {}", Place(target)),
        None => println!("     F+4  {branch:?}"),
    }
}

fn register(ops: OpsBox) -> *const Ops {
    live::register_at(ops, tracees::sites([0].into_iter())).unwrap_or_else(|error| panic!("demo: {error}"))
}

fn swap(old: *const Ops, name: &'static str) -> (live::Gone, *const Ops) {
    let new = OpsBox::new(name, func, ALIVE);
    let address = new.address();
    let gone = live::swap(old, new).unwrap_or_else(|error| panic!("demo: {error}"));
    println!("   swap: ops {old:p} -> {address:p}, one 64-bit store to the literal");
    (gone.unwrap_or_else(|| panic!("demo: the old ops is not registered")), address)
}

fn hits(ops: *const Ops) -> u64 {
    // SAFETY: registered: live.
    unsafe { &*ops }.hits.load(Ordering::Relaxed)
}

fn start_callers() -> Vec<JoinHandle> {
    RUNNING.store(true, Ordering::Relaxed);
    let caller = || {
        while RUNNING.load(Ordering::Relaxed) {
            for value in 0..50 {
                tracees::call(0, value);
            }
            sched::sleep(MILLISECOND_NS / 5);
        }
    };
    let what = Spawn { name: "caller", class: Class::Normal, cpu: None };
    (0..CALLERS).map(|_| sched::spawn(what, Box::new(caller)).unwrap_or_else(|error| panic!("demo: {error}"))).collect()
}

/// Waits until a caller stays inside func.
fn close_gate() {
    HOLDER.store(0, Ordering::Relaxed);
    GATE.store(true, Ordering::Relaxed);
    while HOLDER.load(Ordering::Relaxed) == 0 {
        sched::sleep(MILLISECOND_NS / 5);
    }
}

fn tell_holders(what: &str) {
    let Some(task) = sched::find(HOLDER.load(Ordering::Relaxed)) else { return };
    let (standing, place) = place_of(&task);
    println!("   {what} by task {task:?} on CPU {}, {standing} at {}", task.cpu(), Place(place));
}

/// Where `task` stands: asked by an SGI while it runs, read from its saved frame while it is preempted.
fn place_of(task: &Task) -> (&'static str, usize) {
    STANDS_AT.store(0, Ordering::Relaxed);
    sched::visit_every_cpu(note_place);
    match STANDS_AT.load(Ordering::Relaxed) {
        0 => {
            let interrupted = Frames::from_fp(task.saved_fp()).find(|step| step.interrupted);
            ("preempted", interrupted.map_or(0, |step| step.pc))
        }
        place => ("running", place),
    }
}

/// On each CPU: if it runs the holder, where the visit interrupted it.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn note_place(_: &Visit) {
    if sched::current().id == HOLDER.load(Ordering::Relaxed) {
        irqs::with_masked(|irqs| {
            // Innermost first: the last one is the task's own context.
            entry::for_each_interrupted(irqs, |state| STANDS_AT.store(state.interrupted_pc, Ordering::Relaxed));
        });
    }
}

/// The demo's func: counts, and stays when the gate is closed. Calls nothing that is traced; needs no guard.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, ops: *const OpsHeader, _: *mut Regs) {
    // SAFETY: called with the header of a demo ops; in the sandbox its memory outlives every caller.
    let ops = unsafe { &*ops.cast::<Ops>() };
    ops.hits.fetch_add(1, Ordering::Relaxed);
    if GATE.load(Ordering::Relaxed) && GATE.swap(false, Ordering::Relaxed) {
        HOLDER.store(sched::current().id, Ordering::Relaxed);
        let until = now_ns() + STAY_NS;
        while now_ns() < until {
            core::hint::spin_loop();
        }
        // SAFETY: as above. Volatile: the sandbox changes it meanwhile.
        let private = unsafe { (&raw const ops.private).read_volatile() };
        if private != ALIVE {
            LATE_READ_NS.store(now_ns(), Ordering::Relaxed);
            LATE_READ.store(private as u64, Ordering::Relaxed);
        }
    }
}
