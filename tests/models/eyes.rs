//! A task as schemes see it that look inside: its frames and its trampoline depth.
//!
//! Frames are plain memory: loom fails a model that reads them while their task goes on. An interrupt's calls stand on the
//! frames of the task that it interrupts, as they do on its stack.

use std::cell::Cell;

use loom::cell::UnsafeCell;
use loom::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use crate::kernel::{Fault, Kernel};
use crate::rcu::schemes::{At, Eyes, Meet};
use crate::sched::rcu_words::TaskWords;

thread_local! {
    // All threads of a loom model are coroutines on one thread of the system, and none is set aside inside of an access.
    static TOUCHES_FRAMES: Cell<bool> = const { Cell::new(false) };
}

/// Whether the access that failed was one to frames; forgets it.
pub fn frames_were_touched() -> bool {
    TOUCHES_FRAMES.take()
}

/// A live trampoline: the ops that it names, and how many interrupts stand below it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    pub(crate) ops: usize,
    pub(crate) level: usize,
}

/// A task: its words, and what is on its stack.
pub(crate) struct TaskState {
    pub(crate) words: TaskWords,
    depth: AtomicU32,
    report_is_wanted: AtomicBool,
    frames: UnsafeCell<Vec<Frame>>,
}

impl TaskState {
    pub(crate) fn new(words: TaskWords) -> Self {
        Self {
            words,
            depth: AtomicU32::new(0),
            report_is_wanted: AtomicBool::new(false),
            frames: UnsafeCell::new(Vec::new()),
        }
    }

    fn frames(&self) -> Vec<Frame> {
        TOUCHES_FRAMES.set(true);
        // SAFETY: 1. The cell is alive. 2. loom fails the model if somebody writes at the same time.
        let frames = self.frames.with(|frames| unsafe { (*frames).clone() });
        TOUCHES_FRAMES.set(false);
        frames
    }

    fn change_frames(&self, change: impl FnOnce(&mut Vec<Frame>)) {
        TOUCHES_FRAMES.set(true);
        // SAFETY: 1. The cell is alive. 2. loom fails the model if somebody else looks at the same time.
        self.frames.with_mut(|frames| change(unsafe { &mut *frames }));
        TOUCHES_FRAMES.set(false);
    }

    pub(crate) fn push(&self, frame: Frame) {
        self.change_frames(|frames| frames.push(frame));
    }

    pub(crate) fn pop(&self) {
        self.change_frames(|frames| {
            frames.pop();
        });
    }

    /// The trampoline counts this task as inside once more. Context: its own CPU.
    pub(crate) fn deepen(&self) {
        self.depth.store(self.depth.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// Once less.
    pub(crate) fn rise(&self, order: Ordering) {
        self.depth.store(self.depth.load(Ordering::Relaxed) - 1, order);
    }

    pub(crate) fn report_is_wanted(&self) -> bool {
        self.report_is_wanted.load(Ordering::Relaxed)
    }
}

/// Who looks at tasks: a CPU at the one that it runs, the grace-period task at all.
pub(crate) trait Onlooker {
    fn kernel(&self) -> &Kernel;

    /// The state of a task of our own, idle among them.
    fn own(&self, words: &TaskWords) -> &TaskState;

    /// How many interrupts stand below the one that we look from.
    fn nesting(&self) -> usize;

    fn state(&self, words: &TaskWords) -> &TaskState {
        let is_it = |state: &&TaskState| std::ptr::eq(&raw const state.words, words);
        self.kernel().tasks.iter().find(is_it).unwrap_or_else(|| self.own(words))
    }
}

impl<T: Onlooker> Eyes for T {
    fn each_hold(&self, task: &TaskWords, at: At, who: &dyn Meet) -> bool {
        let kernel = self.kernel();
        let is_seen = |frame: &&Frame| match kernel.world.fault {
            Fault::OnlyTheTaskIsSeen => frame.level == 0,
            Fault::OnlyTheInnermostIsSeen => at == At::Saved || frame.level == self.nesting(),
            _ => true,
        };
        let frames = self.state(task).frames();
        frames.iter().filter(is_seen).for_each(|frame| who.meet(kernel.holds_of(frame.ops)));
        true
    }

    fn depth(&self, task: &TaskWords) -> u32 {
        self.state(task).depth.load(Ordering::Acquire)
    }

    fn want_report(&self, task: &TaskWords, is_wanted: bool) {
        self.state(task).report_is_wanted.store(is_wanted, Ordering::Relaxed);
    }

    /// Each frame is counted; the trampoline counts before its frame is whole and after it is popped.
    fn agree(&self, task: &TaskWords, _: At) -> bool {
        let nr_frames = u32::try_from(self.state(task).frames().len()).expect("a few frames");
        self.kernel().world.fault != Fault::None || nr_frames <= self.depth(task)
    }

    fn boost(&self, _: &TaskWords, _: bool) {}

    fn relax(&self) {
        loom::thread::yield_now();
    }
}
