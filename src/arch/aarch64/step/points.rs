//! Breakpoint and watchpoint registers of this CPU: what to write, and writing it.
//!
//! Points match at EL1 alone, in whatever thread has debug exceptions open. Source: Arm ARM DDI 0487, `DBGBCR<n>_EL1` and
//! `DBGWCR<n>_EL1`.

use super::cpu;
use aarch64_cpu::registers::ID_AA64DFR0_EL1;
use core::arch::asm;
use core::sync::atomic::{AtomicUsize, Ordering};
use tock_registers::interfaces::Readable;

/// Slots that are used, of each kind: every CPU has at least two of each.
const SLOTS: usize = 2;
/// Enabled, at EL1.
const ENABLED_AT_EL1: u64 = 1 | 1 << 1;
/// All four bytes of an instruction.
const WHOLE_INSTRUCTION: u64 = 0xf << 5;

/// What an access that stops does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It loads.
    Load,
    /// It stores.
    Store,
    /// Either.
    Any,
}

/// Bytes that are watched: 1, 2, 4 or 8, aligned to their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The first.
    pub address: usize,
    /// How many.
    pub bytes: usize,
    /// What stops.
    pub access: Access,
}

/// Why a point was not set. Nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PointError {
    /// This CPU has so many slots.
    NoSuchSlot {
        /// They are numbered from 0.
        slots: usize,
    },
    /// An instruction lies on 4 bytes; watched bytes are 1, 2, 4 or 8, and lie on their number.
    Misaligned(usize),
}

impl Watch {
    /// DBGWVR and DBGWCR.
    #[inline(always)]
    fn encode(self) -> Result<(usize, u64), PointError> {
        let Self { address, bytes, access } = self;
        if !matches!(bytes, 1 | 2 | 4 | 8) || !address.is_multiple_of(bytes) {
            return Err(PointError::Misaligned(address));
        }
        let select = ((1_u64 << bytes) - 1) << (address % 8);
        let kind = match access {
            Access::Load => 1,
            Access::Store => 2,
            Access::Any => 3,
        };
        Ok((address & !7, ENABLED_AT_EL1 | kind << 3 | select << 5))
    }
}

/// Slots of this CPU: a field of the ID register holds their number less one.
#[inline(always)]
fn slots(number_less_one: u64) -> usize {
    SLOTS.min(number_less_one as usize + 1)
}

macro_rules! write_pair {
    ($slot:expr, $value:literal, $control:literal, $address:expr, $bits:expr) => {
        match $slot {
            // SAFETY: debug registers of this CPU; what they match stops only threads that are debugged.
            0 => unsafe {
                asm!(concat!("msr ", $control, "0_el1, xzr"), concat!("msr ", $value, "0_el1, {}"),
                     concat!("msr ", $control, "0_el1, {}"), in(reg) $address, in(reg) $bits, options(nostack))
            },
            // SAFETY: as above.
            _ => unsafe {
                asm!(concat!("msr ", $control, "1_el1, xzr"), concat!("msr ", $value, "1_el1, {}"),
                     concat!("msr ", $control, "1_el1, {}"), in(reg) $address, in(reg) $bits, options(nostack))
            },
        }
    };
}

/// CPUs that have had a point set, one bit each: their other slots are clear.
static CLEAN: AtomicUsize = AtomicUsize::new(0);

/// Whether any CPU has had a point set. Context: any.
#[inline(always)]
pub(super) fn are_in_use() -> bool {
    CLEAN.load(Ordering::Relaxed) != 0
}

/// The first use on this CPU clears what reset left in all slots. Context: pinned to the CPU.
#[inline(always)]
fn clean_this_cpu() {
    let this = 1 << cpu::id();
    if CLEAN.fetch_or(this, Ordering::Relaxed) & this == 0 {
        for slot in 0..SLOTS {
            if slot < slots(ID_AA64DFR0_EL1.read(ID_AA64DFR0_EL1::BRPs)) {
                write_pair!(slot, "dbgbvr", "dbgbcr", 0_usize, 0_u64);
            }
            if slot < slots(ID_AA64DFR0_EL1.read(ID_AA64DFR0_EL1::WRPs)) {
                write_pair!(slot, "dbgwvr", "dbgwcr", 0_usize, 0_u64);
            }
        }
    }
}

/// Sets or clears a breakpoint.
#[inline(always)]
pub(super) fn write_breakpoint(slot: usize, address: Option<usize>) -> Result<(), PointError> {
    let slots = slots(ID_AA64DFR0_EL1.read(ID_AA64DFR0_EL1::BRPs));
    if slot >= slots {
        return Err(PointError::NoSuchSlot { slots });
    }
    let (value, control) = match address {
        Some(address) if !address.is_multiple_of(4) => return Err(PointError::Misaligned(address)),
        Some(address) => (address, ENABLED_AT_EL1 | WHOLE_INSTRUCTION),
        None => (0, 0),
    };
    clean_this_cpu();
    write_pair!(slot, "dbgbvr", "dbgbcr", value, control);
    Ok(())
}

/// Sets or clears a watchpoint.
#[inline(always)]
pub(super) fn write_watchpoint(slot: usize, watch: Option<Watch>) -> Result<(), PointError> {
    let slots = slots(ID_AA64DFR0_EL1.read(ID_AA64DFR0_EL1::WRPs));
    if slot >= slots {
        return Err(PointError::NoSuchSlot { slots });
    }
    let (value, control) = watch.map_or(Ok((0, 0)), Watch::encode)?;
    clean_this_cpu();
    write_pair!(slot, "dbgwvr", "dbgwcr", value, control);
    Ok(())
}
