//! Jitter: ticks that come a little early or late, by chance, so that other seeds are other schedules. Pure.

use crate::sync::atomic::{AtomicU64, Ordering};

/// What sets the states of CPUs apart: the golden ratio's bits, without a pattern, and odd.
const APART: u64 = 0x9e37_79b9_7f4a_7c15;

/// The generator of one CPU's jitter. Written by its own CPU, but for its start and its end.
#[derive(Debug)]
pub struct Jitter(AtomicU64);

impl Jitter {
    /// None: the ticks come evenly.
    pub const fn none() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Draws from `seed` from now on, as CPU number `cpu`; `None` is the even tick. Context: any.
    pub fn start(&self, seed: Option<u64>, cpu: usize) {
        let state = seed.map_or(0, |seed| (seed ^ APART.wrapping_mul(cpu as u64 + 1)).max(1));
        self.0.store(state, Ordering::Relaxed);
    }

    /// How much later than `period / 8` before its even time the next tick comes: from 0 to a fourth of `period`; an eighth,
    /// which is evenly, where there is no jitter. Context: IRQ, on that CPU.
    #[inline(always)]
    pub fn draw(&self, period: u64) -> u64 {
        match self.0.load(Ordering::Relaxed) {
            0 => period / 8,
            state => {
                // Marsaglia's xorshift64, which never comes to 0.
                let state = state ^ state << 13;
                let state = state ^ state >> 7;
                let state = state ^ state << 17;
                self.0.store(state, Ordering::Relaxed);
                state % (period / 4)
            }
        }
    }
}

impl Default for Jitter {
    fn default() -> Self {
        Self::none()
    }
}

#[cfg(test)]
mod tests {
    use super::Jitter;
    use std::collections::BTreeSet;

    const PERIOD: u64 = 4_000_000;

    fn drawn(seed: Option<u64>, cpu: usize) -> Vec<u64> {
        let jitter = Jitter::none();
        jitter.start(seed, cpu);
        (0..100).map(|_| jitter.draw(PERIOD)).collect()
    }

    #[test]
    fn no_seed_is_the_even_tick() {
        assert_eq!(drawn(None, 3), [PERIOD / 8; 100]);
    }

    #[test]
    fn every_cpu_and_every_seed_draws_a_way_of_its_own_within_a_fourth() {
        let seeds = [0, 1, 2, 3, u64::MAX, 0x9e37_79b9_7f4a_7c15];
        let ways: BTreeSet<Vec<u64>> =
            seeds.into_iter().flat_map(|seed| (0..8).map(move |cpu| drawn(Some(seed), cpu))).collect();
        assert_eq!(ways.len(), seeds.len() * 8);
        assert!(ways.iter().flatten().all(|&late| late < PERIOD / 4));
        let is_both_ways =
            |way: &Vec<u64>| way.iter().any(|&it| it < PERIOD / 8) && way.iter().any(|&it| it > PERIOD / 8);
        assert!(ways.iter().all(is_both_ways), "early and late");
    }

    #[test]
    fn the_same_seed_draws_the_same_again() {
        assert_eq!(drawn(Some(7), 2), drawn(Some(7), 2));
    }
}
