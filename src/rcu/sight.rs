//! What is seen of a task that something retired waits for: read in one stretch with the task lists locked, of one chain, and told
//! behind it.
//!
//! A task that does not run is read while it may go on: what was read is believed only if it has stayed (`sched::Stay`). Before it
//! is read the graveyard is locked, so that nothing elapses: what a chain held that has stayed lives until that lock is let go of.
//! Locks, from the outside in: the task lists, the graveyard. Context: as each function says.

use super::gp_task::rcu;
use super::named::Held;
use crate::arch::site::OpsHeader;
use crate::arch::unwind::{Frames, Holds};
use crate::console::epitaph::{Line, MOST_LINES, lines};
use crate::mm::heap;
use crate::sched::roll::Stretch;
use crate::sched::{Stay, Task};
use crate::sync::atomic::Ordering;
use core::fmt;

/// Trampolines inside each other that are told; a report shows the frames of all.
const MOST_HELD: usize = 4;

/// Whether something retired waits for the task. Context: a task list is locked, or the task stays.
#[inline(always)]
pub(super) fn is_holdout(task: &Task) -> bool {
    examine(task).0
}

/// Whether something retired waits for the task, and whether its stack had to be read for that. Context: as [`is_holdout`].
#[inline(always)]
pub(super) fn examine(task: &Task) -> (bool, Stretch) {
    if task.rcu.holdout.load(Ordering::Relaxed) {
        return (true, Stretch::GoesOn);
    }
    examine_unmarked(task)
}

/// The same of a task that is not marked: it sleeps, and was examined before what it holds was retired. Context: as [`is_holdout`].
#[inline(always)]
pub(super) fn examine_unmarked(task: &Task) -> (bool, Stretch) {
    if task.rcu.holdout.load(Ordering::Relaxed)
        || task.rcu.nr_counted.load(Ordering::Relaxed) == 0
        || !task.is_off_cpu()
    {
        return (false, Stretch::GoesOn);
    }
    (names_retired(Holds::of(Frames::from_fp(task.saved_fp()))), Stretch::Ends)
}

/// Whether a chain holds what is retired, as far as can be told of a task that may go on meanwhile. No closure: those can be traced.
#[inline(always)]
fn names_retired(holds: Holds) -> bool {
    for hold in holds {
        // A task that goes on at this instant may have left anything where its frame was.
        let last = hold.ops.addr().saturating_add(size_of::<OpsHeader>() - 1);
        let can_be_ops = hold.ops.is_aligned() && heap::holds(hold.ops.addr()) && heap::holds(last);
        // SAFETY: aligned, and from end to end in the heap, which is mapped: what is read is told, not believed.
        if can_be_ops && unsafe { &*hold.ops }.holds.is_retired() {
            return true;
        }
    }
    false
}

/// Who a task is, and where.
#[derive(Clone, Debug)]
pub(super) struct Who {
    number: u32,
    name: heapless::String<15>,
    cpu: usize,
}

impl Who {
    pub(super) fn of(task: &Task) -> Self {
        // Fits: a task's name is as short.
        Self { number: task.id, name: task.name().try_into().unwrap_or_default(), cpu: task.cpu() }
    }
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {} {} on CPU {}", self.number, self.name, self.cpu)
    }
}

/// A holder in a line: who it is, and what it holds innermost if it is off its CPU.
#[derive(Clone, Debug)]
pub(super) struct HolderLine {
    who: Who,
    runs: bool,
    held: Option<Held>,
}

impl HolderLine {
    /// Context: the task lists are locked, the graveyard is not.
    pub(super) fn of(task: &Task) -> Self {
        let runs = task.is_running();
        Self { who: Who::of(task), runs, held: if runs { None } else { innermost(task) } }
    }
}

fn innermost(task: &Task) -> Option<Held> {
    let _nothing_elapses = rcu().graveyard.lock();
    let stay = Stay::of(task)?;
    let frames = Frames::from_fp(stay.fp());
    let hold = Holds::of(frames).next()?;
    stay.lasts().then(|| Held::of(hold, frames))
}

impl fmt::Display for HolderLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.who)?;
        match &self.held {
            _ if self.runs => f.write_str(" runs"),
            Some(held) => write!(f, " is {held}"),
            None => Ok(()),
        }
    }
}

/// A holdout as a report shows it.
#[derive(Debug)]
pub(super) struct Sight {
    who: Option<(Who, &'static str)>,
    held: heapless::Vec<Held, MOST_HELD>,
    lines: heapless::Vec<Line, MOST_LINES>,
    nr_more: usize,
}

impl Sight {
    /// Of nobody.
    pub(super) const fn new() -> Self {
        Self { who: None, held: heapless::Vec::new(), lines: heapless::Vec::new(), nr_more: 0 }
    }

    /// Reads a task that is off its CPU: if it goes on meanwhile, only who it is. Context: as [`HolderLine::of`].
    pub(super) fn read_saved(&mut self, task: &Task) {
        let _nothing_elapses = rcu().graveyard.lock();
        let stay = Stay::of(task);
        self.begin(task, task.state_name());
        if let Some(stay) = stay {
            self.read(Frames::from_fp(stay.fp()), || stay.lasts());
        }
    }

    /// Reads the running task, from these frames of its own on. Context: that task, or an interrupt on top of it.
    #[inline(never)]
    pub(super) fn read_running(&mut self, task: &Task, frames: Frames) {
        let _nothing_elapses = rcu().graveyard.lock();
        self.begin(task, "running");
        self.read(frames, || true);
    }

    fn begin(&mut self, task: &Task, state: &'static str) {
        self.who = Some((Who::of(task), state));
        self.held.clear();
        self.forget_frames();
    }

    /// `stays` says whether the frames are still there.
    fn read(&mut self, frames: Frames, stays: impl Fn() -> bool) {
        for hold in Holds::of(frames).take(MOST_HELD) {
            if !stays() {
                return;
            }
            // Fits: so many at most.
            let _ = self.held.push(Held::of(hold, frames));
        }
        let mut rest = lines(frames);
        self.lines.extend(rest.by_ref().take(MOST_LINES));
        self.nr_more = rest.map(|line| line.nr_frames()).sum();
        if !stays() {
            self.forget_frames();
        }
    }

    fn forget_frames(&mut self) {
        self.lines.clear();
        self.nr_more = 0;
    }

    /// Hands out the lines that tell of it, and forgets it. Context: nothing is locked.
    pub(super) fn tell(&mut self, mut say: impl FnMut(fmt::Arguments<'_>)) {
        let Some((who, state)) = self.who.take() else { return };
        say(format_args!("rcu:   {who}, {state}"));
        self.held.iter().for_each(|held| say(format_args!("rcu:     {held}")));
        self.lines.iter().for_each(|line| say(format_args!("{line}")));
        if self.nr_more > 0 {
            say(format_args!("  and {} more", self.nr_more));
        }
    }
}
