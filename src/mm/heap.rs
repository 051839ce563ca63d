//! The global allocator: buddy_system_allocator, wrapped. Freed blocks are poisoned and wait in quarantine.
//!
//! ```text
//! alloc <- the list of its class <- the buddy heap: one larger block, which it splits
//! free  -> quarantine -> the list of its class           short of memory: the lists are joined
//! ```
//! Only what was never used, and what was joined, goes through the buddy heap: see [`super::classes`].
//!
//! What a late reader of freed memory finds is poison, or the tombstone that [`bury`] left. A block that
//! was written to while it waited is found when it leaves the quarantine; a block that is freed twice, or that is none,
//! at once: see [`DAMAGED`]. When memory is short, whoever can say so gets null (a stack, a page of code: `spawn` fails);
//! `Box`, `Vec` and their like end the kernel, which tells how the heap stood.
//! Context: any but the panic path; the lock is a leaf: nothing is called while it is held. Notrace: `task_main`,
//! which owes to the switch, drops the work that the task was made for (O8).

use super::classes::{Classes, SMALLEST, class_of, is_marked, unmark};
use super::damage::{Damage, Deed};
use super::poison::{LIVE, POISON, Quarantine, Tombstone, fill, first_change, first_other};
use super::ranges::Ranges;
use crate::fault::{self, Fault};
use crate::hook::Hook;
use crate::platform::devicetree::MAX_RANGES;
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
    by: Deed,
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

/// What was given to the heap: banks of RAM, cut where something else lies: the kernel's own, and what a tree names.
static GIVEN: Ranges<{ 2 * MAX_RANGES + 4 }> = Ranges::new();

/// Tells what was done to the heap, and ends the kernel; a plain panic follows if it returns. Wired by `kernel`, to the
/// oracle first.
pub static DAMAGED: Hook<fn(&Damage)> = Hook::new();

/// Gives `range` of RAM to the heap. Context: boot. Nothing walks the memory.
///
/// # Safety
/// It is mapped writable, and nobody else uses it.
pub unsafe fn add(range: Range<usize>) {
    GIVEN.add(range.clone());
    let mut state = HEAP.0.lock();
    state.ram += range.len();
    // SAFETY: the caller.
    unsafe { state.heap.add_to_heap(range.start, range.end) };
}

/// Whether `address` is in the heap's memory. Context: any.
#[inline(always)]
pub fn holds(address: usize) -> bool {
    GIVEN.holds(address)
}

/// Past the highest address that was given to the heap: the end of RAM, but for what others own of it.
pub fn end() -> usize {
    GIVEN.end()
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
    /// The largest block among those that were used before: of all that is free, where memory is short.
    pub largest_joined: usize,
}

/// How the heap stands. Context: any.
pub fn usage() -> Usage {
    HEAP.0.lock().usage()
}

/// The bytes of the largest free block: of the buddy heap, which does not tell, one is taken and put back. Context: any.
pub fn largest() -> usize {
    let mut state = HEAP.0.lock();
    let fresh = (SMALLEST..ORDERS).rev().find_map(|class| {
        let block = state.heap.alloc(layout_of(class)).ok()?;
        // SAFETY: just allocated with this layout.
        unsafe { state.heap.dealloc(block, layout_of(class)) };
        Some(1 << class)
    });
    state.classes.largest().max(fresh.unwrap_or(0))
}

/// How the heap stands, unless somebody is at it. Context: any, the panic path too.
pub fn try_usage() -> Option<Usage> {
    HEAP.0.try_lock().map(|state| state.usage())
}

/// Frees a block, leaving `tombstone` in its first two words for as long as it is in quarantine.
///
/// # Safety
/// As for `dealloc`: `block` was allocated with `layout`, is not used any more, and holds two words.
pub unsafe fn bury(block: NonNull<u8>, layout: Layout, tombstone: Tombstone) {
    // SAFETY: the caller.
    unsafe { HEAP.release(block, layout, Some(tombstone)) };
}

/// The words of a block.
///
/// # Safety
/// The block is allocated with `layout`, and nobody uses it while the slice lives.
#[inline(always)]
unsafe fn words<'a>(block: NonNull<u8>, layout: Layout) -> &'a mut [u64] {
    // Every block is a power of two of at least 8 bytes, on a multiple of its size.
    // SAFETY: the caller; buddy blocks are aligned to 8, and whole words of them are ours.
    unsafe { core::slice::from_raw_parts_mut(block.cast().as_ptr(), layout.size().div_ceil(8)) }
}

