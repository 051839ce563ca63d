//! The allocator of the tests on the host: told to, it has no memory for one allocation of a thread. It counts what a thread has.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Allocations of this thread until the one that fails; none does while there is no number.
    static UNTIL: Cell<Option<u32>> = const { Cell::new(None) };
    /// Bytes that this thread has allocated and not freed.
    static BYTES: Cell<isize> = const { Cell::new(0) };
}

struct Failing;

#[global_allocator]
static ALLOCATOR: Failing = Failing;

// SAFETY: the system's allocator does it all, or nothing is allocated.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match UNTIL.get() {
            Some(0) => {
                UNTIL.set(None);
                std::ptr::null_mut()
            }
            until => {
                UNTIL.set(until.map(|until| until - 1));
                BYTES.set(BYTES.get() + layout.size().cast_signed());
                // SAFETY: the caller.
                unsafe { System.alloc(layout) }
            }
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.set(BYTES.get() - layout.size().cast_signed());
        // SAFETY: the caller; the block is the system's.
        unsafe { System.dealloc(block, layout) };
    }
}

/// Does `work` with no memory for allocation number `n` of it, from 0. Also says whether it came that far.
pub(crate) fn without_memory_for<R>(n: u32, work: impl FnOnce() -> R) -> (R, bool) {
    UNTIL.set(Some(n));
    let result = work();
    (result, UNTIL.take().is_none())
}

/// The bytes that this thread has allocated and not freed.
pub(crate) fn bytes_in_use() -> isize {
    BYTES.get()
}
