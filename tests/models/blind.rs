//! Eyes for schemes that do not look inside a task.

use crate::rcu::schemes::{At, Context, Eyes, What};
use crate::sched::rcu_words::TaskWords;

/// It must not be asked.
pub struct Blind;

impl Eyes for Blind {
    fn holds(&self, _: &TaskWords, _: At, _: What) -> bool {
        unreachable!("it does not look")
    }
    fn depth(&self, _: &TaskWords) -> u32 {
        unreachable!("it does not look")
    }
    fn want_report(&self, _: &TaskWords, _: bool) {}
    fn agree(&self, _: &TaskWords, _: At) -> bool {
        unreachable!("it does not look")
    }
    fn boost(&self, _: &TaskWords, _: bool) {}
}

/// A task as such a scheme sees it.
pub fn blind(task: &TaskWords) -> Context<'_> {
    Context { task, eyes: &Blind }
}
