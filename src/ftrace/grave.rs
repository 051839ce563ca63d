//! Freeing on the kernel: into the heap's quarantine, with the tombstone.

use crate::mm::heap;
use crate::mm::poison::Tombstone;
use core::alloc::Layout;
use core::ptr::NonNull;

/// # Safety
/// As [`heap::bury`].
pub(super) unsafe fn grave(memory: NonNull<u8>, layout: Layout, tombstone: Tombstone) {
    // SAFETY: the caller.
    unsafe { heap::bury(memory, layout, tombstone) };
}
