//! The roll: all tasks by their numbers, found by number and visited in pieces.
//!
//! Blocks of 64 numbers in ascending order; a block is there while a task of its numbers is. Whoever visits all tasks goes
//! on behind the last number that was seen, so the lock around the roll is let go of as often as the visitor wants.
//!
//! Promises: a walk goes in the order of the numbers; who is on the roll when it begins and when it ends is visited exactly once,
//! who comes or goes meanwhile at most once. A piece visits [`BLOCK`] tasks at most, however many there are.
//! INVARIANT `no-empty-block`: a block but the last one has a task. Blocks are no more than tasks, and one.
//! Pure. What visits is inlined: the lister of holdouts must not be traced (O8). Context: whoever has the roll's lock.
//!
//! # Why 64
//! A visit takes some fifty instructions where a task is marked for a grace period, and up to three hundred where it is lent a
//! CPU or nudged: a piece stays under 20,000. To let go of the lock, take it again and find the next block is some hundred: two
//! for each task, and a walk of all is no longer than one in a single piece.
//!
//! # Why not …
//! - a map of the standard library: its iterator does not outlive the lock, and what finds a place in it by number is compiled
//!   into this crate and gets callsites.
//! - a list through the tasks: the place where a walk is to go on may be reaped meanwhile.
//! - a table in which new tasks take free places: it stays as long as it ever was, and is not in the order of the numbers.

use alloc::boxed::Box;
use alloc::vec::Vec;

/// Numbers of a block.
pub const BLOCK: usize = 64;

/// Whether the stretch in which the roll is locked goes on behind a visit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stretch {
    /// The visit was a few steps: the next task may be visited in the same stretch.
    GoesOn,
    /// The visit was a long one, of a whole stack, say.
    Ends,
}

/// Tasks of successive numbers.
#[derive(Debug)]
struct Block<T> {
    /// The first number, divided by [`BLOCK`].
    number: usize,
    nr: usize,
    entries: Box<[Option<T>; BLOCK]>,
}

/// Everybody.
#[derive(Debug)]
pub struct Roll<T> {
    blocks: Vec<Block<T>>,
    len: usize,
}

