//! Who waits for grace periods, by what they wait for, so that an end wakes few of those that wait on. Notrace (O8).
//!
//! | queue | its tasks wait | woken |
//! |---|---|---|
//! | [`NUMBERS`] | for the grace period of a cookie | by each end: for each of them one of the next two is the one |
//! | [`OLDEST`] | until all that was retired before has elapsed | when the oldest of what is retired has changed |
//! | [`NAMED`] | for one retirement, by its number modulo 64 | when one of those numbers has elapsed |

use super::conclude::Left;
use super::judging::Ended;
use crate::sched::WaitQueue;

pub(super) static NUMBERS: WaitQueue = WaitQueue::new();
pub(super) static OLDEST: WaitQueue = WaitQueue::new();
static NAMED: [WaitQueue; Ended::KINDS] = [const { WaitQueue::new() }; Ended::KINDS];

/// The queue of those that wait for this retirement. Context: any.
pub(super) fn of(number: u64) -> &'static WaitQueue {
    &NAMED[Ended::kind(number)]
}

/// A grace period has ended. Context: the grace-period task.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn wake(left: &Left) {
    NUMBERS.wake_all();
    if left.has_oldest_moved {
        OLDEST.wake_all();
    }
    let mut ended = left.ended;
    while let Some(kind) = ended.take_kind() {
        NAMED[kind].wake_all();
    }
}
