//! One CPU's runnable tasks: who goes before whom, first in first out, linked through the tasks. Notrace (O8).
//!
//! A task of the high class runs before all normal ones. Within a class tasks take turns of `turn_ticks`: whoever's turn
//! is over, or let go of it, queues last; whoever was taken off by a higher class goes on first, with what is left of its turn
//! (`sched::turn`). A normal task that is boosted takes turns with the high class, until what boosted ones have borrowed is
//! called in ([`Loan`]): then all normal ones go first.
//!
//! Context: the queue's lock is held, IRQs masked.

use crate::sched::fifo::Fifo;
use crate::sched::loan::{Loan, User};
use crate::sched::task::{Class, Task};
use crate::sched::turn::Charges;
use crate::sync::atomic::Ordering;

/// Where a task waits, in one word.
///
/// INVARIANT `one-word`: a task's word is written under the lock of the queue that it names. Whoever holds that lock and
/// reads that the task is on the queue may rely on it until the lock is let go of: to come onto another queue, the task
/// would have to be taken out of this one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sched) struct Place {
    /// The CPU on whose queue it is, or was last.
    pub(in crate::sched) cpu: usize,
    /// The list that it is on, if it is on one.
    list: Option<List>,
}

/// The lists of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List {
    Normal,
    /// Normal tasks that are boosted, and before them whoever of the high class owes what it uses.
    Boosted,
    High,
}

impl List {
    /// Where `task` waits.
    #[inline(always)]
    fn of(task: &Task) -> Self {
        match task.class() {
            Class::Normal => Self::Normal,
            Class::High if task.is_borrower() => Self::Boosted,
            Class::High => Self::High,
        }
    }
}

/// Who goes before whom, now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Boosted tasks whose loan is called in.
    Behind,
    Normal,
    /// The high class, and boosted tasks.
    High,
}

impl Rank {
    /// The rank that goes before this one, if there is one.
    #[inline(always)]
    const fn above(self) -> Option<Self> {
        match self {
            Self::Behind => Some(Self::Normal),
            Self::Normal => Some(Self::High),
            Self::High => None,
        }
    }
}

impl Place {
    const LIST: usize = 0b11;
    const SHIFT: u32 = 2;

    #[inline(always)]
    pub(in crate::sched) const fn from_word(word: usize) -> Self {
        let list = match word & Self::LIST {
            0 => None,
            1 => Some(List::Normal),
            2 => Some(List::Boosted),
            _ => Some(List::High),
        };
        Self { cpu: word >> Self::SHIFT, list }
    }

    #[inline(always)]
    pub(in crate::sched) const fn word(self) -> usize {
        let list = match self.list {
            None => 0,
            Some(List::Normal) => 1,
            Some(List::Boosted) => 2,
            Some(List::High) => 3,
        };
        self.cpu << Self::SHIFT | list
    }
}

pub(in crate::sched) struct RunQueue {
    high: Fifo<Task>,
    boosted: Fifo<Task>,
    normal: Fifo<Task>,
    charges: Charges,
    loan: Loan,
    /// Of those of the high rank a boosted task had the last turn: it is the high class's now.
    boosted_was_last: bool,
}

// SAFETY: the pointers are to tasks, which are shared; the queue's lock guards the links.
unsafe impl Send for RunQueue {}

impl RunQueue {
    /// Nobody waits, and nothing is owed.
    pub(super) const fn new() -> Self {
        Self {
            high: Fifo::new(),
            boosted: Fifo::new(),
            normal: Fifo::new(),
            charges: Charges::new(),
            loan: Loan::new(),
            boosted_was_last: false,
        }
    }

    /// From `now` on its CPU has ticks, of this length, and turns of so many.
    pub(super) fn start_ticks(&mut self, tick: u64, turn_ticks: u32, now: u64) {
        self.charges.start(tick, turn_ticks, now);
    }

    /// Whether `task` waits on this queue, CPU number `cpu`'s.
    #[inline(always)]
    pub(super) fn has(&self, task: &Task, cpu: usize) -> bool {
        let place = task.place();
        place.cpu == cpu && place.list.is_some()
    }

    #[inline(always)]
    fn list(&mut self, list: List) -> &mut Fifo<Task> {
        match list {
            List::High => &mut self.high,
            List::Boosted => &mut self.boosted,
            List::Normal => &mut self.normal,
        }
    }

    /// Puts `task`, which is on no queue, onto its list of this one, CPU number `cpu`'s: before the others if it goes on with a
    /// turn that it had there (a higher class only ever borrows the CPU) or is the first of the borrowers, else behind them.
    #[inline(always)]
    pub(super) fn push(&mut self, task: &Task, cpu: usize) {
        let list = List::of(task);
        task.place.store(Place { cpu, list: Some(list) }.word(), Ordering::Relaxed);
        let goes_first = task.is_first_borrower() || task.balance.has_turn(&self.charges) && task.cpu() == cpu;
        let list = self.list(list);
        // SAFETY: `linked-once`. 1. On no queue: the caller. 2. It lives: the task list holds it until it is dead and off
        //    its CPU, and `place` says under this lock that it is not to be queued again.
        unsafe { if goes_first { list.push_first(task) } else { list.push(task) } }
    }

    /// Takes note that `task` was taken out.
    #[inline(always)]
    fn note_taken(task: &Task) {
        task.place.store(Place { list: None, ..task.place() }.word(), Ordering::Relaxed);
    }

