//! What the kernel says: lines on the UART, and a log of recent events per CPU for the epitaph. Floor 3.

pub mod context;
#[cfg(target_os = "none")]
pub mod epitaph;
#[cfg(target_os = "none")]
pub mod events;
#[cfg(target_os = "none")]
pub mod print;
