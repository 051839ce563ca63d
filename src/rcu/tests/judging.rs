//! How an object is judged, and how many of those that are held a look judges again.

use alloc::boxed::Box;
use core::ptr::NonNull;
use std::sync::{Arc, Mutex};

use super::graveyard::{Until20, Yard};
use crate::rcu::graveyard::Graveyard;
use crate::rcu::judging::{AGAIN_AT_ONCE, Ended, Judge, Stands};
use crate::rcu::retired::{Answer, Node, Reclaim};

/// So many are held, and somebody has come to hold less, in the look of this number. Which were judged again in each look from it on.
fn passes(yard: &mut Yard, first_look: u64, nr_looks: u64, less: impl Fn(u64) -> bool) -> Vec<Vec<u32>> {
    let each = (0..nr_looks).map(|index| {
        yard.take_judged();
        yard.graveyard.begin();
        yard.look(first_look + 2 * index, less(index));
        yard.take_judged()
    });
    each.collect()
}

#[test]
fn a_look_judges_a_few_of_the_held_ones_again_and_the_next_is_due_until_all_were() {
    let (mut yard, few) = (Yard::new(), AGAIN_AT_ONCE as u32);
    let held: Vec<_> = (100..100 + 2 * few + 5).map(|id| yard.retire(id)).collect();
    yard.graveyard.begin();
    yard.look(2, false);
    assert!(!yard.graveyard.stands().is_pass_open, "nobody has come to hold less");
    let looks = passes(&mut yard, 4, 4, |index| index == 0);
    let [first, second] = [100 + few, 100 + 2 * few];
    let expected = [(100..first), (first..second), (second..second + 5), (0..0)].map(Vec::from_iter);
    assert_eq!(looks, expected);
    assert!(!yard.graveyard.stands().is_pass_open && held.iter().all(|held| held.poll().is_none()));
    // Somebody comes to hold less behind the first of a pass: those that were judged in it are judged again behind it.
    let looks = passes(&mut yard, 12, 4, |index| index < 2);
    assert_eq!([looks[0][0], looks[1][0], looks[2][0], looks[3][0]], [100, first, second, 100]);
    assert!(yard.graveyard.stands().is_pass_open);
    // From look 20 on nothing is held; what comes anew is free by the look of its own, whatever the pass has to do.
    let anew = yard.retire(1);
    let looks = passes(&mut yard, 20, 4, |index| index == 0);
    assert_eq!((looks[0][0], looks[0].len()), (1, 1 + AGAIN_AT_ONCE));
    assert!(anew.poll().is_some() && held.iter().all(|held| held.poll().is_some()));
    assert_eq!(yard.graveyard.stands(), Stands::default());
}

/// Keeps what was judged first by look 4 or a later one, of whatever it is.
struct From4(u64);

impl Judge for From4 {
    fn look(&self) -> u64 {
        self.0
    }
    fn keeps(&self, first_look: u64, _: bool) -> bool {
        first_look >= 4
    }
    fn keeps_what_is_behind(&self) -> bool {
        true
    }
}

/// Keeps all.
struct All(u64);

impl Judge for All {
    fn look(&self) -> u64 {
        self.0
    }
    fn keeps_all(&self) -> bool {
        true
    }
    fn keeps(&self, _: u64, _: bool) -> bool {
        false
    }
    fn keeps_what_is_behind(&self) -> bool {
        true
    }
}

#[test]
fn a_pass_ends_at_the_first_that_is_kept_where_that_keeps_all_behind_it_and_asks_no_part_where_all_is_kept() {
    let mut yard = Yard::new();
    let mut held = Vec::new();
    for look in [2, 4, 6] {
        held.extend([1, 2].map(|id| yard.retire(10 * look + id)));
        yard.graveyard.begin();
        yard.graveyard.meet(false);
        while yard.graveyard.judge_some(&All(look.into()), 2) {}
    }
    assert_eq!(yard.take_judged(), [], "no part says more than that all is kept");
    yard.graveyard.begin();
    yard.graveyard.meet(true);
    while yard.graveyard.judge_some(&From4(8), 2) {}
    assert_eq!(yard.take_judged(), [21, 22, 41]);
    let has_elapsed: Vec<bool> = held.iter().map(|held| held.poll().is_some()).collect();
    assert_eq!(has_elapsed, [true, true, false, false, false, false]);
    assert_eq!(yard.graveyard.stands(), Stands { oldest_held: Some(3), is_pass_open: false });
}

/// An object of many parts, of which some may be held.
struct Many {
    node: Node<Many>,
    held: [bool; 40],
    asked: Arc<Mutex<Vec<usize>>>,
}

impl Reclaim for Many {
    fn node(&self) -> &Node<Self> {
        &self.node
    }
    fn ask(&self, is_first: bool, _: u64) -> Answer {
        let mut asked = self.asked.lock().expect("no test panics with it");
        let part = asked.last().filter(|_| !is_first).map_or(0, |last| last + 1);
        asked.push(part);
        Answer { is_held: self.held[part], is_last: part + 1 == self.held.len() }
    }
}

#[test]
fn an_object_is_judged_part_by_part_and_held_while_one_of_them_is() {
    let asked = Arc::<Mutex<Vec<usize>>>::default();
    // SAFETY: nobody reads what is retired here.
    let mut graveyard = unsafe { Graveyard::new() };
    let mut retire = |held_part: Option<usize>| {
        let held = core::array::from_fn(|part| held_part == Some(part));
        let object = Box::leak(Box::new(Many { node: Node::new(), held, asked: asked.clone() }));
        // SAFETY: 1. Just leaked, and nobody else has the pointer. 2. It was never reachable.
        unsafe { graveyard.retire(NonNull::from(object)) }
    };
    let [first, none, last] = [retire(Some(0)), retire(None), retire(Some(39))];
    graveyard.begin();
    graveyard.meet(false);
    assert!(graveyard.judge_some(&Until20(2), 16), "the lock is let go of within an object");
    assert_eq!(asked.lock().expect("no test panics with it").len(), 16);
    while graveyard.judge_some(&Until20(2), 16) {}
    let all: Vec<usize> = (0..40).chain(0..40).chain(0..40).collect();
    assert_eq!(*asked.lock().expect("no test panics with it"), all);
    assert_eq!([&first, &none, &last].map(|retired| retired.poll().is_some()), [false, true, false]);
    asked.lock().expect("no test panics with it").clear();
    graveyard.begin();
    graveyard.meet(true);
    while graveyard.judge_some(&Until20(4), 16) {}
    assert_eq!(asked.lock().expect("no test panics with it").len(), 80, "one that was begun is judged whole");
}

#[test]
fn whoever_waits_for_one_retirement_is_told_by_its_number_when_it_elapses() {
    let mut yard = Yard::new();
    let retired: Vec<_> = [100, 1, 101].map(|id| yard.retire(id)).into();
    yard.graveyard.begin();
    yard.look(2, false);
    assert_eq!(yard.graveyard.take_ended(), Ended(1 << 2), "the second");
    assert_eq!(yard.graveyard.take_ended(), Ended::default(), "once");
    yard.graveyard.begin();
    yard.look(20, true);
    let mut ended = yard.graveyard.take_ended();
    assert_eq!([ended.take_kind(), ended.take_kind(), ended.take_kind()], [Some(1), Some(3), None]);
    assert!([65, 67].map(Ended::kind) == [1, 3] && retired.iter().all(|retired| retired.poll().is_some()));
}
