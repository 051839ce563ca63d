//! Looks, step by step, under `scan` and `depth`: who is met where, what is kept, and when another look is due.

mod stage;

use super::world::at_task_level;
use crate::arch::hold_words::HoldWords;
use crate::rcu::schemes::depth::Depth;
use crate::rcu::schemes::scan::Scan;
use crate::rcu::schemes::{Left, Scheme, Sighting, Wake, irq_out};
use crate::sched::rcu_words::MOST_REMEMBERED;
use crate::sync::atomic::Ordering;
use stage::{Actor, Deed, actors, retired, stage};

fn is_holdout(actor: &Actor) -> bool {
    actor.words.holdout.load(Ordering::Relaxed)
}

#[test]
fn a_sleeper_is_examined_once_and_keeps_what_it_holds_and_nothing_else() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[0], &[1, 2], &[]]), retired::<4>());
    let stage = stage(&scheme, &actors, &ops);
    (0..3).for_each(|number| assert_eq!(stage.leave(number), Wake::Nobody));
    assert_eq!(stage.nr_examined.get(), 0, "a switch walks no frames");
    assert_eq!(stage.look(), [0, 1, 2]);
    assert_eq!(stage.nr_examined.get(), 3);
    assert_eq!((stage.look(), stage.nr_examined.get()), (vec![0, 1, 2], 3), "nobody comes back to a sleeper");
    assert_eq!(actors.each_ref().map(is_holdout), [true, true, false]);
    assert_eq!(actors.each_ref().map(|actor| actor.is_boosted.get()), [true, true, false]);
    assert!(!scheme.is_due(), "nobody has come to hold less");
}

#[test]
fn a_look_is_due_when_a_holder_is_seen_with_less_wherever_that_is() {
    for seen_at in ["switch", "irq", "report", "death"] {
        let (scheme, actors, ops) = (Scan::default(), actors([&[0, 1]]), retired::<2>());
        let stage = stage(&scheme, &actors, &ops);
        let (context, actor) = (stage.seen(0), &actors[0]);
        let _ = stage.leave(0);
        assert_eq!(stage.look(), [0, 1]);
        stage.resume(0);
        assert_eq!(stage.irq(0), Wake::Nobody);
        assert!(!scheme.is_due() && actor.is_boosted.get(), "it holds what it held");
        actor.holds.borrow_mut().pop();
        assert_eq!(stage.irq(0), Wake::GracePeriodTask);
        assert!(scheme.is_due() && is_holdout(actor), "the inner one is free, the outer one is not");
        stage.running.set(Some(actor));
        assert_eq!(stage.look(), [0]);
        assert!(!scheme.is_due() && scheme.somebody_holds_less());
        actor.holds.borrow_mut().clear();
        let wake = match seen_at {
            "switch" => stage.leave(0),
            "irq" => stage.irq(0),
            "report" => scheme.report(&context),
            _ => scheme.off_cpu(&context, 0, Left::Dead),
        };
        assert_eq!(wake, Wake::GracePeriodTask, "{seen_at}");
        assert!(scheme.is_due() && !actor.is_boosted.get() && !is_holdout(actor), "{seen_at}");
        stage.running.set(None);
        assert_eq!(stage.look(), [], "{seen_at}");
    }
}

#[test]
fn a_task_that_goes_on_between_its_cpus_answer_and_the_walk_is_met() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[0]]), retired::<1>());
    let stage = stage(&scheme, &actors, &ops);
    let _ = stage.leave(0);
    stage.after_answer.set(Some(Deed::GoesOn));
    assert_eq!(stage.look(), [0]);
    assert!(is_holdout(&actors[0]));
}

#[test]
fn a_sleeper_that_goes_on_while_a_look_is_under_way_is_met_though_it_is_counted_no_more() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[0]]), retired::<1>());
    let stage = stage(&scheme, &actors, &ops);
    let _ = stage.leave(0);
    assert_eq!(stage.look(), [0]);
    stage.after_answer.set(Some(Deed::GoesOn));
    assert_eq!(
        (stage.look(), stage.nr_examined.get()),
        (vec![0], 1),
        "the walker's memory tells, and no second examination"
    );
}

#[test]
fn a_running_holder_is_met_by_its_cpus_answer_and_its_leaving_behind_that_is_no_business_of_the_walk() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[0]]), retired::<1>());
    let stage = stage(&scheme, &actors, &ops);
    stage.running.set(Some(&actors[0]));
    stage.after_answer.set(Some(Deed::Leaves));
    assert_eq!(stage.look(), [0]);
    assert_eq!(
        stage.nr_examined.get(),
        1,
        "by the answer; the switch at the exit of that interrupt need not look again"
    );
    assert!(actors[0].is_boosted.get(), "it was preempted while it is waited for");
    stage.running.set(None);
    assert_eq!((stage.look(), stage.nr_examined.get()), (vec![0], 2), "the next walk meets it");
}

