//! `gp` beside tasks that never sleep: one on each CPU, which called a traced function many frames deep, left it, and
//! spins. One of them retires the ops and sees, still spinning, when its grace period has ended: so the measure needs no
//! other task to run, whatever the preemption model. The others spin until then.
//!
//! Where that does not end while they spin, they let go after a while, and the row says `stalled=1`.

use super::{Bencher, SAMPLES, Sample, now, nr_rounds, traced};
use crate::arch::cpu;
use crate::ftrace::live::{self, Gone};
use crate::ftrace::ops::Ops;
use crate::lab::report::BenchLine;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Patience, Spawn};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;
use crate::tracers::nop;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::hint::{black_box, spin_loop};

/// Frames of the traced call.
const FRAMES: u64 = 8;
/// A grace period that has lasted for so long is reported; a little later the spinners let go.
const STALL_AFTER_NS: u64 = 100_000_000;
const GIVE_UP_NS: u64 = STALL_AFTER_NS + 20_000_000;

/// One measurement.
struct Round {
    ops: AtomicPtr<Ops>,
    /// Spinners that have begun to.
    nr_spinning: AtomicUsize,
    is_over: AtomicBool,
    /// What the asker found.
    found: IrqLock<Option<Found>>,
}

struct Found {
    gone: Gone,
    start: Sample,
    /// Not there if it has let go before.
    end: Option<Sample>,
}

/// The traced function: nothing but frames.
#[inline(never)]
fn deep(frames: u64) -> u64 {
    match frames {
        0 => 0,
        // The black box keeps the compiler from making a loop of it.
        _ => black_box(deep(frames - 1)) + 1,
    }
}

impl Round {
    /// A spinner; one of them asks.
    fn spin(&self, asks: bool) {
        assert!(deep(black_box(FRAMES)) == FRAMES);
        self.nr_spinning.fetch_add(1, Ordering::Relaxed);
        while self.nr_spinning.load(Ordering::Relaxed) < sched::nr_cpus() {
            spin_loop();
        }
        if asks {
            let found = self.ask();
            *self.found.lock() = Some(found);
            self.is_over.store(true, Ordering::Release);
        }
        while !self.is_over.load(Ordering::Acquire) {
            spin_loop();
        }
    }

    fn ask(&self) -> Found {
        let (start, patience) = (now(), Patience::of(GIVE_UP_NS));
        let gone = live::unregister(self.ops.load(Ordering::Relaxed)).expect("registered by this bench");
        loop {
            if gone.poll().is_some() {
                return Found { gone, start, end: Some(now()) };
            }
            if patience.is_over() {
                return Found { gone, start, end: None };
            }
            spin_loop();
        }
    }
}

/// Prints the row.
pub(super) fn row(bencher: &mut Bencher, base: BenchLine) {
    let patience_ns = rcu::set_stall_after(STALL_AFTER_NS);
    let (mut samples, mut is_stalled) = (Vec::with_capacity(SAMPLES), false);
    let rounds = nr_rounds();
    while samples.len() < SAMPLES && !is_stalled {
        let (sample, has_ended) = sample();
        samples.push(sample);
        is_stalled = !has_ended;
    }
    let rounds = (nr_rounds() - rounds) / samples.len() as u64;
    rcu::set_stall_after(patience_ns);
    let busy = Some(sched::nr_cpus() as u64);
    let line = BenchLine { tasks: Some(0), holders: Some(0), busy, rounds: Some(rounds), is_stalled, ..base };
    bencher.print(line, &samples);
}

/// What it took from the request to the end of the grace period, and whether that came while all were spinning.
fn sample() -> (Sample, bool) {
    let ops = live::register_at(nop::empty(), traced(deep as *const () as usize));
    let ops = ops.unwrap_or_else(|error| panic!("bench: {error}"));
    let round = Arc::new(Round {
        ops: AtomicPtr::new(ops.cast_mut()),
        nr_spinning: AtomicUsize::new(0),
        is_over: AtomicBool::new(false),
        found: IrqLock::new(None),
    });
    let asker = cpu::id();
    // This task's own CPU last: the spinner may not let it go on.
    let spinners: Vec<JoinHandle> = (1..=sched::nr_cpus())
        .map(|distance| {
            let cpu = (asker + distance) % sched::nr_cpus();
            let (what, round) = (Spawn { name: "spinner", class: Class::Normal, cpu: Some(cpu) }, Arc::clone(&round));
            sched::spawn(what, Box::new(move || round.spin(cpu == asker)))
                .unwrap_or_else(|error| panic!("bench: {error}"))
        })
        .collect();
    spinners.into_iter().for_each(JoinHandle::join);
    let Found { gone, start, end } = round.found.lock().take().expect("the asker has ended");
    let elapsed = rcu::synchronize_for(&gone);
    let has_ended = end.is_some();
    let sample = end.unwrap_or_else(now).since(start);
    assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
    (sample, has_ended)
}
