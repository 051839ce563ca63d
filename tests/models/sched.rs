//! The shipping file of `sched` that `rcu` owns.

#[path = "../../src/sched/rcu_words.rs"]
pub mod rcu_words;
