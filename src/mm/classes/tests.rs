//! Listing, taking and joining, on an arena of the host's memory.

use super::{Classes, SMALLEST, class_of, is_marked, mark, unmark};
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
    let taken: Vec<_> = core::iter::from_fn(|| classes.take(6)).collect();
    assert_eq!(taken, [arena.at(128), arena.at(64), arena.at(0)]);
    assert_eq!((classes.bytes(), classes.take_from(0)), (0, None));
}

/// The words of the block of 2^`class` bytes at `block`, of which nothing else is used meanwhile.
fn words<'a>(block: NonNull<u8>, class: usize) -> &'a mut [u64] {
    // SAFETY: a block of an arena, aligned, whose bytes have been written.
    unsafe { core::slice::from_raw_parts_mut(block.cast().as_ptr(), (1 << class) / 8) }
}

#[test]
fn a_listed_block_says_so_until_it_is_handed_out() {
    let arena = Arena::new();
    let mut classes = Classes::<{ ORDER + 1 }>::new();
    let block = arena.at(64);
    let says_so = || is_marked(block.addr().get(), words(block, 6));
    // SAFETY: a block of the arena.
    unsafe { block.write_bytes(0xef, 64) };
    assert!(!says_so());
    // SAFETY: a block of the arena, on its size.
    unsafe { classes.put(block, 6) };
    assert!(says_so());
    assert_eq!(classes.take(6), Some(block));
    unmark(words(block, 6));
    assert!(!says_so());
}

#[test]
fn a_mark_that_an_earlier_kernel_left_does_not_outlast_handing_out() {
    let arena = Arena::new();
    for class in SMALLEST..ORDER {
        let block = arena.at(1 << class);
        // SAFETY: a block of the arena.
        unsafe { block.write_bytes(0, 1 << class) };
        if let [_, second, ..] = words(block, class) {
            *second = mark(block.addr().get());
        }
        unmark(words(block, class));
        assert!(!is_marked(block.addr().get(), words(block, class)), "a block of 2^{class} bytes");
    }
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
    assert_eq!([classes.take(6), classes.take(6), classes.take(6)], [Some(arena.at(64)), Some(arena.at(128)), None]);
}
