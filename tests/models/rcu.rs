//! The shipping files of `rcu`, with this crate's `sync` under them.

#[path = "../../src/rcu/bracket.rs"]
pub mod bracket;
#[path = "../../src/rcu/callbacks.rs"]
pub mod callbacks;
#[path = "../../src/rcu/cookie.rs"]
pub mod cookie;
#[path = "../../src/rcu/grace.rs"]
pub mod grace;
#[path = "../../src/rcu/retired.rs"]
pub mod retired;
#[path = "../../src/rcu/schemes/mod.rs"]
pub mod schemes;