#[test]
fn a_chain_is_examined_once_from_the_visit_to_the_end_of_the_switch_and_again_when_its_task_has_run() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[0]]), retired::<1>());
    let stage = stage(&scheme, &actors, &ops);
    let nr_more = |work: &dyn Fn()| {
        let before = stage.nr_examined.get();
        work();
        stage.nr_examined.get() - before
    };
    let is_visited_on_top_of = |is_outermost| {
        let _ = scheme.visited(&Sighting { is_outermost, ..at_task_level(0) }, &stage.seen(0));
    };
    let exits_and_leaves = || assert_eq!((stage.irq_exit(0), stage.leave(0)), (Wake::Nobody, Wake::Nobody));
    let goes_on = || {
        stage.resume(0);
        irq_out(&scheme, &mut false, &actors[0].words);
    };
    stage.running.set(Some(&actors[0]));
    assert_eq!(stage.look(), [0]);
    assert_eq!(nr_more(&exits_and_leaves), 1, "by the exit, and not by the switch behind it");
    goes_on();
    is_visited_on_top_of(true);
    assert_eq!(nr_more(&exits_and_leaves), 0, "by neither: the visit was in the same interrupt");
    goes_on();
    assert_eq!(nr_more(&|| assert_eq!(stage.leave(0), Wake::Nobody)), 1, "it has run meanwhile");
    goes_on();
    is_visited_on_top_of(false);
    assert_eq!(nr_more(&exits_and_leaves), 1, "the visit saw what a softirq held as well");
}

#[test]
fn what_is_retired_while_its_holder_sleeps_is_kept_and_the_holder_tells_when_it_has_left() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[0]]), [HoldWords::new()]);
    let stage = stage(&scheme, &actors, &ops);
    let _ = stage.leave(0);
    let _ = stage.look();
    assert!(!is_holdout(&actors[0]), "it holds what is in use");
    ops[0].note_retired();
    assert_eq!(stage.look(), [0]);
    stage.resume(0);
    assert!(is_holdout(&actors[0]), "whoever goes on looks at what it was found to hold");
    actors[0].holds.borrow_mut().clear();
    assert_eq!(stage.leave(0), Wake::GracePeriodTask);
    assert_eq!(stage.look(), []);
}

#[test]
fn who_has_left_one_and_come_to_hold_another_has_left_one() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[0]]), retired::<2>());
    let stage = stage(&scheme, &actors, &ops);
    let _ = stage.leave(0);
    assert_eq!(stage.look(), [0]);
    stage.resume(0);
    *actors[0].holds.borrow_mut() = vec![1];
    assert_eq!(stage.leave(0), Wake::GracePeriodTask, "it holds as many as before, and not the same");
    assert_eq!((stage.look(), scheme.somebody_holds_less()), (vec![1], true));
}

#[test]
fn two_are_told_from_two_others_though_their_addresses_have_the_same_sum() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[0, 3]]), retired::<4>());
    let stage = stage(&scheme, &actors, &ops);
    let sum = |[a, b]: [usize; 2]| (&raw const ops[a]).addr() + (&raw const ops[b]).addr();
    assert_eq!(sum([0, 3]), sum([1, 2]));
    let _ = stage.leave(0);
    assert_eq!(stage.look(), [0, 3]);
    stage.resume(0);
    *actors[0].holds.borrow_mut() = vec![1, 2];
    assert_eq!(stage.leave(0), Wake::GracePeriodTask);
}

#[test]
fn the_number_of_a_look_that_is_over_takes_back_no_later_one() {
    let words = HoldWords::new();
    words.see(4);
    words.see(2);
    assert!(words.is_held(4), "somebody else was met by look 4");
}

#[test]
fn more_holds_than_are_remembered_are_counted_and_taken_back() {
    let many: Vec<usize> = (0..=MOST_REMEMBERED).collect();
    let (scheme, actors, ops) = (Scan::default(), actors([&many]), retired::<{ MOST_REMEMBERED + 1 }>());
    let stage = stage(&scheme, &actors, &ops);
    let _ = stage.leave(0);
    assert_eq!(stage.look(), many);
    stage.resume(0);
    actors[0].holds.borrow_mut().clear();
    let _ = stage.leave(0);
    assert_eq!(stage.look(), []);
}

#[test]
fn more_holds_than_are_remembered_are_met_where_their_task_goes_on_while_a_look_is_under_way() {
    let many: Vec<usize> = (0..=MOST_REMEMBERED).collect();
    let (scheme, actors, ops) = (Scan::default(), actors([&many]), retired::<{ MOST_REMEMBERED + 1 }>());
    let stage = stage(&scheme, &actors, &ops);
    let _ = stage.leave(0);
    assert_eq!(stage.look(), many);
    stage.after_answer.set(Some(Deed::GoesOn));
    assert_eq!((stage.look(), stage.nr_examined.get()), (many, 2), "its frames are read again, once");
}

