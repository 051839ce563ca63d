//! What a look at the running kernel shows of the machine: CPUs, interrupts, memory.
//!
//! Context: task. What is counted is copied first and printed afterwards, so that sums agree with what they sum up.

use alloc::string::String;
use alloc::vec::Vec;

use crate::arch::vectors::STACK_SIZE;
use crate::arch::{cpu, mmu};
use crate::console::epitaph::Place;
use crate::console::events::{Happening, Log};
use crate::irq::entry::{self, Source};
use crate::mm::{heap, stack};
use crate::sched::{self, Visit};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::percpu::PerCpu;
use crate::{percpu, print, println};

const PERCENT: u64 = 100;
const BYTES_PER_KIB: usize = 1024;

/// What a CPU says of itself when it is visited.
struct Answer {
    mpidr: AtomicU64,
    /// Where the visit interrupted its task; 0 where it interrupted nothing.
    place: AtomicUsize,
}

static ANSWERS: PerCpu<Answer> = percpu!(Answer { mpidr: AtomicU64::new(0), place: AtomicUsize::new(0) });

/// Every CPU answers for itself. Context: a visit.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn answer(visit: &Visit) {
    let answer = ANSWERS.of(visit.cpu);
    answer.mpidr.store(cpu::mpidr(), Ordering::Relaxed);
    answer.place.store(0, Ordering::Relaxed);
    irqs::with_masked(|irqs| {
        // Innermost first: the last one is the task's own context.
        entry::for_each_interrupted(irqs, |state| answer.place.store(state.interrupted_pc, Ordering::Relaxed));
    });
}

/// Prints what each CPU runs, and how busy it has been.
pub(super) fn cpus() {
    let nr_cpus = sched::nr_cpus();
    let mut running: Vec<String> = (0..nr_cpus).map(|cpu| alloc::format!("idle/{cpu}")).collect();
    let mut ids = [0; cpu::MAX_CPUS];
    sched::for_each_task(|task| {
        // The lists are locked, IRQs masked: names are looked up afterwards.
        if task.is_running() {
            ids[task.cpu() % cpu::MAX_CPUS] = task.id;
        }
    });
    for (running, &id) in running.iter_mut().zip(&ids).filter(|(_, id)| **id != 0) {
        match sched::find(id) {
            Some(task) => *running = alloc::format!("{task:?}"),
            None => *running = alloc::format!("exited-{id}"),
        }
    }
    sched::visit_every_cpu(answer);
    println!(
        "{:>3} {:>10} {:>10} {:>10} {:>10} {:>5}  {:<20} PLACE",
        "CPU", "MPIDR", "TICKS", "IRQS", "SWITCHES", "IDLE", "TASK"
    );
    for (cpu, running) in running.iter().enumerate() {
        let (answer, ticks) = (ANSWERS.of(cpu), sched::ticks(cpu));
        print!(
            "{cpu:>3} {:>#10x} {ticks:>10} {:>10} {:>10} {:>4}%  {running:<20} ",
            answer.mpidr.load(Ordering::Relaxed),
            entry::taken(cpu),
            sched::account(cpu).switches,
            sched::idle_ticks(cpu) * PERCENT / ticks.max(1),
        );
        match answer.place.load(Ordering::Relaxed) {
            0 => println!("this shell"),
            place => println!("{}", Place(place)),
        }
    }
}

/// Prints how often each CPU acknowledged each source of interrupts.
pub(super) fn irqs() {
    let counts: Vec<_> = (0..sched::nr_cpus()).map(entry::acknowledged).collect();
    let taken: Vec<u64> = (0..sched::nr_cpus()).map(entry::taken).collect();
    print!("{:>5} ", "ID");
    (0..counts.len()).for_each(|cpu| print!(" {:>9}", alloc::format!("CPU{cpu}")));
    println!("  SOURCE");
    for (index, source) in Source::ALL.into_iter().enumerate() {
        match source.id() {
            Some(id) => print!("{id:>5}:"),
            None => print!("{:>5}:", "-"),
        }
        counts.iter().for_each(|of_cpu| print!(" {:>9}", of_cpu[index]));
        println!("  {}", describe(source));
    }
    print!("{:>5}:", "all");
    counts.iter().for_each(|of_cpu| print!(" {:>9}", of_cpu.iter().sum::<u64>()));
    println!("  acknowledged");
    print!("{:>5}:", "in");
    taken.iter().for_each(|taken| print!(" {taken:>9}"));
    println!("  interrupt entries");
    println!("on top of a softirq: {}", entry::total(|cpu| &cpu.on_softirq));
    println!("preempted in a trampoline: {}", entry::total(|cpu| &cpu.preempted_in_trampoline));
}

const fn describe(source: Source) -> &'static str {
    match source {
        Source::Resched => "SGI: reschedule",
        Source::Visit => "SGI: visit",
        Source::Lab => "SGI: experiments",
        Source::Timer => "tick and timers",
        Source::Uart => "serial input",
        Source::Other => "other",
    }
}

/// Prints the last events of all CPUs.
pub(super) fn log(most: usize) {
    // What is printed makes events too: copied first.
    let happenings: Vec<Happening> = Log::of(|_| true, most).collect();
    for happening in &happenings {
        println!("{happening}");
    }
    println!("{} events", happenings.len());
}

/// Prints whose memory is whose.
pub(super) fn memory() {
    let usage = heap::usage();
    let (in_use, cached) = stack::counts();
    let (tables, tables_left) = (mmu::tables_len(), mmu::tables_left());
    line("image", mmu::image().len(), format_args!("of it text: {} KiB", mmu::text().len() / BYTES_PER_KIB));
    line("page tables", tables, format_args!("in use: {} KiB", (tables - tables_left) / BYTES_PER_KIB));
    line("heap", usage.total, format_args!("RAM that was given to it"));
    line("  allocated", usage.allocated, format_args!("with what rounding up to powers of two costs"));
    line("    quarantine", usage.quarantined, format_args!("freed, poisoned, watched for late writes"));
    line("    stacks", (in_use + cached) * STACK_SIZE, format_args!("{in_use} in use, {cached} kept for new tasks"));
    line("  free", usage.total - usage.allocated, format_args!("in blocks of powers of two"));
    line("  largest block", heap::largest(), format_args!("that could be had at once"));
}

fn line(what: &str, bytes: usize, remark: core::fmt::Arguments<'_>) {
    println!("{what:<16} {:>9} KiB  {remark}", bytes / BYTES_PER_KIB);
}