impl<T> Default for Roll<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Roll<T> {
    /// Nobody.
    pub const fn new() -> Self {
        Self { blocks: Vec::new(), len: 0 }
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there is nobody.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The place of the first block that is not before block number `number`.
    #[inline(always)]
    fn place(&self, number: usize) -> usize {
        let (mut low, mut high) = (0, self.blocks.len());
        while low < high {
            let middle = low + (high - low) / 2;
            if self.blocks[middle].number < number {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Enters who has this number. Nobody else has it.
    pub fn insert(&mut self, number: usize, entry: T) {
        let block = self.block_for(number / BLOCK);
        debug_assert!(block.entries[number % BLOCK].is_none(), "{number} is two tasks' number");
        block.entries[number % BLOCK] = Some(entry);
        block.nr += 1;
        self.len += 1;
    }

    /// Block number `number`, made if it is not there; it gets an entry next.
    fn block_for(&mut self, number: usize) -> &mut Block<T> {
        let mut place = self.place(number);
        if self.blocks.get(place).is_none_or(|block| block.number != number) {
            match self.blocks.last_mut() {
                // Its place is before the one that was looked for.
                Some(last) if last.nr == 0 && last.number < number => {
                    last.number = number;
                    place -= 1;
                }
                _ => self.blocks.insert(place, Block { number, nr: 0, entries: Box::new([const { None }; BLOCK]) }),
            }
        }
        &mut self.blocks[place]
    }

    /// Takes out who has this number.
    pub fn remove(&mut self, number: usize) -> Option<T> {
        let place = self.place(number / BLOCK);
        let is_last = place + 1 == self.blocks.len();
        let block = self.blocks.get_mut(place).filter(|block| block.number == number / BLOCK)?;
        let entry = block.entries[number % BLOCK].take()?;
        block.nr -= 1;
        self.len -= 1;
        // The last one stays: tasks that come and go alone would make one and drop it each time.
        if block.nr == 0 && !is_last {
            self.blocks.remove(place);
        }
        Some(entry)
    }

    /// Who has this number.
    pub fn get(&self, number: usize) -> Option<&T> {
        let block = self.blocks.get(self.place(number / BLOCK)).filter(|block| block.number == number / BLOCK)?;
        block.entries[number % BLOCK].as_ref()
    }

    /// Visits those from number `from` on, to the end of a block or of the stretch; gives the number to go on with, or nothing
    /// when nobody was left.
    #[inline(always)]
    pub fn visit_some(&self, from: usize, visit: &mut impl FnMut(&T) -> Stretch) -> Option<usize> {
        let place = self.place(from / BLOCK);
        if place >= self.blocks.len() {
            return None;
        }
        let block = &self.blocks[place];
        let first = block.number * BLOCK;
        let mut at = if first < from { from % BLOCK } else { 0 };
        let mut stretch = Stretch::GoesOn;
        while at < BLOCK && matches!(stretch, Stretch::GoesOn) {
            if let Some(entry) = &block.entries[at] {
                stretch = visit(entry);
            }
            at += 1;
        }
        Some(first + at)
    }
}

#[cfg(test)]
mod tests {
    use super::{BLOCK, Roll, Stretch};
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use std::collections::BTreeMap;

    /// Visits a piece; adds the numbers that were seen.
    fn visit_some(roll: &Roll<usize>, from: usize, seen: &mut Vec<usize>, stretch: Stretch) -> Option<usize> {
        roll.visit_some(from, &mut |&number| {
            seen.push(number);
            stretch
        })
    }

    #[test]
    fn whoever_stays_is_visited_once_in_the_order_of_numbers_whoever_comes_and_goes_between_two_pieces() {
        const SEED: u64 = 0x5eed_0011;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        for case in 0..300 {
            let (mut roll, mut model, mut next) = (Roll::new(), BTreeMap::new(), 0);
            let mut change = |roll: &mut Roll<usize>, model: &mut BTreeMap<usize, usize>| {
                let some = model.keys().nth(random.next_u64() as usize % model.len().max(1)).copied();
                match some.filter(|_| random.next_u64() % 5 < 2) {
                    Some(number) => assert_eq!(roll.remove(number), model.remove(&number)),
                    None => {
                        // Now and then far ahead, and into a gap that was left.
                        next += [1, 1, 1, 3 * BLOCK][random.next_u64() as usize % 4];
                        let number = if random.next_u64() % 8 == 0 { next - next.min(BLOCK / 2) } else { next };
                        if model.insert(number, number).is_none() {
                            roll.insert(number, number);
                        }
                    }
                }
                assert_eq!(roll.len(), model.len());
                let empty = roll.blocks.iter().rev().skip(1).filter(|block| block.nr == 0).count();
                assert_eq!(empty, 0, "seed {SEED:#x} case {case}: `no-empty-block`");
            };
            (0..400).for_each(|_| change(&mut roll, &mut model));
            let mut stayed: Vec<usize> = model.keys().copied().collect();
            let stretch = if case % 2 == 0 { Stretch::GoesOn } else { Stretch::Ends };
            let (mut seen, mut from, mut nr_pieces) = (Vec::new(), Some(0), 0);
            while let Some(begin) = from {
                let before = seen.len();
                from = visit_some(&roll, begin, &mut seen, stretch);
                let most = if stretch == Stretch::Ends { 1 } else { BLOCK };
                assert!(seen.len() - before <= most, "seed {SEED:#x} case {case}: one piece");
                // Then no more, so that the walk ends: whoever comes stands before it.
                nr_pieces += 1;
                for _ in 0..if nr_pieces < 100 { case % 3 } else { 0 } {
                    change(&mut roll, &mut model);
                }
                stayed.retain(|number| model.contains_key(number));
            }
            assert!(seen.is_sorted_by(|a, b| a < b), "seed {SEED:#x} case {case}: {seen:?}");
            assert!(stayed.iter().all(|number| seen.contains(number)), "seed {SEED:#x} case {case}");
            assert!(model.iter().all(|(&number, at)| roll.get(number) == Some(at)), "seed {SEED:#x} case {case}");
        }
    }

    #[test]
    fn a_task_that_comes_and_goes_alone_needs_no_memory_and_numbers_that_are_gone_leave_none_behind() {
        let mut roll = Roll::new();
        for number in 0..10 * BLOCK {
            roll.insert(number, number);
            assert_eq!(roll.remove(number), Some(number));
            assert_eq!(roll.blocks.len(), 1);
        }
        (0..10 * BLOCK).for_each(|number| roll.insert(number, number));
        assert_eq!(roll.blocks.len(), 10);
        (0..10 * BLOCK).rev().for_each(|number| assert_eq!(roll.remove(number), Some(number)));
        assert!(roll.blocks.len() <= 2 && roll.is_empty() && roll.remove(3).is_none() && roll.get(3).is_none());
    }

    #[test]
    fn the_last_number_of_a_block_is_gone_on_behind() {
        let mut roll = Roll::new();
        [BLOCK - 1, BLOCK, 5 * BLOCK].iter().for_each(|&number| roll.insert(number, number));
        let mut seen = Vec::new();
        assert_eq!(visit_some(&roll, 0, &mut seen, Stretch::Ends), Some(BLOCK));
        assert_eq!(visit_some(&roll, BLOCK, &mut seen, Stretch::Ends), Some(BLOCK + 1));
        assert_eq!(visit_some(&roll, BLOCK + 1, &mut seen, Stretch::Ends), Some(2 * BLOCK), "nobody is left there");
        assert_eq!(visit_some(&roll, 2 * BLOCK, &mut seen, Stretch::Ends), Some(5 * BLOCK + 1));
        assert_eq!(seen, [BLOCK - 1, BLOCK, 5 * BLOCK]);
        assert_eq!(visit_some(&roll, 6 * BLOCK, &mut seen, Stretch::Ends), None);
    }
}
