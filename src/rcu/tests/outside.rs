//! Who is looked at before a change of schemes.

use core::cell::{Cell, RefCell};

use crate::rcu::outside::{Sights, begin, is_anybody_inside, seen};
use crate::sched::rcu_words::TaskWords;

/// A task on one CPU or off it, as it was at the last look.
#[derive(Default)]
struct Actor {
    words: TaskWords,
    is_inside: Cell<bool>,
    runs: Cell<bool>,
}

/// Some tasks; after each look the next of these things happens.
struct Stage<'a> {
    actors: &'a [Actor],
    happens: RefCell<Vec<&'a dyn Fn()>>,
}

impl Stage<'_> {
    fn go_on(&self) {
        if let Some(happens) = self.happens.borrow_mut().pop() {
            happens();
        }
    }
}

impl Sights for Stage<'_> {
    fn for_each_task(&self, show: &dyn Fn(&TaskWords, &dyn Fn() -> bool)) {
        for actor in self.actors {
            show(&actor.words, &|| !actor.runs.get() && !actor.is_inside.get());
        }
        self.go_on();
    }

    fn visit_every_cpu(&self) -> bool {
        let running = || self.actors.iter().filter(|actor| actor.runs.get());
        running().filter(|actor| !actor.is_inside.get()).for_each(|actor| seen(&actor.words));
        let are_outside = !running().any(|actor| actor.is_inside.get());
        self.go_on();
        are_outside
    }
}

#[test]
fn a_task_that_runs_at_one_look_and_not_at_the_other_is_met() {
    for runs_at_first in [false, true] {
        let actors = [Actor { is_inside: Cell::new(true), runs: Cell::new(runs_at_first), ..Actor::default() }];
        let turn = || actors[0].runs.set(!actors[0].runs.get());
        for looks in 1..6 {
            let stage = Stage { actors: &actors, happens: RefCell::new(vec![&turn; looks]) };
            begin(&stage);
            assert!((0..3).all(|_| is_anybody_inside(&stage)), "{runs_at_first}, {looks}");
        }
    }
}

#[test]
fn tasks_that_never_rest_and_new_ones_do_not_keep_it_from_ending() {
    let actors = [Actor { runs: Cell::new(true), ..Actor::default() }, Actor::default()];
    begin(&Stage { actors: &actors[..1], happens: RefCell::default() });
    let goes_on = || actors.iter().for_each(|actor| actor.runs.set(true));
    let stage = Stage { actors: &actors, happens: RefCell::new(vec![&goes_on; 4]) };
    assert!(!is_anybody_inside(&stage));
}
