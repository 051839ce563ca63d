//! `demo`: trace, swap, wait, free, on a kernel that runs; then the same without waiting, in a sandbox.
//!
//! Each sentence is true when it is printed, however slow the host is: the demo goes from event to event, never by the clock.
//! Somebody is inside the old ops whenever it is swapped, since a *gate* is closed: the next caller stays in func until the
//! demo lets it go. The sandbox poisons the ops but does not give its memory back, so the kernel survives what it shows; an ops
//! whose grace period ended too early is kept likewise.

mod gate;
mod place;

use super::tracees;
use crate::arch::cpu;
use crate::arch::site::{CallSite, OpsHeader, Regs};
use crate::arch::text::{read_insn, read_literal};
use crate::console::epitaph::Place;
use crate::ftrace::live::{self, Gone};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::mm::poison::{POISON, is_poison};
use crate::sched::{self, Class, JoinHandle, Patience, Spawn, Task, now_ns};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::{println, rcu};
use alloc::boxed::Box;
use alloc::vec::Vec;

const MILLISECOND_NS: u64 = 1_000_000;
/// A grace period is seen to wait for a holder while every CPU runs for so long; then the holder is let go.
const SEEN_TO_WAIT_NS: u64 = 20 * MILLISECOND_NS;
const CALLERS: usize = 8;
/// What [`Ops::private`] of the demo's ops holds: anything else means that the ops is gone.
const ALIVE: usize = 0xa11e;

static RUNNING: AtomicBool = AtomicBool::new(false);

/// Runs the demo. Context: task.
pub fn run() {
    // The demo has to go on while a holder keeps a CPU to itself, or is boosted.
    sched::set_affinity(sched::current(), 1 << gate::DEMO_CPU);
    while cpu::id() != gate::DEMO_CPU {
        sched::yield_now();
    }
    sched::boost(sched::current());
    tell();
    sched::unboost(sched::current());
    sched::set_affinity(sched::current(), u32::MAX);
}

fn tell() {
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
    wait_until(|| hits(old) > 0);
    println!("   calls seen: {}", hits(old));
    let (new, kept) = wait_and_free(old);
    let (last, freed) = free_at_once(new);
    RUNNING.store(false, Ordering::Relaxed);
    callers.into_iter().for_each(JoinHandle::join);
    // Nobody calls any more: nobody is inside, whatever the scheme says.
    for gone in [kept, Some(freed), live::unregister(last)].into_iter().flatten() {
        let elapsed = rcu::synchronize_for(&gone);
        drop(gone.reclaim(elapsed));
    }
    println!(
        "== done. What is freed when, and what each answer costs, is what this kernel is about: help, stress, poweroff"
    );
    println!();
}

/// Swaps `old`, waits for a grace period, frees. Returns the new ops; and the old one where that must not be freed yet.
fn wait_and_free(old: *const Ops) -> (*const Ops, Option<Gone>) {
    let holder = gate::close();
    match holder {
        Some(_) => println!("== swap its ops under load, while somebody is inside the old one's func"),
        None => println!("== swap its ops under load; here no task runs while another is in a func"),
    }
    let before = now_ns();
    let (gone, new) = swap(old, "second");
    show(tracees::site(0));
    if let Some(task) = &holder {
        tell_holder("still held", task);
    }
    println!("   waiting for a grace period ({})", rcu::scheme_name());
    if holder.is_some() && ends_while_held(&gone) {
        let us = (now_ns() - before) / 1000;
        println!("   over after {us} us, while that task is inside: it would read a freed ops, so the demo keeps it");
        gate::let_go();
        wait_until(gate::has_left);
        return (new, Some(gone));
    }
    gate::let_go();
    let elapsed = rcu::synchronize_for(&gone);
    let us = (now_ns() - before) / 1000;
    if holder.is_some() && !gate::has_left() {
        println!("   over after {us} us, while that task is on its way out: the demo keeps the old ops");
        wait_until(gate::has_left);
        return (new, Some(gone));
    }
    println!("   over after {us} us: nobody can be inside the old ops any more");
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
    (new, None)
}

/// Whether the grace period of `gone` ends, though its holder is kept inside, while every CPU runs for some time.
fn ends_while_held(gone: &Gone) -> bool {
    let patience = Patience::of(SEEN_TO_WAIT_NS);
    wait_until(|| patience.is_over() || gone.poll().is_some());
    gone.poll().is_some()
}

/// The same swap, but the old ops is gone at once. Returns the new ops, and the old one, whose memory is there still.
fn free_at_once(old: *const Ops) -> (*const Ops, Gone) {
    println!("== the same without a grace period (in a sandbox: the memory is poisoned, but not handed out again)");
    let holder = gate::close();
    let (gone, last) = swap(old, "third");
    // SAFETY: retired, and freed only by the caller: live memory. Only the demo's func reads this word.
    unsafe { (&raw const (*old).private).cast_mut().cast::<u64>().write_volatile(POISON) };
    let freed_ns = now_ns();
    let Some(task) = holder else {
        println!("   nobody was inside, and nobody reads the freed ops: here no task runs while another is in a func");
        return (last, gone);
    };
    tell_holder("freed under", &task);
    gate::let_go();
    wait_until(gate::has_left);
    let (word, read_ns) = gate::last_read();
    assert!(is_poison(word), "demo: the holder read {word:#x} from an ops that is poison");
    let later = (read_ns - freed_ns) / 1000;
    println!("   {later} us after the free that task read {word:#x} from the freed ops (p1 broken)");
    println!("   and went on in a func that nobody keeps for it any more (p3 broken): a crash, or worse, silence");
    (last, gone)
}

/// Sleeps until `is_so`: for an event that must come.
fn wait_until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        sched::sleep(MILLISECOND_NS / 5);
    }
}

fn tell_holder(what: &str, task: &Task) {
    let stand = place::of(task);
    println!("   {what} by task {task:?} on CPU {}, {} at {}", stand.cpu, stand.how, Place(stand.pc));
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

fn swap(old: *const Ops, name: &'static str) -> (Gone, *const Ops) {
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

/// The demo's func: counts, and stays while the gate keeps it. Calls nothing that is traced; needs no guard.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, ops: *const OpsHeader, _: *mut Regs) {
    // SAFETY: called with the header of a demo ops; in the sandbox its memory outlives every caller.
    let ops = unsafe { &*ops.cast::<Ops>() };
    ops.hits.fetch_add(1, Ordering::Relaxed);
    gate::pass(ops);
}
