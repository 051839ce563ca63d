//! Freeing on the host: the system's allocator.

use crate::mm::poison::Tombstone;
use core::alloc::Layout;
use core::ptr::NonNull;

/// # Safety
/// `memory` was allocated with `layout` and is not used any more.
pub(super) unsafe fn grave(memory: NonNull<u8>, layout: Layout, _: Tombstone) {
    // SAFETY: the caller.
    unsafe { alloc::alloc::dealloc(memory.as_ptr(), layout) };
}
