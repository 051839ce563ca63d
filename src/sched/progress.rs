//! Progress: guest time in which every CPU ran. What is judged by how long it takes is judged by this.
//!
//! The clock goes on while the host stops the guest, or leaves one of its CPUs out: it does not say how long something could
//! have been done. Ticks do, since those that were missed are not made up for. A *round* is over when each CPU has had a tick
//! since the last one was; so many rounds, as long as a tick each, are the progress.
//!
//! | what happens | progress |
//! |---|---|
//! | the host stops the guest, for however long | one round at most |
//! | it leaves one CPU out | none |
//! | it runs the CPUs by turns, each too seldom for its ticks | as often as the one that comes off worst |
//! | a CPU takes no interrupts | none: the watchdog ends that, by its beats |
//! | a CPU idles | the same as if it did not: it has its ticks |
//!
//! # Why not the fewest ticks of any CPU since a wait began
//! That takes a look at every CPU, and room to note it, for each wait; a round is one number for all. It is never more.
//! Pure.

use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};

/// The rounds of a machine.
#[derive(Debug)]
pub struct Rounds {
    /// CPUs that have had a tick in this round, a bit each.
    ticked: AtomicU32,
    nr: AtomicU64,
}

impl Rounds {
    /// None so far.
    pub const fn new() -> Self {
        Self { ticked: AtomicU32::new(0), nr: AtomicU64::new(0) }
    }

    /// CPU number `cpu` of `nr_cpus` has a tick. Context: IRQ, on that CPU.
    ///
    /// Order: relaxed. A count of rounds publishes nothing; of two CPUs that both find the round whole, the exchange lets
    /// one count it, and a tick that comes between the look and the exchange leaves it to the CPU that had that tick.
    #[inline(always)]
    pub fn tick(&self, cpu: usize, nr_cpus: usize) {
        let own = 1 << cpu;
        let ticked = self.ticked.fetch_or(own, Ordering::Relaxed) | own;
        let is_whole = ticked.count_ones() as usize >= nr_cpus;
        if is_whole && self.ticked.compare_exchange(ticked, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.nr.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Rounds so far. Context: any.
    #[inline(always)]
    pub fn nr(&self) -> u64 {
        self.nr.load(Ordering::Relaxed)
    }
}

impl Default for Rounds {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::Rounds;

    /// The rounds after these ticks of a machine of so many CPUs.
    fn rounds(nr_cpus: usize, ticks: impl IntoIterator<Item = usize>) -> u64 {
        let rounds = Rounds::new();
        ticks.into_iter().for_each(|cpu| rounds.tick(cpu, nr_cpus));
        rounds.nr()
    }

    #[test]
    fn a_round_is_over_when_each_cpu_has_had_a_tick_in_whatever_order() {
        assert_eq!(rounds(3, [0, 1]), 0);
        assert_eq!(rounds(3, [2, 0, 1]), 1);
        assert_eq!(rounds(3, [0, 1, 2, 2, 1, 0]), 2);
        assert_eq!(rounds(2, [0, 1, 0, 1]), 2, "a round takes nothing over from the one before");
        assert_eq!(rounds(1, [0; 7]), 7, "alone, each tick is one");
    }

    #[test]
    fn a_cpu_that_has_no_ticks_makes_no_progress_however_many_the_others_have() {
        assert_eq!(rounds(4, (0..3).cycle().take(3_000)), 0);
        assert_eq!(rounds(4, (0..3).cycle().take(3_000).chain([3])), 1, "and what the others had does not add up");
    }

    #[test]
    fn cpus_that_run_by_turns_make_as_much_progress_as_the_one_with_the_fewest_ticks_at_most() {
        let by_turns = (0..10).flat_map(|turn| core::iter::repeat_n(turn % 2, 100));
        assert_eq!(rounds(2, by_turns), 9, "500 ticks each");
    }

    #[test]
    fn a_pause_of_the_host_is_one_round_at_most() {
        let rounds = Rounds::new();
        [0, 1, 2].into_iter().for_each(|cpu| rounds.tick(cpu, 4)); // stopped here, for ever so long
        (0..4).for_each(|cpu| rounds.tick(cpu, 4)); // each CPU's one late tick
        assert_eq!(rounds.nr(), 1);
        [3, 0, 1, 2].into_iter().for_each(|cpu| rounds.tick(cpu, 4));
        assert_eq!(rounds.nr(), 2);
    }
}
