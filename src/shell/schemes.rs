//! What `rcu` prints of the schemes: a table with a row for each that has run. Pure.
//!
//! The columns are an interface: new ones go behind the last, and none moves. Times are in microseconds.

use core::fmt;

use crate::rcu::grace::Statistics;

const NS_PER_US: u64 = 1_000;

/// Prints the table.
#[derive(Clone, Copy, Debug)]
pub struct Schemes<'a> {
    /// The names, in the order of the rows.
    pub names: &'a [&'a str],
    /// What their grace periods came to.
    pub statistics: &'a [Statistics],
    /// The selected one's name: its row is marked, and is there in any case.
    pub selected: &'a str,
}

impl fmt::Display for Schemes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "  {:<9} {:>7} {:>9} {:>9} {:>9} {:>6} {:>7} {:>7} {:>7}",
            "SCHEME", "PERIODS", "LAST", "MEAN", "LONGEST", "STALLS", "ROUNDS", "FREED", "WAITED"
        )?;
        for (&name, of) in self.names.iter().zip(self.statistics) {
            let is_selected = name == self.selected;
            if !is_selected && *of == Statistics::default() {
                continue;
            }
            writeln!(
                f,
                "{} {name:<9} {:>7} {:>9} {:>9} {:>9} {:>6} {:>7} {:>7} {:>7}",
                if is_selected { '*' } else { ' ' },
                of.nr_grace_periods,
                of.last_ns / NS_PER_US,
                of.mean_ns() / NS_PER_US,
                of.max_ns / NS_PER_US,
                of.nr_stalls,
                of.nr_rounds,
                of.nr_freed,
                of.nr_waited_for,
            )?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Schemes, Statistics};

    #[test]
    fn a_scheme_that_has_run_has_a_row_and_so_has_the_selected_one_which_is_marked() {
        let ran = Statistics {
            nr_grace_periods: 3,
            last_ns: 1_999,
            max_ns: 4_000_000,
            total_ns: 9_000_000,
            nr_stalls: 1,
            nr_rounds: 6,
            nr_waited_for: 9,
            nr_freed: 7,
        };
        let of = [Statistics::default(), ran, Statistics::default()];
        let table = Schemes { names: &["none", "classic", "nopreempt"], statistics: &of, selected: "nopreempt" };
        let text = table.to_string();
        let rows: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(rows.len(), 3, "{text}");
        assert_eq!(rows[0], ["SCHEME", "PERIODS", "LAST", "MEAN", "LONGEST", "STALLS", "ROUNDS", "FREED", "WAITED"]);
        assert_eq!(rows[1], ["classic", "3", "1", "3000", "4000", "1", "6", "7", "9"]);
        assert_eq!(rows[2], ["*", "nopreempt", "0", "0", "0", "0", "0", "0", "0", "0"]);
        let ends: Vec<usize> = text.lines().map(str::len).collect();
        assert!(ends.iter().all(|&end| end == ends[0] && end <= 80), "aligned: {text}");
    }

    #[test]
    fn figures_of_a_long_life_stay_apart() {
        let big = Statistics {
            nr_grace_periods: 123_456_789_012,
            last_ns: u64::MAX,
            max_ns: u64::MAX,
            total_ns: u64::MAX,
            nr_stalls: 12_345_678,
            nr_rounds: 123_456_789_012,
            nr_waited_for: 123_456_789,
            nr_freed: 123_456_789,
        };
        let text = Schemes { names: &["sched"], statistics: &[big], selected: "sched" }.to_string();
        assert_eq!(text.lines().nth(1).expect("a row").split_whitespace().count(), 10, "{text}");
    }
}
