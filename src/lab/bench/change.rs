//! `swap`, `enable_all`, `disable_all`: what a change costs.

use super::{Bencher, SAMPLES, Sample, measure, settle};
use crate::ftrace::filter::Filter;
use crate::ftrace::live;
use crate::lab::report::BenchLine;
use crate::lab::tracees;
use crate::platform::{Bench, BootArgs};
use crate::rcu;
use crate::tracers::nop;
use alloc::vec::Vec;

/// Prints the row: register an ops on one callsite, unregister it, wait, free it.
pub(super) fn swap(bencher: &mut Bencher, base: BenchLine) {
    let sites = tracees::sites([0].into_iter());
    settle();
    let samples: [Sample; SAMPLES] = core::array::from_fn(|_| {
        measure(1, || {
            let ops = live::register_at(nop::empty(), sites.clone()).unwrap_or_else(|error| panic!("bench: {error}"));
            let gone = live::unregister(ops).expect("just registered");
            let elapsed = rcu::synchronize_for(&gone);
            assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
        })
    });
    bencher.print(base, &samples);
}

/// Prints two rows: an ops on every callsite, on and off again, per callsite.
pub(super) fn enable_and_disable_all(bencher: &mut Bencher, args: &BootArgs<'_>) {
    let all = Filter::parse("*").expect("a star is a glob");
    let sites: Vec<_> = live::with_registry(|registry| live::matching(registry.table(), &all).collect());
    let count = sites.len() as u64;
    settle();
    let (mut on, mut off) = (Vec::with_capacity(SAMPLES), Vec::with_capacity(SAMPLES));
    for _ in 0..SAMPLES {
        let (ops, list) = (nop::empty(), sites.clone());
        let address = ops.address();
        on.push(measure(count, || {
            if let Err(error) = live::register_at(ops, list) {
                panic!("bench: {error}");
            }
        }));
        let mut gone = None;
        off.push(measure(count, || gone = live::unregister(address)));
        let gone = gone.expect("registered above");
        let elapsed = rcu::synchronize_for(&gone);
        assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
    }
    for (bench, samples) in [(Bench::EnableAll, on), (Bench::DisableAll, off)] {
        if args.selects(bench.as_str()) {
            bencher.print(BenchLine { ops: Some(1), ..BenchLine::new(bench) }, &samples);
        }
    }
}
