//! Experiments: stress, windows, demo, bench, selftest; the oracle that judges them; the one printer of their lines. Floor 8.
//!
//! The oracle does not know which scheme runs: here only the printer and whoever fills its lines read that.

#[cfg(target_os = "none")]
pub mod bench;
#[cfg(target_os = "none")]
pub mod bystander;
#[cfg(target_os = "none")]
pub mod calls;
#[cfg(target_os = "none")]
mod chains;
#[cfg(target_os = "none")]
mod cpu_time;
#[cfg(target_os = "none")]
pub mod demo;
pub mod held;
#[cfg(target_os = "none")]
pub mod hold;
#[cfg(target_os = "none")]
pub mod oracle;
#[cfg(target_os = "none")]
pub mod progress;
pub mod report;
pub mod scenario;
#[cfg(target_os = "none")]
pub mod selftest;
pub mod stepper;
#[cfg(target_os = "none")]
pub mod stress;
#[cfg(target_os = "none")]
pub mod tracees;
#[cfg(target_os = "none")]
pub mod walk;
#[cfg(target_os = "none")]
pub mod windows;
