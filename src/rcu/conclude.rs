//! The end of a grace period, in its one order: everybody was met; what is retired is judged; only then may whoever goes on stop
//! looking at itself.
//!
//! Pure: the kernel and the models call the same function. Context: the grace-period task.

use super::extent::Extent;
use super::graveyard::Graveyard;
use super::judging::{Ended, Judge, Stands};
use super::schemes::Scheme;
use crate::sync::lock::IrqLock;

/// How many parts are judged under one lock: whoever retires something waits for no more.
const JUDGED_AT_ONCE: usize = 16;

/// What a grace period leaves behind, and whom it is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// What is held.
    pub stands: Stands,
    /// Something can be freed.
    pub has_expired: bool,
    /// What has elapsed.
    pub ended: Ended,
    /// The oldest that was retired has.
    pub has_oldest_moved: bool,
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
        self.scheme.keeps(first_look, is_held)
    }

    #[inline(always)]
    fn keeps_all(&self) -> bool {
        self.scheme.keeps_all(self.look)
    }

    /// Who keeps all keeps what is behind, and so does who cannot tell what is held apart: it goes by the first look alone, and
    /// those behind were judged first by a later one.
    #[inline(always)]
    fn keeps_what_is_behind(&self) -> bool {
        !self.scheme.tells_ops_apart() || self.keeps_all()
    }
}

/// Judges all that grace period number `look` began with.
#[inline(always)]
pub fn conclude<S: Scheme + ?Sized>(graveyard: &IrqLock<Graveyard>, extent: &Extent, scheme: &S, look: u64) -> Left {
    let found = Found { scheme, look };
    let mut locked = graveyard.lock();
    let conclusion = Conclusion::begin(&mut locked, extent, scheme.somebody_holds_less());
    while locked.judge_some(&found, JUDGED_AT_ONCE) {
        drop(locked);
        locked = graveyard.lock();
    }
    let left = conclusion.end(&mut locked, extent);
    drop(locked);
    scheme.judged();
    left
}

/// What is judged is told by whoever retires something meanwhile, too: so what was told before is kept from the beginning on.
#[derive(Debug)]
pub(super) struct Conclusion {
    oldest: Option<u64>,
}

impl Conclusion {
    #[inline(always)]
    pub(super) fn begin(graveyard: &mut Graveyard, extent: &Extent, somebody_holds_less: bool) -> Self {
        graveyard.meet(somebody_holds_less);
        Self { oldest: extent.oldest() }
    }

    #[inline(always)]
    pub(super) fn end(self, graveyard: &mut Graveyard, extent: &Extent) -> Left {
        graveyard.tell(extent);
        Left {
            stands: graveyard.stands(),
            has_expired: graveyard.has_expired(),
            ended: graveyard.take_ended(),
            has_oldest_moved: extent.oldest() != self.oldest,
        }
    }
}
