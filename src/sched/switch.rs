//! The switch: who runs next on this CPU, and what is owed to the task that was left. Notrace (O8).

use super::account::{COUNTERS, count, note_step};
use super::preemption::{model, preempts};
use super::runqueue::{RUNQUEUES, enqueue, evict, put_off, set_current, steal};
use super::task::{BLOCKED, BLOCKING, DEAD, RUNNABLE, Task};
use super::{seam, tasks, tick, timers, wait};
use crate::arch::context::{self, SavedContext};
use crate::arch::site::{PREEMPT_MASK, TaskHeader};
use crate::arch::{cpu, timer};
use crate::console::events::{self, Event};
use crate::platform::PreemptModel;
use crate::sync::atomic::{Ordering, fence};
use crate::sync::irqs::{self, IrqsMasked};
use crate::sync::preempt::{self, NEED_RESCHED};

/// The task that runs this. Context: task, or an IRQ on top of one.
#[inline(always)]
pub fn current() -> &'static Task {
    // SAFETY: SP_EL0 points to the header of a live task, its first field, once `init` has run on this CPU;
    // 'static stands for "while it runs".
    unsafe { &*cpu::current().cast::<Task>() }
}

/// Why a task leaves its CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// It blocks, unless it was woken meanwhile.
    Block,
    /// It lets others go first.
    Yield,
    /// It lets go first who has a right to: a higher class, or anybody once its turn is over.
    Offer,
    /// It never comes back.
    Exit,
    /// It is taken off.
    Preempt,
}

impl Reason {
    #[inline(always)]
    const fn is_voluntary(self) -> bool {
        !matches!(self, Self::Preempt)
    }
}

/// Switches to whoever should run. Returns when the caller runs again. Context: IRQs masked, no lock held.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn schedule(reason: Reason, irqs: &IrqsMasked<'_>) {
    let cpu = cpu::id();
    let local = RUNQUEUES.of(cpu);
    let prev = current();
    if preempt::count() & PREEMPT_MASK != 0 && reason.is_voluntary() && !prev.is_idle() {
        wait::blocks_atomic();
    }
    assert!(
        preempt::count() & !PREEMPT_MASK == 0 && (prev.is_idle() || preempt::count() == 0),
        "task {prev:?} would switch with preempt_count {:#x}: it is atomic",
        preempt::count(),
    );
    if reason == Reason::Block && prev.state.load(Ordering::Acquire) == RUNNABLE {
        return; // woken before it blocked
    }
    // Order: Acquire pairs with the Release of `resched`: the task that asked for this is visible.
    NEED_RESCHED.of(cpu).swap(false, Ordering::Acquire);
    prev.header.no_resched.store(1, Ordering::Relaxed);
    evict(cpu);
    let stays = !matches!(reason, Reason::Block | Reason::Exit) && prev.may_run_on(cpu) && !prev.is_idle();
    let keeps_turn = matches!(reason, Reason::Offer | Reason::Preempt);
    let next = local.queue.lock().next(cpu, prev, stays, keeps_turn, timer::count());
    let next = match next {
        Some(next) => {
            local.len.fetch_sub(1, Ordering::Relaxed);
            next
        }
        None if stays => {
            if reason.is_voluntary() {
                count(&prev.nvcsw);
                count(&COUNTERS.of(cpu).unanswered);
            }
            set_current(cpu, prev); // its class may be another by now
            // It let go, or was to, and nobody took over: that counts as a switch for whoever waits for one.
            seam::with(|hooks| hooks.switch(prev, cpu, reason.is_voluntary()));
            seam::with(|hooks| hooks.resume(prev));
            wait::drain_deferred();
            return;
        }
        None => match steal(cpu) {
            Some(next) => next,
            None if prev.is_idle() => return,
            // SAFETY: set once at boot, lives for ever.
            None => unsafe { &*local.idle.load(Ordering::Relaxed) },
        },
    };
    let voluntary = reason.is_voluntary();
    count(if voluntary { &prev.nvcsw } else { &prev.nivcsw });
    count(&COUNTERS.of(cpu).switches);
    prev.left_voluntarily.store(voluntary, Ordering::Relaxed);
    seam::with(|hooks| hooks.switch(prev, cpu, voluntary));
    events::record(irqs, Event::Switch, next.id as usize, usize::from(voluntary));
    note_step(cpu, u64::from(prev.id), next.id as usize);
    if next.cpu.swap(cpu, Ordering::Relaxed) != cpu {
        count(&next.migrations);
        count(&COUNTERS.of(cpu).arrivals);
    }
    set_current(cpu, next);
    next.on_cpu.store(true, Ordering::Relaxed);
    // Order: what the task writes to its stack from here on comes after that. Pairs with the fence of whoever walks the
    // stack of a task that may go on meanwhile (`sched::stay`).
    fence(Ordering::Release);
    // SAFETY: IRQs are masked; prev runs here; next was taken off a queue (or is this CPU's idle task), so
    // nobody else runs it, and the queue's lock acquired its saved state (`off-cpu`).
    let left = unsafe { context::switch_context(prev.context.get(), next.context.get(), &raw const next.header) };
    finish(left);
}

