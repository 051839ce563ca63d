//! The small shell: commands that a person types, that a pipe sends, or that `cmds=` brings.
//!
//! ```text
//! bytes -> keys -> line -> words -> read: a Request, or a Refusal     pure, tested on the host
//!           (edit, history, complete,      |
//!                screen, help)             |
//!          session: echo, act, stop at the first that fails           target: look, tasks, grace_periods, tracing, faults do it
//! ```
//! INVARIANT `asked-whole`: a [`request::Request`] is made from a whole line whose every word was found good; what acts
//! on it meets no bad input, and nothing has begun when a line is refused.
//!
//! Floor 8: a client of everything below. `lab` stands on the same floor, so that an experiment is started through
//! [`STRESS`]. Who may call: the kernel's main task, [`run`], once.

use crate::hook::Hook;
use crate::platform::bootargs::BootArgs;

pub mod complete;
pub mod edit;
pub mod foreign;
pub mod help;
pub mod history;
pub mod keys;
pub mod kinds;
pub mod line;
pub mod prompts;
pub mod read;
pub mod request;
pub mod schemes;
pub mod screen;
pub mod table;
pub mod words;

#[cfg(target_os = "none")]
mod faults;
#[cfg(target_os = "none")]
mod grace_periods;
#[cfg(target_os = "none")]
mod look;
#[cfg(target_os = "none")]
mod session;
#[cfg(target_os = "none")]
mod tasks;
#[cfg(target_os = "none")]
mod tracing;

#[cfg(target_os = "none")]
pub use session::{HOLD, KeepWaiting, run};

/// Runs mode `stress` with these arguments, under the scheme that runs if they name none, and returns the status that a
/// boot into it would end with: 0 is PASS. Wired by `kernel` to `lab`.
pub static STRESS: Hook<fn(&BootArgs<'_>) -> u8> = Hook::new();

/// What an experiment on the function at an address came to: why it was not done, if it was not.
pub type OnFunction = fn(entry: usize) -> Result<(), &'static str>;

/// Steps a hit of the traceable function at this address and prints it. Wired by `kernel` to `lab`.
pub static STEP: Hook<OnFunction> = Hook::new();

/// Prints the boot's first line again. Wired by `kernel`, which knows it.
pub static VERSION: Hook<fn()> = Hook::new();
