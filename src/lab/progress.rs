//! How far a run is, in a line that the next one overwrites: for a person who watches. Context: task.

use crate::console::print;
use crate::sched::now_ns;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::fmt;

/// Who watches reads no faster.
const PERIOD_NS: u64 = 200_000_000;

static SHOWS: AtomicBool = AtomicBool::new(false);
static SHOWN_NS: AtomicU64 = AtomicU64::new(0);

/// Whether anybody watches.
pub fn show(shows: bool) {
    SHOWS.store(shows, Ordering::Relaxed);
}

/// Shows how far the run is, if anybody watches, and not too often.
pub(super) fn tell(how_far: fmt::Arguments<'_>) {
    let now_ns = now_ns();
    if SHOWS.load(Ordering::Relaxed) && now_ns - SHOWN_NS.load(Ordering::Relaxed) >= PERIOD_NS {
        SHOWN_NS.store(now_ns, Ordering::Relaxed);
        print::write_passing(how_far);
    }
}
