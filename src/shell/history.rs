//! The lines that were typed before, and where among them a person is. Pure but for the heap that keeps them.
//!
//! Bounded: the oldest line gives way. A line that repeats the one before is kept once. The half-typed line from which a
//! person went up is the newest of all: it comes back on the way down. Context: any that may allocate.

use alloc::boxed::Box;

use super::edit::MAX_BYTES;

/// Lines that are kept.
pub const MOST_LINES: usize = 32;

/// The lines, oldest first, and a place among them.
#[derive(Clone, Debug, Default)]
pub struct History {
    lines: heapless::Deque<Box<str>, MOST_LINES>,
    /// How many lines up from the one that is being typed.
    up: usize,
    /// That line, while `up` is not 0.
    draft: heapless::String<MAX_BYTES>,
}

impl History {
    /// Nothing was typed yet.
    pub const fn new() -> Self {
        Self { lines: heapless::Deque::new(), up: 0, draft: heapless::String::new() }
    }

    /// Keeps a line, unless it is blank or the last one again, and goes back to the line that is being typed.
    pub fn push(&mut self, line: &str) {
        self.leave();
        if line.trim_ascii().is_empty() || self.lines.back().is_some_and(|last| **last == *line) {
            return;
        }
        if self.lines.is_full() {
            self.lines.pop_front();
        }
        // There is room: made just now.
        let _ = self.lines.push_back(line.into());
    }

    /// Back to the line that is being typed.
    pub fn leave(&mut self) {
        self.up = 0;
        self.draft.clear();
    }

    /// The line before the one shown, which is `now`; `None` at the oldest.
    pub fn older(&mut self, now: &str) -> Option<&str> {
        let index = self.lines.len().checked_sub(self.up + 1)?;
        if self.up == 0 {
            self.draft.clear();
            // Fits: a line of the same bound.
            let _ = self.draft.push_str(now);
        }
        self.up += 1;
        self.lines.get(index).map(|line| &**line)
    }

    /// The line after the one shown; in the end the one that was being typed; `None` if that is shown.
    pub fn newer(&mut self) -> Option<&str> {
        self.up = self.up.checked_sub(1)?;
        match self.up {
            0 => Some(&self.draft),
            up => self.lines.get(self.lines.len() - up).map(|line| &**line),
        }
    }

    /// The newest line that holds `part`, `skipped` such lines left out.
    pub fn find(&self, part: &str, skipped: usize) -> Option<&str> {
        self.lines.iter().rev().filter(|line| line.contains(part)).nth(skipped).map(|line| &**line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(lines: &[&str]) -> History {
        let mut history = History::new();
        lines.iter().for_each(|line| history.push(line));
        history
    }

    #[test]
    fn lines_come_back_newest_first_and_a_half_typed_one_survives() {
        let mut history = history(&["ps", "rcu"]);
        assert_eq!(history.older("tra"), Some("rcu"));
        assert_eq!(history.older("rcu, edited"), Some("ps"));
        assert_eq!(history.older("ps"), None, "there is nothing before");
        assert_eq!(history.newer(), Some("rcu"));
        assert_eq!(history.newer(), Some("tra"));
        assert_eq!(history.newer(), None, "there is nothing after");
        assert_eq!(history.older("other"), Some("rcu"));
        assert_eq!(history.newer(), Some("other"));
    }

    #[test]
    fn a_line_again_and_a_blank_one_are_not_kept() {
        let mut history = history(&["ps", "ps", "", "  ", "rcu", "ps"]);
        let mut lines = Vec::new();
        while let Some(line) = history.older("") {
            lines.push(line.to_owned());
        }
        assert_eq!(lines, ["ps", "rcu", "ps"]);
    }

    #[test]
    fn the_oldest_line_gives_way() {
        let mut history = History::new();
        (0..MOST_LINES + 5).for_each(|number| history.push(&format!("sleep {number}")));
        let mut oldest = String::new();
        let mut nr_lines = 0;
        while let Some(line) = history.older("") {
            line.clone_into(&mut oldest);
            nr_lines += 1;
        }
        assert_eq!((nr_lines, oldest.as_str()), (MOST_LINES, "sleep 5"));
    }

    #[test]
    fn a_new_line_starts_at_the_bottom_again() {
        let mut history = history(&["ps", "rcu"]);
        assert_eq!(history.older("").map(str::to_owned), Some("rcu".into()));
        history.push("mem");
        assert_eq!(history.newer(), None);
        assert_eq!(history.older(""), Some("mem"));
    }

    #[test]
    fn lines_are_found_by_a_part_newest_first() {
        let history = history(&["trace tick on", "ps", "trace wake on"]);
        assert_eq!(history.find("trace", 0), Some("trace wake on"));
        assert_eq!(history.find("trace", 1), Some("trace tick on"));
        assert_eq!((history.find("trace", 2), history.find("rcu", 0)), (None, None));
    }
}
