//! Deliberate faults: what is wrong on purpose, so that the checks are seen to catch it.
//!
//! A check that has never failed shows nothing. Each name of the table breaks one rule of the kernel in one place, at
//! the line that keeps it, by `if fault::is(Fault::Name)`. `fault=NAME` plants it for one run of `stress` or
//! `selftest`, which has to end with the property that the rule stands for (`tests/qemu/mutations.rs`).
//!
//! Only the build of `scripts/build --profile faults` (cargo's feature `faults`) can be told to be wrong. In every other build
//! [`is`] is the constant `false`, and the compiler drops the question together with the wrong code.
//! Context: any, hooks and hit path included: inlined, one load. On the ground: every floor has rules to break.

mod table;

#[cfg(not(feature = "faults"))]
mod none;
#[cfg(feature = "faults")]
mod planted;

#[cfg(not(feature = "faults"))]
pub use none::{ARE_BUILT, is, keep_window_open};
#[cfg(feature = "faults")]
pub use planted::{ARE_BUILT, is, keep_window_open, plant};
pub use table::Fault;
