//! Patience: for how long something is waited for before that is held against it, counted in [`super::progress`].
//!
//! For whatever judges. What merely paces (a sleep, a slice, a delay) takes the clock, [`super::now_ns`].

use super::ipi::nr_cpus;
use super::progress::Rounds;
use super::tick::TICK_NS;

static ROUNDS: Rounds = Rounds::new();

/// CPU number `cpu` has a tick. Context: IRQ, on that CPU.
#[inline(always)]
pub(super) fn on_tick(cpu: usize) {
    ROUNDS.tick(cpu, nr_cpus());
}

/// Guest time, in nanoseconds, in which every CPU ran: ticks that all have had. It goes on by [`TICK_NS`] at once, and is at
/// most so much ahead of what has passed since an earlier look. Context: any.
#[inline(always)]
pub fn progress_ns() -> u64 {
    ROUNDS.nr() * TICK_NS
}

/// How long one wait may last.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    until_ns: u64,
}

impl Patience {
    /// From now on for `ns` nanoseconds in which every CPU runs. Context: any.
    #[inline(always)]
    pub fn of(ns: u64) -> Self {
        // The round that is under way does not count.
        Self { until_ns: progress_ns() + TICK_NS + ns }
    }

    /// Whether it has lasted that long: never too early. Context: any.
    #[inline(always)]
    pub fn is_over(&self) -> bool {
        progress_ns() >= self.until_ns
    }
}
