//! `switch`: from one task to another and back, by the depth of the stack that is left, with nothing that is retired.
//!
//! Two tasks on one CPU, this one and its partner, which stands so many frames deep; with `traced=1` in the func of an ops that is
//! in use. They yield to each other; only where `switch` is named they also leave in other ways:
//!
//! | `way=` | what | measured |
//! |---|---|---|
//! | `block` | each wakes the other and blocks | one of them, as with `yield`: half of there and back |
//! | `looked` | they yield, and a grace period has looked at both before: who leaves is listed anew | the same |
//! | `preempt` | the partner is preempted by this task, whose timer goes off | how late this task runs |

use super::{Bencher, SAMPLES, Sample, measure, settle, traced};
use crate::arch::cpu;
use crate::arch::site::{OpsHeader, Regs};
use crate::ftrace::live;
use crate::ftrace::ops::OpsBox;
use crate::lab::report::BenchLine;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn, WaitQueue, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use alloc::boxed::Box;
use core::hint::black_box;

/// Frames between the task's own and the switch.
const FRAMES: [u64; 3] = [0, 50, 200];
/// Switches there and back in one sample.
const ROUNDS: u64 = 50;
/// For so long the partner runs before it is preempted.
const STINT_NS: u64 = 50_000;

static IS_OVER: AtomicBool = AtomicBool::new(false);
static NR_DEEP: AtomicU64 = AtomicU64::new(0);
static WAY: AtomicUsize = AtomicUsize::new(0);
/// Whose turn it is, where they block.
static IS_PARTNERS: AtomicBool = AtomicBool::new(false);
static PARTNER: WaitQueue = WaitQueue::new();
static OURS: WaitQueue = WaitQueue::new();

/// How the tasks leave their CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Yield,
    Block,
    Looked,
    Preempt,
}

impl Way {
    const ALL: [Self; 4] = [Self::Yield, Self::Block, Self::Looked, Self::Preempt];

    const fn name(self) -> Option<&'static str> {
        match self {
            Self::Yield => None,
            Self::Block => Some("block"),
            Self::Looked => Some("looked"),
            Self::Preempt => Some("preempt"),
        }
    }

    /// This task goes there and back.
    fn sample(self) -> Sample {
        match self {
            Self::Yield => measure(2 * ROUNDS, || (0..ROUNDS).for_each(|_| sched::yield_now())),
            Self::Block => measure(2 * ROUNDS, || {
                (0..ROUNDS).for_each(|_| {
                    hand_over(true, &PARTNER);
                    OURS.wait_until(|| !IS_PARTNERS.load(Ordering::Relaxed));
                });
            }),
            Self::Looked => {
                rcu::synchronize();
                measure(2, sched::yield_now)
            }
            // Of the high class: it takes the CPU from its partner at once.
            Self::Preempt => {
                sched::boost(sched::current());
                let due_ns = now_ns() + STINT_NS;
                sched::sleep(STINT_NS);
                let late_ns = now_ns() - due_ns;
                sched::unboost(sched::current());
                Sample { insns: late_ns, ns: late_ns }
            }
        }
    }
}

/// The partner's turn is over. Not inlined: the frame of `stay` is small.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn leave(way: Way) {
    match way {
        Way::Yield | Way::Looked => sched::yield_now(),
        Way::Block => {
            hand_over(false, &OURS);
            PARTNER.wait_until(|| IS_PARTNERS.load(Ordering::Relaxed) || IS_OVER.load(Ordering::Relaxed));
        }
        Way::Preempt => core::hint::spin_loop(),
    }
}

fn hand_over(to_partner: bool, queue: &WaitQueue) {
    IS_PARTNERS.store(to_partner, Ordering::Relaxed);
    queue.wake_all();
}

/// The traced function.
#[inline(never)]
fn hold() {
    stay(black_box(0));
}

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn func(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    stay(NR_DEEP.load(Ordering::Relaxed));
}

/// So many frames deep, leaves its CPU until it is over.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn stay(frames: u64) {
    if frames > 0 {
        stay(black_box(frames - 1));
    } else {
        while !IS_OVER.load(Ordering::Relaxed) {
            leave(Way::ALL[WAY.load(Ordering::Relaxed)]);
        }
    }
    black_box(());
}

/// Prints the rows, `all` or those where they yield: where a func may not leave its CPU, those without an ops.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine, all: bool) {
    sched::set_affinity(sched::current(), 1 << cpu::id());
    for way in Way::ALL.into_iter().filter(|&way| all || way == Way::Yield) {
        for frames in FRAMES {
            for is_traced in [false, true] {
                if !is_traced || rcu::lets_funcs_block() {
                    let samples = samples(way, frames, is_traced);
                    let traced = Some(u64::from(is_traced));
                    bencher.print(BenchLine { frames: Some(frames), traced, way: way.name(), ..base }, &samples);
                }
            }
        }
    }
    sched::set_affinity(sched::current(), u32::MAX);
}

fn samples(way: Way, frames: u64, is_traced: bool) -> [Sample; SAMPLES] {
    IS_OVER.store(false, Ordering::Relaxed);
    IS_PARTNERS.store(true, Ordering::Relaxed);
    NR_DEEP.store(frames, Ordering::Relaxed);
    WAY.store(way as usize, Ordering::Relaxed);
    let ops = is_traced.then(|| {
        let ops = live::register_at(OpsBox::new("left in", func, 0), traced(hold as *const () as usize));
        ops.unwrap_or_else(|error| panic!("bench: {error}"))
    });
    let what = Spawn { name: "partner", class: Class::Normal, cpu: Some(cpu::id()) };
    let work: fn() = if is_traced { hold } else { || stay(NR_DEEP.load(Ordering::Relaxed)) };
    let partner = sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("bench: {error}"));
    settle();
    let samples = core::array::from_fn(|_| way.sample());
    IS_OVER.store(true, Ordering::Relaxed);
    PARTNER.wake_all();
    JoinHandle::join(partner);
    if let Some(ops) = ops {
        rcu::call(live::unregister(ops).expect("registered above"), drop);
        rcu::barrier();
    }
    samples
}
