//! The tasks that left their CPU while they held something: a list through their own words, so that it takes no memory.
//!
//! INVARIANT `listed-lives`: a listed task is unlinked by the switch that it dies in at the latest, and is memory for
//! longer than that. A task is on one list at most: that of the selected scheme, which is emptied before another is.
//! Context: the lock that guards the list is held.

use crate::sched::rcu_words::{Place, TaskWords};
use crate::sync::atomic::Ordering;

/// Holders, newest first.
#[derive(Debug, Default)]
pub(super) struct List {
    first: Option<core::ptr::NonNull<TaskWords>>,
    /// Holders are still being collected for the grace period that begins.
    pub(super) is_collecting: bool,
    /// Its scheme is the selected one: others list nobody.
    pub(super) is_open: bool,
}

// SAFETY: 1. The tasks that it names are shared, and live while they are listed: `listed-lives`.
unsafe impl Send for List {}

/// Reads the place of a task. Context: the lock.
#[inline(always)]
fn place(task: &TaskWords) -> Place {
    // SAFETY: the list's lock guards every place, and no reference to one is ever kept.
    unsafe { *task.place.get() }
}

/// Changes the place of a task. Context: the lock.
#[inline(always)]
fn set_place(task: *const TaskWords, change: impl FnOnce(&mut Place)) {
    // SAFETY: 1. `task` is listed, or about to be: it lives, `listed-lives`. 2. As in `place`.
    change(unsafe { &mut *(*task).place.get() });
}

impl List {
    /// The newest one.
    #[inline(always)]
    pub(super) fn first(&self) -> Option<&TaskWords> {
        // SAFETY: `listed-lives`.
        self.first.map(|task| unsafe { task.as_ref() })
    }

    /// The one behind `task`, which is listed.
    #[inline(always)]
    pub(super) fn behind<'a>(&'a self, task: &TaskWords) -> Option<&'a TaskWords> {
        // SAFETY: `listed-lives`.
        unsafe { place(task).behind.as_ref() }
    }

    /// Whether a listed task runs.
    #[inline(always)]
    pub(super) fn is_on_cpu(&self, task: &TaskWords) -> bool {
        place(task).is_on_cpu
    }

    /// Notes that a listed task runs, or does not any more.
    #[inline(always)]
    pub(super) fn set_on_cpu(&mut self, task: &TaskWords, is_on_cpu: bool) {
        set_place(task, |place| place.is_on_cpu = is_on_cpu);
    }

    /// Lists a task that is not listed, unless the list is closed.
    #[inline(always)]
    pub(super) fn link(&mut self, task: &TaskWords) {
        if !self.is_open {
            return;
        }
        let behind = self.first.map_or(core::ptr::null(), |first| first.as_ptr().cast_const());
        set_place(task, |place| *place = Place { before: core::ptr::null(), behind, is_on_cpu: false });
        if !behind.is_null() {
            set_place(behind, |place| place.before = task);
        }
        self.first = Some(task.into());
        task.listed.store(true, Ordering::Relaxed);
    }

    /// Takes everybody off.
    #[inline(always)]
    pub(super) fn forget_all(&mut self) {
        while let Some(first) = self.first {
            // SAFETY: `listed-lives`.
            self.unlink(unsafe { first.as_ref() });
        }
    }

    /// Takes a task off, unless [`List::forget_all`] has: who leaves its CPU finds out under the lock.
    #[inline(always)]
    pub(super) fn unlink(&mut self, task: &TaskWords) {
        if !task.listed.load(Ordering::Relaxed) {
            return;
        }
        let Place { before, behind, .. } = place(task);
        if before.is_null() {
            self.first = core::ptr::NonNull::new(behind.cast_mut());
        } else {
            set_place(before, |place| place.behind = behind);
        }
        if !behind.is_null() {
            set_place(behind, |place| place.before = before);
        }
        task.listed.store(false, Ordering::Relaxed);
    }
}
