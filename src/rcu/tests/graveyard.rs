//! What is retired: who is judged when, in which order it elapses, and whose proof frees what.

use alloc::boxed::Box;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::rcu::conclude::{Conclusion, Left, conclude};
use crate::rcu::extent::Extent;
use crate::rcu::graveyard::Graveyard;
use crate::rcu::judging::{Ended, Judge, Stands};
use crate::rcu::retired::{Answer, Node, Reclaim, Retired};
use crate::rcu::room::{Kept, MOST_BYTES, MOST_OBJECTS};
use crate::rcu::schemes::{Scheme, World};
use crate::sync::lock::IrqLock;

/// An object that tells when it is freed.
pub(super) struct Traced {
    node: Node<Traced>,
    id: u32,
    freed: Arc<Mutex<Vec<u32>>>,
    judged: Arc<Mutex<Vec<u32>>>,
}

impl Reclaim for Traced {
    fn node(&self) -> &Node<Self> {
        &self.node
    }
    fn ask(&self, is_first: bool, _: u64) -> Answer {
        assert!(is_first, "it has one");
        self.judged.lock().expect("no test panics with it").push(self.id);
        Answer { is_held: self.id >= 100, is_last: true }
    }
}

/// Those from 100 up are held until look number 20.
pub(super) struct Until20(pub(super) u64);

impl Judge for Until20 {
    fn look(&self) -> u64 {
        self.0
    }
    fn keeps(&self, _: u64, is_held: bool) -> bool {
        is_held && self.0 < 20
    }
}

/// Frees nothing that was not judged.
pub(super) struct Yard {
    pub(super) graveyard: Graveyard,
    freed: Arc<Mutex<Vec<u32>>>,
    judged: Arc<Mutex<Vec<u32>>>,
}

impl Yard {
    pub(super) fn new() -> Self {
        // SAFETY: nobody reads what is retired here.
        Self { graveyard: unsafe { Graveyard::new() }, freed: Arc::default(), judged: Arc::default() }
    }

    pub(super) fn retire(&mut self, id: u32) -> Retired<Traced> {
        let (freed, judged) = (self.freed.clone(), self.judged.clone());
        let object = Box::leak(Box::new(Traced { node: Node::new(), id, freed, judged }));
        // SAFETY: 1. Just leaked, and nobody else has the pointer. 2. It was never reachable.
        unsafe { self.graveyard.retire(NonNull::from(object)) }
    }

    fn call(&mut self, retired: Retired<Traced>) -> bool {
        self.graveyard.call(retired, |object| object.freed.lock().expect("no test panics with it").push(object.id))
    }

    pub(super) fn look(&mut self, number: u64, somebody_holds_less: bool) {
        self.graveyard.meet(somebody_holds_less);
        while self.graveyard.judge_some(&Until20(number), 2) {}
    }

    pub(super) fn take_judged(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.judged.lock().expect("no test panics with it"))
    }

    fn run(&mut self) -> Vec<u32> {
        while let Some(expired) = self.graveyard.take_expired() {
            expired.run();
            self.graveyard.finished_one();
        }
        core::mem::take(&mut self.freed.lock().expect("no test panics with it"))
    }
}

#[test]
fn what_is_retired_while_a_grace_period_runs_waits_for_the_next() {
    let mut yard = Yard::new();
    let first = yard.retire(1);
    yard.graveyard.begin();
    let second = yard.retire(2);
    yard.look(2, false);
    assert!(first.poll().is_some() && second.poll().is_none());
    let extent = Extent::default();
    yard.graveyard.tell(&extent);
    assert_eq!(extent.last(), second.number());
    assert!(extent.is_past(first.number()) && !extent.is_past(second.number()));
    yard.graveyard.begin();
    yard.look(4, false);
    yard.graveyard.tell(&extent);
    assert!(second.poll().is_some() && extent.is_past(second.number()));
}

#[test]
fn what_comes_anew_is_judged_before_what_is_held_and_the_oldest_first() {
    let mut yard = Yard::new();
    let _held = [100, 101].map(|id| yard.retire(id));
    yard.graveyard.begin();
    yard.look(2, false);
    let _new = [1, 102].map(|id| yard.retire(id));
    yard.take_judged();
    yard.graveyard.begin();
    yard.look(4, true);
    assert_eq!(yard.take_judged(), [1, 102, 100, 101, 102], "what came anew and is held is behind the others");
}

