//! `bench`: what a hit, a change and a grace period cost. Meant for `-icount shift=0` and one CPU, where the
//! counter of retired instructions is exact and virtual time is one nanosecond per instruction.
//!
//! Every figure is the median of `SAMPLES` runs. Where the machine does not count instructions, `insns=` is
//! left out.

mod change;
mod hit;

use super::report::{BenchLine, BenchVerdict, Summary, Verdict, summary};
use crate::arch::{mmu, pmu};
use crate::ftrace::live;
use crate::mm::heap;
use crate::platform::{Bench, BootArgs, Name, SchemeName};
use crate::println;
use crate::sched::now_ns;
use crate::sync::irqs;

/// Runs of each measurement.
const SAMPLES: usize = 11;

/// The lines printed so far, and whether instructions are counted.
struct Bencher {
    lines: u64,
    counts: bool,
}

/// One stretch of work: its instructions and nanoseconds per operation.
#[derive(Clone, Copy, Debug)]
struct Sample {
    insns: u64,
    ns: u64,
}

/// Measures one stretch that does `operations` operations. The caller stays on its CPU.
fn measure(operations: u64, work: impl FnOnce()) -> Sample {
    let (insns, ns) = (pmu::instructions(), now_ns());
    work();
    let (insns, ns) = (pmu::instructions().wrapping_sub(insns), now_ns() - ns);
    Sample { insns: insns / operations, ns: ns / operations }
}

/// The same with IRQs masked: nothing else runs in between.
fn measure_masked(operations: u64, work: impl FnOnce()) -> Sample {
    irqs::with_masked(|_| measure(operations, work))
}

impl Bencher {
    /// Prints `line` with the medians of `samples`.
    fn print(&mut self, line: BenchLine, samples: &[Sample]) {
        let (mut insns, mut ns) = ([0; SAMPLES], [0; SAMPLES]);
        for (index, sample) in samples.iter().take(SAMPLES).enumerate() {
            (insns[index], ns[index]) = (sample.insns, sample.ns);
        }
        let n = samples.len().min(SAMPLES);
        let time = summary(&mut ns[..n]);
        let count: Option<Summary> = if self.counts { summary(&mut insns[..n]) } else { None };
        let spread = count.or(time);
        self.lines += 1;
        println!(
            "{}",
            BenchLine {
                insns: count.map(|count| count.median),
                ns: time.map(|time| time.median),
                min: spread.map(|spread| spread.min),
                max: spread.map(|spread| spread.max),
                n: Some(n as u64),
                ..line
            }
        );
    }
}

/// Runs the parts that `args` select, for each scheme or the one named, and returns the exit status.
pub fn run(args: &BootArgs<'_>) -> u8 {
    let at_start = (pmu::instructions(), now_ns(), in_use());
    let mut bencher = Bencher { lines: 0, counts: pmu::start() };
    if args.selects(Bench::Boot.as_str()) {
        let sample = Sample { insns: at_start.0, ns: at_start.1 };
        bencher.print(BenchLine::new(Bench::Boot), &[sample]);
    }
    if args.selects(Bench::Memory.as_str()) {
        bencher.lines += 1;
        println!("{}", BenchLine { bytes: Some(at_start.2), ..BenchLine::new(Bench::Memory) });
    }
    for scheme in SchemeName::built().filter(|&scheme| args.tasks_rcu.is_none_or(|only| only == scheme)) {
        if let Err(error) = live::set_scheme(scheme.as_str()) {
            println!("bench: {error}");
            return 1;
        }
        let under = |name| BenchLine { scheme: Some(scheme), ..BenchLine::new(name) };
        if args.selects(Bench::Percall.as_str()) {
            hit::percall(&mut bencher, under(Bench::Percall));
        }
        if args.selects(Bench::Gp.as_str()) {
            change::grace_period(&mut bencher, under(Bench::Gp));
        }
        if args.selects(Bench::Swap.as_str()) {
            change::swap(&mut bencher, under(Bench::Swap));
        }
    }
    if args.selects(Bench::EnableAll.as_str()) || args.selects(Bench::DisableAll.as_str()) {
        change::enable_and_disable_all(&mut bencher, args);
    }
    let verdict = if bencher.lines > 0 { Verdict::Pass } else { Verdict::Fail };
    println!("{}", BenchVerdict { verdict, lines: bencher.lines });
    u8::from(verdict == Verdict::Fail)
}

/// RAM in use: the image, the page tables set aside, and the heap's live blocks.
fn in_use() -> u64 {
    (mmu::image().len() + mmu::tables_len() + heap::usage().allocated) as u64
}
