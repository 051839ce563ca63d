//! What a broken owner does to the heap.

use crate::mm::heap;
use alloc::alloc::{alloc, dealloc};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::hint::black_box;

/// The block that is misused.
const BLOCK: Layout = match Layout::from_size_align(96, 8) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two aligns"),
};
/// Where in it a late owner writes, in words.
const LATE_WORD: usize = 5;
/// Frees after which a block has left the quarantine.
const MANY: usize = 1_000;

/// A block that was used, and what frees it.
#[inline(never)]
fn used_block() -> *mut u8 {
    // SAFETY: the layout has a size; the words of the block are written where it was allocated.
    let block = unsafe { alloc(BLOCK) };
    assert!(!block.is_null(), "there is no memory to misuse");
    // SAFETY: as above.
    unsafe { block.write_bytes(0x11, BLOCK.size()) };
    block
}

#[inline(never)]
fn free(block: *mut u8) {
    // SAFETY: none, where it is called again: that is the fault, which the heap finds before it touches anything.
    unsafe { dealloc(block, BLOCK) };
}

/// Frees so many blocks that all that was freed before leaves the quarantine.
fn push_quarantine_out() {
    for number in 0..MANY {
        drop(black_box(Box::new([number; 4])));
    }
}

#[inline(never)]
pub(super) fn free_twice(between: fn()) {
    let block = used_block();
    free(block);
    between();
    free(block);
}

#[inline(never)]
pub(super) fn free_twice_late() {
    free_twice(push_quarantine_out);
}

#[inline(never)]
pub(super) fn write_after_free() {
    let block = used_block();
    free(block);
    // SAFETY: none: that is the fault. The block is in quarantine, so nobody else's.
    unsafe { block.cast::<u64>().add(LATE_WORD).write_volatile(0x1a7e) };
    push_quarantine_out();
}

#[inline(never)]
pub(super) fn free_variable() {
    static VARIABLE: u64 = 0;
    free((&raw const VARIABLE).cast::<u8>().cast_mut());
}

#[inline(never)]
pub(super) fn free_middle() {
    // The middle of a block, and no multiple of its size.
    free(used_block().wrapping_add(8));
}

/// Keeps all that it gets, in ever smaller pieces.
#[inline(never)]
pub(super) fn exhaust() {
    let mut bytes = 1 << 30;
    while bytes >= 1 << 20 {
        let mut kept = Vec::<u8>::new();
        if kept.try_reserve_exact(bytes).is_err() {
            bytes /= 2;
        }
        core::mem::forget(kept);
    }
    let left = heap::usage();
    crate::println!("{} of {} KiB are left", (left.total - left.allocated) >> 10, left.total >> 10);
    core::mem::forget(black_box(Vec::<u8>::with_capacity(1 << 20)));
}
