//! What has been counted for the running scheme, and its first counterexample.

use super::seen::Seen;
use crate::arch::relax::SpinMutex;
use crate::lab::oracle::Property;
use crate::lab::report::{Cell, Verdict, WindowsLine};
use crate::println;
use alloc::string::String;

/// For a verdict at any time.
static TALLY: SpinMutex<Option<WindowsLine>> = SpinMutex::new(None);

/// A counterexample, or what else made a run fail.
pub(super) struct Failure {
    pub(super) story: String,
    pub(super) only: String,
}

/// From now on this is counted on. Context: task.
pub(super) fn begin(line: WindowsLine) {
    *TALLY.lock() = Some(line);
}

/// What has been counted since [`begin`]. Context: task.
pub(super) fn end() -> WindowsLine {
    TALLY.lock().take().expect("it is there while a scheme is explored")
}

/// Changes what has been counted. Context: task.
pub(super) fn change(change: impl FnOnce(&mut WindowsLine)) {
    if let Some(line) = &mut *TALLY.lock() {
        change(line);
    }
}

/// Counts a run; says whether it is a failure. Context: task.
pub(super) fn count(seen: &Seen, cell: Cell) -> bool {
    let has_failed = !seen.has_ended || matches!(cell, Cell::Unsafe | Cell::Undecided | Cell::Disputed);
    let counts = cell != Cell::Forbidden;
    change(|line| {
        line.runs += u64::from(counts);
        line.ended += u64::from(counts && seen.has_ended);
        line.freed_early += u64::from(cell == Cell::Unsafe);
        line.late += u64::from(cell == Cell::Late);
        if has_failed {
            line.verdict = Verdict::Fail;
        }
    });
    has_failed
}

/// A violation that was not contained: the kernel ends, and this is the last that it says. Context: any.
pub(super) fn on_violation(_: Property) {
    if let Some(line) = TALLY.try_lock().and_then(|tally| *tally) {
        println!("{}", WindowsLine { verdict: Verdict::Fail, freed_early: line.freed_early + 1, ..line });
    }
}
