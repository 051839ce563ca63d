//! The task list: spawn, find, visit, exit, reap.
//!
//! A task is on the living list from `spawn` until it begins to exit, then on the exiting list until the reaper
//! has seen it off its CPU; grace periods look at both (row 14 of the theory). The lists own the tasks.
//!
//! INVARIANT `visited-stands`: a task that is visited has its stack until the lists are let go of: the reaper takes it off them
//! before it gives the stack back. So a visitor may read that stack, under the lists' lock alone.

use super::roll::{Roll, Stretch};
use super::switch::beginning;
use super::task::{Class, DEAD, RUNNABLE, Task};
use super::wait::{WaitQueue, defer_wake};
use super::waiting::Verdict;
use super::{runqueue, switch};
use crate::arch::cpu;
use crate::console::events::{self, Event};
use crate::mm::stack::{Stack, StackError};
use crate::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use crate::sync::irqs;
use crate::sync::lock::IrqLock;
use alloc::boxed::Box;
use alloc::sync::Arc;

/// Both lists in one: [`Task::is_exiting`] tells which, so that to exit takes no memory.
struct Lists {
    tasks: Roll<Arc<Task>>,
    nr_exiting: usize,
}

static LISTS: IrqLock<Lists> = IrqLock::new(Lists { tasks: Roll::new(), nr_exiting: 0 });
static NEXT_ID: AtomicU32 = AtomicU32::new(1);
/// Dead tasks that are off their CPU, linked through [`Task::links`].
static DEAD_TASKS: AtomicPtr<Task> = AtomicPtr::new(core::ptr::null_mut());
static REAPER: WaitQueue = WaitQueue::new();

/// What a new task is like.
#[derive(Clone, Copy, Debug)]
pub struct Spawn<'a> {
    /// Its name, cut to 15 bytes.
    pub name: &'a str,
    /// Its class.
    pub class: Class,
    /// The one CPU that it may run on, or any.
    pub cpu: Option<usize>,
}

/// Why a task was not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpawnError {
    /// There is no stack for it.
    Stack(StackError),
    /// There is no such CPU.
    NoSuchCpu(usize),
}

impl core::fmt::Display for SpawnError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Stack(error) => write!(f, "no stack for a task: {error:?}"),
            Self::NoSuchCpu(cpu) => write!(f, "there is no CPU {cpu}"),
        }
    }
}

/// A spawned task, to be waited for. Dropping it lets the task go on alone.
#[derive(Debug)]
pub struct JoinHandle(Arc<Task>);

impl JoinHandle {
    /// Blocks until the task has finished its work. Context: task.
    #[track_caller]
    pub fn join(self) {
        // Order: Acquire pairs with the Release of `last_words`: all that the task did is visible.
        self.0.joiners.wait_until(|| self.0.finished.load(Ordering::Acquire));
    }

    /// The task.
    pub fn task(&self) -> &Task {
        &self.0
    }

    /// Whether the task is dead, off every list, and its stack is given back. Context: task.
    pub fn is_reaped(&self) -> bool {
        self.0.finished.load(Ordering::Acquire) && self.0.stack.lock().is_none()
    }
}

/// Makes a task that does `work`, and queues it. Context: task.
pub fn spawn(what: Spawn<'_>, work: Box<dyn FnOnce() + Send>) -> Result<JoinHandle, SpawnError> {
    let affinity = match what.cpu {
        None => u32::MAX,
        Some(cpu) if cpu < super::nr_cpus() => 1 << cpu,
        Some(cpu) => return Err(SpawnError::NoSuchCpu(cpu)),
    };
    let stack = Stack::new().map_err(SpawnError::Stack)?;
    let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    let mut task = Task::new(id, what.name, what.class, affinity, false);
    // SAFETY: a fresh stack, and `top` is page-aligned.
    task.context = unsafe { beginning(stack.top()) }.into();
    task.cpu = what.cpu.unwrap_or_else(cpu::id).into();
    *task.stack.lock() = Some(stack);
    *task.work.lock() = Some(work);
    let task = Arc::new(task);
    LISTS.lock().tasks.insert(id as usize, Arc::clone(&task));
    debug_assert!(task.state.load(Ordering::Relaxed) == RUNNABLE);
    irqs::with_masked(|irqs| {
        events::record(irqs, Event::Spawn, id as usize, 0);
        runqueue::enqueue(&task);
    });
    switch::preempt_if_due();
    Ok(JoinHandle(task))
}

