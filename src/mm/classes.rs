//! Free blocks by size: one last-in, first-out list per power of two, linked through the blocks' own first words. Pure.
//!
//! Putting and taking cost the same however many blocks are free. Nothing is joined before [`Classes::join`], which sorts
//! each list by address and makes larger blocks of buddies: n log n, once, where memory would otherwise have run out.
//!
//! # Why not the buddy heap's own lists
//! It looks for a block's buddy in a list that is as long as there are free blocks of the size: after thousands of
//! tasks ended, each free would cost tens of thousands of instructions.
//!
//! INVARIANT `listed-once`: a block on a list belongs to it, is aligned to its size, and overlaps no other.
//! INVARIANT `unmarked`: a block that was handed out does not hold its mark: whoever hands it out calls [`unmark`],
//! also if the block comes from memory that nobody wrote since reset. What an earlier kernel left in RAM, marks among
//! it, is therefore never read as a word of a live block; a list's links are read only where [`Classes::put`] or
//! [`Classes::join`] wrote them.
//!
//! # Why not a table of marks beside the memory
//! One bit for every 8 bytes would have to be cleared at boot: a walk over a 64th of all RAM. A mark with a number
//! drawn at boot can be left over by a boot that drew the same.
//! Context: any, under the heap's lock. Notrace, as the heap.

use core::alloc::Layout;
use core::ptr::NonNull;

/// log2 of the smallest block: it holds a link.
pub const SMALLEST: usize = size_of::<usize>().trailing_zeros() as usize;

/// Sorted runs of a list while it is sorted: of 1, 2, 4 … blocks.
const RUNS: usize = 40;

/// The start of a free block. Its second word, if it has one, is [`mark`].
struct Link {
    next: List,
}

type List = Option<NonNull<Link>>;

/// The lists of blocks of 2^0 to 2^(N-1) bytes; those below [`SMALLEST`] stay empty.
#[derive(Debug)]
pub struct Classes<const N: usize> {
    heads: [List; N],
    bytes: usize,
}

// SAFETY: listed blocks belong to the lists alone, whatever CPU handles them.
unsafe impl<const N: usize> Send for Classes<N> {}

/// The second word of the listed block at `address`.
#[inline(always)]
const fn mark(address: usize) -> u64 {
    !(address as u64)
}

/// Takes the mark off a block that is handed out (`unmarked`); `contents` are its words. Context: any.
#[inline(always)]
pub fn unmark(contents: &mut [u64]) {
    if let [_, second, ..] = contents {
        *second = 0;
    }
}

/// Whether `contents`, the words of the block at `address`, say that it is free. Only its late owner's hand makes a
/// live block say so (`unmarked`). The smallest blocks cannot.
#[inline(always)]
pub fn is_marked(address: usize, contents: &[u64]) -> bool {
    matches!(contents, [_, second, ..] if *second == mark(address))
}

/// The class of what is allocated for `layout`: log2 of its bytes.
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
#[inline(always)]
pub fn class_of(layout: Layout) -> usize {
    let bytes = layout.size().next_power_of_two().max(layout.align());
    (bytes.trailing_zeros() as usize).max(SMALLEST)
}

impl<const N: usize> Classes<N> {
    /// Empty lists.
    pub const fn new() -> Self {
        Self { heads: [None; N], bytes: 0 }
    }

    /// The bytes of all listed blocks.
    pub const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Lists a free block of 2^`class` bytes.
    ///
    /// # Safety
    /// The block is given up: writable, aligned to its size, used by nobody, on no list (`listed-once`).
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub unsafe fn put(&mut self, block: NonNull<u8>, class: usize) {
        let link = block.cast::<Link>();
        // SAFETY: the caller: it holds a link and is aligned for one.
        unsafe { link.write(Link { next: self.heads[class] }) };
        if class > SMALLEST {
            // SAFETY: as above: it has a second word.
            unsafe { block.cast::<u64>().add(1).write(mark(block.addr().get())) };
        }
        self.heads[class] = Some(link);
        self.bytes += 1 << class;
    }

