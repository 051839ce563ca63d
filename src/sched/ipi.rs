//! Software-generated interrupts between CPUs: reschedule, and visits with acknowledgements (O4).
//!
//! A visit runs a function on every CPU and returns when all have run it. Each request has a generation; a
//! CPU reads the request, passes a full barrier, runs the function, and stores the acknowledgement of *that*
//! generation. An acknowledgement that did not read this request proves nothing. Notrace.

use super::switch;
use super::task::Task;
use super::tasks::{self, SpawnError};
use crate::arch::relax::TicketMutex;
use crate::arch::site::{HARDIRQ_ONE, PREEMPT_MASK, SOFTIRQ_MASK};
use crate::arch::{cpu, gic, relax};
use crate::console::events::{self, Event};
use crate::fault::{self, Fault};
use crate::percpu;
use crate::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::percpu::PerCpu;
use crate::sync::preempt;
use alloc::boxed::Box;

/// Look at your run queue.
pub const SGI_RESCHED: u32 = 0;
/// Run the requested visit.
pub const SGI_VISIT: u32 = 1;
/// What `lab` sends in its storms.
pub const SGI_LAB: u32 = 2;
/// All of them, as interrupt ids.
pub const SGIS: [u32; 3] = [SGI_RESCHED, SGI_VISIT, SGI_LAB];

/// Tell where you are, even inside a section that masks IRQs: comes as a FIQ, where the controller has those.
pub const SGI_FIQ: u32 = 3;

static NR_CPUS: AtomicUsize = AtomicUsize::new(1);

/// How many CPUs run this kernel. Context: any.
#[inline(always)]
pub fn nr_cpus() -> usize {
    NR_CPUS.load(Ordering::Relaxed)
}

/// Says how many CPUs will run. Context: boot, before the others start.
pub fn set_nr_cpus(cpus: usize) {
    NR_CPUS.store(cpus, Ordering::Relaxed);
}

/// What a visited CPU is like at the moment of the visit.
#[derive(Clone, Copy, Debug)]
pub struct Visit {
    /// Its index.
    pub cpu: usize,
    /// No IRQ and no softirq is under the visit: it interrupted a task.
    pub outermost: bool,
    /// The preemption levels of the task that was interrupted.
    pub preempt_count: u32,
    /// The request's generation.
    pub generation: u64,
}

/// What each CPU runs: a plain function, which can be `notrace`. What it needs it finds in statics.
type Work = fn(&Visit);

/// The requested work; written by the one requester (under `REQUESTER`) before the generation.
static REQUEST: AtomicPtr<()> = AtomicPtr::new(core::ptr::null_mut());

/// Makes every CPU pass a full barrier and synchronise its context: new text is what it fetches afterwards (O3).
/// Context: as [`visit_every_cpu`].
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn synchronise_every_cpu() {
    visit_every_cpu(synchronise_context);
}

/// The ISB by which a CPU synchronises its own context (O16). It is the visit's work, so that each CPU executes it itself, behind
/// the barrier that reads the request and before the acknowledgement: the asker cannot have moved to another CPU since, and a
/// softirq that runs on top of the visit finds the new text although no exception has returned yet.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn synchronise_context(_: &Visit) {
    cpu::isb();
}

static GENERATION: AtomicU64 = AtomicU64::new(0);
static ACKNOWLEDGED: PerCpu<AtomicU64> = percpu!(AtomicU64::new(0));
/// One request at a time; taken with IRQs unmasked, so that a waiting requester answers another's. By tickets: a CPU that asks
/// again and again would keep the others from it, as they answer its visit just when it lets go. So a request waits for one of
/// each other CPU at the most.
static REQUESTER: TicketMutex<()> = TicketMutex::new(());
/// The CPU whose visit is under way, counted from 1; 0 while there is none.
static VISITOR: AtomicUsize = AtomicUsize::new(0);

/// A visit that is under way.
#[derive(Clone, Copy, Debug)]
pub struct Pending {
    /// The CPU that asked for it.
    pub requester: usize,
    /// Its generation.
    pub generation: u64,
    /// The CPUs that have not answered, a bit each.
    pub missing: u32,
}

/// The visit that is under way, at a glance. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn pending_visit() -> Option<Pending> {
    let requester = VISITOR.load(Ordering::Relaxed).checked_sub(1)?;
    let generation = GENERATION.load(Ordering::Relaxed);
    let is_missing = |&cpu: &usize| cpu != requester && ACKNOWLEDGED.of(cpu).load(Ordering::Relaxed) < generation;
    let missing = (0..nr_cpus()).filter(is_missing).fold(0, |bits, cpu| bits | 1 << cpu);
    Some(Pending { requester, generation, missing })
}

