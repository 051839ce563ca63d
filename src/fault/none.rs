//! A build that cannot be told to be wrong.

use super::Fault;

/// Whether this build has the faults of the table.
pub const ARE_BUILT: bool = false;

/// Whether this rule is to be broken: never.
#[inline(always)]
pub const fn is(_: Fault) -> bool {
    false
}

/// Not reached: [`is`] is false.
#[inline(always)]
pub const fn keep_window_open() {}
