//! The list of holders, step by step: who is listed, who is marked, and what takes a mark.

use core::cell::{Cell, RefCell};

use super::world::at_task_level;
use crate::rcu::schemes::holders::{Holders, Probe};
use crate::rcu::schemes::{At, Context, Eyes, Left, Look, Scheme, Trampoline, Wake, What, World};
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::Ordering;

const NUMBER: u64 = 4;

/// Holds, for a number: what the eyes below say.
#[derive(Debug)]
struct Says;

impl Probe for Says {
    const NAME: &'static str = "says";
    const TRAMPOLINE: Trampoline = Trampoline::Plain;

    fn may_hold(context: &Context<'_>, at: At) -> bool {
        context.eyes.holds(context.task, at, What::Anything)
    }
    fn holds(context: &Context<'_>, at: At, number: u64) -> bool {
        context.eyes.holds(context.task, at, What::RetiredBy(number))
    }
    fn watch(context: &Context<'_>, is_waited_for: bool) {
        context.eyes.want_report(context.task, is_waited_for);
    }
}

/// A task, what it holds, and what was done to it.
#[derive(Default)]
struct Actor {
    words: TaskWords,
    /// Nothing, or by which grace period it is freed.
    holds: Cell<Option<u64>>,
    is_watched: Cell<bool>,
    is_boosted: Cell<bool>,
}

/// Some tasks; during a round this one is found running, and then this happens; that happens at the first look at anybody.
struct Stage<'a> {
    actors: &'a [Actor],
    running: Option<&'a Actor>,
    after_answer: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
    at_look: RefCell<Option<Box<dyn FnOnce() + 'a>>>,
    scheme: &'a Holders<Says>,
}

impl Stage<'_> {
    fn actor(&self, words: &TaskWords) -> &Actor {
        self.actors.iter().find(|actor| core::ptr::eq(&actor.words, words)).expect("an actor's")
    }
}

impl Eyes for Stage<'_> {
    fn holds(&self, task: &TaskWords, _: At, what: What) -> bool {
        if let Some(happens) = self.at_look.borrow_mut().take() {
            happens();
        }
        match (self.actor(task).holds.get(), what) {
            (None, _) => false,
            (Some(_), What::Anything) => true,
            (Some(retired), What::RetiredBy(number)) => retired != 0 && retired <= number,
        }
    }
    fn depth(&self, _: &TaskWords) -> u32 {
        unreachable!("this probe does not count")
    }
    fn want_report(&self, task: &TaskWords, is_wanted: bool) {
        self.actor(task).is_watched.set(is_wanted);
    }
    fn agree(&self, _: &TaskWords, _: At) -> bool {
        unreachable!("this probe does not count")
    }
    fn boost(&self, task: &TaskWords, is_waited_for: bool) {
        self.actor(task).is_boosted.set(is_waited_for);
    }
}

impl World for Stage<'_> {
    fn nr_cpus(&self) -> usize {
        1
    }
    fn number(&self) -> u64 {
        NUMBER
    }
    fn visit_every_cpu(&self) {
        if let Some(running) = self.running {
            let _ = self.scheme.visited(&at_task_level(0), &Context { task: &running.words, eyes: self });
        }
        if let Some(happens) = self.after_answer.borrow_mut().take() {
            happens();
        }
    }
    fn wake_workers(&self) {
        unreachable!("nobody works")
    }
    fn for_each_task(&self, _: &dyn Look) {
        unreachable!("a walk of all tasks is what this scheme is there to avoid")
    }
}

fn scheme() -> Holders<Says> {
    let scheme = Holders::new();
    scheme.select(true);
    scheme
}

fn actors<const N: usize>(holds: [Option<u64>; N]) -> [Actor; N] {
    holds.map(|holds| Actor { holds: Cell::new(holds), ..Actor::default() })
}

fn stage<'a>(scheme: &'a Holders<Says>, actors: &'a [Actor]) -> Stage<'a> {
    Stage { actors, running: None, after_answer: RefCell::new(None), at_look: RefCell::new(None), scheme }
}

