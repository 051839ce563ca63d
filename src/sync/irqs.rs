//! IRQs masked on this CPU, as a token.

use crate::arch::cpu;
use core::marker::PhantomData;

/// Proof that IRQs are masked on this CPU for `'cs`. `!Send`, because the fact is per-CPU.
#[derive(Clone, Copy, Debug)]
pub struct IrqsMasked<'cs>(PhantomData<(&'cs (), *mut ())>);

impl IrqsMasked<'_> {
    /// The token of a context that was entered with IRQs masked: exception entry, a new task, the panic path.
    ///
    /// # Safety
    /// IRQs are masked, and stay so while the token lives.
    #[inline(always)]
    pub const unsafe fn assume() -> Self {
        Self(PhantomData)
    }
}

/// Runs `work` with IRQs masked on this CPU; nests. Context: any.
#[inline(always)]
pub fn with_masked<R>(work: impl FnOnce(&IrqsMasked<'_>) -> R) -> R {
    let state = cpu::mask_irqs();
    let result = work(&IrqsMasked(PhantomData));
    cpu::restore_irqs(state);
    result
}
