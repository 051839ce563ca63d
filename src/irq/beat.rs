//! What the watchdog decides: what is overdue, judged by one CPU at one of its own beats.
//!
//! Everything is counted in beats of the CPU that judges, so that a guest that was stopped, or a CPU that its host did
//! not run, has not waited: between two beats it did run, and what should have moved had its chance.
//! Context: any. Pure. Above: `watchdog`.

use crate::sync::atomic::{AtomicU64, Ordering};

/// Beats that something may stand still.
pub const PATIENCE_BEATS: u64 = 10;

/// Something that moves as long as all is well, as one CPU sees it.
#[derive(Debug)]
pub struct Pulse {
    value: AtomicU64,
    still: AtomicU64,
}

impl Pulse {
    /// Not looked at yet.
    pub const fn new() -> Self {
        Self { value: AtomicU64::new(u64::MAX), still: AtomicU64::new(0) }
    }

    /// Looks at it once in a beat, and says for how many beats it has stood still.
    #[inline(always)]
    pub fn look(&self, value: u64) -> u64 {
        let still =
            if self.value.load(Ordering::Relaxed) == value { self.still.load(Ordering::Relaxed) + 1 } else { 0 };
        self.value.store(value, Ordering::Relaxed);
        self.still.store(still, Ordering::Relaxed);
        still
    }
}

impl Default for Pulse {
    fn default() -> Self {
        Self::new()
    }
}

/// What a CPU sees at a beat: for how many beats each of these has lasted, 0 where there is no such thing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sight {
    /// It waits for one lock.
    pub wanted: u64,
    /// It holds one lock.
    pub held: u64,
    /// Some CPU does not answer the visit that it asked for.
    pub visit: u64,
    /// Its tick does not come.
    pub tick: u64,
    /// Another CPU has no beat: the one that has been silent for longest, and how long.
    pub silent: (usize, u64),
}

/// The CPU among `beats` (each with its number of beats so far) that has been silent for longest, and for how many looks.
/// One that has had no beat at all is silent as well: it may have stopped before its first.
#[inline(always)]
pub fn most_silent(pulses: &[Pulse], beats: impl Iterator<Item = (usize, u64)>) -> (usize, u64) {
    let looks = beats.filter_map(|(cpu, beats)| pulses.get(cpu).map(|pulse| (cpu, pulse.look(beats))));
    looks.max_by_key(|&(_, still)| still).unwrap_or_default()
}

/// What has lasted for too long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overdue {
    /// The CPU waits for a lock.
    Wanted,
    /// It holds a lock.
    Held,
    /// It waits for the answers to its visit.
    Visit,
    /// It takes no interrupts.
    Tick,
    /// Another CPU has stopped altogether.
    Silent(usize),
}

/// What is overdue, if anything: that which says most about the culprit first. A lock that is held for ever also masks
/// interrupts for ever, and a CPU that waits for a lock does so too.
#[inline(always)]
pub fn overdue(sight: &Sight) -> Option<Overdue> {
    let found = [
        (sight.wanted, Overdue::Wanted),
        (sight.held, Overdue::Held),
        (sight.visit, Overdue::Visit),
        (sight.tick, Overdue::Tick),
        (sight.silent.1, Overdue::Silent(sight.silent.0)),
    ];
    found.iter().find(|(beats, _)| *beats >= PATIENCE_BEATS).map(|(_, what)| *what)
}

#[cfg(test)]
mod tests {
    use super::{Overdue, PATIENCE_BEATS, Pulse, Sight, most_silent, overdue};

    #[test]
    fn a_pulse_counts_the_looks_since_it_moved() {
        let pulse = Pulse::new();
        assert_eq!(pulse.look(5), 0, "the first look");
        assert_eq!([pulse.look(5), pulse.look(5)], [1, 2]);
        assert_eq!([pulse.look(6), pulse.look(6), pulse.look(5)], [0, 1, 0]);
    }

    #[test]
    fn the_cpu_that_has_been_silent_for_longest_is_found_even_before_its_first_beat() {
        let pulses = [const { Pulse::new() }; 3];
        assert_eq!(most_silent(&pulses, [(0, 0), (2, 0)].into_iter()).1, 0, "the first look");
        for look in 1..=PATIENCE_BEATS {
            assert_eq!(most_silent(&pulses, [(0, 0), (2, look)].into_iter()), (0, look));
        }
        assert_eq!(most_silent(&pulses, [(0, 1), (2, PATIENCE_BEATS)].into_iter()), (2, 1), "it has come");
        assert_eq!(most_silent(&pulses, core::iter::empty()).1, 0, "the only CPU");
    }

    #[test]
    fn nothing_is_overdue_one_beat_too_early() {
        let early = PATIENCE_BEATS - 1;
        let sight = Sight { wanted: early, held: early, visit: early, tick: early, silent: (1, early) };
        assert_eq!(overdue(&sight), None);
        assert_eq!(overdue(&Sight::default()), None);
        assert_eq!(overdue(&Sight { tick: PATIENCE_BEATS, ..sight }), Some(Overdue::Tick));
        assert_eq!(overdue(&Sight { visit: PATIENCE_BEATS, ..sight }), Some(Overdue::Visit));
        assert_eq!(overdue(&Sight { silent: (3, PATIENCE_BEATS), ..sight }), Some(Overdue::Silent(3)));
    }

    #[test]
    fn the_lock_is_named_before_the_masked_interrupts_that_come_with_it() {
        let late = PATIENCE_BEATS + 2;
        let sight = Sight { wanted: late, held: late, visit: 0, tick: late, silent: (0, late) };
        assert_eq!(overdue(&sight), Some(Overdue::Wanted));
        assert_eq!(overdue(&Sight { wanted: 0, ..sight }), Some(Overdue::Held));
        assert_eq!(overdue(&Sight { wanted: 0, held: 0, ..sight }), Some(Overdue::Tick));
    }
}