/// Makes the idle task of CPU number `cpu`, with a stack of its own unless `on_boot_stack`.
///
/// Returns it with the end of its stack. Context: boot.
pub(super) fn make_idle(cpu: usize, on_boot_stack: bool) -> Result<(&'static Task, usize), SpawnError> {
    let mut name = heapless::String::<8>::new();
    // Fits: the number has one digit.
    let _ = core::fmt::Write::write_fmt(&mut name, format_args!("idle/{cpu}"));
    let task = Box::leak(Box::new(Task::new(0, &name, Class::Normal, 1 << cpu, true)));
    let mut top = 0;
    if !on_boot_stack {
        let stack = Stack::new().map_err(SpawnError::Stack)?;
        top = stack.top();
        *task.stack.lock() = Some(stack);
    }
    switch::adopt_idle(cpu, task);
    Ok((task, top))
}

/// A walk over all tasks, living and exiting, in the order of their numbers, one piece after the other.
///
/// A task that was there when the walk began and is there when it ends is visited exactly once, be it that it has begun to exit
/// meanwhile. One that is spawned or reaped meanwhile is visited once or not at all. Context: task; nothing is locked between two
/// pieces, and anything may happen there.
#[derive(Debug)]
pub struct Walk(Option<usize>);

impl Walk {
    /// At the first task.
    #[inline(always)]
    pub const fn begin() -> Self {
        Self(Some(0))
    }

    /// Visits a piece: at most [`super::roll::BLOCK`] tasks, and none behind a visit that says so. Whether the walk goes on: `visit`
    /// was not called otherwise.
    ///
    /// The lists are locked meanwhile, IRQs masked: a visited task keeps its stack (`visited-stands`), `visit` neither spawns nor
    /// prints, and what it wakes runs later. It may take what is further inside (see `sync::lock`).
    #[inline(always)]
    pub fn visit_some(&mut self, mut visit: impl FnMut(&Task) -> Stretch) -> bool {
        if let Some(from) = self.0 {
            self.0 = LISTS.lock().tasks.visit_some(from, &mut |task| visit(task));
        }
        self.0.is_some()
    }
}

/// Calls `visit` with every task, in pieces. Context and order: as [`Walk`], and [`Walk::visit_some`]; `visit` takes a few steps,
/// and examines no stack.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn for_each_task(mut visit: impl FnMut(&Task)) {
    let mut walk = Walk::begin();
    while walk.visit_some(|task| {
        visit(task);
        Stretch::GoesOn
    }) {}
}

/// The same for the panic path, in one piece: does nothing when somebody holds the lists. Context: any.
pub fn try_for_each_task(mut visit: impl FnMut(&Task)) {
    let Some(lists) = LISTS.try_lock() else { return };
    let mut next = Some(0);
    while let Some(from) = next {
        next = lists.tasks.visit_some(from, &mut |task| {
            visit(task);
            Stretch::GoesOn
        });
    }
}

/// Names a task of which only the number is known, and the CPU that it ran on. Context: any; waits for no lock.
#[derive(Clone, Copy, Debug)]
pub struct TaskName {
    /// Its number; 0 is an idle task's.
    pub number: u32,
    /// The CPU, which tells idle tasks apart.
    pub cpu: usize,
}

impl core::fmt::Display for TaskName {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { number, cpu } = *self;
        if number == 0 {
            return write!(f, "idle/{cpu}");
        }
        let Some(lists) = LISTS.try_lock() else { return write!(f, "task {number}") };
        match lists.tasks.get(number as usize) {
            Some(task) => write!(f, "{task:?}"),
            None => write!(f, "task {number} (gone)"),
        }
    }
}

/// Calls `found` with the task on whose stack, or in whose guard, `address` is, if no lock is in the way. Context: any.
pub fn try_owner_of_stack(address: usize, mut found: impl FnMut(&Task)) {
    let owns = |task: &Task| {
        let stack = task.stack.try_lock();
        stack.is_some_and(|stack| stack.as_ref().is_some_and(|stack| stack.slot().contains(&address)))
    };
    let idle = (0..super::nr_cpus()).filter_map(idle_task).find(|task| owns(task));
    match idle {
        Some(task) => found(task),
        None => {
            let mut is_found = false;
            try_for_each_task(|task| {
                if !is_found && owns(task) {
                    is_found = true;
                    found(task);
                }
            });
        }
    }
}