    /// Moves `task` to its list, if it is on another one of this queue, CPU number `cpu`'s.
    #[inline(always)]
    pub(super) fn requeue(&mut self, task: &Task, cpu: usize) {
        let place = task.place();
        let Some(list) = place.list.filter(|&list| place.cpu == cpu && list != List::of(task)) else { return };
        // SAFETY: on this list: `one-word`.
        unsafe { self.list(list).remove(task) };
        self.push(task, cpu);
    }

    /// A task that may not run on `cpu`, if there is one.
    #[inline(always)]
    pub(super) fn take_unfit(&mut self, cpu: usize) -> Option<&'static Task> {
        let unfit = |task: &Task| !task.may_run_on(cpu);
        let unfit = self.high.take(unfit).or_else(|| self.boosted.take(unfit)).or_else(|| self.normal.take(unfit));
        unfit.inspect(|task| Self::note_taken(task))
    }

    /// What `task` counts as now.
    #[inline(always)]
    pub(super) fn rank(&self, task: &Task) -> Rank {
        match List::of(task) {
            List::Normal => Rank::Normal,
            List::Boosted if self.loan.is_called_in() => Rank::Behind,
            List::Boosted | List::High => Rank::High,
        }
    }

    /// A task for `cpu`, which has none.
    #[inline(always)]
    pub(super) fn steal(&mut self, cpu: usize) -> Option<&'static Task> {
        self.take(cpu, Rank::Behind, self.loan.is_called_in())
    }

    /// The next task for `cpu`, of rank `least` or above; no boosted one before a normal one if they are barred.
    #[inline(always)]
    fn take(&mut self, cpu: usize, least: Rank, is_barred: bool) -> Option<&'static Task> {
        let fits = |task: &Task| task.may_run_on(cpu);
        let mut next = if self.boosted.is_empty() || is_barred { None } else { self.take_before_normal(cpu) };
        if next.is_none() {
            next = self.high.take(fits);
            self.boosted_was_last = false;
        }
        if next.is_none() && least <= Rank::Normal {
            next = self.normal.take(fits);
        }
        if next.is_none() && least == Rank::Behind {
            next = self.boosted.take(fits);
        }
        next.inspect(|task| {
            Self::note_taken(task);
            task.balance.begin(&self.charges);
        })
    }

    /// Of the boosted ones and the high class, who take turns, the next one.
    #[inline(always)]
    fn take_before_normal(&mut self, cpu: usize) -> Option<&'static Task> {
        let fits = |task: &Task| task.may_run_on(cpu);
        let high = if self.boosted_was_last { self.high.take(fits) } else { None };
        self.boosted_was_last = high.is_none();
        high.or_else(|| self.boosted.take(fits))
    }

    /// Charges `task`, which runs, with what it has used of the CPU until `now`; it keeps its turn, or gives it up.
    #[inline(always)]
    pub(super) fn charge(&mut self, task: &Task, now: u64, keeps_turn: bool) {
        let used = self.charges.at_switch(now);
        task.balance.charge(used, keeps_turn);
        self.note_use(task, used);
    }

    /// What is borrowed.
    #[inline(always)]
    fn note_use(&mut self, task: &Task, used: i64) {
        // Else nothing is owed, and nobody has borrowed.
        if !task.is_borrower() && !self.loan.is_owed() {
            return;
        }
        let user = match List::of(task) {
            _ if task.is_idle() => User::Idle,
            List::Boosted => User::Boosted { others_wait: !self.normal.is_empty() },
            List::High => User::High,
            List::Normal => User::Normal,
        };
        self.loan.note(used.max(0) as u64, self.charges.tick(), user);
    }

    /// The next task for `cpu`, which `prev` leaves at `now`, or stays on if there is none. Whoever stays, and keeps its turn, goes
    /// before others of its rank while that lasts.
    #[inline(always)]
    pub(in crate::sched) fn next(
        &mut self,
        cpu: usize,
        prev: &Task,
        stays: bool,
        keeps_turn: bool,
        now: u64,
    ) -> Option<&'static Task> {
        self.charge(prev, now, keeps_turn);
        let has_turn = keeps_turn && prev.balance.has_turn(&self.charges);
        let rank = self.rank(prev);
        let least = match stays {
            false => Some(Rank::Behind),
            true if has_turn => rank.above(),
            true => Some(rank),
        };
        // Where one of the high class has used up its turn and wants another, normal ones would not run in any case: the debt waits.
        let is_between_turns = stays && !has_turn && List::of(prev) == List::High;
        let is_barred = self.loan.is_called_in() && !is_between_turns;
        let next = least.and_then(|least| self.take(cpu, least, is_barred));
        if next.is_none() && stays {
            prev.balance.begin(&self.charges);
        }
        next
    }

    /// At a tick, which comes at `now`: charges `task`, which runs. Returns whether its turn was over before the tick, and
    /// whether it is over now.
    #[inline(always)]
    pub(in crate::sched) fn charge_at_tick(&mut self, task: &Task, now: u64) -> (bool, bool) {
        let was_over = !task.balance.has_turn(&self.charges);
        let used = self.charges.at_tick(now);
        task.balance.charge_at_tick(used, &self.charges);
        self.note_use(task, used);
        (was_over, !task.balance.has_turn(&self.charges))
    }

    /// Whether somebody waits who goes before `task`, which runs, by what is owed now.
    #[inline(always)]
    pub(in crate::sched) fn is_outranked(&self, task: &Task) -> bool {
        match self.rank(task) {
            Rank::High => false,
            Rank::Normal => !self.boosted.is_empty() && !self.loan.is_called_in(),
            Rank::Behind => !self.normal.is_empty() || !self.high.is_empty(),
        }
    }
}
