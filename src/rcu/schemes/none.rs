//! `none`: the negative control. Its grace period is over at once, so that whatever is held is freed early; an
//! experiment that does not catch it proves nothing about the others.

use super::{Scheme, World};

/// Waits for nobody.
#[derive(Debug)]
pub struct None;

impl Scheme for None {
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn name(&self) -> &'static str {
        "none"
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn nr_steps(&self) -> usize {
        0
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn begin(&self, step: usize, _world: &dyn World) {
        unreachable!("`none` has no step {step}");
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn outstanding(&self, _step: usize) -> usize {
        0
    }
}
