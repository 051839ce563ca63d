//! A digest of steps, one for each CPU, and one of all: no clock, no seed, nothing but the steps in their order. Pure.

/// Odd, and its bits without a pattern: the golden ratio's.
const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
/// Above the bits that a place has.
const WHAT_SHIFT: u32 = 40;

/// A CPU's digest before its first step.
pub const NOTHING: u64 = 0;

/// A CPU's digest with one step more: what happened, and where. Context: any.
#[inline(always)]
pub const fn with_step(digest: u64, what: u64, place: usize) -> u64 {
    (digest ^ what << WHAT_SHIFT ^ place as u64).wrapping_mul(MIX).rotate_left(29)
}

/// The digest of all CPUs, in the order of their numbers. Context: any.
pub fn of_all(digests: impl Iterator<Item = u64>) -> u64 {
    digests.fold(NOTHING, |all, digest| with_step(all, 0, digest as usize))
}

#[cfg(test)]
mod tests {
    use super::{NOTHING, of_all, with_step};

    fn of(steps: &[(u64, usize)]) -> u64 {
        steps.iter().fold(NOTHING, |digest, &(what, place)| with_step(digest, what, place))
    }

    #[test]
    fn the_same_steps_have_the_same_digest_and_any_other_way_another() {
        let way = [(3, 7), (7, 3), (0, 0x4020_6828), (1 << 23, 5)];
        assert_eq!(of(&way), of(&way));
        let others: [&[(u64, usize)]; 8] = [
            &[],
            &[(3, 7), (7, 3), (0, 0x4020_6828)],
            &[(3, 7), (7, 3), (0, 0x4020_682c), (1 << 23, 5)],
            &[(3, 7), (7, 3), (1 << 23, 5), (0, 0x4020_6828)],
            &[(7, 3), (3, 7), (0, 0x4020_6828), (1 << 23, 5)],
            &[(3, 7), (7, 3), (0, 0x4020_6828), (1 << 23, 6)],
            &[(3, 7), (7, 3), (0, 0x4020_6828), (5, 1 << 23)],
            &[(3, 7), (7, 3), (7, 3), (0, 0x4020_6828), (1 << 23, 5)],
        ];
        others.iter().for_each(|other| assert_ne!(of(&way), of(other), "{other:?}"));
    }

    #[test]
    fn which_cpu_took_a_step_matters() {
        let (one, two) = (of(&[(1, 2), (2, 1)]), of(&[(3, 4)]));
        assert_ne!(of_all([one, two].into_iter()), of_all([two, one].into_iter()));
        assert_ne!(of_all([one, NOTHING].into_iter()), of_all([NOTHING, one].into_iter()));
    }
}
