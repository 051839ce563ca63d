//! Whether anybody is inside a trampoline while nobody enters one: whom to look at, decided without looking.
//!
//! Each task has to be seen outside once. Whoever was stays outside, and whoever is made later never was inside; so it
//! does no harm that tasks leave their CPUs and go on between two looks, and a busy machine does not keep it from ending.
//! Pure: the glue is `inside`.
//!
//! # Why not everybody in one look
//! A task may run while those off their CPUs are looked at, and be off its CPU when the CPUs are. Then nobody met it.

use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::Ordering;
use core::cell::Cell;

/// What there is to see. Context: task; nobody enters a trampoline.
pub trait Sights {
    /// Shows each task, and how to find out whether it is off its CPU and outside.
    fn for_each_task(&self, show: &dyn Fn(&TaskWords, &dyn Fn() -> bool));

    /// Makes each CPU look at all that it runs, and call [`seen`] for its task if that is outside. Whether all of it is.
    fn visit_every_cpu(&self) -> bool;
}

/// This task, off its CPU or on ours, is outside of every trampoline. Context: any.
#[inline(always)]
pub fn seen(task: &TaskWords) {
    task.unseen.store(false, Ordering::Relaxed);
}

/// From now on nobody has been seen.
pub fn begin(sights: &impl Sights) {
    sights.for_each_task(&|task, _| task.unseen.store(true, Ordering::Relaxed));
}

/// Looks at whoever has not been seen outside since [`begin`]. Whether somebody is left.
pub fn is_anybody_inside(sights: &impl Sights) -> bool {
    let is_anybody = Cell::new(!sights.visit_every_cpu());
    sights.for_each_task(&|task, is_outside| {
        if task.unseen.load(Ordering::Relaxed) {
            if is_outside() { seen(task) } else { is_anybody.set(true) }
        }
    });
    is_anybody.get()
}
