//! `gp` of an idle machine: a grace period beside so many sleeping tasks.

use super::{Bencher, SAMPLES, Sample, measure, nr_rounds, settle};
use crate::lab::report::BenchLine;
use crate::lab::selftest::room_for_tasks;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn, WaitQueue};
use crate::sync::atomic::{AtomicBool, Ordering};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Sleeping tasks beside which a grace period is measured.
pub(super) const TASKS: [usize; 4] = [0, 100, 1_000, 10_000];

static AWAKE: AtomicBool = AtomicBool::new(false);
static SLEEPERS: WaitQueue = WaitQueue::new();

/// The sleeping tasks: one population, by which all schemes are measured.
pub(super) struct Sleepers(Vec<JoinHandle>);

impl Sleepers {
    pub(super) fn new() -> Self {
        AWAKE.store(false, Ordering::Relaxed);
        Self(Vec::new())
    }

    /// Makes them so many, or as many as memory allows, and lets them fall asleep.
    pub(super) fn grow_to(&mut self, tasks: usize) {
        let what = Spawn { name: "sleeper", class: Class::Normal, cpu: None };
        let more = tasks.saturating_sub(self.0.len()).min(room_for_tasks());
        for _ in 0..more {
            let work = || SLEEPERS.wait_until(|| AWAKE.load(Ordering::Relaxed));
            let sleeper = sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("bench: {error}"));
            self.0.push(sleeper);
        }
        settle();
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn wake(self) {
        AWAKE.store(true, Ordering::Relaxed);
        SLEEPERS.wake_all();
        self.0.into_iter().for_each(JoinHandle::join);
        settle();
    }

    /// Prints the row.
    pub(super) fn row(&self, bencher: &mut Bencher, base: BenchLine) {
        let rounds = nr_rounds();
        let samples: [Sample; SAMPLES] = core::array::from_fn(|_| measure(1, rcu::synchronize));
        let rounds = (nr_rounds() - rounds) / SAMPLES as u64;
        let tasks = Some(self.len() as u64);
        bencher.print(BenchLine { tasks, holders: Some(0), busy: Some(0), rounds: Some(rounds), ..base }, &samples);
    }
}
