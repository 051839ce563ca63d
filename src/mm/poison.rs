//! What freed memory looks like, and the queue in which it waits before it can be used again. Pure.
//!
//! INVARIANT `poisoned`: a block in quarantine holds [`POISON`] in every whole word, but for a tombstone at its
//! start, and nobody writes to it: [`first_change`] finds whoever does.

/// Fills freed memory. As an address it is not canonical: a load through it faults. Its last 3 bits are set,
/// so offsets of small fields keep it recognisable.
pub const POISON: u64 = 0xdead_f4ee_dead_f4ef;

/// The last word of a block that was just handed out: as long as its user has not written there either, it says that the
/// block is live, though all else may be poison still. No address, as poison.
pub const LIVE: u64 = !POISON;

/// Whether `value` is poison, or a small offset from it.
pub const fn is_poison(value: u64) -> bool {
    value.wrapping_sub(POISON).wrapping_add(0x1000) < 0x2000
}

/// The first words of a block that is dead: what a late user finds instead of poison.
pub type Tombstone = [u64; 2];

/// Fills `words` with poison behind `tombstone`, if there is one.
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
pub fn fill(words: &mut [u64], tombstone: Option<Tombstone>) {
    words.fill(POISON);
    if let Some(tombstone) = tombstone {
        for (word, mark) in words.iter_mut().zip(tombstone) {
            *word = mark;
        }
    }
}

/// Words that are compared in one go.
const STRIDE: usize = 16;

/// Whether they are poison, all of them. Compares without a branch: an early end would be worth it once in a lifetime.
#[inline(always)]
fn are_poison(words: &[u64; STRIDE]) -> bool {
    let mut are = true;
    for &word in words {
        are &= word == POISON;
    }
    are
}

/// The index of the first word that is not poison. Less than two instructions a word: whole stacks wait in quarantine.
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
pub fn first_other(words: &[u64]) -> Option<usize> {
    let (strides, _) = words.as_chunks();
    let mut are_all = true;
    for stride in strides {
        are_all &= are_poison(stride);
    }
    let mut index = if are_all { strides.len() * STRIDE } else { 0 };
    while index < words.len() {
        if words[index] != POISON {
            return Some(index);
        }
        index += 1;
    }
    None
}

/// The index of the first word that is not as [`fill`] left it.
#[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
pub fn first_change(words: &[u64], tombstone: Option<Tombstone>) -> Option<usize> {
    let Some(tombstone) = tombstone else { return first_other(words) };
    let (first, behind) = words.split_at(words.len().min(tombstone.len()));
    for (index, &word) in first.iter().enumerate() {
        if word != tombstone[index] {
            return Some(index);
        }
    }
    first_other(behind).map(|index| first.len() + index)
}

/// A first-in, first-out queue of `N` places whose entries also have a weight: what does not fit pushes the
/// oldest out.
#[derive(Debug)]
pub struct Quarantine<T, const N: usize> {
    entries: [Option<(T, usize)>; N],
    oldest: usize,
    len: usize,
    weight: usize,
    most_weight: usize,
}

impl<T: Copy, const N: usize> Quarantine<T, N> {
    /// An empty queue that holds at most `most_weight`.
    pub const fn new(most_weight: usize) -> Self {
        Self { entries: [const { None }; N], oldest: 0, len: 0, weight: 0, most_weight }
    }

    /// Whether an entry of `weight` must wait for [`pop`](Self::pop)s first.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub const fn is_full_for(&self, weight: usize) -> bool {
        self.len > 0 && (self.len == N || self.weight + weight > self.most_weight)
    }

    /// Takes the oldest entry out.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub const fn pop(&mut self) -> Option<T> {
        let Some((entry, weight)) = self.entries[self.oldest].take() else { return None };
        self.oldest = (self.oldest + 1) % N;
        self.len -= 1;
        self.weight -= weight;
        Some(entry)
    }

    /// Adds an entry.
    ///
    /// # Panics
    /// When all places are taken: ask [`is_full_for`](Self::is_full_for) first.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub const fn push(&mut self, entry: T, weight: usize) {
        assert!(self.len < N, "the quarantine is full");
        self.entries[(self.oldest + self.len) % N] = Some((entry, weight));
        self.len += 1;
        self.weight += weight;
    }

    /// Entry number `index`, from the oldest.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn get(&self, index: usize) -> Option<&T> {
        match &self.entries[(self.oldest + index) % N] {
            Some((entry, _)) if index < self.len => Some(entry),
            _ => None,
        }
    }

    /// The entries, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        (0..self.len).filter_map(|index| self.get(index))
    }

    /// The weight of all entries.
    pub const fn weight(&self) -> usize {
        self.weight
    }
}

#[cfg(test)]
mod tests {
    use super::{LIVE, POISON, Quarantine, STRIDE, fill, first_change, is_poison};

    #[test]
    fn poison_is_recognised_through_a_field_offset() {
        assert!(is_poison(POISON) && is_poison(POISON + 0x48) && is_poison(POISON - 16));
        assert!(!is_poison(LIVE) && !is_poison(0) && !is_poison(0x4020_0000) && !is_poison(POISON + 0x10_0000));
    }

    #[test]
    fn a_write_after_free_is_found_at_its_word() {
        let mut words = [0; 8];
        fill(&mut words, None);
        assert_eq!(first_change(&words, None), None);
        words[5] = 7;
        assert_eq!(first_change(&words, None), Some(5));
    }

    #[test]
    fn a_write_is_found_at_its_word_wherever_it_is_and_before_any_later_one() {
        for tombstone in [None, Some([1, 2])] {
            for len in 0..3 * STRIDE {
                let mut words = vec![0; len];
                fill(&mut words, tombstone);
                assert_eq!(first_change(&words, tombstone), None, "{len} words");
                for index in (0..len).rev() {
                    words[index] ^= 1 << (index % 64);
                    assert_eq!(first_change(&words, tombstone), Some(index), "{len} words");
                }
            }
        }
    }

    #[test]
    fn a_tombstone_is_no_change_but_a_change_of_it_is() {
        let mut words = [0; 8];
        fill(&mut words, Some([1, 2]));
        assert_eq!((words[0], words[1], words[2]), (1, 2, POISON));
        assert_eq!(first_change(&words, Some([1, 2])), None);
        words[1] = 3;
        assert_eq!(first_change(&words, Some([1, 2])), Some(1));
    }

    #[test]
    fn the_quarantine_gives_back_the_oldest_and_keeps_to_its_weight() {
        let mut queue = Quarantine::<u32, 4>::new(100);
        for (entry, weight) in [(1, 40), (2, 40)] {
            assert!(!queue.is_full_for(weight));
            queue.push(entry, weight);
        }
        assert!(queue.is_full_for(40), "120 is over 100");
        assert_eq!(queue.pop(), Some(1));
        assert!(!queue.is_full_for(40));
        for entry in 3..6 {
            queue.push(entry, 0);
        }
        assert!(queue.is_full_for(0), "all places are taken");
        assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [2, 3, 4, 5]);
        assert_eq!(queue.weight(), 40);
    }

    #[test]
    fn an_empty_quarantine_takes_even_what_is_too_heavy() {
        assert!(!Quarantine::<u32, 4>::new(100).is_full_for(1000), "else nothing could ever make room");
    }
}
