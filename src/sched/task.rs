//! A task: what it is, where it is, and the state word that says who may touch it.

use super::fifo::{Linked, Links};
use super::rcu_words::TaskWords;
use super::runqueue::Place;
use super::starved::Starved;
use super::turn::Balance;
use super::wait::WaitQueue;
use super::waiting::Waiting;
use crate::arch::context::SavedContext;
use crate::arch::cpu;
use crate::arch::site::TaskHeader;
use crate::mm::stack::Stack;
use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::held::Held;
use crate::sync::lock::IrqLock;
use alloc::boxed::Box;
use core::cell::UnsafeCell;

/// Runs, or waits on a run queue.
pub(super) const RUNNABLE: u32 = 0;
/// Runs, and intends to block: a waker only puts it back to RUNNABLE.
pub(super) const BLOCKING: u32 = 1;
/// Off the CPU, its context saved, on no queue.
pub(super) const BLOCKED: u32 = 2;
/// Never runs again.
pub(super) const DEAD: u32 = 3;

/// The two priority classes. A runnable task of the high class runs before any of the normal one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Class {
    /// Shares the CPU in turns.
    Normal,
    /// Before all normal tasks.
    High,
}

/// Why a task runs before normal ones though it may be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Boost {
    /// It does not.
    None,
    /// As one of the high class.
    Full,
    /// For half of its CPU's time at most while normal ones want that.
    Lent,
}

/// The work that a task was spawned for.
pub(super) type Work = Box<dyn FnOnce() + Send>;

/// A kernel thread. SP_EL0 points to the header of the one that runs.
#[repr(C)]
pub struct Task {
    /// The words at fixed offsets. First: a header's address is its task's.
    pub header: TaskHeader,
    /// Its number, from 1; idle tasks have 0.
    pub id: u32,
    name: heapless::String<15>,
    pub(super) state: AtomicU32,
    class: AtomicU8,
    boost: AtomicU8,
    /// It is of the high class, and owes normal tasks what it uses: see [`super::owe`].
    pub(super) owes: AtomicBool,
    /// The CPUs that it may run on, one bit each.
    pub(super) affinity: AtomicU32,
    pub(super) cpu: AtomicUsize,
    /// The run queue that it is on, or was last: a [`Place`].
    pub(super) place: AtomicUsize,
    is_idle: bool,
    /// Voluntary switches away from it.
    pub nvcsw: AtomicU64,
    /// Involuntary ones.
    pub nivcsw: AtomicU64,
    /// Times that it went on on another CPU.
    pub migrations: AtomicU64,
    /// Ticks that found it running.
    pub ticks_run: AtomicU64,
    /// Whether the last switch away from it was voluntary. Written before the context is saved.
    pub(super) left_voluntarily: AtomicBool,
    /// Some CPU runs it, or has not finished leaving it.
    pub(super) on_cpu: AtomicBool,
    /// It is runnable, off its CPU, held back, and on no queue.
    pub(super) is_left_over: AtomicBool,
    /// It is in `exit`, and on the exiting list.
    pub(super) exiting: AtomicBool,
    /// What `rcu` keeps about it.
    pub rcu: TaskWords,
    /// What `lab` keeps about it: the call it is inside of.
    pub lab: AtomicUsize,
    /// What is left of its turn, under the lock of the run queue that it is on, or whose CPU runs it.
    pub(super) balance: Balance,
    /// Its neighbours on the run queue, under that queue's lock, or who is after it on the reaper's list.
    pub(super) links: Links<Task>,
    pub(super) context: UnsafeCell<SavedContext>,
    pub(super) stack: IrqLock<Option<Stack>>,
    pub(super) work: IrqLock<Option<Work>>,
    pub(super) finished: AtomicBool,
    pub(super) joiners: WaitQueue,
    /// What it waits for without a deadline.
    pub waiting: Waiting,
    /// What the watchdog has seen of its waits for a CPU.
    pub starved: Starved,
    /// The mutexes that it holds.
    pub held: Held,
}

// SAFETY: all fields but `context` are atomics or locked; `context` is touched under `off-cpu`.
unsafe impl Sync for Task {}
// SAFETY: a task owns nothing that is bound to a CPU.
unsafe impl Send for Task {}

impl Task {
    pub(super) fn new(id: u32, name: &str, class: Class, affinity: u32, is_idle: bool) -> Self {
        let mut short = heapless::String::new();
        for character in name.chars() {
            // A longer name is cut.
            if short.push(character).is_err() {
                break;
            }
        }
        Self {
            header: TaskHeader { number: AtomicU32::new(id), ..TaskHeader::new() },
            id,
            name: short,
            state: AtomicU32::new(RUNNABLE),
            class: AtomicU8::new(class as u8),
            boost: AtomicU8::new(Boost::None as u8),
            owes: AtomicBool::new(false),
            affinity: AtomicU32::new(affinity),
            cpu: AtomicUsize::new(0),
            place: AtomicUsize::new(0),
            is_idle,
            nvcsw: AtomicU64::new(0),
            nivcsw: AtomicU64::new(0),
            migrations: AtomicU64::new(0),
            ticks_run: AtomicU64::new(0),
            left_voluntarily: AtomicBool::new(false),
            on_cpu: AtomicBool::new(false),
            is_left_over: AtomicBool::new(false),
            exiting: AtomicBool::new(false),
            rcu: TaskWords::default(),
            lab: AtomicUsize::new(0),
            balance: Balance::new(),
            links: Links::new(),
            context: UnsafeCell::new(SavedContext::default()),
            stack: IrqLock::new(None),
            work: IrqLock::new(None),
            finished: AtomicBool::new(false),
            joiners: WaitQueue::new(),
            waiting: Waiting::new(),
            starved: Starved::new(),
            held: Held::new(),
        }
    }

