//! Placeholder of the room `tracers`.
