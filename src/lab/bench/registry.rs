//! `registry`: what the changes of one ops on one callsite cost beside other ops that have nothing to do with them.
//!
//! `after=register`, `swap` and `unregister` are the three, one by one; what a change unlinked is waited for and freed within it.
//! `after=history` is all three together, once as many ops again have come, were swapped and have gone, on callsites of the
//! others too, and registrations were refused.

use super::{Bencher, SAMPLES, Sample, measure, settle};
use crate::ftrace::filter::Filter;
use crate::ftrace::live::{self, Gone};
use crate::ftrace::ops::{MOST_OPS_PER_SITE, Ops};
use crate::ftrace::table::SiteId;
use crate::lab::report::BenchLine;
use crate::lab::tracees;
use crate::rcu;
use crate::tracers::nop;
use alloc::vec::Vec;

/// Other ops.
const OTHER_OPS: [usize; 4] = [1, 10, 100, 500];
/// Functions that nothing calls meanwhile.
const COLD: &str = "lab::[sw]*";
/// Refused registrations of a history.
const REFUSALS: usize = 100;
/// The tracee whose changes are measured, and the one that is full.
const MEASURED: usize = 0;
const FULL: usize = 1;

/// Prints the rows.
pub(super) fn rows(bencher: &mut Bencher, base: BenchLine) {
    let cold = Filter::parse(COLD).expect("a glob");
    let cold: Vec<SiteId> = live::with_registry(|registry| live::matching(registry.table(), &cold).collect());
    let measured = tracees::sites([MEASURED].into_iter());
    let mut others = Vec::new();
    for other_ops in OTHER_OPS {
        others.extend((others.len()..other_ops).map(|number| register(alloc::vec![cold[number % cold.len()]])));
        settle();
        let base = BenchLine { other_ops: Some(other_ops as u64), ..base };
        let each: [[Sample; 3]; SAMPLES] = core::array::from_fn(|_| changes(&measured));
        for (number, after) in ["register", "swap", "unregister"].into_iter().enumerate() {
            bencher.print(BenchLine { after: Some(after), ..base }, &each.map(|sample| sample[number]));
        }
        make_history(other_ops, &cold);
        let together = core::array::from_fn::<_, SAMPLES, _>(|_| {
            let [first, second, third] = changes(&measured);
            Sample { insns: first.insns + second.insns + third.insns, ns: first.ns + second.ns + third.ns }
        });
        bencher.print(BenchLine { after: Some("history"), ..base }, &together);
    }
    take_off(others);
}

/// Registers an ops, swaps it, unregisters it.
fn changes(sites: &[SiteId]) -> [Sample; 3] {
    let mut ops = core::ptr::null();
    let registered = measure(1, || ops = register(sites.to_vec()));
    let swapped = measure(1, || {
        let new = nop::empty();
        let old = core::mem::replace(&mut ops, new.address());
        let gone = live::swap(old, new).unwrap_or_else(|error| panic!("bench: {error}"));
        free(gone.expect("registered above"));
    });
    let unregistered = measure(1, || free(live::unregister(ops).expect("swapped in above")));
    [registered, swapped, unregistered]
}

/// Ops that come, are swapped, and go, every other first; and some that have no room.
fn make_history(count: usize, cold: &[SiteId]) {
    let mut passing: Vec<*const Ops> =
        (0..count).map(|number| register(cold.iter().copied().skip(number % cold.len()).take(2).collect())).collect();
    for ops in &mut passing {
        let new = nop::empty();
        let old = core::mem::replace(ops, new.address());
        let gone = live::swap(old, new).unwrap_or_else(|error| panic!("bench: {error}"));
        rcu::call(gone.expect("registered above"), drop);
    }
    let (first, second): (Vec<_>, Vec<_>) = passing.into_iter().enumerate().partition(|(number, _)| number % 2 == 0);
    take_off(first.into_iter().chain(second).map(|(_, ops)| ops).collect());
    let full = tracees::sites([FULL].into_iter());
    let filling = (0..MOST_OPS_PER_SITE).map(|_| register(full.clone())).collect();
    let nr_refused = (0..REFUSALS).filter(|_| live::register_at(nop::empty(), full.clone()).is_err()).count();
    assert!(nr_refused == REFUSALS, "{nr_refused} of {REFUSALS} registrations were refused");
    take_off(filling);
}

fn register(sites: Vec<SiteId>) -> *const Ops {
    live::register_at(nop::empty(), sites).unwrap_or_else(|error| panic!("bench: {error}"))
}

fn free(gone: Gone) {
    let elapsed = rcu::synchronize_for(&gone);
    assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
}

fn take_off(all: Vec<*const Ops>) {
    all.into_iter().for_each(|ops| rcu::call(live::unregister(ops).expect("registered by this bench"), drop));
    rcu::barrier();
}
