//! `bench`: what a hit, a change and a grace period cost. Meant for `-icount shift=0` and one CPU, where the
//! counter of retired instructions is exact and virtual time is one nanosecond per instruction.
//!
//! Every figure is the median of `SAMPLES` runs. Where the machine does not count instructions, or there are other
//! CPUs whose instructions would be missed, `insns=` is left out.

mod busy;
mod bystander;
mod change;
mod gp;
mod held;
mod hit;
mod masked;
mod mutex;
mod overlap;
mod registry;
mod switch;

use super::chains;
use super::report::{BenchLine, BenchVerdict, Summary, Verdict, summary};
use crate::arch::{mmu, pmu};
use crate::ftrace::live::{self, SchemeError};
use crate::ftrace::table::SiteId;
use crate::irq::serial;
use crate::mm::heap;
use crate::platform::{Bench, BootArgs, Mode, Name, SchemeName};
use crate::sched::{self, now_ns};
use crate::sync::irqs;
use crate::{println, rcu};
use alloc::vec::Vec;

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

impl Sample {
    #[inline(always)]
    fn since(self, earlier: Self) -> Self {
        Self { insns: self.insns.wrapping_sub(earlier.insns), ns: self.ns - earlier.ns }
    }
}

/// What the counters show.
#[inline(always)]
fn now() -> Sample {
    Sample { insns: pmu::instructions(), ns: now_ns() }
}

/// Lets what was begun before end: tasks that fall asleep, or are reaped.
fn settle() {
    sched::sleep(50_000_000);
}

/// The callsite of the function at `entry`.
fn traced(entry: usize) -> Vec<SiteId> {
    alloc::vec![live::site_at(entry).expect("probes are traceable")]
}

/// How often a grace period has visited every CPU.
fn nr_rounds() -> u64 {
    rcu::statistics().of_schemes.iter().map(|of| of.nr_rounds).sum()
}

/// Measures one stretch that does `operations` operations. The caller stays on its CPU.
fn measure(operations: u64, work: impl FnOnce()) -> Sample {
    let start = now();
    work();
    let Sample { insns, ns } = now().since(start);
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
    let mut bencher = Bencher { lines: 0, counts: sched::nr_cpus() == 1 && pmu::start() };
    if args.selects(Bench::Boot.as_str()) {
        let sample = Sample { insns: at_start.0, ns: at_start.1 };
        bencher.print(BenchLine::new(Bench::Boot), &[sample]);
    }
    if args.selects(Bench::Memory.as_str()) {
        bencher.lines += 1;
        println!("{}", BenchLine { bytes: Some(at_start.2), ..BenchLine::new(Bench::Memory) });
    }
    if let Err(error) = each_scheme(args, &mut bencher) {
        println!("bench: {error}");
        return 1;
    }
    if args.selects(Bench::Mutex.as_str()) {
        mutex::rows(&mut bencher);
    }
    if args.selects(Bench::EnableAll.as_str()) || args.selects(Bench::DisableAll.as_str()) {
        change::enable_and_disable_all(&mut bencher, args);
    }
    if args.selects(Bench::Registry.as_str()) {
        registry::rows(&mut bencher, BenchLine::new(Bench::Registry));
    }
    let verdict = match (chains::were_broken(Mode::Bench), serial::is_interrupted()) {
        (true, _) => Verdict::Fail,
        (false, true) => Verdict::Interrupted,
        (false, false) if bencher.lines > 0 => Verdict::Pass,
        (false, false) => Verdict::Fail,
    };
    println!("{}", BenchVerdict { verdict, lines: bencher.lines });
    verdict.status()
}

/// The parts that depend on the scheme.
fn each_scheme(args: &BootArgs<'_>, bencher: &mut Bencher) -> Result<(), SchemeError> {
    let under = |rows: &mut dyn FnMut(SchemeName)| {
        let mut schemes = SchemeName::ALL
            .iter()
            .copied()
            .filter(|&scheme| args.tasks_rcu.is_none_or(|only| only == scheme))
            .take_while(|_| !serial::is_interrupted());
        schemes.try_for_each(|scheme| live::set_scheme(scheme.as_str()).map(|()| rows(scheme)))
    };
    let line = |name, scheme| BenchLine { scheme: Some(scheme), ..BenchLine::new(name) };
    under(&mut |scheme| {
        if args.selects(Bench::Percall.as_str()) {
            hit::percall(bencher, line(Bench::Percall, scheme));
        }
        if args.selects(Bench::Swap.as_str()) {
            change::swap(bencher, line(Bench::Swap, scheme));
        }
        if args.selects(Bench::Switch.as_str()) {
            switch::rows(bencher, line(Bench::Switch, scheme), args.only.is_some());
        }
        if args.selects(Bench::Overlap.as_str()) && rcu::lets_funcs_block() {
            overlap::rows(bencher, line(Bench::Overlap, scheme));
        }
        if args.only.is_some() && args.selects(Bench::Masked.as_str()) {
            masked::rows(bencher, line(Bench::Masked, scheme));
        }
        // A second of guest time for each scheme: for those who ask for it.
        if args.only.is_some() && args.selects(Bench::Bystander.as_str()) {
            bystander::row(bencher, line(Bench::Bystander, scheme));
        }
    })?;
    if !args.selects(Bench::Gp.as_str()) {
        return Ok(());
    }
    let mut sleepers = gp::Sleepers::new();
    for tasks in gp::TASKS {
        sleepers.grow_to(tasks);
        under(&mut |scheme| sleepers.row(bencher, line(Bench::Gp, scheme)))?;
    }
    sleepers.wake();
    under(&mut |scheme| {
        busy::row(bencher, line(Bench::Gp, scheme));
        held::row(bencher, line(Bench::Gp, scheme));
    })
}

/// RAM in use: the image, the page tables set aside, and the heap's live blocks.
fn in_use() -> u64 {
    (mmu::image().len() + mmu::tables_len() + heap::usage().allocated) as u64
}
