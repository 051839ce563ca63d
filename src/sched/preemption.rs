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

/// The ticks of a task's turn, after which others of its class may run. Lazy is no more than a longer one: its
/// reschedule is put off to the tick after.
#[inline(always)]
pub const fn turn_ticks(model: PreemptModel) -> u32 {
    match model {
        PreemptModel::Lazy => 2,
        PreemptModel::None | PreemptModel::Voluntary | PreemptModel::Full => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::{preempts, turn_ticks};
    use crate::platform::PreemptModel;

    #[test]
    fn only_full_and_lazy_preempt() {
        assert!(preempts(PreemptModel::Full) && preempts(PreemptModel::Lazy));
        assert!(!preempts(PreemptModel::None) && !preempts(PreemptModel::Voluntary));
    }

    #[test]
    fn a_lazy_turn_lasts_to_the_second_tick_and_no_other_does() {
        assert_eq!(turn_ticks(PreemptModel::Lazy), 2);
        assert!([PreemptModel::None, PreemptModel::Voluntary, PreemptModel::Full].map(turn_ticks) == [1; 3]);
    }
}
