//! Per-CPU run queues, and where a runnable task is put. Notrace (O8).
//!
//! Lock order: a wait queue's lock, then a run queue's; never two run queues at once.

mod lists;

use super::preemption::{model, turn_ticks};
use super::task::{Boost, Class, Task};
use crate::arch::{cpu, gic, timer};
use crate::percpu;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering, fence};
use crate::sync::irqs;
use crate::sync::lock::IrqLock;
use crate::sync::percpu::PerCpu;
use crate::sync::preempt::{self, NEED_RESCHED};
pub(super) use lists::Place;
use lists::{Rank, RunQueue};

/// One CPU's queue and what others may see of it without its lock.
pub(super) struct Local {
    pub(super) queue: IrqLock<RunQueue>,
    /// Queued tasks.
    pub(super) len: AtomicUsize,
    /// The task that runs: an address to compare, not to follow, as the task may be gone.
    pub(super) current: AtomicPtr<Task>,
    /// What it is, as a [`Running`].
    pub(super) running: AtomicU8,
    pub(super) idle: AtomicPtr<Task>,
    /// The queue may hold tasks that may not run here any more: see [`evict`].
    unfit: AtomicBool,
}

pub(super) static RUNQUEUES: PerCpu<Local> = percpu!(Local {
    queue: IrqLock::new(RunQueue::new()),
    len: AtomicUsize::new(0),
    current: AtomicPtr::new(core::ptr::null_mut()),
    running: AtomicU8::new(Running::Nothing as u8),
    idle: AtomicPtr::new(core::ptr::null_mut()),
    unfit: AtomicBool::new(false),
});

/// From now on CPU number `cpu` has ticks, of this length by the counter. Context: its boot, IRQs masked.
pub(super) fn start_ticks(cpu: usize, tick: u64) {
    RUNQUEUES.of(cpu).queue.lock().start_ticks(tick, turn_ticks(model()), timer::count());
}

/// Whether some CPU runs `task`.
#[inline(always)]
pub(super) fn is_current(task: &Task) -> bool {
    RUNQUEUES.iter().any(|local| core::ptr::eq(local.current.load(Ordering::Relaxed), task))
}

/// What a CPU runs, for others to see.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
enum Running {
    /// It has not begun.
    Nothing,
    Idle,
    Normal,
    High,
}

/// Says that CPU number `cpu` runs `task` from now on.
#[inline(always)]
pub(super) fn set_current(cpu: usize, task: &Task) {
    let running = match task.class() {
        _ if task.is_idle() => Running::Idle,
        Class::Normal => Running::Normal,
        Class::High => Running::High,
    };
    let local = RUNQUEUES.of(cpu);
    local.current.store(core::ptr::from_ref(task).cast_mut(), Ordering::Relaxed);
    local.running.store(running as u8, Ordering::Relaxed);
}

/// A glance at what CPU number `cpu` runs; may be stale.
#[inline(always)]
fn runs(cpu: usize, what: Running) -> bool {
    RUNQUEUES.of(cpu).running.load(Ordering::Relaxed) == what as u8
}

/// The CPU for a task that became runnable: its last one if that idles, else any idle one, else the one with
/// the shortest queue among those it may use.
#[inline(always)]
fn place(task: &Task) -> usize {
    let nr_cpus = super::ipi::nr_cpus();
    let last = task.cpu();
    let allowed = |cpu: usize| cpu < nr_cpus && task.may_run_on(cpu);
    let idles = |cpu: usize| runs(cpu, Running::Idle) && RUNQUEUES.of(cpu).len.load(Ordering::Relaxed) == 0;
    if allowed(last) && idles(last) {
        return last;
    }
    let mut best = if allowed(last) { Some(last) } else { None };
    for cpu in 0..nr_cpus {
        if !allowed(cpu) {
            continue;
        }
        if idles(cpu) {
            return cpu;
        }
        let len = |cpu: usize| RUNQUEUES.of(cpu).len.load(Ordering::Relaxed);
        if best.is_none_or(|best| len(cpu) + 1 < len(best)) {
            best = Some(cpu);
        }
    }
    best.unwrap_or(0)
}

/// Queues a runnable task that is off its CPU, and tells the CPU that it landed on. Context: IRQs masked.
///
/// Order: the queue's lock is the release that whoever runs the task acquires (`off-cpu`): a task that migrates brings
/// along what it stored, so a round's barrier on its new CPU orders that too (O4).
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn enqueue(task: &Task) {
    if task.is_held_back() && !take_back(task) {
        return;
    }
    let target = place(task);
    let local = RUNQUEUES.of(target);
    // The task is ours until the queue is unlocked: from then on it may run elsewhere, exit, and be gone.
    let (is_high, is_unfit) = {
        let mut queue = local.queue.lock();
        queue.push(task, target);
        local.len.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fences of `set_affinity` and `reclass`: of the two, at least one sees what the other stored.
        fence(Ordering::SeqCst);
        queue.requeue(task, target);
        (queue.rank(task) == Rank::High, !task.may_run_on(target))
    };
    if is_unfit {
        want_eviction(target);
    }
    let is_idle = runs(target, Running::Idle) || runs(target, Running::Nothing);
    if is_high && !runs(target, Running::High) || is_idle {
        resched(target);
    }
}