/// Shows the task that CPU number `cpu` runs, as far as its run queue tells and nobody holds the lists. Context: any.
pub fn try_current_of(cpu: usize, show: impl Fn(&Task)) {
    let current = runqueue::RUNQUEUES.of(cpu).current.load(Ordering::Relaxed).cast_const();
    let is_it = |task: &Task| core::ptr::eq(task, current);
    idle_task(cpu).filter(|task| is_it(task)).into_iter().for_each(&show);
    try_for_each_task(|task| {
        if is_it(task) {
            show(task);
        }
    });
}

/// Looks at every wait without a deadline, and nudges the tasks that have waited for long; gives the number of one whose
/// wake-up is lost, if there is one. Context: the watchdog's task.
pub fn watch_waits() -> Option<u32> {
    let mut lost = None;
    for_each_task(|task| match task.waiting.look(task.is_blocked(), task.nvcsw.load(Ordering::Relaxed)) {
        Verdict::Leave => {}
        Verdict::Nudge => switch::wake(task),
        Verdict::Lost => lost = Some(task.id),
    });
    lost
}

/// The idle task of CPU number `cpu`, which is on no list.
pub fn idle_task(cpu: usize) -> Option<&'static Task> {
    // SAFETY: set once, by `make_idle`; idle tasks live for ever.
    unsafe { runqueue::RUNQUEUES.of(cpu).idle.load(Ordering::Relaxed).as_ref() }
}

/// The living task of number `id`.
pub fn find(id: u32) -> Option<Arc<Task>> {
    LISTS.lock().tasks.get(id as usize).filter(|task| !task.is_exiting()).cloned()
}

/// How many tasks live, and how many exit.
pub fn counts() -> (usize, usize) {
    let lists = LISTS.lock();
    (lists.tasks.len() - lists.nr_exiting, lists.nr_exiting)
}

/// Moves the current task from the living list to the exiting one.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub(super) fn begin_exit(task: &Task) {
    let mut lists = LISTS.lock();
    task.exiting.store(true, Ordering::Relaxed);
    lists.nr_exiting += 1;
}

/// What an exiting task does last: traceable code, run by a task that is off the task list.
#[inline(never)]
pub(super) fn last_words(task: &Task) {
    // Order: Release pairs with the Acquire of `join`.
    task.finished.store(true, Ordering::Release);
    task.joiners.wake_all();
}

/// Gives a dead task that is off its CPU to the reaper. Context: inside a switch, IRQs masked.
#[inline(always)]
pub(super) fn hand_to_reaper(task: &Task) {
    let entry = core::ptr::from_ref(task).cast_mut();
    let mut head = DEAD_TASKS.load(Ordering::Relaxed);
    loop {
        task.links.after.store(head, Ordering::Relaxed);
        // Order: Release publishes that the task is off its CPU; pairs with the Acquire of `reap`.
        match DEAD_TASKS.compare_exchange(head, entry, Ordering::Release, Ordering::Relaxed) {
            Ok(_) => break,
            Err(now) => head = now,
        }
    }
    defer_wake(&REAPER);
}

/// Drops dead tasks: their stacks and memory (destructors never run inside the switch). Its own task.
pub(super) fn reap() {
    loop {
        REAPER.wait_until(|| !DEAD_TASKS.load(Ordering::Relaxed).is_null());
        let mut at = DEAD_TASKS.swap(core::ptr::null_mut(), Ordering::Acquire);
        // SAFETY: dead tasks are alive as memory until the exiting list lets go of them, below.
        while let Some(task) = unsafe { at.as_ref() } {
            at = task.links.after.load(Ordering::Relaxed);
            assert!(task.state.load(Ordering::Relaxed) == DEAD, "{task:?} is reaped alive");
            // Off the list first: whoever looks at a listed task under the lock may unwind its stack.
            let owner = {
                let mut lists = LISTS.lock();
                lists.nr_exiting -= 1;
                lists.tasks.remove(task.id as usize)
            };
            drop(task.stack.lock().take());
            drop(owner);
        }
    }
}
