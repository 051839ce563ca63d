//! The lock helps of builds without debug assertions: none. See `helps.rs`, which has the same functions.

use super::held::{Claim, Held};
use super::order::Place;

/// Looks at nothing.
#[inline(always)]
pub const fn before_lock(_: &Claim, _: Place, _: &Held) {}

/// Keeps nothing.
#[inline(always)]
pub const fn preemption_disabled(_: Place) {}

/// Looks at nothing.
#[inline(always)]
pub const fn may_sleep(_: Place) {}
