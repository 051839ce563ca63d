//! The shipping files of `rcu`, with this crate's `sync` under them.

#[path = "../../src/rcu/bracket.rs"]
pub mod bracket;
#[path = "../../src/rcu/conclude.rs"]
pub mod conclude;
#[path = "../../src/rcu/cookie.rs"]
pub mod cookie;
#[path = "../../src/rcu/extent.rs"]
pub mod extent;
#[path = "../../src/rcu/grace.rs"]
pub mod grace;
#[path = "../../src/rcu/graveyard.rs"]
pub mod graveyard;
#[path = "../../src/rcu/judging.rs"]
pub mod judging;
#[path = "../../src/rcu/links.rs"]
mod links;
#[path = "../../src/rcu/retired.rs"]
pub mod retired;
#[path = "../../src/rcu/room.rs"]
pub mod room;
#[path = "../../src/rcu/schemes/mod.rs"]
pub mod schemes;
