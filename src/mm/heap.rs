//! The global allocator: buddy_system_allocator, wrapped. Freed blocks are poisoned and wait in quarantine.
//!
//! ```text
//! alloc <- the list of its class <- the buddy heap: one larger block, which it splits
//! free  -> quarantine -> the list of its class           short of memory: the lists are joined
//! ```
//! Only what was never used, and what was joined, goes through the buddy heap: see [`super::classes`].
//!
//! What a late reader of freed memory finds is poison, or the tombstone that [`bury`] left. A block that
//! was written to while it waited is reported with its address and size when it leaves the quarantine.
//! Context: any but the panic path; the lock is a leaf: nothing is called while it is held. Notrace: timers are
//! queued and taken out inside the scheduler (O8).

use super::classes::{Classes, SMALLEST, class_of};
use super::poison::{POISON, Quarantine, Tombstone, fill, first_change};
use crate::hook::Hook;
use crate::sync::lock::IrqLock;
use buddy_system_allocator::Heap;
use core::alloc::{GlobalAlloc, Layout};
use core::ops::Range;
use core::ptr::NonNull;

/// Blocks of up to 2^(ORDERS - 1) bytes.
const ORDERS: usize = 34;
/// Blocks that wait before they can be used again, and their bytes.
const QUARANTINE_BLOCKS: usize = 512;
const QUARANTINE_BYTES: usize = 1 << 20;

#[derive(Clone, Copy, Debug)]
struct Freed {
    block: NonNull<u8>,
    layout: Layout,
    tombstone: Option<Tombstone>,
}

// SAFETY: a freed block belongs to the quarantine alone, whatever CPU handles it.
unsafe impl Send for Freed {}

struct State {
    heap: Heap<ORDERS>,
    classes: Classes<ORDERS>,
    quarantine: Quarantine<Freed, QUARANTINE_BLOCKS>,
    ram: usize,
}

struct KernelHeap(IrqLock<State>);

#[global_allocator]
static HEAP: KernelHeap = KernelHeap(IrqLock::new(State {
    heap: Heap::new(),
    classes: Classes::new(),
    quarantine: Quarantine::new(QUARANTINE_BYTES),
    ram: 0,
}));

/// Hears of a block with a tombstone that was written to while it waited; a panic follows if it returns. Wired by `main.rs` to `lab`.
pub static WRITTEN: Hook<fn(block: usize)> = Hook::new();

/// Gives `range` of RAM to the heap. Context: boot. Nothing walks the memory.
///
/// # Safety
/// It is mapped writable, and nobody else uses it.
pub unsafe fn add(range: Range<usize>) {
    let mut state = HEAP.0.lock();
    state.ram += range.len();
    // SAFETY: the caller.
    unsafe { state.heap.add_to_heap(range.start, range.end) };
}

/// How the heap stands, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Given to the heap.
    pub total: usize,
    /// In live blocks, with what rounding up to powers of two costs, and in quarantine.
    pub allocated: usize,
    /// Of that, in quarantine.
    pub quarantined: usize,
}

/// How the heap stands. Context: any.
pub fn usage() -> Usage {
    let state = HEAP.0.lock();
    let allocated = state.heap.stats_alloc_actual() - state.classes.bytes();
    Usage { total: state.ram, allocated, quarantined: state.quarantine.weight() }
}

/// Frees a block, leaving `tombstone` in its first two words for as long as it is in quarantine.
///
/// # Safety
/// As for `dealloc`: `block` was allocated with `layout`, is not used any more, and holds two words.
pub unsafe fn bury(block: NonNull<u8>, layout: Layout, tombstone: Tombstone) {
    // SAFETY: the caller.
    unsafe { HEAP.release(Freed { block, layout, tombstone: Some(tombstone) }) };
}

/// The whole words of a block.
///
/// # Safety
/// The block is allocated with `layout`, and nobody uses it while the slice lives.
#[inline(always)]
unsafe fn words<'a>(block: NonNull<u8>, layout: Layout) -> &'a mut [u64] {
    // Every block is a power of two of at least 8 bytes, on a multiple of its size.
    // SAFETY: the caller; buddy blocks are aligned to 8.
    unsafe { core::slice::from_raw_parts_mut(block.cast().as_ptr(), layout.size() / 8) }
}

/// The layout by which the buddy heap knows a block of 2^`class` bytes, whatever was asked for.
#[inline(always)]
const fn layout_of(class: usize) -> Layout {
    // SAFETY: a power of two, and an alignment that every block has; `class` is one of a layout, or below ORDERS.
    unsafe { Layout::from_size_align_unchecked(1 << class, 1 << SMALLEST) }
}