    /// Takes the block of 2^`class` bytes that was listed last. It is marked still: see [`unmark`].
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn take(&mut self, class: usize) -> Option<NonNull<u8>> {
        let link = self.heads.get(class).copied().flatten()?;
        // SAFETY: `listed-once`: a listed block starts with its link.
        self.heads[class] = unsafe { link.read() }.next;
        self.bytes -= 1 << class;
        Some(link.cast())
    }

    /// Takes a block of the smallest class that is at least `class` and has one, and says which.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn take_from(&mut self, class: usize) -> Option<(NonNull<u8>, usize)> {
        for class in class..N {
            if let Some(block) = self.take(class) {
                return Some((block, class));
            }
        }
        None
    }

    /// The bytes of the largest listed block, 0 if there is none.
    pub fn largest(&self) -> usize {
        self.heads.iter().rposition(Option::is_some).map_or(0, |class| 1 << class)
    }

    /// Joins buddies into larger blocks until no two are left. The lists are in the order of addresses then.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn join(&mut self) {
        for class in SMALLEST..N - 1 {
            let size = 1 << class;
            let mut rest = sort(self.heads[class].take());
            let mut alone = Chain::new();
            while let Some(low) = rest {
                // SAFETY: `listed-once`, here and below: `sort` kept the blocks and their links.
                rest = unsafe { low.read() }.next;
                match rest {
                    Some(high) if low.addr().get() & size == 0 && high.addr().get() == low.addr().get() + size => {
                        // SAFETY: as above.
                        rest = unsafe { high.read() }.next;
                        // SAFETY: both halves are free and ours; the next class is looked at next.
                        unsafe { low.write(Link { next: self.heads[class + 1] }) };
                        self.heads[class + 1] = Some(low);
                    }
                    _ => alone.append(low),
                }
            }
            self.heads[class] = alone.first;
        }
    }
}

impl<const N: usize> Default for Classes<N> {
    fn default() -> Self {
        Self::new()
    }
}

/// A list that grows at its end.
struct Chain {
    first: List,
    last: List,
}

impl Chain {
    const fn new() -> Self {
        Self { first: None, last: None }
    }

    /// Adds a block that is on no list any more.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn append(&mut self, link: NonNull<Link>) {
        // SAFETY: free blocks, which start with links.
        unsafe { link.write(Link { next: None }) };
        match self.last {
            // SAFETY: as above.
            Some(last) => unsafe { last.write(Link { next: Some(link) }) },
            None => self.first = Some(link),
        }
        self.last = Some(link);
    }
}

/// The blocks of `list`, by address.
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
fn sort(mut list: List) -> List {
    let mut runs: [List; RUNS] = [None; RUNS];
    while let Some(link) = list {
        // SAFETY: a free block, which starts with its link.
        list = unsafe { link.read() }.next;
        // SAFETY: as above; it is a run of one now.
        unsafe { link.write(Link { next: None }) };
        let mut run = Some(link);
        let mut index = 0;
        while runs[index].is_some() && index < RUNS - 1 {
            run = merge(runs[index].take(), run);
            index += 1;
        }
        runs[index] = merge(runs[index].take(), run);
    }
    let mut sorted = None;
    for run in runs {
        sorted = merge(run, sorted);
    }
    sorted
}

/// One sorted list of two.
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
fn merge(mut a: List, mut b: List) -> List {
    let mut merged = Chain::new();
    loop {
        let (first, other) = match (a, b) {
            (Some(x), Some(y)) if x.addr() < y.addr() => (x, Some(y)),
            (Some(x), Some(y)) => (y, Some(x)),
            (Some(x), None) | (None, Some(x)) => {
                // The rest is a sorted list already.
                match merged.last {
                    // SAFETY: free blocks, which start with links.
                    Some(last) => unsafe { last.write(Link { next: Some(x) }) },
                    None => merged.first = Some(x),
                }
                return merged.first;
            }
            (None, None) => return merged.first,
        };
        // SAFETY: as above.
        a = unsafe { first.read() }.next;
        b = other;
        merged.append(first);
    }
}

#[cfg(test)]
mod tests;