#[test]
fn a_proof_frees_its_own_object_and_no_other_not_even_an_older_one() {
    let mut yard = Yard::new();
    let (older, newer) = (yard.retire(100), yard.retire(1));
    yard.graveyard.begin();
    yard.look(2, false);
    assert!(older.poll().is_none(), "it is held");
    let proof = newer.poll().expect("nobody holds it");
    let older = older.reclaim(proof).map(|object| object.id).expect_err("the proof is another's");
    let proof = newer.poll().expect("as before");
    assert_eq!(newer.reclaim(proof).map(|object| object.id).ok(), Some(1));
    yard.graveyard.begin();
    yard.look(20, true);
    let proof = older.poll().expect("its holder has left");
    assert_eq!(older.reclaim(proof).map(|object| object.id).ok(), Some(100));
}

#[test]
fn a_held_object_keeps_nobody_waiting_and_is_judged_again_when_somebody_holds_less() {
    let mut yard = Yard::new();
    let held = [100, 101].map(|id| yard.retire(id));
    let held = held.map(|retired| yard.call(retired));
    assert_eq!(held, [false; 2]);
    for number in [2, 4, 6] {
        let free = yard.retire(number);
        yard.graveyard.begin();
        yard.look(number.into(), false);
        let _ = yard.call(free);
        assert_eq!(yard.run(), [number], "within one look of its own");
    }
    assert_eq!((yard.graveyard.stands().oldest_held, yard.graveyard.nr_retired()), (Some(1), 2));
    yard.graveyard.begin();
    yard.look(20, false);
    assert_eq!(yard.run(), [], "nobody has come to hold less");
    yard.graveyard.begin();
    yard.look(22, true);
    assert_eq!((yard.run(), yard.graveyard.nr_retired(), yard.graveyard.nr_pending()), (vec![100, 101], 0, 0));
}

#[test]
fn what_elapsed_before_it_was_called_is_run_at_once_and_what_is_dropped_is_waited_for_and_leaks() {
    let mut yard = Yard::new();
    let (called_late, dropped) = (yard.retire(1), yard.retire(2));
    drop(dropped);
    assert_eq!(yard.graveyard.nr_retired(), 2);
    yard.graveyard.begin();
    yard.look(2, false);
    assert_eq!((yard.graveyard.nr_retired(), yard.graveyard.has_expired()), (0, false));
    assert!(yard.call(called_late), "the reclaimer is to be woken: no grace period will do it");
    assert!(yard.graveyard.has_expired());
    assert_eq!(yard.run(), [1]);
}

#[test]
fn a_barrier_passes_when_what_was_called_before_has_been_run_to_its_end_in_whatever_order() {
    let mut yard = Yard::new();
    let (first, second, third) = (yard.retire(100), yard.retire(1), yard.retire(2));
    let _ = (yard.call(first), yard.call(second));
    let barrier = yard.graveyard.barrier();
    let _ = yard.call(third);
    yard.graveyard.begin();
    yard.look(2, false);
    assert_eq!(yard.run(), [1, 2]);
    assert!(!yard.graveyard.has_passed(barrier), "the first is held");
    yard.graveyard.begin();
    yard.look(20, true);
    let expired = yard.graveyard.take_expired().expect("the holder has left");
    assert!(!yard.graveyard.has_passed(barrier), "taken out is not yet run");
    expired.run();
    yard.graveyard.finished_one();
    assert!(yard.graveyard.has_passed(barrier) && yard.graveyard.is_empty());
    let later = yard.retire(3);
    let _ = yard.call(later);
    assert!(yard.graveyard.has_passed(barrier) && !yard.graveyard.has_passed(yard.graveyard.barrier()));
}

#[test]
fn an_object_that_was_freed_and_is_retired_again_waits_again() {
    let mut yard = Yard::new();
    let first = yard.retire(1);
    yard.graveyard.begin();
    yard.look(2, false);
    let proof = first.poll().expect("nobody holds it");
    let Ok(object) = first.reclaim(proof) else { panic!("the proof is its own") };
    // SAFETY: 1. A box, leaked; nobody else has the pointer. 2. It was not reachable.
    let again = unsafe { yard.graveyard.retire(NonNull::from(Box::leak(object))) };
    assert!(again.poll().is_none(), "no grace period has begun since");
    yard.graveyard.begin();
    yard.look(4, false);
    assert!(again.poll().is_some());
    drop(again);
}

