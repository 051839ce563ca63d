//! An index that takes no memory of its own: a digital search tree through links in the entries. Pure.
//!
//! The leading bits of an entry's mixed key say where it hangs, so the tree is at most one level deeper than a key has bits, and
//! among n entries about log2 n: nothing is balanced. To add and to remove one cannot fail.
//!
//! # Why not a sorted vector or a hash table
//! They keep the memory that they once grew to, or allocate to give it back, which unregistering must not.

use super::link::Link;
use core::cell::Cell;

/// Mixes a key: being odd, it makes no two keys one. What addresses differ by reaches their leading bits.
const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;

/// Where an entry can hang.
pub(super) type Place<T> = Cell<Option<Link<T>>>;

/// What an index can list.
pub(super) trait Indexed: Sized {
    /// What it is found by: no other entry has the same, and it does not change while it is listed.
    fn key(&self) -> usize;
    /// Where others hang: nothing while it is not listed.
    fn below(&self) -> &[Place<Self>; 2];
}

/// The entries, by their keys.
pub(super) struct Index<T>(Place<T>);

impl<T> core::fmt::Debug for Index<T> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

impl<T: Indexed> Index<T> {
    pub(super) const fn new() -> Self {
        Self(Cell::new(None))
    }

    /// The entry with this key.
    pub(super) fn find(&self, key: usize) -> Option<Link<T>> {
        self.place(key).get()
    }

    /// Lists an entry.
    pub(super) fn insert(&self, entry: Link<T>) {
        self.place(entry.key()).set(Some(entry));
    }

    /// Lists the entry with this key no more.
    pub(super) fn remove(&self, key: usize) -> Option<Link<T>> {
        let place = self.place(key);
        let gone = place.get()?;
        // Whatever hangs below shares the bits that lead here: one with nothing below itself comes up.
        let (mut last, mut lowest) = (place, gone);
        while let Some((below, entry)) = lowest.get().below().iter().find_map(|below| Some((below, below.get()?))) {
            (last, lowest) = (below, entry);
        }
        last.set(None);
        if lowest != gone {
            place.set(Some(lowest));
            for (below, from) in lowest.below().iter().zip(gone.below()) {
                below.set(from.take());
            }
        }
        Some(gone)
    }

    /// Where the entry with this key hangs, or would.
    fn place(&self, key: usize) -> &Place<T> {
        let (mut place, mut bits) = (&self.0, (key as u64).wrapping_mul(FACTOR));
        while let Some(entry) = place.get()
            && entry.key() != key
        {
            let [left, right] = entry.get().below();
            place = if bits >> 63 == 0 { left } else { right };
            bits <<= 1;
        }
        place
    }
}

#[cfg(test)]
mod tests {
    use super::{FACTOR, Index, Indexed, Link, Place};
    use core::cell::Cell;
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use std::collections::BTreeSet;

    struct Entry(usize, [Place<Entry>; 2]);

    impl Indexed for Entry {
        fn key(&self) -> usize {
            self.0
        }
        fn below(&self) -> &[Place<Self>; 2] {
            &self.1
        }
    }

    fn entry(key: usize) -> Link<Entry> {
        Link::new(Box::new(Entry(key, [const { Cell::new(None) }; 2])))
    }

    fn depth(place: &Place<Entry>) -> usize {
        place.get().map_or(0, |entry| 1 + entry.below().iter().map(depth).max().unwrap_or(0))
    }

    #[test]
    fn what_was_listed_and_not_removed_is_found_and_nothing_else() {
        const SEED: u64 = 0x1dec5;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let (index, mut model) = (Index::new(), BTreeSet::new());
        for step in 0..20_000 {
            let key = 64 * (random.next_u32() as usize % 300);
            match (random.next_u32() % 2, model.contains(&key)) {
                (0, false) => {
                    index.insert(entry(key));
                    model.insert(key);
                }
                (1, is_there) => {
                    let gone = index.remove(key);
                    assert_eq!(gone.map(|gone| gone.key()), is_there.then_some(key), "seed {SEED:#x}, step {step}");
                    if let Some(gone) = gone {
                        assert!(gone.below().iter().all(|place| place.get().is_none()), "a removed one has none below");
                        // SAFETY: it is listed no more.
                        drop(unsafe { gone.take() });
                    }
                    model.remove(&key);
                }
                _ => {}
            }
            let probe = 64 * (random.next_u32() as usize % 300);
            assert_eq!(index.find(probe).is_some(), model.contains(&probe), "seed {SEED:#x}, step {step}, key {probe}");
        }
        for key in model {
            // SAFETY: it is listed no more.
            drop(unsafe { index.remove(key).expect("listed").take() });
        }
        assert_eq!(depth(&index.0), 0);
    }

    #[test]
    fn a_thousand_blocks_of_the_heap_are_found_in_few_steps_whatever_their_size() {
        for size in [16, 64, 128, 4096] {
            let index = Index::new();
            (0..1000).for_each(|n| index.insert(entry(0x4123_4000 + n * size)));
            let depth = depth(&index.0);
            assert!((10..=24).contains(&depth), "{depth} levels for blocks of {size} bytes");
        }
    }

    #[test]
    fn keys_that_share_all_but_their_last_mixed_bit_are_told_apart() {
        // The factor's inverse, by Newton's iteration: what mixes to a chosen word.
        let inverse = (0..6).fold(1_u64, |it, _| it.wrapping_mul(2_u64.wrapping_sub(FACTOR.wrapping_mul(it))));
        let keys: Vec<usize> = (0..=64)
            .rev()
            .map(|bits| (1_u128 << bits >> 1) as u64)
            .map(|word| word.wrapping_mul(inverse) as usize)
            .collect();
        let index = Index::new();
        keys.iter().for_each(|&key| index.insert(entry(key)));
        assert_eq!(depth(&index.0), 65, "one for each bit, and one");
        assert!(keys.iter().all(|&key| index.find(key).is_some_and(|entry| entry.key() == key)));
    }
}
