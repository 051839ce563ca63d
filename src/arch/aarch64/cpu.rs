//! This CPU: who it is, what it is running, whether it takes interrupts, how it waits.
//!
//! TPIDR_EL1 holds the CPU's index, SP_EL0 the current task. Context: any.

use super::site::TaskHeader;
use aarch64_cpu::registers::MPIDR_EL1;
use core::arch::asm;
use tock_registers::interfaces::Readable;

/// How many CPUs the kernel can run on.
pub const MAX_CPUS: usize = 8;

/// The affinity fields of MPIDR_EL1.
pub const AFFINITY: u64 = 0xff_00ff_ffff;

/// What a register says where nothing else can be heard: the letters of `holdout`, and a status in the last byte.
pub const UNHEARD: u64 = u64::from_be_bytes(*b"holdout\0");

/// PSTATE.I as DAIF shows it.
const DAIF_I: u64 = 1 << 7;

/// This CPU's index, from 0. The answer is stale as soon as the caller can migrate.
#[inline(always)]
pub fn id() -> usize {
    let id: usize;
    // SAFETY: reads a register that only boot code writes.
    unsafe { asm!("mrs {}, tpidr_el1", out(reg) id, options(nomem, nostack, preserves_flags)) };
    id
}

/// The affinity fields of this CPU's MPIDR_EL1.
pub fn mpidr() -> u64 {
    MPIDR_EL1.get() & AFFINITY
}

/// The current task's header: SP_EL0, which switches with the task (O13).
#[inline(always)]
pub fn current() -> *const TaskHeader {
    let task: *const TaskHeader;
    // SAFETY: reads a register that only boot code and the context switch write.
    unsafe { asm!("mrs {}, sp_el0", out(reg) task, options(nomem, nostack, preserves_flags)) };
    task
}

/// Masks IRQs on this CPU and returns what [`restore_irqs`] needs. No `nomem`: the critical section must
/// not move past it.
#[inline(always)]
pub fn mask_irqs() -> u64 {
    let daif: u64;
    // SAFETY: masking interrupts is always allowed; only I changes.
    unsafe { asm!("mrs {}, daif", "msr daifset, #2", out(reg) daif, options(nostack, preserves_flags)) };
    daif & DAIF_I
}

/// Unmasks IRQs if `state`, from [`mask_irqs`], says that they were unmasked.
#[inline(always)]
pub fn restore_irqs(state: u64) {
    if state == 0 {
        unmask_irqs();
    }
}

/// Unmasks IRQs. Context: where they may be taken.
#[inline(always)]
pub fn unmask_irqs() {
    // SAFETY: the caller is at a point where an IRQ may be taken; only I changes.
    unsafe { asm!("msr daifclr, #2", options(nostack, preserves_flags)) };
}

/// Whether IRQs are masked on this CPU.
#[inline(always)]
pub fn irqs_are_masked() -> bool {
    let daif: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, daif", out(reg) daif, options(nostack, preserves_flags)) };
    daif & DAIF_I != 0
}

/// Masks FIQs on this CPU. Context: the end of an exception's handler, and whoever stops for good.
#[inline(always)]
pub fn mask_fiqs() {
    // SAFETY: masking interrupts is always allowed; only F changes.
    unsafe { asm!("msr daifset, #1", options(nostack, preserves_flags)) };
}

/// Unmasks FIQs: they come through everything but exception entry and return. Context: the frame, if any, is saved.
#[inline(always)]
pub fn unmask_fiqs() {
    // SAFETY: the vectors are installed; only F changes.
    unsafe { asm!("msr daifclr, #1", options(nostack, preserves_flags)) };
}

/// Runs `work` with IRQs masked on this CPU. For the architecture floor; above it use `sync::irqs`.
#[inline(always)]
pub fn without_irqs<R>(work: impl FnOnce() -> R) -> R {
    let state = mask_irqs();
    let result = work();
    restore_irqs(state);
    result
}

/// Whether a FIQ waits for this CPU to unmask it. Source: Arm ARM DDI 0487, ISR_EL1.F.
#[inline(always)]
pub fn fiq_is_pending() -> bool {
    let pending: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mrs {}, isr_el1", out(reg) pending, options(nostack, preserves_flags)) };
    pending & 1 << 6 != 0
}

/// Waits for an interrupt; returns also when one is pending but masked.
#[inline(always)]
pub fn wait_for_interrupt() {
    // SAFETY: a hint. DSB first, as WFI may wait for ever on stores that a wake-up depends on.
    unsafe { asm!("dsb ish", "wfi", options(nostack, preserves_flags)) };
}

/// Masks IRQs and FIQs on this CPU for good: it is about to end.
#[inline(always)]
pub fn mask_irqs_and_fiqs() {
    // SAFETY: masking interrupts is always allowed.
    unsafe { asm!("msr daifset, #3", options(nostack, preserves_flags)) };
}

/// Stops this CPU for good, interrupts masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn park() -> ! {
    mask_irqs_and_fiqs();
    loop {
        wait_for_interrupt();
    }
}

/// Stops this CPU for good, interrupts masked, with a status and a text in registers for whoever looks at them: nobody
/// has heard what was said. x20 = [`UNHEARD`] and the status, x21 = the text's address, x22 = its length.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn park_unheard(status: u8, text: &[u8]) -> ! {
    mask_irqs_and_fiqs();
    let told = UNHEARD | u64::from(status);
    // SAFETY: waits for ever, and touches nothing.
    unsafe {
        asm!(
            "1: wfi", "b 1b",
            in("x20") told, in("x21") text.as_ptr(), in("x22") text.len(), options(noreturn, nostack),
        )
    }
}

/// Unmasks SError: an external abort is told when it happens. Context: boot of each CPU.
pub fn unmask_serror() {
    // SAFETY: the vectors are installed; only A changes.
    unsafe { asm!("msr daifclr, #4", options(nostack, preserves_flags)) };
}

/// Bytes of the smallest data cache line: CTR_EL0.DminLine.
pub fn smallest_data_line() -> usize {
    let ctr: usize;
    // SAFETY: reads an identification register.
    unsafe { asm!("mrs {}, ctr_el0", out(reg) ctr, options(nomem, nostack, preserves_flags)) };
    4 << (ctr >> 16 & 0xf)
}

/// Full barrier, and every earlier store has completed.
#[inline(always)]
pub fn dsb_ish() {
    // SAFETY: a barrier.
    unsafe { asm!("dsb ish", options(nostack, preserves_flags)) };
}

/// As [`dsb_ish`], and also every earlier access to a device has completed.
#[inline(always)]
pub fn dsb_sy() {
    // SAFETY: a barrier.
    unsafe { asm!("dsb sy", options(nostack, preserves_flags)) };
}

/// Earlier stores are visible before later ones.
#[inline(always)]
pub fn dmb_ishst() {
    // SAFETY: a barrier.
    unsafe { asm!("dmb ishst", options(nostack, preserves_flags)) };
}

/// Synchronises this CPU's context: what it fetches afterwards is new.
#[inline(always)]
pub fn isb() {
    // SAFETY: a barrier.
    unsafe { asm!("isb", options(nostack, preserves_flags)) };
}
