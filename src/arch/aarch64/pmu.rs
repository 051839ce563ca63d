//! Instructions retired, where the machine counts them: under `-icount`, QEMU's event 8 counts exactly.
//!
//! The counter is per CPU and 32 or 64 bits wide; measured stretches stay on one CPU and are short.
//! Source: Arm ARM DDI 0487, D13 (PMUv3), event 0x0008 INST_RETIRED.

use core::arch::asm;

const INST_RETIRED: u64 = 8;

/// Starts event counter 0 on this CPU; `false` where the machine has no such event. Context: task, pinned.
pub fn start() -> bool {
    let (debug_features, common_events): (u64, u64);
    // SAFETY: reads identification registers; PMCEID0_EL0 exists only with PMUv3, which is asked first.
    unsafe { asm!("mrs {}, id_aa64dfr0_el1", out(reg) debug_features, options(nomem, nostack)) };
    if !(1..15).contains(&(debug_features >> 8 & 0xf)) {
        return false;
    }
    // SAFETY: see above.
    unsafe { asm!("mrs {}, pmceid0_el0", out(reg) common_events, options(nomem, nostack)) };
    if common_events & 1 << INST_RETIRED == 0 {
        return false;
    }
    // SAFETY: counter 0 belongs to this module; EL1 may be counted (P = 0).
    unsafe {
        asm!(
            "msr pmselr_el0, xzr", "isb",
            "msr pmxevtyper_el0, {event}",
            "msr pmcntenset_el0, {one}",
            "mrs {old}, pmcr_el0", "orr {old}, {old}, #1", "msr pmcr_el0, {old}", "isb",
            event = in(reg) INST_RETIRED, one = in(reg) 1_u64, old = out(reg) _, options(nostack),
        );
    }
    true
}

/// Instructions retired on this CPU since some moment. Context: pinned to one CPU.
#[inline(always)]
pub fn instructions() -> u64 {
    let count: u64;
    // SAFETY: reads a counter that `start` enabled. No `nomem`: measured code must not move across it.
    unsafe { asm!("isb", "mrs {}, pmevcntr0_el0", out(reg) count, options(nostack, preserves_flags)) };
    count
}
