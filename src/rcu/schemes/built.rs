//! The schemes that are built, as one type: a call of a hook is a branch on the scheme and the scheme's own code, and
//! the hooks that a scheme does not have cost nothing.
//!
//! Each has its own memory: together they are larger than a stack.
//!
//! # Why not a `dyn Scheme` each
//! Every scheme's table would hold its own copy of every hook that it leaves empty, and the hooks run at each
//! interrupt and each switch.

use alloc::boxed::Box;

use super::classic::Classic;
use super::depth::Depth;
use super::flag::Flag;
use super::ip::Ip;
use super::linux::Linux;
use super::none::None as NoScheme;
use super::nopreempt::Nopreempt;
use super::rude::Rude;
use super::scan::Scan;
use super::sched::Sched;
use super::{Context, Interrupted, Left, Nudge, Scheme, Sighting, Switch, Trampoline, Wake, World};
use crate::sched::rcu_words::TaskWords;

/// One of the schemes.
#[derive(Debug)]
pub enum Built {
    /// The negative control.
    None(NoScheme),
    /// Any switch of each CPU.
    Sched(Box<Sched>),
    /// A worker on each CPU.
    Rude(Box<Rude>),
    /// The interrupted PC of each CPU.
    Ip(Box<Ip>),
    /// `TIF_IN_TRAMPOLINE`.
    Flag(Box<Flag>),
    /// Tasks RCU.
    Classic(Box<Classic>),
    /// Rude Tasks RCU, then Tasks RCU.
    Linux(Box<Linux>),
    /// A trampoline that disables preemption.
    Nopreempt(Box<Nopreempt>),
    /// A trampoline that counts.
    Depth(Box<Depth>),
    /// Frames that name their ops.
    Scan(Box<Scan>),
}

/// Calls the method of the scheme that it is.
macro_rules! of {
    ($built:expr, $scheme:ident => $call:expr) => {
        match $built {
            Built::None($scheme) => $call,
            Built::Sched($scheme) => $call,
            Built::Rude($scheme) => $call,
            Built::Ip($scheme) => $call,
            Built::Flag($scheme) => $call,
            Built::Classic($scheme) => $call,
            Built::Linux($scheme) => $call,
            Built::Nopreempt($scheme) => $call,
            Built::Depth($scheme) => $call,
            Built::Scan($scheme) => $call,
        }
    };
}

/// A fresh one in memory of its own. Not inlined: together they do not fit a stack.
#[inline(never)]
fn boxed<T: Default>() -> Box<T> {
    Box::default()
}

impl Built {
    /// All of them, in the order of [`super::NAMES`].
    pub fn all() -> [Self; super::NAMES.len()] {
        [
            Self::None(NoScheme),
            Self::Sched(boxed()),
            Self::Rude(boxed()),
            Self::Ip(boxed()),
            Self::Flag(boxed()),
            Self::Classic(boxed()),
            Self::Linux(boxed()),
            Self::Nopreempt(boxed()),
            Self::Depth(boxed()),
            Self::Scan(boxed()),
        ]
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
    fn tells_ops_apart(&self) -> bool {
        of!(self, scheme => scheme.tells_ops_apart())
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn select(&self, is_selected: bool) {
        of!(self, scheme => scheme.select(is_selected));
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn boosts_holdouts(&self) -> bool {
        of!(self, scheme => scheme.boosts_holdouts())
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
    fn nr_holdouts(&self, step: usize) -> usize {
        of!(self, scheme => scheme.nr_holdouts(step))
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn is_due(&self) -> bool {
        of!(self, scheme => scheme.is_due())
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn somebody_holds_less(&self) -> bool {
        of!(self, scheme => scheme.somebody_holds_less())
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn keeps_all(&self, look: u64) -> bool {
        of!(self, scheme => scheme.keeps_all(look))
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn keeps(&self, first_look: u64, is_held: bool) -> bool {
        of!(self, scheme => scheme.keeps(first_look, is_held))
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn judged(&self) {
        of!(self, scheme => scheme.judged());
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn waits_for_cpu(&self, cpu: usize) -> bool {
        of!(self, scheme => scheme.waits_for_cpu(cpu))
    }

    #[inline(always)]
    fn visited(&self, sighting: &Sighting, context: &Context<'_>) -> Nudge {
        of!(self, scheme => scheme.visited(sighting, context))
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn wants_worker(&self, cpu: usize) -> bool {
        of!(self, scheme => scheme.wants_worker(cpu))
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn worker_ran(&self, cpu: usize) -> Wake {
        of!(self, scheme => scheme.worker_ran(cpu))
    }

    #[inline(always)]
    fn is_quiescent_preemption(&self, prev: &TaskWords, cpu: usize) -> bool {
        of!(self, scheme => scheme.is_quiescent_preemption(prev, cpu))
    }

    #[inline(always)]
    fn irq_in(&self, entered_trampoline: &mut bool, at: &Interrupted, task: &TaskWords) {
        of!(self, scheme => scheme.irq_in(entered_trampoline, at, task));
    }

    #[inline(always)]
    fn irq_out(&self, entered_trampoline: &mut bool, task: &TaskWords) {
        of!(self, scheme => scheme.irq_out(entered_trampoline, task));
    }

    #[inline(always)]
    fn irq_exit_outermost(&self, sighting: &Sighting, context: &Context<'_>) -> Wake {
        of!(self, scheme => scheme.irq_exit_outermost(sighting, context))
    }

    #[inline(always)]
    fn switch(&self, prev: &TaskWords, cpu: usize, how: Switch) -> Wake {
        of!(self, scheme => scheme.switch(prev, cpu, how))
    }

    #[inline(always)]
    fn resume(&self, next: &Context<'_>) -> Wake {
        of!(self, scheme => scheme.resume(next))
    }

    #[inline(always)]
    fn off_cpu(&self, prev: &Context<'_>, cpu: usize, left: Left) -> Wake {
        of!(self, scheme => scheme.off_cpu(prev, cpu, left))
    }

    #[inline(always)]
    fn report(&self, context: &Context<'_>) -> Wake {
        of!(self, scheme => scheme.report(context))
    }

    #[inline(always)]
    fn exit(&self, task: &TaskWords) -> Wake {
        of!(self, scheme => scheme.exit(task))
    }
}