    /// The task that these words belong to.
    ///
    /// # Safety
    /// They are the `rcu` of a task, not words that stand alone.
    #[inline(always)]
    pub unsafe fn of_words(words: &TaskWords) -> &Self {
        let task = (&raw const *words).wrapping_byte_sub(core::mem::offset_of!(Self, rcu)).cast::<Self>();
        // SAFETY: the caller says that the words are this field of a task, which lives as long as they are borrowed.
        unsafe { &*task }
    }

    /// Its name, cut to 15 bytes.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The CPU that it runs on, or ran on last.
    #[inline(always)]
    pub fn cpu(&self) -> usize {
        self.cpu.load(Ordering::Relaxed)
    }

    /// Whether it is a CPU's idle task.
    #[inline(always)]
    pub const fn is_idle(&self) -> bool {
        self.is_idle
    }

    /// Whether it is off its CPU by a voluntary switch that blocked it.
    ///
    /// Order: Acquire pairs with the release CAS of `finish`: its saved context, and all it did, are visible.
    #[inline(always)]
    pub fn is_blocked(&self) -> bool {
        self.state.load(Ordering::Acquire) == BLOCKED
    }

    /// Whether it is off its CPU: its context is saved. It may go on at any time, unless the caller keeps it from that.
    ///
    /// Order: Acquire pairs with the Release of `finish`: its saved context, and all it did, are visible (O11).
    #[inline(always)]
    pub fn is_off_cpu(&self) -> bool {
        !self.on_cpu.load(Ordering::Acquire)
    }

    /// Whether it has begun to exit: it left the task list and is on the exiting list.
    #[inline(always)]
    pub fn is_exiting(&self) -> bool {
        self.exiting.load(Ordering::Relaxed)
    }

    /// Its class, with a boost counted in.
    #[inline(always)]
    pub fn class(&self) -> Class {
        if self.class.load(Ordering::Relaxed) == Class::High as u8 || self.is_boosted() {
            Class::High
        } else {
            Class::Normal
        }
    }

    /// Whether somebody waits for it and has let it run before normal tasks.
    #[inline(always)]
    pub fn is_boosted(&self) -> bool {
        self.boost.load(Ordering::Relaxed) != Boost::None as u8
    }

    /// Whether what it uses of its CPU while normal tasks wait for that is borrowed from them.
    #[inline(always)]
    pub(super) fn is_borrower(&self) -> bool {
        self.boost.load(Ordering::Relaxed) == Boost::Lent as u8
            && self.class.load(Ordering::Relaxed) == Class::Normal as u8
            || self.is_first_borrower()
    }

    /// Whether it goes before the other borrowers: see [`super::owe`].
    #[inline(always)]
    pub(super) fn is_first_borrower(&self) -> bool {
        self.owes.load(Ordering::Relaxed)
    }

    /// Counts it among the high class or not; what has to follow is done by [`super::boost`] and [`super::unboost`].
    #[inline(always)]
    pub(super) fn set_boost(&self, boost: Boost) {
        self.boost.store(boost as u8, Ordering::Relaxed);
    }

    /// Where it waits, or waited last; to rely on, under the lock of that queue alone.
    #[inline(always)]
    pub(super) fn place(&self) -> Place {
        Place::from_word(self.place.load(Ordering::Relaxed))
    }

    /// Whether it may run on CPU number `cpu`.
    #[inline(always)]
    pub(super) fn may_run_on(&self, cpu: usize) -> bool {
        self.affinity.load(Ordering::Relaxed) & 1 << cpu != 0
    }

    /// Whether it belongs to one CPU.
    pub fn is_pinned(&self) -> bool {
        self.affinity.load(Ordering::Relaxed).is_power_of_two()
    }

    /// Whether it may run nowhere: see [`super::hold_back`].
    #[inline(always)]
    pub(super) fn is_held_back(&self) -> bool {
        self.affinity.load(Ordering::Relaxed) == 0
    }

    /// Its state in one word, as `ps` prints it. Runs or waits to: what a glance can tell.
    pub fn state_name(&self) -> &'static str {
        match self.state.load(Ordering::Relaxed) {
            RUNNABLE if core::ptr::eq(cpu::current(), &raw const self.header) => "running",
            RUNNABLE => "runnable",
            BLOCKING | BLOCKED => "blocked",
            _ => "dead",
        }
    }

    /// The frame pointer that heads its saved stack. Meaningful while it is off its CPU.
    pub fn saved_fp(&self) -> usize {
        // SAFETY: a plain word of the saved context; a torn or stale value only misleads a backtrace, which
        // reads nothing outside stacks.
        unsafe { (&raw const (*self.context.get()).fp).read_volatile() as usize }
    }

    /// The CPU that it waits for: it could run there, and does not. A glance.
    #[inline(always)]
    pub fn waits_for_cpu(&self) -> Option<usize> {
        let waits = self.state.load(Ordering::Relaxed) == RUNNABLE && !self.is_running() && !self.is_held_back();
        waits.then(|| self.place().cpu)
    }

    /// Whether it is the current task of some CPU right now, as far as run queues tell.
    #[inline(always)]
    pub fn is_running(&self) -> bool {
        super::runqueue::is_current(self)
    }
}

impl Linked for Task {
    #[inline(always)]
    fn links(&self) -> &Links<Self> {
        &self.links
    }
}

impl core::fmt::Debug for Task {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.is_idle {
            true => f.write_str(self.name()),
            false => write!(f, "{}-{}", self.name(), self.id),
        }
    }
}
