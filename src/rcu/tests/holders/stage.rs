//! A stage for looks: tasks that hold what they are told to, one CPU, and a round that finds whom it is told to find.

use core::cell::{Cell, RefCell};

use super::super::world::at_task_level;
use crate::arch::hold_words::HoldWords;
use crate::rcu::schemes::{At, Context, Eyes, Left, Look, Meet, Scheme, Wake, World, irq_out};
use crate::sched::rcu_words::TaskWords;

/// A task, what it holds, and what was done to it.
pub(super) struct Actor {
    pub(super) words: TaskWords,
    /// Numbers of ops, innermost last; its depth is how many.
    pub(super) holds: RefCell<Vec<usize>>,
    pub(super) is_broken: Cell<bool>,
    pub(super) is_watched: Cell<bool>,
    pub(super) is_boosted: Cell<bool>,
}

/// What the first task does behind its CPU's answer.
pub(super) enum Deed {
    GoesOn,
    Leaves,
}

/// Some tasks and some ops; during a round this one is found running, and then this happens.
pub(super) struct Stage<'a> {
    pub(super) scheme: &'a dyn Scheme,
    pub(super) actors: &'a [Actor],
    pub(super) ops: &'a [HoldWords],
    pub(super) number: Cell<u64>,
    pub(super) running: Cell<Option<&'a Actor>>,
    pub(super) after_answer: Cell<Option<Deed>>,
    pub(super) nr_examined: Cell<usize>,
}

impl Stage<'_> {
    fn actor(&self, words: &TaskWords) -> &Actor {
        self.actors.iter().find(|actor| core::ptr::eq(&actor.words, words)).expect("an actor's")
    }

    pub(super) fn seen(&self, number: usize) -> Context<'_> {
        Context { task: &self.actors[number].words, eyes: self }
    }

    /// The task is preempted, or blocks.
    pub(super) fn leave(&self, number: usize) -> Wake {
        self.scheme.off_cpu(&self.seen(number), 0, Left::Alive)
    }

    /// An interrupt of the task ends, and nobody takes its CPU.
    pub(super) fn irq(&self, number: usize) -> Wake {
        let wake = self.irq_exit(number);
        irq_out(self.scheme, &mut false, &self.actors[number].words);
        wake
    }

    /// An interrupt of the task comes to its preemption point.
    pub(super) fn irq_exit(&self, number: usize) -> Wake {
        self.scheme.irq_exit_outermost(&at_task_level(0), &self.seen(number))
    }

    pub(super) fn resume(&self, number: usize) {
        let _ = self.scheme.resume(&self.seen(number));
    }

    /// A look that is the first to judge what came behind look `since`. Which of the ops it keeps.
    pub(super) fn look_since(&self, since: u64) -> Vec<usize> {
        self.number.set(self.number.get() + 2);
        self.scheme.begin(0, self);
        assert_eq!(self.scheme.outstanding(0), 0, "a look waits for nobody");
        let number = self.number.get();
        let is_kept =
            |&op: &usize| self.scheme.keeps_all(number) || self.scheme.keeps(since, self.ops[op].is_held(number));
        let kept = (0..self.ops.len()).filter(is_kept).collect();
        self.scheme.judged();
        kept
    }

    /// A look that finds nothing to judge.
    pub(super) fn look_at_nothing(&self) {
        self.number.set(self.number.get() + 2);
        self.scheme.begin(0, self);
        self.scheme.judged();
    }

    pub(super) fn look(&self) -> Vec<usize> {
        self.look_since(self.number.get() + 2)
    }
}

impl Eyes for Stage<'_> {
    fn each_hold(&self, task: &TaskWords, _: At, who: &dyn Meet) -> bool {
        self.nr_examined.set(self.nr_examined.get() + 1);
        self.actor(task).holds.borrow().iter().for_each(|&op| who.meet(&self.ops[op]));
        !self.actor(task).is_broken.get()
    }
    fn depth(&self, task: &TaskWords) -> u32 {
        self.actor(task).holds.borrow().len() as u32
    }
    fn want_report(&self, task: &TaskWords, is_wanted: bool) {
        self.actor(task).is_watched.set(is_wanted);
    }
    fn agree(&self, _: &TaskWords, _: At) -> bool {
        true
    }
    fn boost(&self, task: &TaskWords, is_waited_for: bool) {
        self.actor(task).is_boosted.set(is_waited_for);
    }
    fn relax(&self) {
        unreachable!("nobody else runs")
    }
}

impl World for Stage<'_> {
    fn nr_cpus(&self) -> usize {
        1
    }
    fn number(&self) -> u64 {
        self.number.get()
    }
    fn visit_every_cpu(&self) {
        let idle = TaskWords::running();
        let task = self.running.get().map_or(&idle, |actor| &actor.words);
        if self.running.get().is_some() {
            let _ = self.scheme.visited(&at_task_level(0), &Context { task, eyes: self });
        } else {
            let _ = self.scheme.visited(&at_task_level(0), &Context { task, eyes: &Nothing });
        }
        match self.after_answer.take() {
            Some(Deed::GoesOn) => self.resume(0),
            Some(Deed::Leaves) => assert_eq!(self.leave(0), Wake::Nobody),
            None => {}
        }
        irq_out(self.scheme, &mut false, task);
    }
    fn wake_workers(&self) {
        unreachable!("nobody works")
    }
    fn for_each_task(&self, _: &dyn Look) {
        unreachable!("a walk of all tasks is what this scheme is there to avoid")
    }
}

/// Eyes on an idle task, which holds nothing.
struct Nothing;

impl Eyes for Nothing {
    fn each_hold(&self, _: &TaskWords, _: At, _: &dyn Meet) -> bool {
        true
    }
    fn depth(&self, _: &TaskWords) -> u32 {
        0
    }
    fn want_report(&self, _: &TaskWords, _: bool) {}
    fn agree(&self, _: &TaskWords, _: At) -> bool {
        true
    }
    fn boost(&self, _: &TaskWords, _: bool) {}
    fn relax(&self) {
        unreachable!("nobody else runs")
    }
}

pub(super) fn actors<const N: usize>(holds: [&[usize]; N]) -> [Actor; N] {
    holds.map(|holds| Actor {
        words: TaskWords::new(),
        holds: RefCell::new(holds.to_vec()),
        is_broken: Cell::new(false),
        is_watched: Cell::new(false),
        is_boosted: Cell::new(false),
    })
}

/// Ops, all of them retired.
pub(super) fn retired<const N: usize>() -> [HoldWords; N] {
    core::array::from_fn(|_| {
        let words = HoldWords::new();
        words.note_retired();
        words
    })
}

pub(super) fn stage<'a>(scheme: &'a dyn Scheme, actors: &'a [Actor], ops: &'a [HoldWords]) -> Stage<'a> {
    scheme.select(true);
    Stage {
        scheme,
        actors,
        ops,
        number: Cell::new(0),
        running: Cell::new(None),
        after_answer: Cell::new(None),
        nr_examined: Cell::new(0),
    }
}
