//! When things happen: interrupt entry and exit, softirqs, serial input, and the watchdog over all of it. Floor 5.
//!
//! The thread that this kernel hangs on: acknowledge, record where the interrupted context stood in this
//! entry's own state, handle, softirqs with IRQs on, leave the nesting, preempt if due, and only then undo
//! the per-task mark of this entry. `rcu` learns of it through `sched::seam`, never by import.

pub mod beat;
#[cfg(target_os = "none")]
pub mod entry;
#[cfg(target_os = "none")]
pub mod serial;
#[cfg(target_os = "none")]
pub mod softirq;
#[cfg(target_os = "none")]
pub mod watchdog;
