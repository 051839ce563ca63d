//! `none`: the negative control. Its grace period is over at once, so that whatever is held is freed early; an
//! experiment that does not catch it proves nothing about the others.

use super::{Scheme, World};

/// Waits for nobody.
#[derive(Debug)]
pub struct None;

impl Scheme for None {
    fn name(&self) -> &'static str {
        "none"
    }

    fn nr_steps(&self) -> usize {
        0
    }

    fn begin(&self, step: usize, _world: &dyn World) {
        unreachable!("`none` has no step {step}");
    }

    fn outstanding(&self, _step: usize) -> usize {
        0
    }
}
