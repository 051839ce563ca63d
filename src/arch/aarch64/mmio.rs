//! Device registers, each access one plain load or store.
//!
//! A hypervisor that emulates a device learns from the fault what was accessed: only of a load or store of one register
//! without write-back. What the compiler makes of a volatile access is not bound to be one.

use core::arch::asm;

/// A block of 32-bit registers, by their offsets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Registers(usize);

impl Registers {
    /// # Safety
    /// `base` is that of a device, mapped as device memory, whose registers this module's caller may read and write.
    #[inline(always)]
    pub(super) unsafe fn new(base: usize) -> Self {
        Self(base)
    }

    #[inline(always)]
    pub(super) fn read(self, offset: usize) -> u32 {
        let value: u32;
        // SAFETY: by `new`.
        unsafe { asm!("ldr {:w}, [{}]", out(reg) value, in(reg) self.0 + offset, options(nostack, preserves_flags)) };
        value
    }

    #[inline(always)]
    pub(super) fn write(self, offset: usize, value: u32) {
        // SAFETY: by `new`.
        unsafe { asm!("str {:w}, [{}]", in(reg) value, in(reg) self.0 + offset, options(nostack, preserves_flags)) };
    }
}