/// What the next task owes to the one that was left: only now is that one off the CPU. Context: IRQs masked.
#[inline(always)]
fn finish(left: *const TaskHeader) {
    // SAFETY: the header of the task that this CPU just left: alive, since only `tasks::reap` frees, later.
    let left = unsafe { &*left.cast::<Task>() };
    seam::with(|hooks| {
        hooks.resume(current());
        if !left.is_idle() {
            hooks.off_cpu(left, left.state.load(Ordering::Relaxed) == DEAD);
        }
    });
    // Order: Release publishes the saved context; pairs with the Acquire of `Task::is_off_cpu`.
    left.on_cpu.store(false, Ordering::Release);
    if !left.is_idle() {
        match left.state.load(Ordering::Relaxed) {
            DEAD => tasks::hand_to_reaper(left),
            // Taken off between announcing that it will block and blocking: it has yet to look at its condition.
            BLOCKING if !left.left_voluntarily.load(Ordering::Relaxed) => enqueue(left),
            // Order: Release publishes the saved context and all that the task did (O5, O11); pairs with the
            // Acquire of `Task::is_blocked` and of the waker.
            BLOCKING if left.state.compare_exchange(BLOCKING, BLOCKED, Ordering::AcqRel, Ordering::Acquire).is_ok() => {
            }
            _ => enqueue(left),
        }
    }
    wait::drain_deferred();
}

/// Where every task begins. Context: its first switch, IRQs masked.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) extern "C" fn task_main(left: *const TaskHeader, _: usize) -> ! {
    finish(left);
    cpu::unmask_irqs();
    preempt_if_due(); // what `finish` woke
    let work = current().work.lock().take();
    if let Some(work) = work {
        work();
    }
    exit()
}

/// Makes a runnable task of a blocked one. Spurious wake-ups are allowed: waiters look again. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn wake(task: &Task) {
    irqs::with_masked(|irqs| {
        loop {
            // Order: Acquire pairs with `finish`; Release gives the woken task what the waker did before.
            match task.state.load(Ordering::Acquire) {
                BLOCKING => {
                    if task.state.compare_exchange(BLOCKING, RUNNABLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                        events::record(irqs, Event::Wake, task.id as usize, 0);
                        return; // it has not left yet, or `finish` queues it
                    }
                }
                BLOCKED => {
                    if task.state.compare_exchange(BLOCKED, RUNNABLE, Ordering::AcqRel, Ordering::Acquire).is_ok() {
                        events::record(irqs, Event::Wake, task.id as usize, 0);
                        enqueue(task);
                        return;
                    }
                }
                _ => return,
            }
        }
    });
}

/// Blocks the current task, which has set its state to BLOCKING, until somebody wakes it. Context: task.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn block() {
    irqs::with_masked(|irqs| schedule(Reason::Block, irqs));
    preempt_if_due(); // what `finish` woke
}

/// Lets other tasks of the same class go first. Context: task, preemptible.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn yield_now() {
    irqs::with_masked(|irqs| schedule(Reason::Yield, irqs));
    preempt_if_due(); // what `finish` woke
}

/// A point where a task under `none` or `voluntary` lets go of the CPU if somebody wants it. Context: task.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn cond_resched() {
    if !preempts(model()) && preempt::count() == 0 && NEED_RESCHED.of(cpu::id()).load(Ordering::Relaxed) {
        irqs::with_masked(|irqs| schedule(Reason::Offer, irqs));
    }
}

/// Says that the caller may block here: under `voluntary`, a point to let go of the CPU. Context: task.
#[inline(always)]
pub fn might_sleep() {
    if model() == PreemptModel::Voluntary {
        cond_resched();
    }
}

