//! Memory: what was cut up comes back whole.

use super::{Outcome, Run, check};
use crate::mm::heap;
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::hint::black_box;
use core::ptr::NonNull;

/// Bytes of the small blocks.
const SMALL: usize = 1 << 10;
/// Freed blocks are overwritten, so on a larger machine all of its memory would be touched.
const MOST_BYTES: usize = 1 << 30;
/// What is left to the rest of the kernel meanwhile.
const SPARE_BYTES: usize = 4 << 20;

fn layout(bytes: usize) -> Layout {
    Layout::from_size_align(bytes, 8).expect("a power of two")
}

/// A stack of blocks that are linked through their first words.
#[derive(Default)]
struct Blocks(Option<NonNull<u8>>);

impl Blocks {
    fn push(&mut self, block: NonNull<u8>) {
        // SAFETY: ours, and larger than a link.
        unsafe { block.cast::<Option<NonNull<u8>>>().write(self.0) };
        self.0 = Some(block);
    }

    fn free_all(&mut self) {
        while let Some(block) = self.0 {
            // SAFETY: pushed, so it begins with a link; allocated with this layout.
            unsafe {
                self.0 = block.cast::<Option<NonNull<u8>>>().read();
                dealloc(block.as_ptr(), layout(SMALL));
            }
        }
    }
}

/// Whether there is a block of so many bytes, right now.
fn is_there(bytes: usize) -> bool {
    // SAFETY: the layout has a size; the block goes back at once.
    unsafe {
        // Not known to the compiler, which else leaves the pair out.
        let block = black_box(alloc(layout(bytes)));
        if !block.is_null() {
            dealloc(block, layout(bytes));
        }
        !block.is_null()
    }
}

/// Cuts nearly all of memory into small blocks, frees every other one, then the rest, and finds the largest block again.
pub(super) fn heap_whole(run: &mut Run) -> Outcome {
    // The quarantine is emptied when memory is short.
    let free = |usage: heap::Usage| usage.total + usage.quarantined - usage.allocated;
    if heap::usage().total > MOST_BYTES {
        run.note("left_out", "memory_over_1_gib");
        return Ok(());
    }
    let largest = (20..31).rev().map(|order| 1 << order).find(|&bytes| is_there(bytes)).unwrap_or_default();
    let mut piles = [Blocks::default(), Blocks::default()];
    let mut nr_blocks = 0;
    while free(heap::usage()) > SPARE_BYTES {
        // SAFETY: the layout has a size.
        let Some(block) = NonNull::new(unsafe { alloc(layout(SMALL)) }) else { break };
        piles[nr_blocks % 2].push(block);
        nr_blocks += 1;
    }
    let was_cut = !is_there(largest);
    piles[0].free_all();
    let was_half = !is_there(SPARE_BYTES * 2);
    piles[1].free_all();
    run.note("blocks", nr_blocks);
    run.note("largest", largest);
    check!(largest >= SPARE_BYTES * 2, "the largest block had {largest} bytes");
    check!(was_cut, "{nr_blocks} small blocks left a block of {largest} bytes");
    check!(was_half, "every other small block was there, and yet a block of {} bytes was", SPARE_BYTES * 2);
    check!(is_there(largest), "{nr_blocks} small blocks were freed, and there is no block of {largest} bytes");
    Ok(())
}
