//! The explored call as a task's last: from its last words, when it is off the task list (row 14). A task for each call.

use super::party::FIRST;
use super::thread;
use crate::arch::step;
use crate::ftrace::filter::Filter;
use crate::ftrace::live;
use crate::ftrace::table::SiteId;
use crate::sched::{self, Class, JoinHandle, Spawn};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What a task calls when it has begun to exit.
const LAST_WORDS: &str = "holdout::sched::tasks::last_words";

/// Its callsite.
pub(super) fn sites() -> Vec<SiteId> {
    let filter = Filter::parse(LAST_WORDS).expect("a path is a filter");
    live::with_registry(|registry| live::matching(registry.table(), &filter).collect())
}

/// A task that exits under software step; the order is given.
pub(super) fn spawn() -> JoinHandle {
    let what = Spawn { name: "exiting", class: Class::Normal, cpu: Some(0) };
    sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("windows: {error}"))
}

fn work() {
    FIRST.begin(sched::current());
    step::debug(thread::on_stop, || -> () { sched::exit() });
}