/// Blocks the current task for `duration_ns` of guest time. Context: task.
#[track_caller]
pub fn sleep(duration_ns: u64) {
    let deadline = tick::now_ns().saturating_add(duration_ns);
    wait::WaitQueue::new().wait_until_deadline(|| false, deadline);
}

/// The preemption point of an IRQ's exit, for a context that was interrupted at `pc`. Context: IRQ exit, IRQs masked, the
/// nesting left.
#[inline(always)]
pub fn preempt_irq(irqs: &IrqsMasked<'_>, pc: usize) {
    let cpu = cpu::id();
    if !preempts(model()) || !NEED_RESCHED.of(cpu).load(Ordering::Relaxed) {
        return;
    }
    if preempt::count() == 0 {
        note_step(cpu, 0, pc);
        schedule(Reason::Preempt, irqs);
    } else {
        put_off();
    }
}

/// The way out of that trampoline. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn make_up() {
    preempt::header().no_resched.store(1, Ordering::Relaxed);
    preempt_if_due();
}

/// The preemption point of `preempt_enable`, and of whoever made a task runnable: wired to
/// `sync::preempt::RESCHEDULE`. Does nothing in a context that cannot be preempted. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn preempt_if_due() {
    if !NEED_RESCHED.of(cpu::id()).load(Ordering::Relaxed) || !preempts(model()) {
        return;
    }
    if preempt::count() != 0 {
        put_off();
    } else if !cpu::irqs_are_masked() {
        irqs::with_masked(|irqs| {
            if preempt::count() == 0 {
                schedule(Reason::Preempt, irqs);
            }
        });
    }
}

/// Ends the current task. Context: task.
pub fn exit() -> ! {
    let task = current();
    irqs::with_masked(|irqs| events::record(irqs, Event::Exit, task.id as usize, 0));
    tasks::begin_exit(task);
    seam::with(|hooks| hooks.exit(task));
    tasks::last_words(task);
    cpu::mask_irqs();
    // SAFETY: masked just now, and a dead task never unmasks again.
    let irqs = unsafe { IrqsMasked::assume() };
    task.state.store(DEAD, Ordering::Relaxed);
    schedule(Reason::Exit, &irqs);
    unreachable!("a dead task ran again")
}

/// Makes `task` this CPU's idle task and the one that runs. Context: boot of each CPU, IRQs masked.
pub(super) fn adopt_idle(cpu: usize, task: &'static Task) {
    let local = RUNQUEUES.of(cpu);
    task.cpu.store(cpu, Ordering::Relaxed);
    local.idle.store(core::ptr::from_ref(task).cast_mut(), Ordering::Relaxed);
    set_current(cpu, task);
    task.on_cpu.store(true, Ordering::Relaxed);
}

/// What a CPU does when there is nothing to do. Context: its idle task.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn idle() -> ! {
    let cpu = cpu::id();
    let local = RUNQUEUES.of(cpu);
    loop {
        irqs::with_masked(|irqs| {
            schedule(Reason::Yield, irqs);
            if local.len.load(Ordering::Relaxed) == 0 && !NEED_RESCHED.of(cpu).load(Ordering::Relaxed) {
                cpu::wait_for_interrupt();
            }
        });
    }
}

/// The saved context of a task that begins with [`task_main`] on its stack.
///
/// # Safety
/// As [`SavedContext::new`].
pub(super) unsafe fn beginning(stack_top: usize) -> SavedContext {
    // SAFETY: the caller.
    unsafe { SavedContext::new(stack_top, task_main, 0) }
}

/// The tick's part in scheduling: turns. Context: IRQ.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn on_tick(cpu: usize) {
    let task = current();
    count(&task.ticks_run);
    let local = RUNQUEUES.of(cpu);
    let ((was_over, is_over), is_outranked) = {
        let mut queue = local.queue.lock();
        (queue.charge_at_tick(task, timer::count()), queue.is_outranked(task))
    };
    let others_wait = local.len.load(Ordering::Relaxed) > 0;
    if others_wait && was_over && !task.is_idle() {
        count(&COUNTERS.of(cpu).overdue);
    }
    if others_wait && is_over || is_outranked {
        NEED_RESCHED.of(cpu).store(true, Ordering::Relaxed);
    }
    timers::expire(cpu);
}