/// Keeps nothing, and notes whether all was judged when it was told so.
struct Strict(AtomicBool);

impl Scheme for Strict {
    fn name(&self) -> &'static str {
        "strict"
    }
    fn nr_steps(&self) -> usize {
        0
    }
    fn begin(&self, _: usize, _: &dyn World) {}
    fn outstanding(&self, _: usize) -> usize {
        0
    }
    fn keeps(&self, _: u64, _: bool) -> bool {
        assert!(!self.0.load(Ordering::Relaxed), "judged behind the end of the judging");
        false
    }
    fn judged(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_grace_period_is_concluded_when_all_is_judged_and_tells_how_far_it_is() {
    let (mut yard, extent) = (Yard::new(), Extent::default());
    let retired: Vec<_> = (1..=40).map(|id| yard.retire(id)).collect();
    yard.graveyard.tell(&extent);
    yard.graveyard.begin();
    let graveyard = IrqLock::new(yard.graveyard);
    let scheme = Strict(AtomicBool::new(false));
    let left = conclude(&graveyard, &extent, &scheme, 2);
    assert!(scheme.0.load(Ordering::Relaxed) && retired.iter().all(|retired| retired.poll().is_some()));
    let all = Ended((1 << 41) - 2);
    let expected = Left { stands: Stands::default(), has_expired: false, ended: all, has_oldest_moved: true };
    assert_eq!(left, expected, "nothing was called");
    assert!(extent.is_past(40) && extent.last() == 40);
}

#[test]
fn the_oldest_has_moved_though_whoever_retired_something_meanwhile_has_told_of_it() {
    let (mut yard, extent) = (Yard::new(), Extent::default());
    let retired = [1, 100].map(|id| yard.retire(id));
    yard.graveyard.tell(&extent);
    yard.graveyard.begin();
    let conclusion = Conclusion::begin(&mut yard.graveyard, &extent, false);
    assert!(yard.graveyard.judge_some(&Until20(2), 1), "the lock is let go of here");
    let later = yard.retire(2);
    yard.graveyard.tell(&extent);
    assert!(retired[0].poll().is_some() && extent.is_past(retired[0].number()));
    while yard.graveyard.judge_some(&Until20(2), 1) {}
    assert!(conclusion.end(&mut yard.graveyard, &extent).has_oldest_moved, "who waits for the first is woken");
    yard.graveyard.begin();
    let conclusion = Conclusion::begin(&mut yard.graveyard, &extent, false);
    while yard.graveyard.judge_some(&Until20(4), 1) {}
    assert!(
        !conclusion.end(&mut yard.graveyard, &extent).has_oldest_moved && later.poll().is_some(),
        "the second is held"
    );
}

#[test]
fn what_is_retired_counts_until_it_is_freed_or_has_elapsed_for_an_owner_that_has_not_called_it() {
    let mut yard = Yard::new();
    let bytes = size_of::<Traced>();
    let kept = |yard: &Yard| (yard.graveyard.kept().objects, yard.graveyard.kept().bytes);
    let (called, polled) = (yard.retire(1), yard.retire(2));
    assert_eq!(kept(&yard), (2, 2 * bytes));
    assert!(!yard.call(called));
    yard.graveyard.begin();
    yard.look(2, false);
    assert_eq!(kept(&yard), (1, bytes), "the one that nobody has called is its owner's");
    assert!(yard.call(polled), "it has elapsed already");
    assert_eq!(kept(&yard), (2, 2 * bytes), "and is the graveyard's again");
    for left in [1, 0] {
        yard.graveyard.take_expired().expect("called, and elapsed").run();
        assert_eq!(kept(&yard), (left + 1, (left + 1) * bytes), "until it was run to its end");
        yard.graveyard.finished_one();
        assert_eq!(kept(&yard), (left, left * bytes));
    }
}

#[test]
fn there_is_room_up_to_the_limit_of_objects_and_of_bytes_and_to_a_quarter_of_the_heap() {
    let leaves_room = |objects, bytes, heap| Kept { objects, bytes }.leaves_room(heap);
    let large = 8 * MOST_BYTES;
    assert!(leaves_room(MOST_OBJECTS - 1, MOST_BYTES - 1, large));
    assert!(!leaves_room(MOST_OBJECTS, 0, large) && !leaves_room(1, MOST_BYTES, large));
    assert!(leaves_room(1, (4 << 20) - 1, 16 << 20) && !leaves_room(1, 4 << 20, 16 << 20));
}
