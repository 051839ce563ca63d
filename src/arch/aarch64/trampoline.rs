//! The shared trampoline, written in assembly: `trampoline.S` has the register table and the steps.
//!
//! Notrace by construction: assembly has no callsites. Above: `text` branches to it, `unwind` crosses it.

use super::site::{Func, OpsHeader, Regs, TaskHeader};
use crate::hook::Hook;
use core::arch::{asm, global_asm};
use core::mem::offset_of;

global_asm!(
    include_str!("trampoline.S"),
    REGS_SIZE = const size_of::<Regs>(),
    REGS_X8 = const offset_of!(Regs, x8),
    REGS_CALLSITE = const offset_of!(Regs, callsite),
    REGS_CALLER = const offset_of!(Regs, caller),
    REGS_PC = const offset_of!(Regs, pc),
    OPS_FUNC = const offset_of!(OpsHeader, func),
    TASK_PREEMPT = const offset_of!(TaskHeader, preempt_count),
    TASK_NO_REPORT = const offset_of!(TaskHeader, no_report),
    TASK_NO_RESCHED = const offset_of!(TaskHeader, no_resched),
);

unsafe extern "C" {
    fn trampoline_t0();
    fn trampoline_t2();
    fn trampoline_t3();
    fn trampoline_t6();
    fn trampoline_t7();
    fn trampoline_tret();
    fn trampoline_end();
    fn trampoline_depth_t0();
    fn trampoline_depth_t2();
    fn trampoline_depth_t3();
    fn trampoline_depth_t6();
    fn trampoline_depth_t7();
    fn trampoline_depth_tret();
    fn trampoline_depth_end();
    fn trampoline_nopreempt_t0();
    fn trampoline_nopreempt_t2();
    fn trampoline_nopreempt_t3();
    fn trampoline_nopreempt_t6();
    fn trampoline_nopreempt_t7();
    fn trampoline_nopreempt_tret();
    fn trampoline_nopreempt_end();
    fn trampoline_func_ret(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs);
}

/// The func that is a single `ret`.
pub const FUNC_RET: Func = trampoline_func_ret;

/// Where one variant of the trampoline lies: the boundaries that schemes and the unwinder ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trampoline {
    /// Its first instruction: what a callsite's BL targets.
    pub t0: usize,
    /// The load of the literal: executed, it makes this context a holder.
    pub t2: usize,
    /// The store that makes the frame name its ops.
    pub t3: usize,
    /// The call of func.
    pub t6: usize,
    /// The first instruction after func.
    pub t7: usize,
    /// Its return: the frame is popped.
    pub ret: usize,
    /// Past the last instruction.
    pub end: usize,
}

/// The plain trampoline: costs nothing beyond the call itself.
pub fn plain() -> Trampoline {
    Trampoline {
        t0: trampoline_t0 as *const () as usize,
        t2: trampoline_t2 as *const () as usize,
        t3: trampoline_t3 as *const () as usize,
        t6: trampoline_t6 as *const () as usize,
        t7: trampoline_t7 as *const () as usize,
        ret: trampoline_tret as *const () as usize,
        end: trampoline_end as *const () as usize,
    }
}

/// The trampoline that keeps [`TaskHeader::trampoline_depth`].
pub fn depth() -> Trampoline {
    Trampoline {
        t0: trampoline_depth_t0 as *const () as usize,
        t2: trampoline_depth_t2 as *const () as usize,
        t3: trampoline_depth_t3 as *const () as usize,
        t6: trampoline_depth_t6 as *const () as usize,
        t7: trampoline_depth_t7 as *const () as usize,
        ret: trampoline_depth_tret as *const () as usize,
        end: trampoline_depth_end as *const () as usize,
    }
}

/// The trampoline that disables preemption around func.
pub fn nopreempt() -> Trampoline {
    Trampoline {
        t0: trampoline_nopreempt_t0 as *const () as usize,
        t2: trampoline_nopreempt_t2 as *const () as usize,
        t3: trampoline_nopreempt_t3 as *const () as usize,
        t6: trampoline_nopreempt_t6 as *const () as usize,
        t7: trampoline_nopreempt_t7 as *const () as usize,
        ret: trampoline_nopreempt_tret as *const () as usize,
        end: trampoline_nopreempt_end as *const () as usize,
    }
}

// What the two variants' code and `TaskHeader` agree on.
const _: () = assert!(offset_of!(TaskHeader, trampoline_depth) == 0, "a store-release has no offset");
const _: () = assert!(offset_of!(Regs, count) == offset_of!(Regs, pc) + 8, "one pair");

/// A reschedule was put off, and preemption may be enabled again. Wired by `kernel` to `sched`.
pub static RESCHEDULE: Hook<fn()> = Hook::new();

#[unsafe(no_mangle)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn trampoline_reschedule() {
    if let Some(reschedule) = RESCHEDULE.get() {
        reschedule();
    }
}

/// Somebody waits for the task's trampoline depth to be 0, and it is lower. Wired by `kernel` to `rcu`.
pub static REPORT: Hook<fn()> = Hook::new();

#[unsafe(no_mangle)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
extern "C" fn trampoline_report() {
    if let Some(report) = REPORT.get() {
        report();
    }
}

impl Trampoline {
    /// Whether `pc` is one of its instructions.
    #[inline(always)]
    pub fn contains(&self, pc: usize) -> bool {
        (self.t0..self.end).contains(&pc)
    }

    /// T2 and T7: between them, an ops is held.
    #[inline(always)]
    pub const fn marks(&self) -> (usize, usize) {
        (self.t2, self.t7)
    }

    /// Whether a context that stands at `pc`, one of its instructions, has its frame on the stack.
    #[inline(always)]
    pub fn has_frame_at(&self, pc: usize) -> bool {
        pc != self.t0 && pc != self.ret
    }
}

/// Past all variants. Exception entry lies below them, and what is compiled above (`linker.ld`).
#[inline(always)]
pub fn end() -> usize {
    trampoline_nopreempt_end as *const () as usize
}

/// The variant that `pc` lies in, if any. Context: any, IRQ entry included.
#[inline(always)]
pub fn around(pc: usize) -> Option<Trampoline> {
    if !(plain().t0..end()).contains(&pc) {
        return None;
    }
    // Padding between two of them counts as the end of the first: nobody is ever there.
    Some(if pc < depth().t0 {
        plain()
    } else if pc < nopreempt().t0 {
        depth()
    } else {
        nopreempt()
    })
}

/// Whether `pc` lies in any variant. Context: any, IRQ entry included.
#[inline(always)]
pub fn contains(pc: usize) -> bool {
    around(pc).is_some()
}

/// Calls `func` directly, as the trampoline would. For the fan-out: every argument is handed on.
///
/// # Safety
/// `header.func` holds a [`Func`], and `header` is live until it returns.
#[inline(always)]
pub unsafe fn call_func(header: *const OpsHeader, ip: usize, parent_ip: usize, regs: *mut Regs) {
    // SAFETY: the caller says that header and func are live. Assembly, since a plain call of a loaded
    // function pointer is what rustc makes of it too; clobbers are those of the C ABI.
    unsafe {
        asm!(
            "ldr x12, [x2, #{func}]",
            "blr x12",
            func = const offset_of!(OpsHeader, func),
            inout("x0") ip => _, inout("x1") parent_ip => _, inout("x2") header => _, inout("x3") regs => _,
            out("x12") _,
            clobber_abi("C"),
        );
    }
}
