//! Task stacks: the upper half of a slot of twice the size; the lower half is never mapped.
//!
//! Vectors tell an overflow by one bit of sp (see `arch::vectors`). Retired stacks stay mapped in a small
//! cache, since spawning is frequent. Context: task.

use crate::arch::mmu::{self, Access};
use crate::arch::vectors::STACK_SIZE;
use crate::sync::lock::IrqLock;
use alloc::alloc::{alloc, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

const SLOT_SIZE: usize = 2 * STACK_SIZE;
const SLOTS: usize = (mmu::STACK_WINDOW.end - mmu::STACK_WINDOW.start) / SLOT_SIZE;
/// Retired stacks that stay mapped.
const CACHED: usize = 64;
const LAYOUT: Layout = match Layout::from_size_align(STACK_SIZE, mmu::PAGE_SIZE) {
    Ok(layout) => layout,
    Err(_) => panic!("a stack is whole pages"),
};

/// Why there is no stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StackError {
    /// No memory, or no page-table page.
    OutOfMemory,
    /// Every slot of the window is taken.
    OutOfSlots,
}

/// A mapped stack above its guard.
#[derive(Debug)]
pub struct Stack {
    slot: usize,
    memory: NonNull<u8>,
}

// SAFETY: a stack is memory that its owner alone uses.
unsafe impl Send for Stack {}
// SAFETY: shared references only tell its bounds.
unsafe impl Sync for Stack {}

struct Slots {
    fresh: usize,
    free: alloc::vec::Vec<usize>,
    cache: heapless::Vec<Stack, CACHED>,
}

static STACKS: IrqLock<Slots> =
    IrqLock::new(Slots { fresh: 0, free: alloc::vec::Vec::new(), cache: heapless::Vec::new() });

/// How many stacks are mapped: in use, and kept for the next tasks. Context: task.
pub fn counts() -> (usize, usize) {
    let stacks = STACKS.lock();
    let cached = stacks.cache.len();
    (stacks.fresh - stacks.free.len() - cached, cached)
}

impl Stack {
    /// A stack, mapped. Its contents are whatever they were.
    pub fn new() -> Result<Self, StackError> {
        let slot = {
            let mut stacks = STACKS.lock();
            if let Some(stack) = stacks.cache.pop() {
                return Ok(stack);
            }
            match stacks.free.pop() {
                Some(slot) => slot,
                None if stacks.fresh < SLOTS => {
                    // So that giving a slot back takes no memory: tasks end when there is none, too.
                    let room = stacks.fresh + 1 - stacks.free.len();
                    stacks.free.try_reserve(room).map_err(|_| StackError::OutOfMemory)?;
                    stacks.fresh += 1;
                    stacks.fresh - 1
                }
                None => return Err(StackError::OutOfSlots),
            }
        };
        // SAFETY: the layout has a size.
        let Some(memory) = NonNull::new(unsafe { alloc(LAYOUT) }) else {
            STACKS.lock().free.push(slot);
            return Err(StackError::OutOfMemory);
        };
        let stack = Self { slot, memory };
        if mmu::map(stack.bottom()..stack.top(), memory.addr().get(), Access::ReadWrite).is_err() {
            // SAFETY: allocated above, used by nobody.
            unsafe { dealloc(memory.as_ptr(), LAYOUT) };
            STACKS.lock().free.push(slot);
            core::mem::forget(stack);
            return Err(StackError::OutOfMemory);
        }
        Ok(stack)
    }

    /// The lowest mapped address.
    pub const fn bottom(&self) -> usize {
        mmu::STACK_WINDOW.start + self.slot * SLOT_SIZE + STACK_SIZE
    }

    /// The guard and the stack.
    pub const fn slot(&self) -> core::ops::Range<usize> {
        self.bottom() - STACK_SIZE..self.top()
    }

    /// Past the highest: where sp starts.
    pub const fn top(&self) -> usize {
        self.bottom() + STACK_SIZE
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        let again = Self { slot: self.slot, memory: self.memory };
        let Err(over) = STACKS.lock().cache.push(again) else { return };
        mmu::unmap(over.bottom()..over.top());
        // SAFETY: allocated by `new` with this layout; unmapped from its window, so nobody uses it.
        unsafe { dealloc(over.memory.as_ptr(), LAYOUT) };
        STACKS.lock().free.push(over.slot);
        core::mem::forget(over);
    }
}
