//! The switch between two tasks: stack, callee-saved registers, SP_EL0, PSTATE.D and MDSCR in one routine.
//!
//! Notrace: assembly. Above: `sched::switch` alone calls it.

use super::site::{FrameRecord, TaskHeader};
use core::arch::global_asm;
use core::mem::offset_of;

/// What an off-CPU task keeps outside its stack.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SavedContext {
    x19_x28: [u64; 10],
    /// x29: heads the frame chain of an off-CPU task.
    pub fp: u64,
    /// sp.
    pub sp: u64,
    daif: u64,
    mdscr: u64,
}

global_asm!(
    include_str!("context.S"),
    X19 = const offset_of!(SavedContext, x19_x28),
    FP = const offset_of!(SavedContext, fp),
    DAIF = const offset_of!(SavedContext, daif),
);

unsafe extern "C" {
    /// Leaves the running task at `from` and goes on with the one saved at `to`; returns, in that one, the
    /// task that was left.
    ///
    /// # Safety
    /// IRQs are masked; `from` is the running task's, `to` and `next` belong to one task that nobody runs and
    /// whose saved state this CPU has acquired.
    pub fn switch_context(
        from: *mut SavedContext,
        to: *const SavedContext,
        next: *const TaskHeader,
    ) -> *const TaskHeader;

    fn task_begin();
}

/// How a task begins: gets the task that was left, and its own argument. Runs with IRQs masked.
pub type TaskEntry = extern "C" fn(previous: *const TaskHeader, argument: usize) -> !;

/// D and I: a new task begins with IRQs masked, as every switch ends, and D masked, as everywhere; SErrors and FIQs come.
const DAIF_NEW: u64 = 1 << 9 | 1 << 7;

impl SavedContext {
    /// The state of a task that will begin with `entry(previous, argument)` on the stack ending at `stack_top`.
    ///
    /// # Safety
    /// `stack_top` is the 16-byte aligned end of a mapped stack that nobody else uses.
    pub unsafe fn new(stack_top: usize, entry: TaskEntry, argument: usize) -> Self {
        let record = FrameRecord { fp: 0, lr: task_begin as *const () as usize };
        let sp = stack_top - size_of::<FrameRecord>();
        // SAFETY: the caller says that the stack is mapped and ours.
        unsafe { core::ptr::with_exposed_provenance_mut::<FrameRecord>(sp).write(record) };
        let mut context = Self { fp: 0, sp: sp as u64, daif: DAIF_NEW, ..Self::default() };
        context.x19_x28[0] = entry as usize as u64;
        context.x19_x28[1] = argument as u64;
        context
    }
}