/// Leaves a runnable task that may run nowhere to whoever lets it go, who queues it. Says whether it was let go of
/// meanwhile, and the caller has it still.
#[inline(always)]
fn take_back(task: &Task) -> bool {
    task.is_left_over.store(true, Ordering::Release);
    // Pairs with the fence of `confine`: of the two, at least one sees what the other stored; the swap decides.
    fence(Ordering::SeqCst);
    !task.is_held_back() && task.is_left_over.swap(false, Ordering::Acquire)
}

/// Lets `task` run as one of the high class, wherever it waits and from now on, until [`unboost`].
/// Context: any; it takes the lock of a run queue, the innermost of all.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn boost(task: &Task) {
    set_boost(task, Boost::Full);
}

/// The same for half of its CPU's time at most, while normal tasks want that (`sched::loan`): somebody waits for it.
/// Context: as [`boost`].
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn lend(task: &Task) {
    set_boost(task, Boost::Lent);
}

/// Has `task`, of the high class, owe normal tasks what it uses of its CPU while they wait for that, as those do that are boosted,
/// before whom it goes: so it works for others as soon as they ask, and these have their half of the CPU however often they do.
/// For good. Context: as [`boost`].
pub fn owe(task: &Task) {
    task.owes.store(true, Ordering::Relaxed);
    irqs::with_masked(|_| reclass(task));
}

/// Takes that back: `task` is of its own class from now on, and lets others go first if they have a right to.
/// Context: as [`boost`].
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn unboost(task: &Task) {
    set_boost(task, Boost::None);
}

/// What the task has used of its CPU by now was used in the class that it had.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn set_boost(task: &Task, boost: Boost) {
    irqs::with_masked(|_| {
        let local = RUNQUEUES.of(task.cpu());
        {
            let mut queue = local.queue.lock();
            if core::ptr::eq(local.current.load(Ordering::Relaxed), task) {
                queue.charge(task, timer::count(), true);
            }
            task.set_boost(boost);
        }
        reclass(task);
    });
}

/// Sees to it that `task`, whose class has just changed, waits where its class does, and that a CPU looks at its queue
/// again where that may change who runs. Context: any, IRQs masked; the queue's lock is the innermost.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn reclass(task: &Task) {
    // Pairs with the fence of `enqueue`: it sees the new class, or this sees where the task was queued. So if it is taken
    // from that queue meanwhile, nothing is left to do: it runs, or is queued in its new class.
    fence(Ordering::SeqCst);
    let cpu = task.place().cpu;
    let is_high = {
        let mut queue = RUNQUEUES.of(cpu).queue.lock();
        queue.requeue(task, cpu);
        queue.has(task, cpu) && queue.rank(task) == Rank::High
    };
    let runs_it = |cpu: usize| core::ptr::eq(RUNQUEUES.of(cpu).current.load(Ordering::Relaxed), task);
    if is_high && !runs(cpu, Running::High) {
        resched(cpu);
    } else if runs_it(task.cpu()) && task.class() == Class::Normal {
        resched(task.cpu());
    }
}

/// Makes CPU number `target` move the tasks that may not run there. Context: any.
#[inline(always)]
pub(super) fn want_eviction(target: usize) {
    RUNQUEUES.of(target).unfit.store(true, Ordering::Release);
    resched(target);
}

/// Queues elsewhere what is queued on this CPU and may not run here any more. Context: IRQs masked, no queue locked.
#[inline(always)]
pub(super) fn evict(cpu: usize) {
    let local = RUNQUEUES.of(cpu);
    if !local.unfit.load(Ordering::Relaxed) || !local.unfit.swap(false, Ordering::Acquire) {
        return;
    }
    loop {
        let unfit = local.queue.lock().take_unfit(cpu);
        let Some(task) = unfit else { return };
        local.len.fetch_sub(1, Ordering::Relaxed);
        enqueue(task);
    }
}

/// Makes CPU number `target` look at its queue. Context: any.
#[inline(always)]
pub(super) fn resched(target: usize) {
    // Order: Release pairs with the Acquire of whoever takes the flag: the queued task is visible.
    NEED_RESCHED.of(target).store(true, Ordering::Release);
    if target != cpu::id() {
        gic::send_sgi(super::ipi::SGI_RESCHED, target);
    }
}

/// A task from another CPU's queue for `cpu`, which has nothing to do. Context: IRQs masked, no queue locked.
#[inline(always)]
pub(super) fn steal(cpu: usize) -> Option<&'static Task> {
    let nr_cpus = super::ipi::nr_cpus();
    (1..nr_cpus).find_map(|distance| {
        let victim = RUNQUEUES.of((cpu + distance) % nr_cpus);
        if victim.len.load(Ordering::Relaxed) == 0 {
            return None;
        }
        // Waits for it: a CPU that gave up would idle until its next interrupt, while tasks wait.
        let task = victim.queue.lock().steal(cpu)?;
        victim.len.fetch_sub(1, Ordering::Relaxed);
        Some(task)
    })
}

/// Makes this CPU reschedule at the next chance, though nobody else may want to run. Context: IRQs masked.
#[inline(always)]
pub fn want_reschedule(cpu: usize) {
    NEED_RESCHED.of(cpu).store(true, Ordering::Relaxed);
}

/// The current task should be preempted and cannot be: the `nopreempt` trampoline makes up for it on its way out.
#[inline(always)]
pub(super) fn put_off() {
    preempt::header().no_resched.store(0, Ordering::Relaxed);
}
