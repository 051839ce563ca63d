//! Memory: the heap with its poison and quarantine, and stacks above guard pages. Floor 3.

pub mod classes;
#[cfg(target_os = "none")]
pub mod damage;
pub mod fallible;
#[cfg(target_os = "none")]
pub mod heap;
pub mod poison;
pub mod ranges;
#[cfg(target_os = "none")]
pub mod stack;
#[cfg(target_os = "none")]
pub mod text_page;