#[test]
fn a_chain_that_is_not_whole_keeps_all_that_is_retired_until_it_is_whole_or_its_task_dies() {
    for dies in [false, true] {
        let (scheme, actors, ops) = (Scan::default(), actors([&[]]), retired::<2>());
        let stage = stage(&scheme, &actors, &ops);
        actors[0].is_broken.set(true);
        let _ = stage.leave(0);
        assert_eq!(stage.look(), [0, 1]);
        stage.resume(0);
        actors[0].is_broken.set(dies);
        let left = if dies { Left::Dead } else { Left::Alive };
        assert_eq!(scheme.off_cpu(&stage.seen(0), 0, left), Wake::GracePeriodTask);
        assert_eq!(stage.look(), []);
    }
}

#[test]
fn whoever_dies_in_whatever_order_is_looked_at_no_more() {
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let (scheme, actors, ops) = (Scan::default(), actors([&[0], &[1], &[2]]), retired::<3>());
        let stage = stage(&scheme, &actors, &ops);
        (0..3).for_each(|number| assert_eq!(stage.leave(number), Wake::Nobody));
        stage.resume(order[0]);
        let _ = scheme.off_cpu(&stage.seen(order[0]), 0, Left::Dead);
        let standing = actors[order[0]].words.standing.load(Ordering::Relaxed);
        assert_eq!(standing, 0, "who has died is on no list, where it would outlive its memory");
        let mut others = order[1..].to_vec();
        others.sort_unstable();
        assert_eq!((stage.look(), stage.nr_examined.get()), (others, 2), "{order:?}");
        for &number in &order[1..] {
            stage.resume(number);
            let _ = scheme.off_cpu(&stage.seen(number), 0, Left::Dead);
        }
        let nr_examined = stage.nr_examined.get();
        assert_eq!((stage.look(), stage.nr_examined.get()), (vec![], nr_examined), "{order:?}");
    }
}

#[test]
fn a_scheme_that_is_not_selected_lists_nobody_and_forgets_whom_it_had() {
    let (scheme, actors, ops) = (Scan::default(), actors([&[], &[]]), retired::<1>());
    let stage = stage(&scheme, &actors, &ops);
    let _ = stage.leave(0);
    scheme.select(false);
    let _ = stage.leave(1);
    scheme.select(true);
    assert_eq!((stage.look(), stage.nr_examined.get()), (vec![], 0));
    // Whoever left meanwhile goes on and leaves as ever.
    for number in [0, 1] {
        stage.resume(number);
        let _ = stage.leave(number);
    }
    assert_eq!((stage.look(), stage.nr_examined.get()), (vec![], 2));
}

#[test]
fn depth_keeps_what_came_before_the_look_that_saw_its_task_outside_and_nothing_else() {
    let (scheme, actors, ops) = (Depth::default(), actors([&[0], &[]]), retired::<1>());
    let stage = stage(&scheme, &actors, &ops);
    assert_eq!([0, 1].map(|number| stage.leave(number)), [Wake::Nobody; 2]);
    assert_eq!(stage.look(), [0], "retired before look 2, which found the first inside");
    assert_eq!(actors.each_ref().map(|actor| actor.is_watched.get()), [true, false]);
    stage.resume(1);
    actors[1].holds.borrow_mut().push(0);
    let _ = stage.leave(1);
    assert_eq!(stage.look(), [0]);
    stage.resume(0);
    actors[0].holds.borrow_mut().clear();
    assert_eq!(scheme.report(&stage.seen(0)), Wake::GracePeriodTask);
    assert!(!actors[0].is_watched.get() && scheme.is_due());
    assert_eq!(stage.look_since(2), [], "look 2 saw the second outside");
    assert_eq!(stage.look_since(4), [0], "look 4 found it inside");
    let _ = scheme.off_cpu(&stage.seen(1), 0, Left::Dead);
    assert_eq!(stage.look_since(4), [], "its task has died");
}

#[test]
fn under_depth_a_look_is_due_only_by_whom_the_last_thing_waited_for() {
    let (scheme, actors, ops) = (Depth::default(), actors([&[0], &[0]]), retired::<1>());
    let stage = stage(&scheme, &actors, &ops);
    let comes_back = |number: usize| {
        stage.resume(number);
        actors[number].holds.borrow_mut().push(0);
        let _ = stage.leave(number);
    };
    let goes = |number: usize| {
        stage.resume(number);
        actors[number].holds.borrow_mut().clear();
        (scheme.report(&stage.seen(number)), scheme.is_due())
    };
    let _ = stage.leave(0);
    stage.look_at_nothing();
    assert_eq!(goes(0), (Wake::Nobody, false), "nothing is kept");
    comes_back(0);
    let _ = stage.leave(1);
    assert_eq!(stage.look_since(4), [0]);
    assert_eq!(goes(0), (Wake::Nobody, false), "the second is inside since the same look");
    comes_back(0);
    assert_eq!(stage.look_since(4), [0]);
    assert_eq!(goes(0), (Wake::Nobody, false), "the second is inside since an earlier look");
    assert_eq!(goes(1), (Wake::GracePeriodTask, true), "nobody is inside");
    assert_eq!(stage.look_since(4), []);
    comes_back(1);
    stage.look_at_nothing();
    assert_eq!(goes(1), (Wake::Nobody, false), "what was kept is free");
}