/// Runs `work` on every CPU, this one included, IRQs masked there, each behind a full barrier, and returns
/// when all have. All that the caller stored before is visible to `work`, and what `work` saw and stored is
/// visible to the caller. Context: task, IRQs unmasked; preemption is disabled meanwhile.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn visit_every_cpu(work: Work) {
    assert!(!cpu::irqs_are_masked(), "a visit waits for other CPUs, which may wait for this one");
    let _pinned = preempt::disable();
    let _one = REQUESTER.lock();
    // Every CPU has answered the request before; nobody reads it now.
    REQUEST.store(work as *mut (), Ordering::Relaxed);
    // Order: Release pairs with the handler's Acquire; `send_sgi` adds DSB ISH, the updater's barrier of O4.
    let generation = GENERATION.fetch_add(1, Ordering::AcqRel) + 1;
    let this = cpu::id();
    VISITOR.store(this + 1, Ordering::Relaxed);
    for target in (0..nr_cpus()).filter(|&target| target != this) {
        gic::send_sgi(SGI_VISIT, target);
    }
    irqs::with_masked(|irqs| {
        events::record(irqs, Event::Round, generation as usize, 0);
        cpu::dsb_ish();
        // This CPU is pinned by the level that this function added.
        let preempt_count = (preempt::count() & PREEMPT_MASK) - 1;
        work(&Visit { cpu: this, outermost: true, preempt_count, generation });
    });
    let awaited = generation - u64::from(fault::is(Fault::AcknowledgementStale));
    for target in (0..nr_cpus()).filter(|&target| target != this) {
        // Order: Acquire pairs with the Release of the handler.
        while ACKNOWLEDGED.of(target).load(Ordering::Acquire) < awaited {
            relax::relax();
        }
    }
    VISITOR.store(0, Ordering::Relaxed);
}

/// The visit's SGI. Context: IRQ. A call, and not inlined: `tests/image` looks for the barrier of [`gic::acknowledge`] before it.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn on_visit() {
    let cpu = cpu::id();
    // Order: Acquire pairs with the requester's Release; the load comes behind the acknowledgement's barrier (O15). A left-over
    // SGI finds a generation it has answered.
    let generation = GENERATION.load(Ordering::Acquire);
    let acknowledged = ACKNOWLEDGED.of(cpu);
    if acknowledged.load(Ordering::Relaxed) >= generation {
        return;
    }
    // O4: exception entry is no memory barrier; this is, and it also orders the context synchronisation of
    // the exception's return after the request (O3, litmus O3-disable-exc-dsb-new).
    cpu::dsb_ish();
    let under = preempt::count() - HARDIRQ_ONE;
    // SAFETY: a requester stored it before this generation, as a `Work`, and stores another one only when this CPU
    // has acknowledged.
    let work = unsafe { core::mem::transmute::<*mut (), Work>(REQUEST.load(Ordering::Relaxed)) };
    let overlooked = if fault::is(Fault::SoftirqOverlooked) { SOFTIRQ_MASK } else { 0 };
    let outermost = under & !PREEMPT_MASK & !overlooked == 0;
    work(&Visit { cpu, outermost, preempt_count: under & PREEMPT_MASK, generation });
    // Order: Release pairs with the requester's Acquire: the work's stores, and its barrier, come before.
    acknowledged.store(generation, Ordering::Release);
}

/// Makes the first CPU's boot context its idle task. Context: boot.
pub fn init_first_cpu() -> Result<(), SpawnError> {
    let (idle, _) = tasks::make_idle(0, true)?;
    // SAFETY: the header belongs to the idle task, which lives for ever, and this context is it from now on.
    unsafe { core::arch::asm!("msr sp_el0, {}", in(reg) &raw const idle.header, options(nostack, preserves_flags)) };
    Ok(())
}

/// Starts the task that reaps the dead. Context: boot, when the scheduler can run.
pub fn start_reaper() -> Result<(), SpawnError> {
    let what = tasks::Spawn { name: "reaper", class: super::task::Class::High, cpu: None };
    tasks::spawn(what, Box::new(tasks::reap)).map(drop)
}

/// Makes the idle task of another CPU; returns what `arch::boot::start_secondary` needs.
pub fn prepare_cpu(cpu: usize) -> Result<(&'static Task, usize), SpawnError> {
    tasks::make_idle(cpu, false)
}

/// CPUs that take SGIs.
static NR_REACHED: AtomicUsize = AtomicUsize::new(0);

/// Waits until every CPU takes SGIs, as this one does from here on: one that is sent to a CPU whose interrupts are not set up is lost,
/// and the visit would wait for that CPU for ever. Tasks run behind this wait, on whatever CPU. Context: boot, IRQs masked; FIQs
/// are not, so that the watchdog tells of a CPU that does not come.
///
/// Order: the DSB completes what this CPU has told its GIC. Release and Acquire are between that and the first SGI of another CPU.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn meet_every_cpu() {
    cpu::dsb_sy();
    NR_REACHED.fetch_add(1, Ordering::Release);
    while NR_REACHED.load(Ordering::Acquire) < nr_cpus() {
        relax::relax();
    }
}

/// This CPU's boot context becomes idle for good.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn run_idle() -> ! {
    cpu::unmask_serror();
    cpu::unmask_fiqs();
    meet_every_cpu();
    cpu::unmask_irqs();
    switch::idle()
}
