//! How much may be retired and not yet freed, and what is said where that is reached. Pure.
//!
//! Retiring allocates nothing, waits for nobody and cannot fail; so what bounds the memory that holders keep is that nothing new
//! is registered while too much is kept. Each registration leaves one retired object at most, so the bound is passed by no more
//! than what was registered before.

use core::fmt;

/// Objects that may be retired and not yet freed.
pub const MOST_OBJECTS: usize = 65_536;
/// Their bytes, where there is memory enough: else a quarter of the heap.
pub const MOST_BYTES: usize = 16 << 20;

/// What is retired and not yet freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Objects: an ops, with the fan-out nodes that are freed with it.
    pub objects: usize,
    /// The bytes that freeing them gives back, without what the heap adds.
    pub bytes: usize,
}

impl Kept {
    /// Whether more may be registered, on a heap of so many bytes.
    #[inline(always)]
    pub const fn leaves_room(self, heap_bytes: usize) -> bool {
        let quarter = heap_bytes / 4;
        let most_bytes = if quarter < MOST_BYTES { quarter } else { MOST_BYTES };
        self.objects < MOST_OBJECTS && self.bytes < most_bytes
    }
}

/// Nothing can be registered: too much is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Full {
    /// What is kept.
    pub kept: Kept,
    /// Tasks that keep it.
    pub nr_holders: usize,
    /// One of them, and what it holds, as far as there is room to say so.
    pub holder: heapless::String<192>,
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kept { objects, bytes } = self.kept;
        write!(
            f,
            "{objects} retired objects of {bytes} bytes are not free yet, the limit is {MOST_OBJECTS} or a quarter "
        )?;
        write!(f, "of the heap, {} MiB at most: nothing can be registered until holders leave; ", MOST_BYTES >> 20)?;
        match (self.nr_holders, &self.holder[..]) {
            (0, _) => f.write_str("no task is known to hold any"),
            (1, holder) => f.write_str(holder),
            (nr, holder) => write!(f, "{holder}, and {} more tasks hold some", nr - 1),
        }
    }
}