impl State {
    /// A block of 2^`class` bytes: used before, or fresh, or cut off a larger one that was used before.
    #[unsafe(link_section = ".text.notrace")]
    fn alloc(&mut self, class: usize) -> Option<NonNull<u8>> {
        if let Some(block) = self.classes.take(class) {
            return Some(block);
        }
        if let Ok(block) = self.heap.alloc(layout_of(class)) {
            return Some(block);
        }
        let (block, larger) = self.classes.take_from(class)?;
        // The buddy heap has nothing as large, so there is no list to search.
        // SAFETY: allocated from it with this layout, or joined of such; given up.
        unsafe { self.heap.dealloc(block, layout_of(larger)) };
        self.heap.alloc(layout_of(class)).ok()
    }

    /// Joins all that is free into blocks as large as can be, on the lists. Long, and with IRQs masked: once per shortage.
    #[unsafe(link_section = ".text.notrace")]
    fn join(&mut self) {
        // From the largest class down, so that nothing is split: the buddy heap ends empty.
        for class in (SMALLEST..ORDERS).rev() {
            while let Ok(block) = self.heap.alloc(layout_of(class)) {
                // SAFETY: just allocated; aligned to its size, as all its blocks are.
                unsafe { self.classes.put(block, class) };
            }
        }
        self.classes.join();
    }
}

impl KernelHeap {
    /// # Safety
    /// As for `dealloc`.
    #[unsafe(link_section = ".text.notrace")]
    unsafe fn release(&self, freed: Freed) {
        // SAFETY: the caller gives the block up.
        let contents = unsafe { words(freed.block, freed.layout) };
        if freed.tombstone.is_none() && contents.len() >= 2 && contents.iter().all(|&word| word == POISON) {
            panic!("heap: {:#x} ({} bytes) is freed twice", freed.block.addr(), freed.layout.size());
        }
        fill(contents, freed.tombstone);
        loop {
            let oldest = {
                let mut state = self.0.lock();
                if !state.quarantine.is_full_for(freed.layout.size()) {
                    state.quarantine.push(freed, freed.layout.size());
                    return;
                }
                state.quarantine.pop()
            };
            if let Some(oldest) = oldest {
                self.reuse(oldest);
            }
        }
    }

    /// Lists a block that left the quarantine, if nobody wrote to it meanwhile.
    #[unsafe(link_section = ".text.notrace")]
    fn reuse(&self, freed: Freed) {
        // SAFETY: it left the quarantine, so it is ours.
        let waited = unsafe { words(freed.block, freed.layout) };
        if let Some(index) = first_change(waited, freed.tombstone) {
            if let (Some(report), true) = (WRITTEN.get(), freed.tombstone.is_some()) {
                report(freed.block.addr().get());
            }
            panic!(
                "heap: freed block {:#x} ({} bytes) was written to at offset {}: {:#x}",
                freed.block.addr(),
                freed.layout.size(),
                index * 8,
                waited[index],
            );
        }
        // SAFETY: allocated with this layout, given up, and out of the quarantine.
        unsafe { self.0.lock().classes.put(freed.block, class_of(freed.layout)) };
    }

    /// Empties the quarantine: memory is short.
    #[unsafe(link_section = ".text.notrace")]
    fn flush(&self) {
        loop {
            let oldest = self.0.lock().quarantine.pop();
            let Some(oldest) = oldest else { return };
            self.reuse(oldest);
        }
    }

    /// What [`State::alloc`] finds when all that is free is joined first.
    #[unsafe(link_section = ".text.notrace")]
    fn alloc_joined(&self, class: usize) -> Option<NonNull<u8>> {
        let mut state = self.0.lock();
        state.join();
        state.alloc(class)
    }
}

// SAFETY: the buddy heap hands out disjoint blocks under one lock; a freed block is handed out again only
// after it has left the quarantine.
unsafe impl GlobalAlloc for KernelHeap {
    #[unsafe(link_section = ".text.notrace")]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let class = class_of(layout);
        if class >= ORDERS {
            return core::ptr::null_mut();
        }
        let mut block = self.0.lock().alloc(class);
        if block.is_none() {
            block = self.alloc_joined(class);
        }
        if block.is_none() {
            self.flush();
            block = self.alloc_joined(class);
        }
        block.map_or(core::ptr::null_mut(), NonNull::as_ptr)
    }

    #[unsafe(link_section = ".text.notrace")]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller of `dealloc`.
            unsafe { self.release(Freed { block, layout, tombstone: None }) };
        }
    }
}
