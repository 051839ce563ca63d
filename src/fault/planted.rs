//! The build with deliberate faults: at most one at a time.

use super::Fault;
use crate::sync::atomic::{AtomicUsize, Ordering};

/// Whether this build has the faults of the table.
pub const ARE_BUILT: bool = true;

/// The planted one, counted from 1; 0 is none.
static PLANTED: AtomicUsize = AtomicUsize::new(0);

/// Whether this rule is to be broken. Context: any.
#[inline(always)]
pub fn is(fault: Fault) -> bool {
    PLANTED.load(Ordering::Relaxed) == fault as usize + 1
}

/// From now on this rule is broken, and no other. Context: task, before the experiment starts.
pub fn plant(fault: Option<Fault>) {
    PLANTED.store(fault.map_or(0, |fault| fault as usize + 1), Ordering::Relaxed);
}

/// Between the two steps of a fault that changes their order: long enough for others to come in between, though the
/// emulator's CPUs share those of a busy host. Context: any.
#[cfg_attr(target_os = "none", patchable_function_entry(prefix_nops = 0, entry_nops = 0))]
pub fn keep_window_open() {
    const ROUNDS: u32 = 8_000_000;
    (0..ROUNDS).for_each(|_| core::hint::spin_loop());
}
