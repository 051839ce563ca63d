//! Holders on stacks that are as deep as they may be, in the smallest frames that there are: a frame record each.
//!
//! They block there, are preempted there, or yield to each other.

use super::{SHORT_NS, look, watch};
use crate::arch::site::{OpsHeader, Regs};
use crate::arch::vectors::STACK_SIZE;
use crate::ftrace::live;
use crate::ftrace::ops::OpsBox;
use crate::lab::bench::{Bencher, traced};
use crate::lab::report::BenchLine;
use crate::sched::{self, Class, JoinHandle, Spawn, WaitQueue, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::{println, rcu};
use alloc::boxed::Box;
use core::arch::naked_asm;
use core::hint::black_box;

const HOLDERS: usize = 3;
/// What a func leaves of its stack: an interrupt on top of a softirq on top of a wait has to fit there.
const LEFT_FREE: usize = 4096;
const FRAME: usize = 16;
/// Longer than an interrupt of a holder takes: else nobody would get on.
const LONG_NS: u64 = 31_000;
/// How long looks follow each other.
const WATCHED_NS: u64 = 40_000_000;

/// What a holder does where its stack ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stay {
    Blocks,
    Runs,
    Yields,
}

static STAY: AtomicUsize = AtomicUsize::new(0);
static IS_OVER: AtomicBool = AtomicBool::new(false);
static SLEEPERS: WaitQueue = WaitQueue::new();
static NR_INSIDE: AtomicUsize = AtomicUsize::new(0);
static NR_FRAMES: AtomicUsize = AtomicUsize::new(0);

/// The traced function. Its body differs: equal ones would be one function.
#[inline(never)]
fn hold() {
    black_box(17);
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    let here = 0_u8;
    let frames = ((&raw const here).addr() % STACK_SIZE - LEFT_FREE) / FRAME;
    NR_FRAMES.store(frames, Ordering::Relaxed);
    // SAFETY: the stack has room for so many frames, and for what is called from the last one.
    unsafe { deepen(frames, stay) };
}

/// Calls `then` so many frames deeper.
#[unsafe(naked)]
unsafe extern "C" fn deepen(frames: usize, then: extern "C" fn()) {
    naked_asm!(
        "stp x29, x30, [sp, #-{frame}]!",
        "mov x29, sp",
        "subs x0, x0, #1",
        "b.ls 1f",
        "bl {deepen}",
        "b 2f",
        "1: blr x1",
        "2: ldp x29, x30, [sp], #{frame}",
        "ret",
        frame = const FRAME,
        deepen = sym deepen,
    )
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn stay() {
    let is_over = || IS_OVER.load(Ordering::Relaxed);
    NR_INSIDE.fetch_add(1, Ordering::Relaxed);
    match STAY.load(Ordering::Relaxed) {
        stay if stay == Stay::Blocks as usize => SLEEPERS.wait_until(is_over),
        stay if stay == Stay::Yields as usize => {
            while !is_over() {
                sched::yield_now();
            }
        }
        _ => while !is_over() {},
    }
}

/// Prints the rows.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine) {
    for (stay, name) in [(Stay::Blocks, "blocks"), (Stay::Runs, "runs"), (Stay::Yields, "yields")] {
        let ns = longest(stay, if stay == Stay::Yields { LONG_NS } else { SHORT_NS });
        bencher.lines += 1;
        let line = BenchLine {
            holders: Some(HOLDERS as u64),
            insns: Some(ns),
            ns: Some(ns),
            n: Some(1),
            frames: Some(NR_FRAMES.load(Ordering::Relaxed) as u64),
            holder: Some(name),
            ..base
        };
        println!("{line}");
    }
}

fn longest(stay: Stay, period_ns: u64) -> u64 {
    STAY.store(stay as usize, Ordering::Relaxed);
    IS_OVER.store(false, Ordering::Relaxed);
    NR_INSIDE.store(0, Ordering::Relaxed);
    let ops = live::register_at(OpsBox::new("stayed in", func, 0), traced(hold as *const () as usize));
    let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
    let holders: [JoinHandle; HOLDERS] = core::array::from_fn(|_| start());
    while NR_INSIDE.load(Ordering::Relaxed) < HOLDERS {
        sched::sleep(1_000_000);
    }
    let ns = watch(period_ns, || {
        rcu::call(live::unregister(ops).expect("registered above"), drop);
        let until_ns = now_ns() + WATCHED_NS;
        while now_ns() < until_ns {
            look(1);
        }
    });
    IS_OVER.store(true, Ordering::Relaxed);
    SLEEPERS.wake_all();
    holders.into_iter().for_each(JoinHandle::join);
    rcu::barrier();
    ns
}

fn start() -> JoinHandle {
    let what = Spawn { name: "deep", class: Class::Normal, cpu: None };
    sched::spawn(what, Box::new(hold)).unwrap_or_else(|error| panic!("bench: {error}"))
}
