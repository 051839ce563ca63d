//! Call-sites and the memory layouts that assembly and Rust share. Pure.
//!
//! ```text
//! F-8  .quad ops        the literal
//! F+0  mov x9, x30      patched once, at boot
//! F+4  nop | bl T0      the only instruction that changes while others run
//! F+8  body
//! ```
//!
//! INVARIANT `literal-live`: a site's literal points to the immortal no-op ops, to a registered ops or
//! node, or to a retired one whose grace period has not elapsed. Only `arch::text` stores to it.
//! INVARIANT `site-aligned`: a literal lies on 8 bytes, so one 64-bit store swaps it (O2).

use super::hold_words::HoldWords;
use crate::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, AtomicUsize};

/// What every ops and fan-out node begins with: the one word that the trampoline loads and branches to (T5, T6), and
/// what whoever meets the ops in a frame must know of it.
#[repr(C)]
#[derive(Debug)]
pub struct OpsHeader {
    /// Address of a [`Func`].
    pub func: AtomicUsize,
    /// Odd while the ops lives; a grave's is even.
    pub generation: AtomicU64,
    /// Who was seen to hold it.
    pub holds: HoldWords,
}

impl OpsHeader {
    /// A living header whose func is `func`.
    pub fn new(func: Func) -> Self {
        Self { func: AtomicUsize::new(func as usize), ..Self::unfilled() }
    }

    /// One without a func yet, which nobody may call.
    pub fn unfilled() -> Self {
        Self { func: AtomicUsize::new(0), generation: AtomicU64::new(1), holds: HoldWords::new() }
    }
}

/// What an ops does at a hit: `func(ip, parent_ip, ops, regs)`.
///
/// `ip` is the address of the callsite's BL, `parent_ip` the return address of the traced function's
/// caller. Context: whatever called the traced function, IRQ handlers included.
pub type Func = unsafe extern "C" fn(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs);

/// A frame record of the procedure call standard: the chain that x29 heads.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameRecord {
    /// The caller's frame record.
    pub fp: usize,
    /// The return address.
    pub lr: usize,
}

impl FrameRecord {
    /// How many records there is room for above one at `address`, on a stack that ends at `end`.
    ///
    /// One comparison says all that a chain has to keep to: the number is less than that of records that fit between some lowest
    /// address and `end` if and only if the record is aligned, not below that address, and whole below the end. What is misaligned
    /// shows in the uppermost bits. Both bounds are aligned, and `end` is 0 for a stack that is none: nothing is less than 0.
    #[inline(always)]
    pub const fn nr_above(address: usize, end: usize) -> usize {
        end.wrapping_sub(size_of::<Self>()).wrapping_sub(address).rotate_right(size_of::<Self>().trailing_zeros())
    }
}

/// The trampoline's stack frame, which is also what func gets as `regs`.
#[repr(C)]
#[derive(Debug)]
pub struct Regs {
    /// The traced function's arguments, x0 to x7. Changes reach its body.
    pub x: [u64; 8],
    /// The indirect result register.
    pub x8: u64,
    /// T3: the ops that this frame holds.
    pub ops: usize,
    /// The callsite's record: its `lr` is F+8, which only `bl T0` makes.
    pub callsite: FrameRecord,
    /// The record of the traced function's caller.
    pub caller: FrameRecord,
    /// Where the trampoline returns to: F+8, unless func redirects execution.
    pub pc: usize,
    /// What the trampoline's variant counts in, as it was before.
    pub count: usize,
}

/// From a callsite record to the slot that names its ops.
pub const RECORD_TO_OPS: usize = core::mem::offset_of!(Regs, callsite) - core::mem::offset_of!(Regs, ops);

const _: () = assert!(size_of::<Regs>() == 128 && core::mem::offset_of!(Regs, callsite) == 80);

/// The words of a task that assembly and hot paths reach at fixed offsets from SP_EL0.
#[repr(C, align(8))]
#[derive(Debug)]
pub struct TaskHeader {
    /// Trampolines entered and not left: kept by the `depth` variant of the trampoline alone. First, as a store-release
    /// has no offset.
    pub trampoline_depth: AtomicU32,
    /// 0 when somebody waits for the depth to be 0: the `depth` variant of the trampoline looks on its way out.
    pub no_report: AtomicU32,
    /// Bits 0-7 preemption disabled, 8-15 softirq, 16-19 hardirq: nesting counts, as Linux packs them.
    pub preempt_count: AtomicU32,
    /// 0 when a reschedule was put off because of the count: the `nopreempt` variant of the trampoline looks on its way out.
    pub no_resched: AtomicU32,
    /// One bit per context level whose func or fan-out is running in this task.
    pub recursion: AtomicU32,
    /// `TIF_*` bits that schemes own; see `sched::task`.
    pub flags: AtomicU32,
    /// [`Level::bit`] of the context that runs on this task's stack: what the preempt count says, at hand for the
    /// recursion guards. IRQ entry and softirqs set it and put it back.
    pub level: AtomicU32,
    /// The task's number, for what lies below the scheduler and notes who did something.
    pub number: AtomicU32,
    /// Who debugs this task.
    pub debug: DebugWords,
}

/// What a task keeps for `arch::step`, which alone touches it, in that task.
#[repr(C)]
#[derive(Debug)]
pub struct DebugWords {
    /// The handler of its stops, or 0: it is not debugged.
    pub handler: AtomicUsize,
    /// One step past a breakpoint or watchpoint is made on its own account: the handler does not hear of it.
    pub passing_by: AtomicBool,
}

