//! Per-CPU run queues: two classes, first in first out, linked through the tasks. Notrace (O8).
//!
//! A task of the high class runs before all normal ones. Within a class tasks take turns of `turn_ticks`: whoever's turn
//! is over, or let go of it, queues last; whoever was taken off by a higher class goes on first.
//!
//! Lock order: a wait queue's lock, then a run queue's; never two run queues at once.

use super::task::{Class, Task};
use crate::arch::{cpu, gic};
use crate::percpu;
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU8, AtomicUsize, Ordering, fence};
use crate::sync::lock::IrqLock;
use crate::sync::percpu::PerCpu;
use crate::sync::preempt::{self, NEED_RESCHED};
use core::ptr::NonNull;

/// A first-in, first-out list of tasks through [`Task::next`].
struct Fifo {
    head: Option<NonNull<Task>>,
    tail: Option<NonNull<Task>>,
}

impl Fifo {
    const fn new() -> Self {
        Self { head: None, tail: None }
    }

    #[inline(always)]
    fn push(&mut self, task: &Task) {
        task.next.store(core::ptr::null_mut(), Ordering::Relaxed);
        let entry = NonNull::from(task);
        match self.tail {
            // SAFETY: a queued task is alive: the task list holds it until it is dead and off its CPU.
            Some(tail) => unsafe { tail.as_ref() }.next.store(entry.as_ptr(), Ordering::Relaxed),
            None => self.head = Some(entry),
        }
        self.tail = Some(entry);
    }

    /// Puts `task` before all others: it has not had its whole turn yet.
    #[inline(always)]
    fn push_first(&mut self, task: &Task) {
        let entry = NonNull::from(task);
        task.next.store(self.head.map_or(core::ptr::null_mut(), NonNull::as_ptr), Ordering::Relaxed);
        self.head = Some(entry);
        if self.tail.is_none() {
            self.tail = Some(entry);
        }
    }

    /// Takes out the first task that `fits`.
    #[inline(always)]
    fn take(&mut self, fits: impl Fn(&Task) -> bool) -> Option<&'static Task> {
        let (mut before, mut at) = (None::<NonNull<Task>>, self.head);
        while let Some(entry) = at {
            // SAFETY: as in `push`; 'static stands for "as long as it is queued or runs".
            let task: &'static Task = unsafe { entry.as_ref() };
            let next = NonNull::new(task.next.load(Ordering::Relaxed));
            if fits(task) {
                match before {
                    // SAFETY: as above.
                    Some(before) => unsafe { before.as_ref() }
                        .next
                        .store(next.map_or(core::ptr::null_mut(), NonNull::as_ptr), Ordering::Relaxed),
                    None => self.head = next,
                }
                if next.is_none() {
                    self.tail = before;
                }
                return Some(task);
            }
            (before, at) = (at, next);
        }
        None
    }
}

pub(super) struct RunQueue {
    high: Fifo,
    normal: Fifo,
}

// SAFETY: the pointers are to tasks, which are shared; the queue's lock guards the links.
unsafe impl Send for RunQueue {}

impl RunQueue {
    /// Queues `task`; `first` in its class, or last.
    #[inline(always)]
    fn push(&mut self, task: &Task, first: bool) {
        let fifo = match task.class() {
            Class::High => &mut self.high,
            Class::Normal => &mut self.normal,
        };
        if first { fifo.push_first(task) } else { fifo.push(task) }
    }

    /// A task that may not run on `cpu`, if there is one.
    #[inline(always)]
    fn take_unfit(&mut self, cpu: usize) -> Option<&'static Task> {
        let unfit = |task: &Task| !task.may_run_on(cpu);
        self.high.take(unfit).or_else(|| self.normal.take(unfit))
    }

    /// The next task for `cpu`, of class `least` or above.
    #[inline(always)]
    pub(super) fn take(&mut self, cpu: usize, least: Class) -> Option<&'static Task> {
        let fits = |task: &Task| task.may_run_on(cpu);
        let high = self.high.take(fits);
        if high.is_some() || least == Class::High { high } else { self.normal.take(fits) }
    }
}

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
    queue: IrqLock::new(RunQueue { high: Fifo::new(), normal: Fifo::new() }),
    len: AtomicUsize::new(0),
    current: AtomicPtr::new(core::ptr::null_mut()),
    running: AtomicU8::new(Running::Nothing as u8),
    idle: AtomicPtr::new(core::ptr::null_mut()),
    unfit: AtomicBool::new(false),
});

/// Whether some CPU runs `task`.
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
/// Order: the queue's lock is the release that whoever runs the task acquires (`off-cpu`).
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn enqueue(task: &Task) {
    let target = place(task);
    let local = RUNQUEUES.of(target);
    // The task is ours until the queue is unlocked: from then on it may run elsewhere, exit, and be gone.
    let is_high = task.class() == Class::High;
    let is_unfit = {
        let mut queue = local.queue.lock();
        task.queued_on.store(target, Ordering::Relaxed);
        // It goes on with its turn, where it was taken off: a higher class only ever borrows the CPU.
        queue.push(task, task.ticks_left.load(Ordering::Relaxed) > 0 && task.cpu() == target);
        local.len.fetch_add(1, Ordering::Relaxed);
        // Pairs with the fence of `set_affinity`: of the two, at least one sees what the other stored.
        fence(Ordering::SeqCst);
        !task.may_run_on(target)
    };
    if is_unfit {
        want_eviction(target);
    }
    let is_higher = is_high && !runs(target, Running::High);
    let is_idle = runs(target, Running::Idle) || runs(target, Running::Nothing);
    if is_higher || is_idle {
        resched(target);
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
        let task = victim.queue.lock().take(cpu, Class::Normal)?;
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
