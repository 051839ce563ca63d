//! Placeholder of the room `ftrace`.
pub mod filter;
