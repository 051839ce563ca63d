//! Placeholder of the room `lab`.
pub mod report;
