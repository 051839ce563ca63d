//! What is left of a range when others own parts of it.

use core::ops::Range;

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
    use super::gaps;
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
}