impl TaskHeader {
    /// The header of a task that runs nothing yet.
    pub const fn new() -> Self {
        Self {
            trampoline_depth: AtomicU32::new(0),
            no_report: AtomicU32::new(1),
            preempt_count: AtomicU32::new(0),
            no_resched: AtomicU32::new(1),
            recursion: AtomicU32::new(0),
            flags: AtomicU32::new(0),
            level: AtomicU32::new(Level::Task.bit()),
            number: AtomicU32::new(0),
            debug: DebugWords { handler: AtomicUsize::new(0), passing_by: AtomicBool::new(false) },
        }
    }
}

impl Default for TaskHeader {
    fn default() -> Self {
        Self::new()
    }
}

/// One preemption-disabled level in [`TaskHeader::preempt_count`].
pub const PREEMPT_ONE: u32 = 1;
/// One softirq level.
pub const SOFTIRQ_ONE: u32 = 1 << 8;
/// One hardirq level.
pub const HARDIRQ_ONE: u32 = 1 << 16;
/// The preemption-disabled levels.
pub const PREEMPT_MASK: u32 = 0xff;
/// The softirq levels.
pub const SOFTIRQ_MASK: u32 = 0xff << 8;
/// The hardirq levels.
pub const HARDIRQ_MASK: u32 = 0xf << 16;

/// What kind of context a CPU is in. A func of one level may interrupt a func of a lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// A task.
    Task,
    /// A softirq on top of a task.
    Softirq,
    /// A hardware interrupt.
    Hardirq,
}

impl Level {
    /// One bit for each level: the recursion guards' unit.
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }

    /// The level that a preempt count stands for.
    #[inline(always)]
    pub const fn of(preempt_count: u32) -> Self {
        if preempt_count & HARDIRQ_MASK != 0 {
            Self::Hardirq
        } else if preempt_count & SOFTIRQ_MASK != 0 {
            Self::Softirq
        } else {
            Self::Task
        }
    }
}

/// A place in kernel text whose entry can be redirected, named by its literal's address.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallSite(usize);

impl CallSite {
    /// The callsite of a record in `__patchable_function_entries`.
    ///
    /// # Panics
    /// When `site-aligned` does not hold.
    pub fn from_record(literal: usize) -> Self {
        assert!(literal.is_multiple_of(8), "callsite literal {literal:#x} is not on 8 bytes");
        Self(literal)
    }

    /// The callsite whose BL left `return_address` in x30: F+8.
    #[inline(always)]
    pub const fn from_return_address(return_address: usize) -> Self {
        Self((return_address & !7) - 16)
    }

    /// F-8: where the ops pointer lies.
    pub const fn literal(self) -> usize {
        self.0
    }

    /// F: the function's symbol.
    pub const fn entry(self) -> usize {
        self.0 + 8
    }

    /// F+4: NOP or BL; also what func gets as `ip`.
    pub const fn branch(self) -> usize {
        self.0 + 12
    }

    /// F+8: where the traced function goes on.
    pub const fn body(self) -> usize {
        self.0 + 16
    }
}

impl core::fmt::Debug for CallSite {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "CallSite({:#x})", self.entry())
    }
}

/// What a callsite's branch becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Branch {
    /// It stays.
    Keep,
    /// It becomes a BL to the trampoline.
    On,
    /// It becomes a NOP.
    Off,
}

/// One callsite's change.
#[derive(Clone, Copy, Debug)]
pub struct Patch {
    /// Where.
    pub site: CallSite,
    /// The literal's new value: `literal-live` holds for it, and for the old one until its grace period ends.
    pub ops: *const OpsHeader,
    /// The branch.
    pub branch: Branch,
}

#[cfg(test)]
mod tests {
    use super::{CallSite, FrameRecord, HARDIRQ_ONE, Level, PREEMPT_ONE, SOFTIRQ_ONE};

    #[test]
    fn a_callsite_is_found_again_from_what_bl_leaves_in_x30() {
        let site = CallSite::from_record(0x4020_1000);
        assert_eq!(CallSite::from_return_address(site.body()), site);
        assert_eq!(CallSite::from_return_address(site.body() + 4), site, "with a BTI landing pad x30 is F+12");
        assert_eq!(site.branch() + 4, site.body());
    }

    #[test]
    fn a_record_has_less_room_above_it_than_its_stack_only_if_it_is_aligned_and_inside() {
        const LOWEST: usize = 0x8000;
        const END: usize = 0x8080;
        let far = [0, 1, 8, 16, usize::MAX, usize::MAX - 15, 1 << 63, LOWEST | 1 << 63, LOWEST | 1 << 60];
        for address in (LOWEST - 64..END + 64).chain(far) {
            let is_inside = (LOWEST..END).contains(&address) && address.is_multiple_of(16);
            assert_eq!(FrameRecord::nr_above(address, END) < (END - LOWEST) / 16, is_inside, "{address:#x}");
            for before in (LOWEST..END).step_by(16) {
                let rises = is_inside && address > before;
                assert_eq!(
                    FrameRecord::nr_above(address, END) < FrameRecord::nr_above(before, END),
                    rises,
                    "{address:#x}"
                );
            }
        }
    }

    #[test]
    fn the_innermost_interrupt_decides_the_level() {
        assert_eq!(Level::of(3 * PREEMPT_ONE), Level::Task);
        assert_eq!(Level::of(SOFTIRQ_ONE + PREEMPT_ONE), Level::Softirq);
        assert_eq!(Level::of(HARDIRQ_ONE + SOFTIRQ_ONE), Level::Hardirq);
    }
}
