//! `switch`: from one task to another and back, by the depth of the stack that is left, with nothing that is retired.
//!
//! Two tasks on one CPU yield to each other. One stands so many frames deep; with `traced=1` in the func of an ops that is in use.

use super::{Bencher, SAMPLES, Sample, measure, settle, traced};
use crate::arch::cpu;
use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live;
use crate::ftrace::ops::OpsBox;
use crate::lab::report::BenchLine;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use alloc::boxed::Box;
use core::hint::black_box;

/// Frames between the task's own and the switch.
const FRAMES: [u64; 3] = [0, 50, 200];
/// Switches there and back in one sample.
const ROUNDS: u64 = 50;

static IS_OVER: AtomicBool = AtomicBool::new(false);
static NR_DEEP: AtomicU64 = AtomicU64::new(0);

/// The traced function.
#[inline(never)]
fn hold() {
    stay(black_box(0));
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    stay(NR_DEEP.load(Ordering::Relaxed));
}

/// So many frames deep, yields until it is over.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn stay(frames: u64) {
    if frames > 0 {
        stay(black_box(frames - 1));
    } else {
        while !IS_OVER.load(Ordering::Relaxed) {
            sched::yield_now();
        }
    }
    black_box(());
}

/// Prints the rows: where a func may not yield, those without an ops.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine) {
    sched::set_affinity(sched::current(), 1 << cpu::id());
    for frames in FRAMES {
        for is_traced in [false, true] {
            if !is_traced || rcu::lets_funcs_block() {
                let samples = samples(frames, is_traced);
                bencher.print(BenchLine { frames: Some(frames), traced: Some(u64::from(is_traced)), ..base }, &samples);
            }
        }
    }
    sched::set_affinity(sched::current(), u32::MAX);
}

fn samples(frames: u64, is_traced: bool) -> [Sample; SAMPLES] {
    IS_OVER.store(false, Ordering::Relaxed);
    NR_DEEP.store(frames, Ordering::Relaxed);
    let ops = is_traced.then(|| {
        let ops = live::register_at(OpsBox::new("yielded in", func, 0), traced(hold as *const () as usize));
        ops.unwrap_or_else(|error| panic!("bench: {error}"))
    });
    let what = Spawn { name: "partner", class: Class::Normal, cpu: Some(cpu::id()) };
    let work: fn() = if is_traced { hold } else { || stay(NR_DEEP.load(Ordering::Relaxed)) };
    let partner = sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("bench: {error}"));
    settle();
    let samples = core::array::from_fn(|_| measure(2 * ROUNDS, || (0..ROUNDS).for_each(|_| sched::yield_now())));
    IS_OVER.store(true, Ordering::Relaxed);
    JoinHandle::join(partner);
    if let Some(ops) = ops {
        rcu::call(live::unregister(ops).expect("registered above"), drop);
        rcu::barrier();
    }
    samples
}
