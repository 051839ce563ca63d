//! A holder that is in no func yet: preempted in the trampoline, between the load of its ops and the call of func, moved
//! to another CPU and kept off it while the ops is retired. It must be waited for; where it is not, it goes on with an
//! ops that was freed (P1).
//!
//! ```text
//! stepped thread, first CPU        last CPU                    this task
//! T3, T5, T6: SGI to itself
//! IRQ: affinity := the last CPU -> wakes, and only yields
//!      softirq, an SGI in it
//! preempted there                                              unregisters, waits a while
//! goes on, if it must on poison <- ends                      <- lets it
//! ```
//! So the interrupt that preempts it has had an inner one, as a mark that nests must bear.

use super::held::{last_cpu, wait_until};
use super::updaters;
use crate::arch::step::{self, Stop, Then};
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, gic};
use crate::ftrace::live;
use crate::irq::softirq::{self, Softirq};
use crate::lab::calls::{self, Calls};
use crate::lab::oracle;
use crate::lab::tracees;
use crate::println;
use crate::rcu;
use crate::sched::ipi::SGI_LAB;
use crate::sched::preemption::{model, preempts};
use crate::sched::{self, Class, JoinHandle, Spawn, Task, WaitQueue, now_ns};
use crate::sync::atomic::{AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use crate::sync::irqs;
use alloc::boxed::Box;

/// How long the holder is kept.
const KEEP_NS: u64 = 20_000_000;
const TRACEE: usize = 0;

/// The boundary at which the thread is preempted.
static AT: AtomicUsize = AtomicUsize::new(0);
static STEPPED: AtomicPtr<Task> = AtomicPtr::new(core::ptr::null_mut());
static PHASE: AtomicU32 = AtomicU32::new(BEFORE);
static PHASES: WaitQueue = WaitQueue::new();
const BEFORE: u32 = 0;
/// It has sent the SGI to itself.
const ASKED: u32 = 1;
/// The SGI was taken.
const TAKEN: u32 = 2;
/// It may go on.
const OVER: u32 = 3;

/// Each stop of the thread, up to its boundary. Context: exception.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn on_stop(frame: &mut ExceptionFrame, _: Stop) -> Then {
    if PHASE.load(Ordering::Relaxed) != BEFORE {
        return Then::Leave;
    }
    if frame.elr as usize == AT.load(Ordering::Relaxed) {
        PHASE.store(ASKED, Ordering::Release);
        gic::send_sgi(SGI_LAB, cpu::id());
    }
    Then::Step
}

/// The SGI that the thread sent itself, and the one that comes on top of the softirq. Context: IRQ.
fn on_sgi() {
    if PHASE.compare_exchange(ASKED, TAKEN, Ordering::AcqRel, Ordering::Relaxed).is_err() {
        return;
    }
    // SAFETY: the thread is alive until the scenario has joined it.
    if let Some(task) = unsafe { STEPPED.load(Ordering::Relaxed).as_ref() } {
        sched::set_affinity(task, 1 << last_cpu());
    }
    irqs::with_masked(|irqs| {
        softirq::raise(Softirq::Lab, irqs);
    });
    PHASES.wake_all();
}

/// Is interrupted. Context: softirq, IRQs on.
fn on_softirq() {
    gic::send_sgi(SGI_LAB, cpu::id());
    (0..1000).for_each(|_| core::hint::spin_loop());
}

/// Has the last CPU to itself as long as the thread is to be kept; every turn of it is a voluntary switch.
fn keep_cpu_busy() {
    PHASES.wait_until(|| PHASE.load(Ordering::Acquire) >= TAKEN);
    while PHASE.load(Ordering::Acquire) != OVER {
        sched::yield_now();
    }
}

fn call() {
    STEPPED.store(core::ptr::from_ref(sched::current()).cast_mut(), Ordering::Relaxed);
    step::debug(on_stop, || tracees::call(TRACEE, 0));
}

fn spawn(name: &str, class: Class, cpu: usize, work: fn()) -> JoinHandle {
    let what = Spawn { name, class, cpu: Some(cpu) };
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("stress: {error}"))
}

/// Shows it at each boundary. Context: task, while nobody else calls tracees.
pub(super) fn scenario() {
    if sched::nr_cpus() < 2 || !preempts(model()) {
        return; // nobody is preempted, or there is nobody to look on
    }
    static CALLS: Calls = Calls { sgi: on_sgi, softirq: on_softirq };
    calls::begin(&CALLS);
    sched::set_affinity(sched::current(), !(1 << last_cpu()));
    let trampoline = live::trampoline();
    let boundaries = [trampoline.t3, trampoline.t3 + 4, trampoline.t6];
    boundaries.into_iter().for_each(keep);
    sched::set_affinity(sched::current(), u32::MAX);
    calls::end();
    println!("preempted at {} boundaries of the trampoline, with the ops in hand, and moved", boundaries.len());
}

/// Retires the ops of a thread that stands at `boundary`.
fn keep(boundary: usize) {
    AT.store(boundary, Ordering::Relaxed);
    PHASE.store(BEFORE, Ordering::Relaxed);
    let ops = updaters::make_batch(updaters::EXIT_LANE, 1).pop().expect("memory for one ops");
    let number = ops.private;
    let ops = live::register_at(ops, tracees::sites(TRACEE..=TRACEE)).unwrap_or_else(|error| panic!("stress: {error}"));
    let busy = spawn("busy", Class::High, last_cpu(), keep_cpu_busy);
    let stepped = spawn("stepped", Class::Normal, 0, call);
    let is_kept = || PHASE.load(Ordering::Acquire) == TAKEN && stepped.task().is_off_cpu();
    wait_until(is_kept, "a thread that was to be preempted in the trampoline still runs");
    let gone = live::unregister(ops).expect("registered above");
    oracle::note_retired(number);
    let start_ns = now_ns();
    let mut elapsed = gone.poll();
    while elapsed.is_none() && now_ns() - start_ns < KEEP_NS {
        sched::sleep(1_000_000);
        elapsed = gone.poll();
    }
    // Whoever says now that nobody holds the ops has it freed under the thread.
    let gone = match elapsed {
        Some(elapsed) => {
            oracle::bury_elapsed(gone, elapsed);
            None
        }
        None => Some(gone),
    };
    PHASE.store(OVER, Ordering::Release);
    stepped.join();
    busy.join();
    if let Some(gone) = gone {
        let elapsed = rcu::synchronize_for(&gone);
        oracle::bury_elapsed(gone, elapsed);
    }
}
