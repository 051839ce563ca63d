//! How long the director waits.

use crate::sched::{self, Patience};

/// A grace period that has not ended when the guest has made so much progress since everybody went on never does.
pub(super) const PATIENCE_NS: u64 = 10_000_000_000;

/// Lets other tasks run, and CPUs that have nothing to do take them. A CPU that its host does not run is waited for. Says whether
/// `is_so` came to be. Context: task.
pub(super) fn wait_until(mut is_so: impl FnMut() -> bool, patience_ns: u64) -> bool {
    let patience = Patience::of(patience_ns);
    for round in 1_u64.. {
        if is_so() {
            return true;
        }
        if patience.is_over() {
            break;
        }
        if round.is_multiple_of(4) {
            sched::sleep(20_000);
        } else {
            sched::yield_now();
        }
    }
    false
}
