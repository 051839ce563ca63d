//! The gate of the demo's func: once it is closed the next caller stays inside, until it is let go.
//!
//! ```text
//! OPEN -> CLOSED -> ENTERED -> HELD -> LET_GO -> LEFT      close: OPEN, LEFT or PASSED -> CLOSED
//!            \----> PASSED: no caller can stay
//! ```
//! A caller stays where the demo can go on meanwhile: on another CPU, or where it can be preempted. On the only CPU, if nobody
//! is preempted there in a func (by the model, or since the trampoline forbids it), no caller does.

use super::wait_until;
use crate::arch::cpu;
use crate::ftrace::ops::Ops;
use crate::sched::preemption::{model, preempts};
use crate::sched::{self, Task, now_ns};
use crate::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use crate::sync::preempt;
use alloc::sync::Arc;

/// The CPU of the demo's own task.
pub(super) const DEMO_CPU: usize = 0;

const OPEN: u32 = 0;
/// The next caller stays.
const CLOSED: u32 = 1;
/// A caller is about to say who it is.
const ENTERED: u32 = 2;
/// It stays.
const HELD: u32 = 3;
const LET_GO: u32 = 4;
/// It has done all that it does in func, but to return.
const LEFT: u32 = 5;
/// A caller came by that could not stay.
const PASSED: u32 = 6;

/// Order: what the holder wrote before its Release stores (ENTERED's exchange, HELD, LEFT) is visible to the demo's Acquire loads,
/// and what the demo wrote before LET_GO (the poison) to the holder's.
static STATE: AtomicU32 = AtomicU32::new(OPEN);
static HOLDER: AtomicU32 = AtomicU32::new(0);
/// What the holder read from its ops last, and when.
static READ: AtomicU64 = AtomicU64::new(0);
static READ_NS: AtomicU64 = AtomicU64::new(0);

/// Closes the gate, and waits until a caller stays inside; gives that one, or nobody where nobody can.
/// Context: task; the last holder has left.
pub(super) fn close() -> Option<Arc<Task>> {
    debug_assert!(matches!(STATE.load(Ordering::Acquire), OPEN | LEFT | PASSED), "the last holder is inside");
    STATE.store(CLOSED, Ordering::Release);
    wait_until(|| matches!(STATE.load(Ordering::Acquire), HELD | PASSED));
    // A holder lives: it is inside.
    (STATE.load(Ordering::Acquire) == HELD).then(|| sched::find(HOLDER.load(Ordering::Relaxed))).flatten()
}

/// Lets the holder go, if there is one. Context: task.
pub(super) fn let_go() {
    let _ = STATE.compare_exchange(HELD, LET_GO, Ordering::Release, Ordering::Relaxed);
}

/// Whether the holder has done all that it does inside. Context: task.
pub(super) fn has_left() -> bool {
    STATE.load(Ordering::Acquire) == LEFT
}

/// What the last holder read from its ops when it had been let go, and when. Context: task, that one has left.
pub(super) fn last_read() -> (u64, u64) {
    (READ.load(Ordering::Relaxed), READ_NS.load(Ordering::Relaxed))
}

/// Whether the demo goes on while this caller stays inside.
#[inline(always)]
fn may_stay() -> bool {
    cpu::id() != DEMO_CPU || preempts(model()) && preempt::count() == 0
}

/// A caller comes by, in a func that was called for `ops`. Context: task, inside func.
#[inline(always)]
pub(super) fn pass(ops: &Ops) {
    if STATE.load(Ordering::Relaxed) != CLOSED {
        return;
    }
    if may_stay() {
        if STATE.compare_exchange(CLOSED, ENTERED, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            stay(ops);
        }
    } else if sched::nr_cpus() == 1 {
        let _ = STATE.compare_exchange(CLOSED, PASSED, Ordering::AcqRel, Ordering::Relaxed);
    }
}

#[inline(always)]
fn stay(ops: &Ops) {
    HOLDER.store(sched::current().id, Ordering::Relaxed);
    STATE.store(HELD, Ordering::Release);
    while STATE.load(Ordering::Acquire) == HELD {
        core::hint::spin_loop();
    }
    // SAFETY: a word of the ops, which the demo keeps mapped until every caller has ended. Volatile: the sandbox changes it meanwhile.
    let word = unsafe { (&raw const ops.private).read_volatile() };
    READ.store(word as u64, Ordering::Relaxed);
    READ_NS.store(now_ns(), Ordering::Relaxed);
    STATE.store(LEFT, Ordering::Release);
}
