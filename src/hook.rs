//! Set-once hooks: how a lower floor calls up without importing upward.
//!
//! A lower floor declares a `static NAME: Hook<fn(..)>`; `kernel` wires it before the first use.
//! `tests/floors.rs` lists every hook and who wires it. Context: any.

use crate::sync::atomic::{AtomicUsize, Ordering};
use core::marker::PhantomData;

/// A function pointer that is set once, at boot.
pub struct Hook<F> {
    address: AtomicUsize,
    kind: PhantomData<fn() -> F>,
}

impl<F: Copy> Hook<F> {
    /// A hook that nobody wired yet.
    pub const fn new() -> Self {
        const { assert!(size_of::<F>() == size_of::<usize>(), "a hook holds one plain function pointer") };
        Self { address: AtomicUsize::new(0), kind: PhantomData }
    }

    /// Wires the hook. Context: boot, on the first CPU.
    ///
    /// # Panics
    /// When it was wired before.
    pub fn set(&self, function: F) {
        // SAFETY: `F` is a plain function pointer of one word (checked by `new`), which has no padding.
        let address = unsafe { core::mem::transmute_copy::<F, usize>(&function) };
        // Order: Release pairs with the Acquire of `get`: what the wiring code set up before is visible.
        let before = self.address.swap(address, Ordering::Release);
        assert!(before == 0, "a hook is wired once");
    }

    /// The function, if it was wired. Context: any.
    #[inline(always)]
    pub fn get(&self) -> Option<F> {
        match self.address.load(Ordering::Acquire) {
            0 => None,
            // SAFETY: only `set` stores a value other than 0, and it stores an `F`.
            address => Some(unsafe { core::mem::transmute_copy::<usize, F>(&address) }),
        }
    }
}

impl<F: Copy> Default for Hook<F> {
    fn default() -> Self {
        Self::new()
    }
}
