//! How the kernel ends: with a status through semihosting, else by PSCI. What it says while there is no console.
//!
//! INVARIANT `heard`: the kernel does not end unheard. What it has to say before there is a console goes out by
//! semihosting; where that does not answer, the CPU halts with the text's address in a register.
//!
//! # Why not the `semihosting` crate
//! Its `exit` does not return. Without semihosting HLT is an undefined instruction, which
//! `vectors` skips: then the machine is powered off, and the status is lost but nothing hangs.

use super::{cpu, psci, uart};
use core::arch::asm;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// The start of what was said while there was no console: a line is what there is room for.
static UNHEARD: [AtomicU8; 256] = [const { AtomicU8::new(0) }; 256];
static UNHEARD_LEN: AtomicUsize = AtomicUsize::new(0);

/// PASS, or a clean power-off.
pub const STATUS_OK: u8 = 0;
/// A verdict says FAIL.
pub const STATUS_FAIL: u8 = 1;
/// Refused before anything started.
pub const STATUS_REFUSED: u8 = 2;
/// A panic.
pub const STATUS_PANIC: u8 = 101;
/// The watchdog.
pub const STATUS_WATCHDOG: u8 = 102;
/// Ctrl-C ended the run before its time. As shells have it: 128, and the number of the signal that it is elsewhere.
pub const STATUS_INTERRUPTED: u8 = 130;

/// The instruction that asks a debugger or QEMU for service. Source: Arm semihosting specification, 4.
pub const SEMIHOSTING_HLT: u32 = 0xd45e_0000;
const SYS_WRITEC: u64 = 0x03;
const SYS_EXIT_EXTENDED: u64 = 0x20;
const APPLICATION_EXIT: u64 = 0x2_0026;

/// Writes one byte to whoever debugs or emulates this machine, and keeps it. Context: boot, one CPU; for when there is
/// no other console.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn say(byte: u8) {
    let len = UNHEARD_LEN.load(Ordering::Relaxed);
    if let Some(place) = UNHEARD.get(len) {
        place.store(byte, Ordering::Relaxed);
        UNHEARD_LEN.store(len + 1, Ordering::Relaxed);
    }
    // SAFETY: the host reads one byte, or the exception handler skips the HLT; x0 is an output.
    unsafe { asm!("hlt #0xf000", inout("x0") SYS_WRITEC => _, in("x1") &raw const byte, options(nostack)) };
}

/// Ends the machine with `status`. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn exit(status: u8) -> ! {
    let block = [APPLICATION_EXIT, u64::from(status)];
    // SAFETY: either the host ends the machine, or the exception handler skips the HLT; x0 is an output.
    unsafe {
        asm!("hlt #0xf000", inout("x0") SYS_EXIT_EXTENDED => _, in("x1") block.as_ptr(), options(nostack));
    }
    if uart::is_known() {
        psci::system_off();
        cpu::park()
    }
    let len = UNHEARD_LEN.load(Ordering::Relaxed);
    // SAFETY: that many of its bytes were written, and nobody writes any more: this CPU stops.
    let text = unsafe { core::slice::from_raw_parts((&raw const UNHEARD).cast(), len) };
    cpu::park_unheard(status, text)
}
