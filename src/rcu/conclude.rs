//! The end of a grace period, in its one order: everybody was met; what is retired is judged; only then may whoever goes on stop
//! looking at itself.
//!
//! Pure: the kernel and the models call the same function. Context: the grace-period task.

use super::graveyard::{Extent, Graveyard, Judge};
use super::schemes::Scheme;
use crate::sync::lock::IrqLock;

/// How many are judged under one lock: whoever retires something waits for no more.
const JUDGED_AT_ONCE: usize = 16;

/// What a grace period leaves behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// The number of the oldest retirement that is held.
    pub oldest_held: Option<u64>,
    /// Something can be freed.
    pub has_expired: bool,
}

/// What the grace period has found.
struct Found<'a, S: ?Sized> {
    scheme: &'a S,
    look: u64,
}

impl<S: Scheme + ?Sized> Judge for Found<'_, S> {
    #[inline(always)]
    fn look(&self) -> u64 {
        self.look
    }

    #[inline(always)]
    fn keeps(&self, first_look: u64, is_held: bool) -> bool {
        self.scheme.keeps(self.look, first_look, is_held)
    }
}

/// Judges all that grace period number `look` began with.
#[inline(always)]
pub fn conclude<S: Scheme + ?Sized>(graveyard: &IrqLock<Graveyard>, extent: &Extent, scheme: &S, look: u64) -> Left {
    let found = Found { scheme, look };
    let mut locked = graveyard.lock();
    locked.meet(scheme.somebody_holds_less());
    while locked.judge_some(&found, JUDGED_AT_ONCE) {
        drop(locked);
        locked = graveyard.lock();
    }
    locked.tell(extent);
    let left = Left { oldest_held: locked.oldest_held(), has_expired: locked.has_expired() };
    drop(locked);
    scheme.judged();
    left
}