fn seen<'a>(actor: &'a Actor, stage: &'a Stage<'_>) -> Context<'a> {
    Context { task: &actor.words, eyes: stage }
}

/// The task is preempted, or blocks.
fn leave(actor: &Actor, stage: &Stage<'_>) -> Wake {
    stage.scheme.off_cpu(&seen(actor, stage), Left::Alive)
}

fn is_listed(actor: &Actor) -> bool {
    actor.words.listed.load(Ordering::Relaxed)
}

#[test]
fn only_holders_are_listed_and_only_those_of_what_is_freed_now_are_waited_for() {
    let (scheme, actors) = (scheme(), actors([None, Some(0), Some(NUMBER), Some(NUMBER + 2), Some(NUMBER - 2)]));
    let stage = stage(&scheme, &actors);
    for actor in &actors {
        assert_eq!(leave(actor, &stage), Wake::Nobody);
    }
    assert_eq!(actors.each_ref().map(is_listed), [false, true, true, true, true]);
    scheme.begin(0, &stage);
    assert_eq!(scheme.outstanding(0), 2, "what this one frees, and what an earlier one should have");
    let is_marked = |actor: &Actor| actor.words.holdout.load(Ordering::Relaxed);
    assert_eq!(actors.each_ref().map(is_marked), [false, false, true, false, true]);
    assert_eq!(actors.each_ref().map(|actor| actor.is_boosted.get()), [false, false, true, false, true]);
    assert_eq!(actors.each_ref().map(|actor| actor.is_watched.get()), [false, false, true, false, true]);
}

#[test]
fn the_last_mark_is_taken_where_its_task_is_seen_without_a_hold() {
    for seen_at in ["switch", "irq", "report", "death"] {
        let (scheme, actors) = (scheme(), actors([Some(NUMBER)]));
        let (stage, actor) = (stage(&scheme, &actors), &actors[0]);
        assert_eq!(leave(actor, &stage), Wake::Nobody);
        scheme.begin(0, &stage);
        scheme.resume(&seen(actor, &stage));
        assert!(is_listed(actor), "it stays listed when it is resumed");
        assert_eq!(scheme.irq_exit_outermost(&at_task_level(0), &seen(actor, &stage)), Wake::Nobody);
        assert_eq!(scheme.report(&seen(actor, &stage)), Wake::Nobody);
        assert_eq!(scheme.outstanding(0), 1);
        actor.holds.set(if seen_at == "death" { Some(NUMBER) } else { None });
        let wake = match seen_at {
            "switch" => leave(actor, &stage),
            "irq" => scheme.irq_exit_outermost(&at_task_level(0), &seen(actor, &stage)),
            "report" => scheme.report(&seen(actor, &stage)),
            _ => scheme.off_cpu(&seen(actor, &stage), Left::Dead),
        };
        assert_eq!((wake, scheme.outstanding(0)), (Wake::GracePeriodTask, 0), "{seen_at}");
        assert!(!actor.is_boosted.get() && !actor.is_watched.get(), "{seen_at}");
        if matches!(seen_at, "switch" | "death") {
            assert!(!is_listed(actor), "{seen_at}");
        }
    }
}

#[test]
fn a_task_that_goes_on_between_its_cpus_answer_and_the_walk_is_waited_for() {
    let (scheme, actors) = (scheme(), actors([Some(NUMBER)]));
    let quiet = stage(&scheme, &actors);
    let _ = leave(&actors[0], &quiet);
    let happens: Box<dyn FnOnce()> = Box::new(|| scheme.resume(&seen(&actors[0], &quiet)));
    let stage = Stage { after_answer: RefCell::new(Some(happens)), ..stage(&scheme, &actors) };
    scheme.begin(0, &stage);
    assert_eq!(scheme.outstanding(0), 1);
}

