//! What a context holds, by the instructions that it executed: the ground truth, which knows no scheme.
//!
//! A context holds an ops from the step that executed T2, which loaded it, to the step that executed func's `ret`,
//! behind which it stands at T7. Where func calls something traced, trampolines nest, and so does this. Pure.

/// Trampolines inside each other that are told apart; more are counted as the innermost of these.
const DEPTH: usize = 4;

/// The ops (or fan-out nodes) that one context holds, outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    ops: [usize; DEPTH],
    depth: usize,
}

impl Held {
    /// Nothing is held.
    pub const fn new() -> Self {
        Self { ops: [0; DEPTH], depth: 0 }
    }

    /// One instruction was executed: that at `executed`; the next one is at `next`, and x2 holds `x2`. `t2` and `t7` are
    /// the trampoline's. Context: any.
    #[inline(always)]
    pub fn step(&mut self, executed: usize, next: usize, x2: usize, (t2, t7): (usize, usize)) {
        if executed == t2 {
            if let Some(slot) = self.ops.get_mut(self.depth) {
                *slot = x2;
            }
            self.depth += 1;
        } else if next == t7 {
            self.depth = self.depth.saturating_sub(1);
        }
    }

    /// How many trampolines hold something.
    #[inline(always)]
    pub const fn depth(&self) -> usize {
        self.depth
    }

    /// Whether any of the trampolines holds one of `ops`, however many are on top of it.
    #[inline(always)]
    pub fn holds_one_of(&self, ops: &[usize]) -> bool {
        self.ops[..self.depth.min(DEPTH)].iter().any(|held| ops.contains(held))
    }

    /// What the innermost trampoline holds.
    #[inline(always)]
    pub fn innermost(&self) -> Option<usize> {
        self.depth.checked_sub(1).map(|index| self.ops[index.min(DEPTH - 1)])
    }
}

#[cfg(test)]
mod tests {
    use super::Held;

    const AT: (usize, usize) = (0x20, 0x40);

    #[test]
    fn an_ops_is_held_from_behind_its_load_to_behind_the_ret_of_func() {
        let mut held = Held::new();
        held.step(0x1c, 0x20, 7, AT);
        assert_eq!(held.innermost(), None, "T2 is not executed yet");
        held.step(0x20, 0x24, 7, AT);
        assert_eq!(held.innermost(), Some(7));
        held.step(0x3c, 0x100, 0, AT);
        assert_eq!(held.innermost(), Some(7), "in func x2 is func's");
        held.step(0x104, 0x40, 0, AT);
        assert_eq!(held.innermost(), None);
    }

    #[test]
    fn a_traced_callee_of_func_nests() {
        let mut held = Held::new();
        held.step(0x20, 0x24, 1, AT);
        held.step(0x20, 0x24, 2, AT);
        assert_eq!(held.innermost(), Some(2));
        assert!(held.holds_one_of(&[1]) && held.holds_one_of(&[3, 2]) && !held.holds_one_of(&[3]));
        held.step(0x104, 0x40, 0, AT);
        assert_eq!(held.innermost(), Some(1));
        assert!(held.holds_one_of(&[1]) && !held.holds_one_of(&[2]), "left is left");
    }

    #[test]
    fn deeper_nesting_than_is_told_apart_is_still_counted() {
        let mut held = Held::new();
        (1..=6).for_each(|ops| held.step(0x20, 0x24, ops, AT));
        (0..5).for_each(|_| held.step(0x104, 0x40, 0, AT));
        assert_eq!(held.innermost(), Some(1));
        held.step(0x104, 0x40, 0, AT);
        assert_eq!(held.innermost(), None);
    }
}
