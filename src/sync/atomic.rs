//! The atomics that pure files use: `core`'s here, loom's in `tests/models.rs`, which takes the shipping files in by path.
pub use core::sync::atomic::{
    AtomicBool, AtomicI64, AtomicPtr, AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering, fence,
};
