//! Requests against a grace period that is already running: cookies, callbacks, barriers.
//!
//! World: the grace-period task with its reclaimer, and one or two updaters; no readers, and a scheme whose one step
//! is over at once, so that a grace period is nothing but its place in the order. What an object's unlinking is to readers, its own flag
//! is here: a grace period serves the object only if it *saw* the flag when it began.
//! Not covered: the sleeping and waking of the grace-period task; here it runs grace periods unasked.

use std::ptr::NonNull;

use loom::model::Builder;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Arc, Mutex, MutexGuard};
use loom::thread;

use crate::kernel::USED_AFTER_FREE;
use crate::rcu::cookie::Sequence;
use crate::rcu::grace::{Action, Machine, Now};
use crate::rcu::graveyard::Graveyard;
use crate::rcu::judging::{Judge, Stands};
use crate::rcu::retired::{Node, Reclaim};
use crate::rcu::schemes::{Scheme, World};
use crate::sync::atomic::Weaken;
use crate::verdict::{Model, Outcome, frees_early, holds};

/// The complaint about a barrier.
pub const BARRIER_LIED: &str = "a barrier passed before what it waits for was freed";

/// The complaint about what was queued.
pub const CALLBACK_LOST: &str = "not everything that was queued was freed once";

/// What is done wrong on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    RetiredBeforeUnlinking,
    CountsBeforeFreeing,
}

/// A grace period that begins and ends.
struct OneStep;

impl Scheme for OneStep {
    fn name(&self) -> &'static str {
        "one step"
    }
    fn nr_steps(&self) -> usize {
        1
    }
    fn begin(&self, _step: usize, _world: &dyn World) {}
    fn outstanding(&self, _step: usize) -> usize {
        0
    }
}

impl Judge for u64 {
    fn look(&self) -> u64 {
        *self
    }
    fn keeps(&self, _: u64, _: bool) -> bool {
        false
    }
}

/// What updaters and the grace-period task share.
struct Shared {
    sequence: Sequence,
    graveyard: Mutex<Graveyard>,
    /// Set when the object of this updater is unlinked.
    unlinked: [AtomicBool; 2],
    /// The owners of freed objects, in order.
    freed: Arc<Mutex<Vec<usize>>>,
}

/// A retired object: whose it is, and where its freeing is noted.
struct Object {
    node: Node<Object>,
    owner: usize,
    freed: Arc<Mutex<Vec<usize>>>,
}

impl Reclaim for Object {
    fn node(&self) -> &Node<Self> {
        &self.node
    }
}

impl Shared {
    fn new() -> Arc<Self> {
        let sequence = Sequence::new();
        let unlinked = [AtomicBool::new(false), AtomicBool::new(false)];
        // SAFETY: `run_one` carries the grace periods out.
        let (graveyard, freed) = (Mutex::new(unsafe { Graveyard::new() }), Arc::new(Mutex::new(Vec::new())));
        Arc::new(Self { sequence, graveyard, unlinked, freed })
    }

    fn lock(&self) -> MutexGuard<'_, Graveyard> {
        self.graveyard.lock().expect("no step panics with it")
    }

    /// What an updater does: unlinks its object, then hands it over to be freed.
    fn retire(&self, owner: usize, fault: Fault) {
        if fault == Fault::RetiredBeforeUnlinking {
            self.hand_over(owner);
        }
        self.unlinked[owner].store(true, Ordering::Relaxed);
        if fault != Fault::RetiredBeforeUnlinking {
            self.hand_over(owner);
        }
    }

    fn hand_over(&self, owner: usize) {
        let object = Box::leak(Box::new(Object { node: Node::new(), owner, freed: self.freed.clone() }));
        // SAFETY: 1. Just leaked, and nobody else has the pointer. 2. Nobody reads it; what retiring promises about the flag is
        // what the model is about.
        let retired = unsafe { self.lock().retire(NonNull::from(object)) };
        let _ = self.sequence.request(self.sequence.cookie());
        let note = |object: Box<Object>| object.freed.lock().expect("no step panics with it").push(object.owner);
        // The reclaimer looks again by itself.
        let _ = self.lock().call(retired, note);
    }

    /// One grace period, if one is wanted; `saw` collects what was unlinked when one began.
    fn run_one(&self, machine: &mut Machine, saw: &mut [bool; 2]) -> bool {
        loop {
            match machine.step(&self.sequence, &OneStep, Now::default(), Stands::default(), || self.lock().begin()) {
                Action::Begin { .. } => {
                    saw.iter_mut().zip(&self.unlinked).for_each(|(saw, flag)| *saw |= flag.load(Ordering::Relaxed));
                }
                Action::Judge => {
                    let mut graveyard = self.lock();
                    graveyard.meet(false);
                    while graveyard.judge_one(&self.sequence.running()) {}
                    machine.finish(&self.sequence, Now::default());
                    return true;
                }
                Action::Sleep => return false,
                action => unreachable!("{action:?}"),
            }
        }
    }

    /// Frees what has expired: one at a time, outside of the lock, as the reclaimer does.
    fn reclaim(&self, fault: Fault) {
        loop {
            // Its own statement, so that the lock is left before the object is freed.
            let expired = self.lock().take_expired();
            let Some(expired) = expired else { return };
            if fault == Fault::CountsBeforeFreeing {
                self.lock().finished_one();
                expired.run();
            } else {
                expired.run();
                self.lock().finished_one();
            }
        }
    }

    /// Runs grace periods until nobody wants one, and looks at what each of them frees. Returns how many there were.
    fn serve(&self, machine: &mut Machine, saw: &mut [bool; 2], fault: Fault) -> u64 {
        let mut is_wanted = true;
        while is_wanted {
            is_wanted = self.run_one(machine, saw);
            self.reclaim(fault);
            let freed = self.freed.lock().expect("no step panics with it");
            assert!(freed.iter().all(|&owner| saw[owner]), "{USED_AFTER_FREE}");
        }
        machine.statistics().nr_grace_periods
    }
}

