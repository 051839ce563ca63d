//! In what context a CPU is, read from the nesting counts of its task. Pure.

use crate::arch::site::{HARDIRQ_ONE, PREEMPT_MASK, SOFTIRQ_MASK};
use core::fmt;

/// The nesting counts of a task, in words.
#[derive(Clone, Copy, Debug)]
pub struct Context(pub u32);

impl fmt::Display for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hardirq, softirq) = (self.0 / HARDIRQ_ONE != 0, self.0 & SOFTIRQ_MASK != 0);
        f.write_str(match (hardirq, softirq) {
            (true, true) => "in a hardirq on top of a softirq",
            (true, false) => "in a hardirq",
            (false, true) => "in a softirq",
            (false, false) => "in the task itself",
        })?;
        match self.0 & PREEMPT_MASK {
            0 => Ok(()),
            levels => write!(f, ", preemption disabled {levels} deep"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Context;
    use crate::arch::site::{HARDIRQ_ONE, PREEMPT_ONE, SOFTIRQ_ONE};

    #[test]
    fn each_context_is_told_from_the_others() {
        let words = |count| Context(count).to_string();
        assert_eq!(words(0), "in the task itself");
        assert_eq!(words(2 * PREEMPT_ONE), "in the task itself, preemption disabled 2 deep");
        assert_eq!(words(SOFTIRQ_ONE), "in a softirq");
        assert_eq!(words(HARDIRQ_ONE), "in a hardirq");
        assert_eq!(
            words(HARDIRQ_ONE + SOFTIRQ_ONE + 1),
            "in a hardirq on top of a softirq, preemption disabled 1 deep"
        );
    }
}
