//! Lists of tasks through their own words, so that they take no memory: those that left a CPU, and those that are waited for.
//!
//! INVARIANT `listed-lives`: a listed task is unlinked by the switch that it dies in at the latest, and is memory for
//! longer than that. A task is on one list of each kind at most: those of the selected scheme, which are emptied before
//! another's are filled.
//! Context: the lock that guards the list is held, IRQs masked.

use super::standing::{RUNNING, Word};
use crate::sched::rcu_words::{Links, Place, TaskWords};

/// Tasks, oldest first: that left a CPU, or, `MARKED`, that `depth` waits for.
#[derive(Debug)]
pub(in crate::rcu::schemes) struct Tasks<const MARKED: bool> {
    first: *const TaskWords,
    last: *const TaskWords,
}

// SAFETY: 1. The tasks that it names are shared, and live while they are listed: `listed-lives`.
unsafe impl<const MARKED: bool> Send for Tasks<MARKED> {}

impl<const MARKED: bool> Tasks<MARKED> {
    /// An empty list.
    pub(in crate::rcu::schemes) fn new() -> Self {
        Self { first: core::ptr::null(), last: core::ptr::null() }
    }

    #[inline(always)]
    fn place(task: &TaskWords) -> &Place {
        if MARKED { &task.mark } else { &task.place }
    }

    /// Reads the links of a task.
    #[inline(always)]
    fn links(&self, task: &TaskWords) -> Links {
        // SAFETY: the list's lock guards every place, and no reference to one is ever kept.
        unsafe { *Self::place(task).0.get() }
    }

    /// Changes the links of a task.
    #[inline(always)]
    fn change(&mut self, task: *const TaskWords, change: impl FnOnce(&mut Links)) {
        // SAFETY: 1. `task` is listed, or about to be: it lives, `listed-lives`. 2. As in `links`.
        change(unsafe { &mut *Self::place(&*task).0.get() });
    }

    /// The oldest one, and the stamp that it came with.
    #[inline(always)]
    pub(in crate::rcu::schemes) fn first(&self) -> Option<(&TaskWords, u64)> {
        // SAFETY: `listed-lives`.
        unsafe { self.first.as_ref() }.map(|first| (first, self.links(first).stamp))
    }

    /// Lists a task that is not listed.
    #[inline(always)]
    pub(in crate::rcu::schemes) fn push(&mut self, task: &TaskWords, stamp: u64) {
        let before = self.last;
        self.change(task, |links| *links = Links { before, behind: core::ptr::null(), stamp });
        if before.is_null() {
            self.first = task;
        } else {
            self.change(before, |links| links.behind = task);
        }
        self.last = task;
    }

    /// Takes a task off that is listed.
    #[inline(always)]
    pub(in crate::rcu::schemes) fn unlink(&mut self, task: &TaskWords) {
        let Links { before, behind, .. } = self.links(task);
        if before.is_null() {
            self.first = behind;
        } else {
            self.change(before, |links| links.behind = behind);
        }
        if behind.is_null() {
            self.last = before;
        } else {
            self.change(behind, |links| links.before = before);
        }
    }
}

/// The tasks that left one CPU since a look took them off.
#[derive(Debug)]
pub(super) struct List {
    tasks: Tasks<false>,
    /// Its scheme is the selected one: others list nobody.
    is_open: bool,
}

impl Default for List {
    fn default() -> Self {
        Self { tasks: Tasks::new(), is_open: false }
    }
}

impl List {
    /// Takes tasks in from now on, or forgets them all.
    #[inline(always)]
    pub(super) fn open(&mut self, is_open: bool) {
        self.is_open = is_open;
        while let Some((first, _)) = self.tasks.first().filter(|_| !is_open) {
            let first = core::ptr::from_ref(first);
            // SAFETY: `listed-lives`.
            self.unlink(unsafe { &*first });
        }
    }

    /// Lists a task that says so already, unless the list is closed: then nobody has to look at it.
    #[inline(always)]
    pub(super) fn push(&mut self, task: &TaskWords, stamp: u64) {
        if self.is_open {
            self.tasks.push(task, stamp);
        } else {
            Word::of(task).set(RUNNING);
        }
    }

    /// The oldest one, if it came before the CPU answered `look`.
    #[inline(always)]
    pub(super) fn first_before<'a>(&self, look: u64) -> Option<&'a TaskWords> {
        let (first, _) = self.tasks.first().filter(|&(_, stamp)| stamp < look)?;
        // SAFETY: `listed-lives`; the caller has the lock, and takes the task off to pin it, or leaves it alone.
        Some(unsafe { &*core::ptr::from_ref(first) })
    }

    /// Takes a task off that is listed. Its word says that it is until the caller, who has the lock, changes that.
    #[inline(always)]
    pub(super) fn take(&mut self, task: &TaskWords) {
        self.tasks.unlink(task);
    }

    /// Takes a task off, unless the walker or [`List::open`] has: who leaves for good finds out under the lock.
    #[inline(always)]
    pub(super) fn unlink(&mut self, task: &TaskWords) {
        if Word::of(task).is_listed() {
            self.tasks.unlink(task);
            Word::of(task).set(RUNNING);
        }
    }
}