/// Two updaters against the grace-period task.
fn two_updaters(builder: &Builder, fault: Fault) {
    builder.check(move || {
        let shared = Shared::new();
        let other = shared.clone();
        let first = thread::spawn(move || other.retire(0, fault));
        let other = shared.clone();
        let second = thread::spawn(move || other.retire(1, fault));
        let (mut machine, mut saw) = (Machine::new(1), [false; 2]);
        let _ = shared.serve(&mut machine, &mut saw, fault);
        first.join().expect("an updater does not panic");
        second.join().expect("an updater does not panic");
        let nr_grace_periods = shared.serve(&mut machine, &mut saw, fault);
        assert!(nr_grace_periods <= 2, "{nr_grace_periods} grace periods for two requests");
        let mut freed = shared.freed.lock().expect("no step panics with it").clone();
        freed.sort_unstable();
        assert_eq!(freed, [0, 1], "{CALLBACK_LOST}");
        assert_eq!(shared.lock().nr_pending(), 0);
    });
}

/// One updater that looks whether its barrier has passed, while the reclaimer works.
fn barrier(builder: &Builder, fault: Fault) {
    builder.check(move || {
        let shared = Shared::new();
        shared.retire(0, fault);
        let other = shared.clone();
        let updater = thread::spawn(move || {
            let barrier = other.lock().barrier();
            let has_passed = other.lock().has_passed(barrier);
            let is_freed = *other.freed.lock().expect("no step panics with it") == [0];
            assert!(is_freed || !has_passed, "{BARRIER_LIED}");
            barrier
        });
        let _ = shared.serve(&mut Machine::new(1), &mut [false; 2], fault);
        let barrier = updater.join().expect("the updater does not panic");
        assert!(shared.lock().has_passed(barrier), "a barrier passes when all before it are freed");
    });
}

/// One updater that hands over nothing: it unlinks, takes a cookie, and trusts that.
fn cookie(builder: &Builder) {
    builder.check(move || {
        let shared = Shared::new();
        let other = shared.clone();
        let updater = thread::spawn(move || {
            other.unlinked[0].store(true, Ordering::Relaxed);
            let cookie = other.sequence.cookie();
            let _ = other.sequence.request(cookie);
            cookie
        });
        let (mut machine, mut saw) = (Machine::new(1), [false; 2]);
        // Somebody else's grace period, which runs meanwhile.
        let _ = shared.sequence.request(shared.sequence.cookie());
        let _ = shared.run_one(&mut machine, &mut saw);
        let has_seen = saw[0];
        let cookie = updater.join().expect("the updater does not panic");
        assert!(has_seen || !shared.sequence.has_ended(cookie), "{USED_AFTER_FREE}");
    });
}

/// Both right: what is broken is planted in the shipping files.
pub(crate) fn of_two_updaters(builder: &Builder) {
    two_updaters(builder, Fault::None);
}

/// The same for a barrier.
pub(crate) fn of_a_barrier(builder: &Builder) {
    barrier(builder, Fault::None);
}

/// First what holds, then what each planted fault does.
pub const MODELS: [Model; 6] = [
    holds("a_callback_waits_for_a_grace_period_that_began_after_it", |b| two_updaters(b, Fault::None)),
    holds("a_cookie_names_a_grace_period_that_began_after_it", cookie),
    holds("a_barrier_passes_when_all_before_it_are_freed", |b| barrier(b, Fault::None)),
    frees_early("fault_no_fence_between_unlinking_and_cookie", cookie).without(Weaken::Fences),
    frees_early("fault_retired_before_it_is_unlinked", |b| two_updaters(b, Fault::RetiredBeforeUnlinking)),
    Model {
        expected: Outcome::BarrierPassesEarly,
        ..holds("fault_barrier_counts_before_freeing", |b| barrier(b, Fault::CountsBeforeFreeing))
    },
];