/// The layout by which the buddy heap knows a block of 2^`class` bytes, whatever was asked for.
#[inline(always)]
const fn layout_of(class: usize) -> Layout {
    // SAFETY: a power of two, and an alignment that every block has; `class` is one of a layout, or below ORDERS.
    unsafe { Layout::from_size_align_unchecked(1 << class, 1 << SMALLEST) }
}

/// Why `block` can be no block of 2^`class` bytes.
#[inline(always)]
fn no_block(block: usize, class: usize) -> Option<&'static str> {
    if !GIVEN.holds(block) {
        Some("it is not in the heap's memory")
    } else if class >= ORDERS || block & ((1 << class) - 1) != 0 {
        Some("no block of this size begins there")
    } else {
        None
    }
}

/// Tells it, and ends the kernel.
#[cold]
#[inline(never)]
fn damaged(damage: &Damage) -> ! {
    if let Some(tell) = DAMAGED.get() {
        tell(damage);
    }
    panic!("heap: {damage:?}")
}

impl State {
    fn usage(&self) -> Usage {
        let allocated = self.heap.stats_alloc_actual() - self.classes.bytes();
        let (quarantined, largest_joined) = (self.quarantine.weight(), self.classes.largest());
        Usage { total: self.ram, allocated, quarantined, largest_joined }
    }

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

    /// Whether `block` is free already, and who freed it, if that is known still.
    #[unsafe(link_section = ".text.notrace")]
    fn find_freed(&self, block: NonNull<u8>) -> Option<Deed> {
        for index in 0..QUARANTINE_BLOCKS {
            match self.quarantine.get(index) {
                Some(freed) if freed.block == block => return Some(freed.by),
                Some(_) => {}
                None => break,
            }
        }
        None
    }
}

impl KernelHeap {
    /// # Safety
    /// As for `dealloc`.
    #[unsafe(link_section = ".text.notrace")]
    #[inline(never)]
    unsafe fn release(&self, block: NonNull<u8>, layout: Layout, tombstone: Option<Tombstone>) {
        let freed = Freed { block, layout, tombstone, by: Deed::here() };
        if let Some(why) = no_block(block.addr().get(), class_of(layout)) {
            damaged(&Damage::NoBlock { block: block.addr().get(), bytes: layout.size(), why, by: freed.by });
        }
        // SAFETY: the caller gives the block up.
        let contents = unsafe { words(block, layout) };
        self.refuse_free(&freed, contents);
        fill(contents, tombstone);
        if fault::is(Fault::QuarantineSkipped) {
            return self.reuse(freed);
        }
        loop {
            let oldest = {
                let mut state = self.0.lock();
                if !state.quarantine.is_full_for(layout.size()) {
                    state.quarantine.push(freed, layout.size());
                    return;
                }
                state.quarantine.pop()
            };
            if let Some(oldest) = oldest {
                self.reuse(oldest);
            }
        }
    }

    /// Ends the kernel if the block is free already. What a live block holds says at its last word that it is live;
    /// the quarantine is searched only for one that does not.
    #[unsafe(link_section = ".text.notrace")]
    #[inline(always)]
    fn refuse_free(&self, freed: &Freed, contents: &[u64]) {
        let block = freed.block.addr().get();
        let is_listed = is_marked(block, contents);
        // What lies behind a tombstone's place; a block that holds no more than that counts as a whole.
        let behind = if contents.len() > 2 { &contents[2..] } else { contents };
        let looks_freed = behind.last() == Some(&POISON) && first_other(behind).is_none();
        if is_listed || looks_freed {
            let first = self.0.lock().find_freed(freed.block);
            if is_listed || first.is_some() {
                damaged(&Damage::FreedTwice { block, bytes: freed.layout.size(), first, again: freed.by });
            }
        }
    }

    /// Lists a block that left the quarantine, if nobody wrote to it meanwhile.
    #[unsafe(link_section = ".text.notrace")]
    fn reuse(&self, freed: Freed) {
        // SAFETY: it left the quarantine, so it is ours.
        let waited = unsafe { words(freed.block, freed.layout) };
        if let Some(index) = first_change(waited, freed.tombstone) {
            damaged(&Damage::Written {
                block: freed.block.addr().get(),
                bytes: freed.layout.size(),
                offset: index * 8,
                found: waited[index],
                had_tombstone: freed.tombstone.is_some(),
                freed: freed.by,
            });
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
        let Some(block) = block else { return core::ptr::null_mut() };
        // SAFETY: just allocated with this layout, and handed out below.
        let contents = unsafe { words(block, layout) };
        unmark(contents);
        if let Some(last) = contents.last_mut() {
            *last = LIVE;
        }
        block.as_ptr()
    }

    #[unsafe(link_section = ".text.notrace")]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: the caller of `dealloc`.
            unsafe { self.release(block, layout, None) };
        }
    }
}
