//! What an ops and a fan-out node carry for whoever frees them: who was seen to hold it. Pure.
//!
//! The words stand on this floor because the header has them, which the trampoline's frame names. What they mean is decided by
//! `rcu::schemes::scan`; `tests/models.rs` enumerates the protocol over these very words.
//!
//! # Why a count beside the number of a look
//! A task that sleeps in a func stays where it is. It is examined once, and counted until it goes on: a thousand of them
//! cost a later look nothing. Who is on a CPU moves, so its hold is good for one look only.

use crate::fault::{self, Fault};
use crate::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

/// Who was seen to hold an ops or a node.
#[repr(C)]
#[derive(Debug)]
pub struct HoldWords {
    is_retired: AtomicBool,
    /// The last look that met it in a context on a CPU, or in a task that went on meanwhile.
    seen: AtomicU64,
    /// Tasks that are off their CPU, were examined there, and hold it.
    sleepers: AtomicUsize,
    /// Retired nodes that name it, and may be held: who holds a node holds its members.
    nodes: AtomicUsize,
}

impl Default for HoldWords {
    fn default() -> Self {
        Self::new()
    }
}

impl HoldWords {
    /// Of what is in use and was seen by nobody.
    pub fn new() -> Self {
        Self {
            is_retired: AtomicBool::new(false),
            seen: AtomicU64::new(0),
            sleepers: AtomicUsize::new(0),
            nodes: AtomicUsize::new(0),
        }
    }

    /// It was unlinked: whoever meets it in a frame from now on tells when that frame is gone.
    ///
    /// Order: relaxed. It is stored before the object is handed to the graveyard, whose lock the next look takes before its round.
    pub fn note_retired(&self) {
        self.is_retired.store(true, Ordering::Relaxed);
    }

    /// Whether it was unlinked.
    #[inline(always)]
    pub fn is_retired(&self) -> bool {
        self.is_retired.load(Ordering::Relaxed)
    }

    /// Look number `look` met it. Context: the CPU whose contexts hold it, IRQs masked.
    ///
    /// The larger number stays: a task that goes on may bring the number of a look that is over, when the next one has met another
    /// holder already. Order: relaxed. The CPU's answer, or the task's word by which it goes on, is a release behind it.
    #[inline(always)]
    pub fn see(&self, look: u64) {
        self.seen.fetch_max(look, Ordering::Relaxed);
    }

    /// A task that is kept off its CPU holds it. Context: the walker.
    #[inline(always)]
    pub fn count_sleeper(&self) {
        self.sleepers.fetch_add(1, Ordering::Relaxed);
    }

    /// That task goes on. It has called [`HoldWords::see`] before if a look is under way.
    ///
    /// Order: `Release`, pairing with the load in [`HoldWords::is_held`]: who finds the task no longer counted finds its mark.
    #[inline(always)]
    pub fn discount_sleeper(&self) {
        self.sleepers.fetch_sub(1, Ordering::Release);
    }

    /// A node that names it was retired, or is held by nobody any more. Context: whoever retires the node; the grace-period task.
    ///
    /// Order: relaxed. The node is retired before the ops, or with it, so the graveyard's lock is between its count and the ops being
    /// judged.
    #[inline(always)]
    pub fn count_node(&self, may_be_held: bool) {
        if may_be_held {
            self.nodes.fetch_add(1, Ordering::Relaxed);
        } else {
            self.nodes.fetch_sub(1, Ordering::Relaxed);
        }
    }

    /// Whether look number `look`, which has met everybody, found a holder. Context: the grace-period task.
    ///
    /// Order: the count is loaded first, with `Acquire`: see [`HoldWords::discount_sleeper`]. What holders did before they left
    /// comes before the answers and the words that the look has acquired (O5).
    #[inline]
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn is_held(&self, look: u64) -> bool {
        let is_held = self.sleepers.load(Ordering::Acquire) != 0
            || self.seen.load(Ordering::Relaxed) >= look
            || self.nodes.load(Ordering::Relaxed) != 0;
        is_held && !fault::is(Fault::NumberMissing)
    }
}
