//! What README.md shows, laid beside what there is: which line stands for which, and in a line which word for which.
//!
//! Both are one problem: items, with `...` between them for as much as there is. The pairing is the best of all, not
//! the first that fits, so that one line that has changed leaves the others where they are.

/// An item that README.md shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown<T> {
    This(T),
    /// `...`: any items, or none.
    Anything,
}

/// What becomes of an item.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step<'a, S, A> {
    /// The shown item stands for the actual one.
    Pair(&'a Shown<S>, &'a A),
    /// A shown item stands for none.
    Gone,
    /// An actual item is not shown, and no `...` stands for it.
    New(&'a A),
    /// A `...`, whatever it stands for.
    Anything,
}

/// What two equal items count.
pub(crate) const EQUAL: i32 = 1000;
/// Items that are less alike than this are two.
const ALIKE: i32 = 350;
/// Of two pairings that are as good otherwise, the one with fewer new items between.
const NEW: i32 = -1;

/// The best pairing: the sum of all likenesses is the highest that there is. Returns that sum and the steps in order.
pub(crate) fn align<'a, S, A>(
    shown: &'a [Shown<S>],
    actual: &'a [A],
    likeness: impl Fn(&S, &A) -> i32,
) -> (i32, Vec<Step<'a, S, A>>) {
    // `best[i][j]`: of the shown items from `i` on and the actual ones from `j` on; the sum, and where to go on.
    let mut best = vec![vec![(0, (0, 0)); actual.len() + 1]; shown.len() + 1];
    for i in (0..=shown.len()).rev() {
        for j in (0..=actual.len()).rev() {
            let pair = match (shown.get(i), actual.get(j)) {
                (Some(Shown::This(item)), Some(other)) => Some(likeness(item, other)).filter(|&alike| alike >= ALIKE),
                _ => None,
            };
            let new = if is_anything(shown.get(i)) { 0 } else { NEW };
            let ways = [
                pair.map(|alike| (alike, (i + 1, j + 1))),
                (i < shown.len()).then_some((0, (i + 1, j))),
                (j < actual.len()).then_some((new, (i, j + 1))),
            ];
            let sums = ways.into_iter().flatten().map(|(gain, to)| (gain + best[to.0][to.1].0, to));
            // Of equal ways the first.
            best[i][j] = sums.rev().max_by_key(|way| way.0).unwrap_or_default();
        }
    }
    let (mut at, mut steps) = ((0, 0), Vec::new());
    while at != (shown.len(), actual.len()) {
        let to = best[at.0][at.1].1;
        match (to.0 - at.0, to.1 - at.1) {
            (1, 1) => steps.push(Step::Pair(&shown[at.0], &actual[at.1])),
            (1, _) if is_anything(shown.get(at.0)) => steps.push(Step::Anything),
            (1, _) => steps.push(Step::Gone),
            _ if is_anything(shown.get(at.0)) => {}
            _ => steps.push(Step::New(&actual[at.1])),
        }
        at = to;
    }
    (best[0][0].0, steps)
}

fn is_anything<S>(item: Option<&Shown<S>>) -> bool {
    matches!(item, Some(Shown::Anything))
}
