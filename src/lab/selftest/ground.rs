//! What everything else stands on: the clock, visits to other CPUs, the callsite table, the rights of pages.

use super::crew::{Crew, await_that};
use super::{Outcome, Run, check};
use crate::arch::{cpu, mmu, text};
use crate::console::epitaph;
use crate::ftrace::live;
use crate::percpu;
use crate::sched::{self, Visit, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::percpu::PerCpu;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rand_core::Rng;

const CLOCK_MOVES: u64 = 200;
const VISITS: u64 = 2_000;
/// Visits beside a CPU that asks for one after the other, too.
const VISITS_BESIDE: u64 = 60;

/// Reads the clock on one CPU after the other: what was read later is never earlier.
pub(super) fn clock(run: &mut Run) -> Outcome {
    let cpus = sched::nr_cpus();
    let mut last_ns = now_ns();
    let mut seen = 0_u32;
    for _ in 0..CLOCK_MOVES {
        let target = run.random.next_u64() as usize % cpus;
        sched::set_affinity(sched::current(), 1 << target);
        while cpu::id() != target {
            sched::yield_now();
        }
        let now = now_ns();
        sched::set_affinity(sched::current(), u32::MAX);
        check!(now >= last_ns, "CPU {target} reads {now} ns after another one read {last_ns} ns");
        last_ns = now;
        seen |= 1 << target;
    }
    run.note("cpus", seen.count_ones());
    check!(seen.count_ones() as usize == cpus, "only {} of {cpus} CPUs were asked", seen.count_ones());
    Ok(())
}

static VISITED: PerCpu<AtomicU64> = percpu!(AtomicU64::new(0));

#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn count_visit(visit: &Visit) {
    VISITED.of(visit.cpu).fetch_add(1, Ordering::Relaxed);
}

/// Counts visits on the CPUs that they come to.
pub(super) fn visits(run: &mut Run) -> Outcome {
    let before: Vec<u64> = VISITED.iter().map(|count| count.load(Ordering::Relaxed)).collect();
    for round in 1..=VISITS {
        sched::visit_every_cpu(count_visit);
        for (number, before) in before.iter().enumerate().take(sched::nr_cpus()) {
            let visits = VISITED.of(number).load(Ordering::Relaxed) - before;
            check!(visits == round, "CPU {number} was visited {visits} times in {round} rounds");
        }
    }
    run.note("rounds", VISITS);
    if sched::nr_cpus() > 1 { visits_beside_a_visitor(run) } else { Ok(()) }
}

/// Visits that the visitor has had.
static NR_HAD: AtomicU64 = AtomicU64::new(0);

/// Two CPUs that ask for one visit after the other have them by turns. How far, is told: a host may stop a CPU on its way into the
/// queue, and on an exact machine none does.
fn visits_beside_a_visitor(run: &mut Run) -> Outcome {
    let goes_on = Arc::new(AtomicBool::new(true));
    let had = || NR_HAD.load(Ordering::Relaxed);
    let (mut crew, before, visitor_goes_on) = (Crew::new(), had(), Arc::clone(&goes_on));
    crew.normal("visitor", Some(sched::nr_cpus() - 1), move || {
        while visitor_goes_on.load(Ordering::Relaxed) {
            sched::visit_every_cpu(count_visit);
            NR_HAD.fetch_add(1, Ordering::Relaxed);
            sched::cond_resched();
        }
    })?;
    sched::set_affinity(sched::current(), 1);
    let begun = await_that("a visitor to visit", || had() > before);
    let before = had();
    (0..VISITS_BESIDE).for_each(|_| sched::visit_every_cpu(count_visit));
    let had = had() - before;
    sched::set_affinity(sched::current(), u32::MAX);
    goes_on.store(false, Ordering::Relaxed);
    crew.finish("visits")?;
    begun?;
    run.note("visits_beside", had);
    Ok(())
}

/// Each traceable callsite has an aligned literal, a symbol that starts at its entry, and, while nobody traces it, the
/// instruction that lets calls through.
pub(super) fn callsites(run: &mut Run) -> Outcome {
    live::with_registry(|registry| {
        let table = registry.table();
        let (mut nr_on, mut nr_all) = (0_u64, 0_u64);
        for (id, site) in table.traceable() {
            let entry = site.entry();
            check!(
                site.literal().is_multiple_of(8),
                "the literal of {entry:#x} is not aligned: no single store swaps it"
            );
            let symbol = epitaph::symbols().lookup(entry as u64);
            check!(symbol.is_some_and(|symbol| symbol.offset == 0), "no function begins at callsite {entry:#x}");
            let is_on = text::read_insn(site.branch()).bl_target(site.branch()).is_some();
            let nr_ops = registry.nr_ops_of(id);
            check!(is_on == (nr_ops > 0), "callsite {entry:#x} has {nr_ops} ops, but its branch says on={is_on}");
            nr_all += 1;
            nr_on += u64::from(is_on);
        }
        run.note("callsites", nr_all);
        run.note("on", nr_on);
        check!(nr_all > 0, "there are no callsites");
        Ok(())
    })
}

/// Walks the kernel's translation.
pub(super) fn write_xor_execute(run: &mut Run) -> Outcome {
    let rights = mmu::rights();
    run.note("writable_pages", rights.writable);
    run.note("executable_pages", rights.executable);
    check!(rights.both.is_none(), "{:#x} is writable and executable", rights.both.unwrap_or_default());
    let text_pages = mmu::text().len() / mmu::PAGE_SIZE;
    check!(rights.executable >= text_pages, "{} pages are executable, text has {text_pages}", rights.executable);
    Ok(())
}
