//! Tests of a file that `tests/models.rs` takes in, under whose atomics they would not run: who has a mutex next.

use super::handover::Word;
use crate::sync::atomic::AtomicUsize;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use std::collections::VecDeque;

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum At {
    Elsewhere,
    /// It found the mutex taken, and is on its way to the queue.
    Door,
    Queue,
    Inside,
}

#[test]
fn a_word_that_nobody_wants_is_freed_without_its_queue() {
    let word = Word(AtomicUsize::new(Word::FREE));
    assert!(word.take() && !word.take());
    assert!(word.free() && word.take());
    assert!(!word.take_or_queue(|| ()), "somebody has it");
    assert!(!word.free(), "somebody wants it");
    word.hand_over(|| true);
    assert!(!word.is_free() && !word.take(), "it is handed over");
    word.hand_over(|| false);
    assert!(word.is_free() && word.take_or_queue(|| unreachable!("it was free")));
}

#[test]
fn any_order_of_steps_has_one_holder_and_no_waiter_is_overtaken_or_forgotten() {
    const TASKS: usize = 5;
    for seed in 0..300 {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let word = Word(AtomicUsize::new(Word::FREE));
        let (mut at, mut queue) = ([At::Elsewhere; TASKS], VecDeque::new());
        for step in 0..400 {
            let task = random.next_u32() as usize % TASKS;
            let holder = at.iter().position(|&at| at == At::Inside);
            match at[task] {
                // At the end nobody comes any more.
                At::Elsewhere if step < 300 => at[task] = if word.take() { At::Inside } else { At::Door },
                At::Door => {
                    let is_taken = word.take_or_queue(|| queue.push_back(task));
                    at[task] = if is_taken { At::Inside } else { At::Queue };
                }
                At::Inside if word.free() => at[task] = At::Elsewhere,
                At::Inside => {
                    at[task] = At::Elsewhere;
                    word.hand_over(|| queue.pop_front().map(|next: usize| at[next] = At::Inside).is_some());
                }
                At::Elsewhere | At::Queue => {}
            }
            if at[task] == At::Inside && holder != Some(task) {
                assert_eq!((holder, queue.len()), (None, 0), "taken past somebody, seed {seed}");
            }
            assert!(queue.is_empty() || at.contains(&At::Inside), "a waiter is forgotten, seed {seed}");
        }
        assert!(queue.is_empty() && word.is_free(), "{at:?}, seed {seed}");
    }
}
