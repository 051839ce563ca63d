//! Holdout: a kernel about one question: when may a retired `ftrace_ops` be freed?
#![cfg_attr(target_os = "none", no_std)]
#![cfg_attr(target_os = "none", feature(patchable_function_entry))]

extern crate alloc;

pub mod arch;
pub mod console;
pub mod ftrace;
pub mod hook;
#[cfg(target_os = "none")]
pub mod irq;
pub mod lab;
pub mod mm;
pub mod platform;
pub mod rcu;
pub mod sched;
pub mod shell;
pub mod sync;
pub mod tracers;
