//! The preemption models: who may be taken off a CPU, when. Pure.
//!
//! | model | IRQ exit, `preempt_enable` | `cond_resched` | `might_sleep` |
//! |---|---|---|---|
//! | none | never | switches | – |
//! | voluntary | never | switches | switches |
//! | full | as soon as a reschedule is wanted | – | – |
//! | lazy | at once for a higher class or idle; else from the second tick on | – | – |
//!
//! Source: Linux's models of the same names; lazy as merged in v6.13.

use crate::platform::PreemptModel;
use crate::sync::atomic::{AtomicU8, Ordering};

static MODEL: AtomicU8 = AtomicU8::new(PreemptModel::Full as u8);

/// Chooses the model. Context: boot.
pub fn set_model(model: PreemptModel) {
    MODEL.store(model as u8, Ordering::Relaxed);
}

/// The model that was chosen. Context: any.
#[inline(always)]
pub fn model() -> PreemptModel {
    match MODEL.load(Ordering::Relaxed) {
        value if value == PreemptModel::None as u8 => PreemptModel::None,
        value if value == PreemptModel::Voluntary as u8 => PreemptModel::Voluntary,
        value if value == PreemptModel::Lazy as u8 => PreemptModel::Lazy,
        _ => PreemptModel::Full,
    }
}

/// Whether `model` takes a task off its CPU that did not ask for it.
#[inline(always)]
pub const fn preempts(model: PreemptModel) -> bool {
    matches!(model, PreemptModel::Full | PreemptModel::Lazy)
}

/// How urgently a task that became runnable wants the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// It waits for its turn.
    None,
    /// A lazy reschedule: from the second tick on.
    Lazy,
    /// Now.
    Now,
}

/// What it means for the running task that another became runnable.
#[inline(always)]
pub const fn urgency(model: PreemptModel, is_higher_class: bool, runs_idle: bool, slice_is_over: bool) -> Urgency {
    match model {
        _ if is_higher_class || runs_idle => Urgency::Now,
        PreemptModel::Lazy if slice_is_over => Urgency::Lazy,
        _ if slice_is_over => Urgency::Now,
        _ => Urgency::None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Urgency, preempts, urgency};
    use crate::platform::PreemptModel;

    #[test]
    fn only_full_and_lazy_preempt() {
        assert!(preempts(PreemptModel::Full) && preempts(PreemptModel::Lazy));
        assert!(!preempts(PreemptModel::None) && !preempts(PreemptModel::Voluntary));
    }

    #[test]
    fn lazy_defers_its_own_class_and_nothing_else() {
        assert_eq!(urgency(PreemptModel::Lazy, false, false, true), Urgency::Lazy);
        assert_eq!(urgency(PreemptModel::Lazy, true, false, false), Urgency::Now);
        assert_eq!(urgency(PreemptModel::Lazy, false, true, false), Urgency::Now);
        assert_eq!(urgency(PreemptModel::Full, false, false, true), Urgency::Now);
        assert_eq!(urgency(PreemptModel::Full, false, false, false), Urgency::None);
    }
}
