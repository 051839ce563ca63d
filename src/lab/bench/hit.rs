//! `percall`: one call of a function, by how many ops its callsite has, and how many other callsites have.

use super::{Bencher, SAMPLES, Sample, measure_masked, traced};
use crate::arch::insn::Price;
use crate::arch::text::read_insn;
use crate::console::epitaph::symbols;
use crate::ftrace::fanout::fan_out;
use crate::ftrace::live;
use crate::ftrace::ops::{Ops, OpsBox};
use crate::lab::report::BenchLine;
use crate::lab::tracees;
use crate::rcu;
use crate::tracers::nop;
use alloc::vec::Vec;

/// Calls per sample.
const CALLS: u64 = 1000;
/// Ops on the measured callsite.
const OPS: [u64; 5] = [0, 1, 2, 3, 10];
/// Ops on another callsite.
const OTHER_OPS: [u64; 3] = [0, 1, 10];

/// The function whose calls are measured: nothing but its callsite and a return. The empty assembly keeps the
/// compiler from seeing that.
#[inline(never)]
fn probe() {
    core::hint::black_box(());
}

/// Prints the rows; `base` says under which terms.
pub(super) fn percall(bencher: &mut Bencher, base: BenchLine) {
    for other_ops in OTHER_OPS {
        let others = register(other_ops, nop::empty, tracees::entry(7));
        for ops in OPS {
            row(bencher, base, ops, other_ops, nop::empty, false);
        }
        for ops in OPS.into_iter().filter(|&ops| ops > 0) {
            row(bencher, base, ops, other_ops, nop::ret, true);
        }
        unregister(others);
    }
}

fn row(bencher: &mut Bencher, base: BenchLine, ops: u64, other_ops: u64, make: fn() -> OpsBox, is_func_ret: bool) {
    let registered = register(ops, make, probe as *const () as usize);
    let [barriers, atomics, sysregs, ordered] = prices(&registered);
    let samples: [Sample; SAMPLES] = core::array::from_fn(|_| {
        measure_masked(CALLS, || {
            for _ in 0..CALLS {
                probe();
            }
        })
    });
    let line = BenchLine {
        ops: Some(ops),
        other_ops: Some(other_ops),
        barriers: Some(barriers),
        atomics: Some(atomics),
        sysregs: Some(sysregs),
        ordered: Some(ordered),
        is_func_ret,
        ..base
    };
    bencher.print(line, &samples);
    unregister(registered);
}

fn register(count: u64, make: fn() -> OpsBox, entry: usize) -> Vec<*const Ops> {
    (0..count)
        .map(|_| live::register_at(make(), traced(entry)).unwrap_or_else(|error| panic!("bench: {error}")))
        .collect()
}

fn unregister(registered: Vec<*const Ops>) {
    for ops in registered {
        let gone = live::unregister(ops).expect("registered by this bench");
        let elapsed = rcu::synchronize_for(&gone);
        assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
    }
}

/// What an instruction count hides on the hit path: barriers, atomics, writes of system registers, and loads and stores
/// that order, in the trampoline, the fan-out and the funcs, decoded from the running image.
fn prices(registered: &[*const Ops]) -> [u64; 4] {
    let trampoline = live::trampoline();
    let mut found = [0; 4];
    let mut decode = |range: core::ops::Range<usize>| {
        for address in range.step_by(4) {
            match read_insn(address).price() {
                Price::Plain => {}
                Price::Barrier => found[0] += 1,
                Price::Atomic => found[1] += 1,
                Price::SystemRegister => found[2] += 1,
                Price::Ordered => found[3] += 1,
            }
        }
    };
    if !registered.is_empty() {
        decode(trampoline.t0..trampoline.end);
    }
    if registered.len() > 1 {
        decode(function(fan_out as *const () as usize));
    }
    for &ops in registered {
        // SAFETY: registered: live.
        decode(function(unsafe { &*ops }.func()));
    }
    found
}

/// The instructions of the function at `start`: up to the next symbol.
fn function(start: usize) -> core::ops::Range<usize> {
    let next = symbols().iter().map(|symbol| symbol.start as usize).find(|&address| address > start);
    start..next.unwrap_or(start + 4)
}
