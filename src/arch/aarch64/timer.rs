//! The virtual timer: one clock for everything, and one alarm per CPU. The physical one is the watchdog's beat.

use aarch64_cpu::registers::{CNTFRQ_EL0, CNTP_CTL_EL0, CNTP_TVAL_EL0, CNTV_CTL_EL0, CNTV_CVAL_EL0, CNTVCT_EL0};
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};
use tock_registers::interfaces::{Readable, Writeable};

/// Nanoseconds per counter tick, in 32.32 fixed point.
static NS_PER_TICK: AtomicU64 = AtomicU64::new(0);

/// Reads the counter's frequency. Context: boot, first CPU.
pub fn init() {
    let frequency_hz = CNTFRQ_EL0.get().max(1);
    NS_PER_TICK.store((1_000_000_000_u64 << 32) / frequency_hz, Ordering::Relaxed);
}

/// The counter. Context: any.
#[inline(always)]
pub fn count() -> u64 {
    CNTVCT_EL0.get()
}

/// Nanoseconds of guest time since the counter started. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn now_ns() -> u64 {
    ns_of(count())
}

/// The time, in nanoseconds, at which the counter stood at `count`. Context: any.
#[inline(always)]
pub fn ns_of(count: u64) -> u64 {
    let product = u128::from(count) * u128::from(NS_PER_TICK.load(Ordering::Relaxed));
    (product >> 32) as u64
}

/// How far the counter goes in `ns` nanoseconds, rounded down. Context: any.
#[inline(always)]
pub fn count_of(ns: u64) -> u64 {
    let ns_per_tick = NS_PER_TICK.load(Ordering::Relaxed).max(1);
    ((u128::from(ns) << 32) / u128::from(ns_per_tick)) as u64
}

/// Raises this CPU's timer interrupt once guest time reaches `deadline_ns`. Context: IRQs masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn set_alarm_ns(deadline_ns: u64) {
    // One tick later than the rounded-down quotient: an alarm never rings early.
    CNTV_CVAL_EL0.set(count_of(deadline_ns).saturating_add(1));
    CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::SET + CNTV_CTL_EL0::IMASK::CLEAR);
}

/// Raises this CPU's timer interrupt now. Context: boot, IRQs masked.
pub fn ring() {
    CNTV_CVAL_EL0.set(0);
    CNTV_CTL_EL0.write(CNTV_CTL_EL0::ENABLE::SET + CNTV_CTL_EL0::IMASK::CLEAR);
    super::cpu::isb();
}

/// Takes it back, and sets no alarm. Context: as [`ring`].
pub fn silence() {
    CNTV_CTL_EL0.set(0);
    super::cpu::isb();
}

global_asm!(
    ".pushsection .text.timer, \"ax\", %progbits",
    ".balign 8",
    ".global physical_timer_stop",
    "physical_timer_stop:",
    "mov x0, #1",
    ".global physical_timer_access",
    "physical_timer_access:",
    "msr cntp_ctl_el0, xzr", // undefined where a hypervisor keeps the physical timer: then x0 becomes 0
    "ret",
    ".popsection",
);

unsafe extern "C" {
    fn physical_timer_stop() -> bool;
    fn physical_timer_access();
}

/// Stops this CPU's physical timer. Returns whether it has one that it may use: a hypervisor may keep it to itself.
pub fn stop_physical() -> bool {
    // SAFETY: touches nothing but that register and x0; the vectors answer where it is undefined.
    unsafe { physical_timer_stop() }
}

/// Whether `pc` is the instruction that finds out; it may be undefined. Context: exception entry.
#[inline(always)]
pub(super) fn is_probe(pc: u64) -> bool {
    pc == (physical_timer_access as *const ()).addr() as u64
}

/// Raises this CPU's physical timer interrupt in `after_ns`, and takes back its signal until then. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn set_beat_ns(after_ns: u64) {
    // The register holds a signed 32-bit number: what does not fit rings earlier.
    CNTP_TVAL_EL0.set(count_of(after_ns).min(i32::MAX as u64));
    CNTP_CTL_EL0.write(CNTP_CTL_EL0::ENABLE::SET + CNTP_CTL_EL0::IMASK::CLEAR);
}
