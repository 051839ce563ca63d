//! A task for each call: one that exits, off the task list when it calls (row 14); one that does inside func; one of another class.
//! Context: the director.

use super::thread;
use crate::ftrace::filter::Filter;
use crate::ftrace::live;
use crate::ftrace::table::SiteId;
use crate::lab::scenario::{Caller, Context, Scenario};
use crate::sched::{self, Class, JoinHandle, Spawn};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What a task calls when it has begun to exit.
const LAST_WORDS: &str = "holdout::sched::tasks::last_words";

/// Its callsite.
pub(super) fn sites_of_last_words() -> Vec<SiteId> {
    let filter = Filter::parse(LAST_WORDS).expect("a path is a filter");
    live::with_registry(|registry| live::matching(registry.table(), &filter).collect())
}

/// A task that makes the call; the order is given.
pub(super) fn spawn(scenario: &Scenario) -> JoinHandle {
    let is_high = matches!(scenario.caller, Caller::Task(Context::High));
    let class = if is_high { Class::High } else { Class::Normal };
    let what = Spawn { name: "explored-once", class, cpu: Some(0) };
    sched::spawn(what, Box::new(thread::work_once)).unwrap_or_else(|error| panic!("windows: {error}"))
}
