//! What was done to the heap that must not be done: found when a block is freed, or when it leaves the quarantine.
//!
//! `mm` finds; the floors above, which know symbols and tasks, tell it: see [`super::heap::DAMAGED`].

use crate::arch::site::FrameRecord;
use crate::arch::vectors::STACK_SIZE;
use crate::arch::{cpu, timer};
use crate::sync::atomic::Ordering;
use crate::sync::preempt;

/// Callers that are noted.
const CALLERS: usize = 3;

/// Who freed a block, where and when.
#[derive(Clone, Copy, Debug)]
pub struct Deed {
    /// The number of the task.
    pub task: u32,
    /// The CPU that it ran on.
    pub cpu: usize,
    /// When, by the clock of the kernel.
    pub time_ns: u64,
    /// Return addresses, innermost first; 0 past the last.
    pub callers: [usize; CALLERS],
}

/// What was found.
#[derive(Clone, Copy, Debug)]
pub enum Damage {
    /// A block is freed that is free.
    FreedTwice {
        /// Where it is.
        block: usize,
        /// The bytes that it was allocated with.
        bytes: usize,
        /// The first time, if it is in quarantine still.
        first: Option<Deed>,
        /// This time.
        again: Deed,
    },
    /// Somebody wrote to a freed block while it was in quarantine.
    Written {
        /// Where it is.
        block: usize,
        /// The bytes that it was allocated with.
        bytes: usize,
        /// Where in it, in bytes.
        offset: usize,
        /// What lies there.
        found: u64,
        /// It was buried with a tombstone.
        had_tombstone: bool,
        /// Who had freed it.
        freed: Deed,
    },
    /// What is freed is no block of the heap.
    NoBlock {
        /// What was given for one.
        block: usize,
        /// The bytes that it is said to have.
        bytes: usize,
        /// Why it cannot be one.
        why: &'static str,
        /// By whom.
        by: Deed,
    },
}

impl Deed {
    /// That of the function that this is inlined into: its callers.
    #[inline(always)]
    pub(super) fn here() -> Self {
        let mut fp: usize;
        // SAFETY: reads a register.
        unsafe { core::arch::asm!("mov {}, x29", out(reg) fp, options(nomem, nostack, preserves_flags)) };
        let mut callers = [0; CALLERS];
        for caller in &mut callers {
            // SAFETY: x29 heads a chain of records on this stack: the compiler keeps it, and the way on is checked.
            let record = unsafe { core::ptr::with_exposed_provenance::<FrameRecord>(fp).read() };
            *caller = record.lr;
            // Up, on the same stack: an exception's chain may lead elsewhere.
            if !(record.fp > fp && record.fp - fp < STACK_SIZE) {
                break;
            }
            fp = record.fp;
        }
        let task = preempt::header().number.load(Ordering::Relaxed);
        Self { task, cpu: cpu::id(), time_ns: timer::now_ns(), callers }
    }
}
