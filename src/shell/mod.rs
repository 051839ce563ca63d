//! Placeholder of the room `shell`.
pub mod line;
pub mod words;
