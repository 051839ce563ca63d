//! The schemes that are built, as one type: a call of a hook is a branch on the scheme and the scheme's own code, and
//! the hooks that a scheme does not have cost nothing.
//!
//! # Why not a `dyn Scheme` each
//! Every scheme's table would hold its own copy of every hook that it leaves empty, and the hooks run at each
//! interrupt and each switch.

use super::classic::Classic;
use super::none::None as NoScheme;
use super::{Scheme, Sighting, Switch, Trampoline, Wake, World};
use crate::sched::rcu_words::TaskWords;

/// One of the schemes.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one of each exists, for ever, in one static")]
pub enum Built {
    /// The negative control.
    None(NoScheme),
    /// Tasks RCU.
    Classic(Classic),
}

/// Calls the method of the scheme that it is.
macro_rules! of {
    ($built:expr, $scheme:ident => $call:expr) => {
        match $built {
            Built::None($scheme) => $call,
            Built::Classic($scheme) => $call,
        }
    };
}

impl Built {
    /// All of them, in the order of [`super::NAMES`].
    pub fn all() -> [Self; super::NAMES.len()] {
        [Self::None(NoScheme), Self::Classic(Classic::new())]
    }
}

impl Scheme for Built {
    fn name(&self) -> &'static str {
        of!(self, scheme => scheme.name())
    }

    fn trampoline(&self) -> Trampoline {
        of!(self, scheme => scheme.trampoline())
    }

    #[inline(always)]
    fn lets_funcs_block(&self) -> bool {
        of!(self, scheme => scheme.lets_funcs_block())
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn nr_steps(&self) -> usize {
        of!(self, scheme => scheme.nr_steps())
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn begin(&self, step: usize, world: &dyn World) {
        of!(self, scheme => scheme.begin(step, world));
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn outstanding(&self, step: usize) -> usize {
        of!(self, scheme => scheme.outstanding(step))
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn waits_for_cpu(&self, cpu: usize) -> bool {
        of!(self, scheme => scheme.waits_for_cpu(cpu))
    }

    #[inline(always)]
    fn visited(&self, sighting: &Sighting) {
        of!(self, scheme => scheme.visited(sighting));
    }

    #[inline(always)]
    fn irq_in(&self, entered_trampoline: &mut bool, interrupted_pc: usize, task: &TaskWords) {
        of!(self, scheme => scheme.irq_in(entered_trampoline, interrupted_pc, task));
    }

    #[inline(always)]
    fn irq_out(&self, entered_trampoline: &mut bool, task: &TaskWords) {
        of!(self, scheme => scheme.irq_out(entered_trampoline, task));
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, sighting: &Sighting) -> Wake {
        of!(self, scheme => scheme.irq_exit_outermost(sighting))
    }

    #[inline(always)]
    fn switch(&self, prev: &TaskWords, cpu: usize, how: Switch) -> Wake {
        of!(self, scheme => scheme.switch(prev, cpu, how))
    }

    #[inline(always)]
    fn resume(&self, next: &TaskWords) {
        of!(self, scheme => scheme.resume(next));
    }

    #[inline(always)]
    fn exit(&self, task: &TaskWords) -> Wake {
        of!(self, scheme => scheme.exit(task))
    }

    #[inline(always)]
    fn boost(&self, task: &TaskWords) {
        of!(self, scheme => scheme.boost(task));
    }
}
