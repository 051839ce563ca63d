//! The walker, and who goes on while it walks: which of the two examines a task.

use super::standing::{EXAMINED, Word};
use super::{Context, Holders, Probe, World};
use crate::sync::atomic::Ordering;

impl<P: Probe> Holders<P> {
    /// Keeps the walker from a task that goes on, unless the walker is first: then waits for the end of that examination. Says
    /// whether the task has to look at itself. Context: IRQs masked.
    ///
    /// The lock is that of the list which the task is on if it is not examined. Nobody begins to look at itself while the walker
    /// has taken the task off there.
    #[inline(always)]
    pub(super) fn comes_before_walker(&self, next: &Context<'_>) -> bool {
        let word = Word::of(next.task);
        if word.is_examined() {
            return false;
        }
        let list = self.lists[word.home()].lock();
        let is_first = word.look();
        drop(list);
        while word.is_pinned() {
            next.eyes.relax();
        }
        is_first
    }

    /// Takes the next task off the list of CPU number `cpu` that came there before the CPU answered, and examines it if it is
    /// off its CPU. Says whether there may be another one.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn walk_one(&self, cpu: usize, look: u64, world: &dyn World) -> bool {
        let walker = self.walker.lock();
        let mut list = self.lists[cpu].lock();
        let Some(task) = list.first_before(look) else { return false };
        if Word::of(task).is_looking() {
            drop((list, walker));
            world.relax();
            return true;
        }
        list.take(task);
        let is_pinned = Word::of(task).pin();
        drop(list);
        if is_pinned {
            let context = Context { task, eyes: world };
            let held = self.probe.examine(&context, look);
            // We are the grace-period task, and ask whether a look is due before we sleep.
            let _ = self.note(&context, held);
            if held != 0 {
                world.boost(task, true);
            }
            Word::of(task).set(EXAMINED);
        }
        true
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub(super) fn walk(&self, world: &dyn World) {
        let look = self.look.load(Ordering::Relaxed);
        let mut cpu = 0;
        while cpu < self.nr_cpus.load(Ordering::Relaxed) {
            while self.walk_one(cpu, look, world) {}
            cpu += 1;
        }
    }
}
