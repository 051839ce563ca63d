//! `bystander`: the longest time that a normal task has no CPU beside preempted holders of a retired ops, which want it too.
//!
//! Without preemption nobody is a holder against its will: then there is no row. Where the ops is not freed the row says `stalled=1`.

use super::Bencher;
use crate::lab::bystander;
use crate::lab::report::BenchLine;
use crate::println;
use crate::sched::preemption::{model, preempts};

const HOLDERS: usize = 100;
/// What each holder needs to leave func: a turn and a half.
const NEED_NS: u64 = 6_000_000;

/// Prints the row.
pub(super) fn row(bencher: &mut Bencher, base: BenchLine) {
    if !preempts(model()) {
        return;
    }
    let seen = bystander::beside(HOLDERS, NEED_NS).unwrap_or_else(|error| panic!("bench: {error}"));
    let is_stalled = seen.freed_ns.is_none();
    bencher.lines += 1;
    println!(
        "{}",
        BenchLine { holders: Some(HOLDERS as u64), ns: Some(seen.waited_ns), n: Some(1), is_stalled, ..base }
    );
}
