//! The shipping files of `sched` that `rcu` owns, and that decide who has a mutex.

#[path = "../../src/sched/handover.rs"]
pub mod handover;
#[path = "../../src/sched/rcu_words.rs"]
pub mod rcu_words;
