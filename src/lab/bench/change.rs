//! `gp`, `swap`, `enable_all`, `disable_all`: what a change costs, and how long it waits.

use super::{Bencher, SAMPLES, Sample, measure};
use crate::ftrace::filter::Filter;
use crate::ftrace::live;
use crate::lab::report::BenchLine;
use crate::lab::tracees;
use crate::platform::{Bench, BootArgs};
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn, WaitQueue};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::tracers::nop;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Sleeping tasks beside which a grace period is measured.
const TASKS: [u64; 3] = [0, 100, 1000];

static AWAKE: AtomicBool = AtomicBool::new(false);
static SLEEPERS: WaitQueue = WaitQueue::new();

/// Prints the rows: a grace period of an idle machine with so many sleeping tasks.
pub(super) fn grace_period(bencher: &mut Bencher, base: BenchLine) {
    for tasks in TASKS {
        AWAKE.store(false, Ordering::Relaxed);
        let what = Spawn { name: "sleeper", class: Class::Normal, cpu: None };
        let sleepers: Vec<JoinHandle> = (0..tasks)
            .map(|_| {
                let work = || SLEEPERS.wait_until(|| AWAKE.load(Ordering::Relaxed));
                sched::spawn(what, Box::new(work)).unwrap_or_else(|error| panic!("bench: {error}"))
            })
            .collect();
        settle();
        let samples: [Sample; SAMPLES] = core::array::from_fn(|_| {
            measure(1, || {
                rcu::synchronize();
            })
        });
        let line = BenchLine { tasks: Some(tasks), holders: Some(0), busy: Some(0), ..base };
        bencher.print(line, &samples);
        AWAKE.store(true, Ordering::Relaxed);
        SLEEPERS.wake_all();
        sleepers.into_iter().for_each(JoinHandle::join);
    }
}

/// Lets what was begun before end: tasks that fall asleep, or are reaped.
fn settle() {
    sched::sleep(50_000_000);
}

/// Prints the row: register an ops on one callsite, unregister it, wait, free it.
pub(super) fn swap(bencher: &mut Bencher, base: BenchLine) {
    let sites = tracees::sites([0].into_iter());
    settle();
    let samples: [Sample; SAMPLES] = core::array::from_fn(|_| {
        measure(1, || {
            let ops = live::register_at(nop::empty(), sites.clone()).unwrap_or_else(|error| panic!("bench: {error}"));
            let gone = live::unregister(ops).expect("just registered");
            let elapsed = rcu::wait_for(gone.cookie());
            assert!(gone.reclaim(elapsed).is_ok(), "its own grace period has ended");
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
        let elapsed = rcu::synchronize();
        let freed = gone.and_then(|gone| gone.reclaim(elapsed).ok());
        assert!(freed.is_some(), "synchronize covers what was retired before it");
    }
    for (bench, samples) in [(Bench::EnableAll, on), (Bench::DisableAll, off)] {
        if args.selects(bench.as_str()) {
            bencher.print(BenchLine { ops: Some(1), ..BenchLine::new(bench) }, &samples);
        }
    }
}