#[test]
fn a_running_holder_is_found_by_its_cpus_answer_and_counted_once() {
    let (scheme, actors) = (scheme(), actors([Some(NUMBER)]));
    let quiet = stage(&scheme, &actors);
    let happens: Box<dyn FnOnce()> = Box::new(|| assert_eq!(leave(&actors[0], &quiet), Wake::Nobody));
    let (running, after_answer) = (Some(&actors[0]), RefCell::new(Some(happens)));
    scheme.begin(0, &Stage { running, after_answer, ..stage(&scheme, &actors) });
    assert_eq!(scheme.outstanding(0), 1, "by the answer, not by the walk again");
    assert!(actors[0].is_boosted.get(), "it was preempted while it is waited for");
    actors[0].holds.set(Some(0));
    assert_eq!(leave(&actors[0], &quiet), Wake::GracePeriodTask, "it holds something else by now");
    assert!(is_listed(&actors[0]));
}

#[test]
fn whoever_is_looked_at_after_the_walk_is_not_waited_for_any_more() {
    let (scheme, actors) = (scheme(), actors([Some(0)]));
    let stage = stage(&scheme, &actors);
    let _ = leave(&actors[0], &stage);
    scheme.begin(0, &stage);
    actors[0].holds.set(Some(NUMBER));
    scheme.resume(&seen(&actors[0], &stage));
    assert_eq!(scheme.outstanding(0), 0, "or a busy trampoline could keep a grace period from ending");
}

#[test]
fn tasks_come_off_the_list_in_any_order() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (scheme, actors) = (scheme(), actors([Some(NUMBER), Some(NUMBER), Some(NUMBER)]));
        let stage = stage(&scheme, &actors);
        actors.iter().for_each(|actor| assert_eq!(leave(actor, &stage), Wake::Nobody));
        for (gone, number) in order.into_iter().enumerate() {
            scheme.begin(0, &stage);
            assert_eq!(scheme.outstanding(0), 3 - gone, "{order:?}");
            let left = actors.iter().filter(|actor| actor.words.holdout.load(Ordering::Relaxed));
            left.for_each(|actor| {
                let held = actor.holds.replace(None);
                let _ = scheme.report(&seen(actor, &stage));
                actor.holds.set(held);
            });
            actors[number].holds.set(None);
            let _ = leave(&actors[number], &stage);
        }
        scheme.begin(0, &stage);
        assert_eq!(scheme.outstanding(0), 0, "{order:?}");
    }
}

#[test]
fn a_scheme_that_is_not_selected_lists_nobody_and_forgets_whom_it_had() {
    let (scheme, actors) = (scheme(), actors([Some(0), Some(0)]));
    let stage = stage(&scheme, &actors);
    let _ = leave(&actors[0], &stage);
    scheme.select(false);
    let _ = leave(&actors[1], &stage);
    assert!(!is_listed(&actors[0]) && !is_listed(&actors[1]));
}

#[test]
fn a_task_that_leaves_while_its_scheme_is_given_up_is_taken_off_once() {
    let (scheme, actors) = (scheme(), actors([Some(0), Some(0), Some(0)]));
    let quiet = stage(&scheme, &actors);
    actors.iter().for_each(|actor| assert_eq!(leave(actor, &quiet), Wake::Nobody));
    scheme.resume(&seen(&actors[1], &quiet));
    actors.iter().for_each(|actor| actor.holds.set(None));
    // It has found itself listed, and goes on to take itself off.
    let happens: Box<dyn FnOnce()> = Box::new(|| scheme.select(false));
    let _ = leave(&actors[1], &Stage { at_look: RefCell::new(Some(happens)), ..stage(&scheme, &actors) });
    scheme.select(true);
    // Whoever were still on the list would be waited for now; by the next selection it may be no memory any more.
    actors.iter().for_each(|actor| actor.holds.set(Some(NUMBER)));
    scheme.begin(0, &quiet);
    assert_eq!(scheme.outstanding(0), 0, "nobody is listed");
}
