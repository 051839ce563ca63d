//! The same while somebody asks who holds, beside a thousand sleepers: a refusal for want of room, the shell's list, a stall report.
//!
//! The sleepers have been examined before their ops is retired, so nobody has marked them: their frames tell what they hold.

use super::{Crowd, SHORT_NS, print, watch};
use crate::lab::bench::Bencher;
use crate::lab::report::BenchLine;
use crate::rcu::retired::Answer;
use crate::rcu::room::MOST_BYTES;
use crate::rcu::{self, Node, Reclaim};
use crate::sched;
use crate::sync::atomic::{AtomicBool, Ordering};
use alloc::boxed::Box;
use core::ptr::NonNull;

const HOLDERS: usize = 1_000;
const STALL_AFTER_NS: u64 = 20_000_000;

static IS_BALLAST_HELD: AtomicBool = AtomicBool::new(false);

/// Weighs what may be kept at most.
struct Ballast {
    node: Node<Ballast>,
}

impl Reclaim for Ballast {
    fn node(&self) -> &Node<Self> {
        &self.node
    }

    #[inline(always)]
    fn ask(&self, _: bool, _: u64) -> Answer {
        Answer { is_held: IS_BALLAST_HELD.load(Ordering::Relaxed), is_last: true }
    }

    fn bytes(&self) -> usize {
        MOST_BYTES
    }
}

/// Prints the rows.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine) {
    let crowd = Crowd::of(HOLDERS);
    let nr_holders = crowd.sleepers.len();
    rcu::synchronize();
    // It counts for what is retired from now on.
    let stall_after_ns = rcu::set_stall_after(STALL_AFTER_NS);
    crowd.retire();
    IS_BALLAST_HELD.store(true, Ordering::Relaxed);
    let ballast = Box::leak(Box::new(Ballast { node: Node::new() }));
    // SAFETY: 1. Leaked just now, and handed over here alone. 2. It was never linked anywhere.
    rcu::call(unsafe { rcu::retire(NonNull::from(ballast)) }, drop);
    let refuse = || {
        let full = rcu::check_room().expect("as much is kept as may be");
        assert!(full.nr_holders == nr_holders, "{} of {nr_holders} holders are known", full.nr_holders);
    };
    let stall = || {
        let nr_stalls = rcu::statistics().stalls;
        while rcu::statistics().stalls == nr_stalls {
            sched::sleep(STALL_AFTER_NS / 4);
        }
    };
    let asked: [(&str, &dyn Fn()); 3] = [("refusal", &refuse), ("holders", &rcu::tell_holders), ("stall", &stall)];
    for (during, ask) in asked {
        let latest_ns = watch(SHORT_NS, ask);
        print(bencher, BenchLine { holders: Some(nr_holders as u64), during: Some(during), ..base }, latest_ns);
    }
    IS_BALLAST_HELD.store(false, Ordering::Relaxed);
    rcu::set_stall_after(stall_after_ns);
    crowd.leave();
}
