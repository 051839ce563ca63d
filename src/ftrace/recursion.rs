//! Recursion: a func, or something it calls, hits a callsite whose func is running already.
//!
//! It is counted and skipped, not fatal. One bit per context level and guard belongs to the task, since a bit
//! of the CPU would stay behind when a preempted func migrates; an interrupt level may run a func on top of a
//! lower one's. The fan-out and the funcs have guards of their own: a func called by a fan-out is no recursion.
//! Context: any. Notrace: inlined.

use crate::arch::site::TaskHeader;
use crate::sync::atomic::Ordering;
use crate::sync::preempt;

/// Whose guard it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Guard {
    /// The fan-out's.
    FanOut = 0,
    /// A func's own.
    Func = 4,
}

/// A func or fan-out runs in this context level until this is dropped.
#[derive(Debug)]
#[must_use = "the context is inside as long as this lives"]
// The header of the task that entered: a guard is dropped by the task that made it.
pub struct Inside {
    header: &'static TaskHeader,
    held: u32,
}

/// Enters; `None` when the same guard is held in this level already.
#[inline(always)]
pub fn enter(guard: Guard) -> Option<Inside> {
    let header = preempt::header();
    let bit = header.level.load(Ordering::Relaxed) << guard as u32;
    // The task's own word: an interrupt leaves it as it found it.
    let held = header.recursion.load(Ordering::Relaxed);
    if held & bit != 0 {
        return None;
    }
    header.recursion.store(held | bit, Ordering::Relaxed);
    Some(Inside { header, held })
}

impl Drop for Inside {
    #[inline(always)]
    fn drop(&mut self) {
        // Whatever ran meanwhile put back what it set: the word is as `enter` found it, and one bit.
        self.header.recursion.store(self.held, Ordering::Relaxed);
    }
}
