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
//! Context: any, under the heap's lock. Notrace, as the heap.

use core::alloc::Layout;
use core::ptr::NonNull;

/// log2 of the smallest block: it holds a link.
pub const SMALLEST: usize = size_of::<usize>().trailing_zeros() as usize;

/// Sorted runs of a list while it is sorted: of 1, 2, 4 … blocks.
const RUNS: usize = 40;

/// The start of a free block.
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
        self.heads[class] = Some(link);
        self.bytes += 1 << class;
    }

    /// Takes the block of 2^`class` bytes that was listed last.
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

    /// Whether the block at `address` is listed in `class`. Walks the list: for the story of a double free.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn holds(&self, address: usize, class: usize) -> bool {
        let mut at = self.heads.get(class).copied().flatten();
        while let Some(link) = at {
            if link.addr().get() == address {
                return true;
            }
            // SAFETY: `listed-once`.
            at = unsafe { link.read() }.next;
        }
        false
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
mod tests {
    use super::{Classes, SMALLEST, class_of};
    use core::alloc::Layout;
    use core::ptr::NonNull;
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    const ORDER: usize = 16;

    /// Memory of 2^ORDER bytes on a multiple of its size.
    struct Arena(NonNull<u8>);

    impl Arena {
        const LAYOUT: Layout = match Layout::from_size_align(1 << ORDER, 1 << ORDER) {
            Ok(layout) => layout,
            Err(_) => panic!("a power of two"),
        };

        fn new() -> Self {
            // SAFETY: the layout has a size.
            Self(NonNull::new(unsafe { std::alloc::alloc(Self::LAYOUT) }).expect("memory"))
        }

        fn at(&self, offset: usize) -> NonNull<u8> {
            assert!(offset < 1 << ORDER);
            // SAFETY: inside the arena.
            unsafe { self.0.add(offset) }
        }
    }

    impl Drop for Arena {
        fn drop(&mut self) {
            // SAFETY: allocated by `new`.
            unsafe { std::alloc::dealloc(self.0.as_ptr(), Self::LAYOUT) };
        }
    }

    #[test]
    fn a_class_is_what_the_buddy_heap_hands_out() {
        let class = |size, align| class_of(Layout::from_size_align(size, align).unwrap());
        assert_eq!((class(1, 1), class(8, 8), class(9, 8), class(16, 64)), (3, 3, 4, 6));
        assert_eq!((class(4096, 8), class(4097, 8), class(0, 4096)), (12, 13, 12));
    }

    #[test]
    fn what_was_freed_last_is_taken_first() {
        let arena = Arena::new();
        let mut classes = Classes::<{ ORDER + 1 }>::new();
        for offset in [0, 64, 128] {
            // SAFETY: disjoint blocks of the arena.
            unsafe { classes.put(arena.at(offset), 6) };
        }
        assert_eq!(classes.bytes(), 192);
        assert!(classes.holds(arena.at(64).addr().get(), 6) && !classes.holds(arena.at(64).addr().get(), 7));
        let taken: Vec<_> = core::iter::from_fn(|| classes.take(6)).collect();
        assert_eq!(taken, [arena.at(128), arena.at(64), arena.at(0)]);
        assert_eq!((classes.bytes(), classes.take_from(0)), (0, None));
    }

    #[test]
    fn all_of_memory_comes_back_as_one_block_whatever_the_order_of_frees() {
        const SEED: u64 = 0x5eed_0301;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        for round in 0..200 {
            let arena = Arena::new();
            let mut classes = Classes::<{ ORDER + 1 }>::new();
            // Cuts the arena into blocks of random classes, and frees them in random order.
            let mut whole = vec![(0_usize, ORDER)];
            let mut blocks = Vec::new();
            while let Some((offset, class)) = whole.pop() {
                if class == SMALLEST || class < 12 && random.next_u64().is_multiple_of(3) {
                    blocks.push((offset, class));
                } else {
                    whole.extend([(offset, class - 1), (offset + (1 << (class - 1)), class - 1)]);
                }
            }
            for last in (1..blocks.len()).rev() {
                blocks.swap(last, random.next_u64() as usize % (last + 1));
            }
            for &(offset, class) in &blocks {
                // SAFETY: disjoint blocks of the arena, aligned to their sizes as it is.
                unsafe { classes.put(arena.at(offset), class) };
            }
            assert_eq!(classes.bytes(), 1 << ORDER);
            classes.join();
            assert_eq!(classes.take_from(0), Some((arena.at(0), ORDER)), "seed {SEED:#x} round {round}");
            assert_eq!(classes.bytes(), 0);
        }
    }

    #[test]
    fn neighbours_that_are_no_buddies_stay_apart_and_nothing_is_lost() {
        let arena = Arena::new();
        let mut classes = Classes::<{ ORDER + 1 }>::new();
        // 64 and 128 touch, but belong to different pairs; 256 and 320 are one.
        for offset in [320, 64, 256, 128] {
            // SAFETY: disjoint blocks of the arena.
            unsafe { classes.put(arena.at(offset), 6) };
        }
        classes.join();
        assert_eq!(classes.take_from(7), Some((arena.at(256), 7)));
        assert_eq!(classes.take_from(7), None);
        assert_eq!(
            [classes.take(6), classes.take(6), classes.take(6)],
            [Some(arena.at(64)), Some(arena.at(128)), None]
        );
    }
}
