//! Ranges of addresses: what several of them cover together, and what is left of one when others own parts of it.

use core::ops::Range;

/// What several ranges cover: `N` ranges at most, in ascending order, of which no two overlap or touch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Union<const N: usize>(heapless::Vec<Range<u64>, N>);

/// The union would consist of more ranges than it can hold; it is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

impl<const N: usize> Union<N> {
    /// Nothing.
    pub const fn new() -> Self {
        Self(heapless::Vec::new())
    }

    /// Adds what `range` covers: nothing, if it is empty.
    pub fn add(&mut self, range: Range<u64>) -> Result<(), Full> {
        if range.is_empty() {
            return Ok(());
        }
        // Those from `first` up to `after` overlap the new one, or touch it.
        let first = self.0.iter().take_while(|old| old.end < range.start).count();
        let after = self.0.iter().take_while(|old| old.start <= range.end).count();
        if first == after {
            return self.0.insert(first, range).map_err(|_| Full);
        }
        let end = range.end.max(self.0[after - 1].end);
        self.0[first] = range.start.min(self.0[first].start)..end;
        self.0.drain(first + 1..after);
        Ok(())
    }
}

impl<const N: usize> core::ops::Deref for Union<N> {
    type Target = [Range<u64>];

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

/// The parts of `whole` that none of `owned` covers, in ascending order. `owned` may overlap, lie outside of `whole`
/// and come in any order.
pub fn gaps(
    whole: Range<usize>,
    owned: impl Iterator<Item = Range<usize>> + Clone,
) -> impl Iterator<Item = Range<usize>> {
    let mut at = whole.start;
    core::iter::from_fn(move || {
        while at < whole.end {
            let start = at;
            let next = owned.clone().filter(|owned| owned.end > start && owned.start < whole.end && !owned.is_empty());
            let next = next.min_by_key(|owned| owned.start);
            let end = next.as_ref().map_or(whole.end, |owned| owned.start);
            at = next.map_or(whole.end, |owned| owned.end);
            if end > start {
                return Some(start..end);
            }
        }
        None
    })
}

#[cfg(test)]
mod tests {
    use super::{Full, Union, gaps};
    use core::ops::Range;

    /// What is left of 10 to 20.
    fn left(owned: &[(usize, usize)]) -> Vec<(usize, usize)> {
        let owned = owned.iter().map(|&(start, end)| start..end);
        gaps(10..20, owned).map(|gap| (gap.start, gap.end)).collect()
    }

    #[test]
    fn what_nobody_owns_is_left() {
        assert_eq!(left(&[]), [(10, 20)]);
        assert_eq!(left(&[(12, 14), (16, 17)]), [(10, 12), (14, 16), (17, 20)]);
        assert_eq!(left(&[(16, 17), (12, 14)]), [(10, 12), (14, 16), (17, 20)], "the order does not matter");
    }

    #[test]
    fn owners_at_the_ends_leave_no_empty_gap() {
        assert_eq!(left(&[(10, 12), (18, 20)]), [(12, 18)]);
        assert_eq!(left(&[(5, 12), (18, 25)]), [(12, 18)]);
        assert_eq!(left(&[(0, 10), (20, 30)]), [(10, 20)]);
        assert_eq!(left(&[(5, 25)]), []);
    }

    #[test]
    fn owners_that_overlap_leave_what_neither_has() {
        assert_eq!(left(&[(11, 15), (13, 17)]), [(10, 11), (17, 20)]);
        assert_eq!(left(&[(11, 18), (13, 14)]), [(10, 11), (18, 20)], "one inside of another");
        assert_eq!(left(&[(12, 15), (15, 16)]), [(10, 12), (16, 20)]);
        assert_eq!(left(&[(15, 15)]), [(10, 20)], "an empty one owns nothing");
    }

    /// Every choice of three owners among the short ranges around a short whole, against a look at each number.
    #[test]
    fn gaps_are_the_numbers_that_nobody_owns() {
        let ranges: Vec<Range<usize>> = (8..=16).flat_map(|start| (start..=16).map(move |end| start..end)).collect();
        for a in &ranges {
            for b in &ranges {
                for c in &ranges {
                    let owned = [a, b, c];
                    let found: Vec<usize> = gaps(10..14, owned.into_iter().cloned()).flatten().collect();
                    let free = (10..14).filter(|at| !owned.iter().any(|owned| owned.contains(at)));
                    assert_eq!(found, free.collect::<Vec<_>>(), "owners {owned:?}");
                }
            }
        }
    }

    /// Every order of three ranges among the short ones: the union holds what one of them holds, and no more.
    #[test]
    fn a_union_is_the_numbers_of_its_ranges_in_order_and_apart() {
        let ranges: Vec<Range<u64>> = (0..7).flat_map(|start| (start..7).map(move |end| start..end)).collect();
        for a in &ranges {
            for b in &ranges {
                for c in &ranges {
                    let mut union = Union::<3>::new();
                    for range in [a, b, c] {
                        assert_eq!(union.add(range.clone()), Ok(()));
                    }
                    let found: Vec<u64> = union.iter().cloned().flatten().collect();
                    let held = (0..7).filter(|at| [a, b, c].iter().any(|range| range.contains(at)));
                    assert_eq!(found, held.collect::<Vec<_>>(), "{a:?} {b:?} {c:?}");
                    assert!(union.windows(2).all(|two| two[0].end < two[1].start), "{union:?}");
                }
            }
        }
    }

    #[test]
    fn a_union_that_is_full_takes_what_joins_and_refuses_what_does_not() {
        let mut union = Union::<2>::new();
        assert_eq!([10..20, 30..40].map(|range| union.add(range)), [Ok(()); 2]);
        assert_eq!(union.add(50..60), Err(Full));
        assert_eq!(union[..], [10..20, 30..40]);
        assert_eq!([20..30, 50..60, 0..u64::MAX].map(|range| union.add(range)), [Ok(()); 3]);
        assert_eq!(union.len(), 1);
    }
}
