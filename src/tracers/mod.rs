//! What an ops does at a hit. Floor 7. A func is notrace, does not block, and calls nothing that may.

#[cfg(target_os = "none")]
pub mod count;
#[cfg(target_os = "none")]
pub mod nop;
