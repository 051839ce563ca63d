//! Allocating where a full heap is an answer, not the end. Pure; context: as the allocator's.

#[cfg(test)]
pub(crate) mod failing;

use alloc::alloc::alloc;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::alloc::Layout;
use core::fmt;
use core::ptr::NonNull;

/// The heap is full: nothing was allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoMemory;

impl fmt::Display for NoMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no memory left for it")
    }
}

/// Memory of this layout, not written to yet.
///
/// # Panics
/// When the layout has no size.
pub fn memory(layout: Layout) -> Result<NonNull<u8>, NoMemory> {
    assert!(layout.size() > 0, "nothing needs no memory");
    // SAFETY: the layout has a size: looked at just now.
    NonNull::new(unsafe { alloc(layout) }).ok_or(NoMemory)
}

/// `value` in a box.
pub fn boxed<T>(value: T) -> Result<Box<T>, NoMemory> {
    let place = memory(Layout::new::<T>())?.cast::<T>();
    // SAFETY: 1. Memory of this type's layout, and nobody else's. 2. By the allocator that a box frees it with.
    unsafe {
        place.write(value);
        Ok(Box::from_raw(place.as_ptr()))
    }
}

/// Makes room for so many more.
pub fn reserve<T>(vec: &mut Vec<T>, more: usize) -> Result<(), NoMemory> {
    vec.try_reserve(more).map_err(|_| NoMemory)
}

/// Room for exactly so many.
pub fn with_capacity<T>(capacity: usize) -> Result<Vec<T>, NoMemory> {
    let mut vec = Vec::new();
    vec.try_reserve_exact(capacity).map_err(|_| NoMemory)?;
    Ok(vec)
}

/// A copy on the heap.
pub fn copied<T: Copy>(slice: &[T]) -> Result<Box<[T]>, NoMemory> {
    let mut copy = with_capacity(slice.len())?;
    copy.extend_from_slice(slice);
    // As many as there is room for: nothing moves.
    Ok(copy.into_boxed_slice())
}

/// All that `items` gives, which are counted first.
pub fn collected<T>(items: impl Iterator<Item = T> + Clone) -> Result<Vec<T>, NoMemory> {
    let mut all = with_capacity(items.clone().count())?;
    all.extend(items);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::failing::without_memory_for;
    use super::{NoMemory, boxed, collected, copied, reserve};

    #[test]
    fn what_there_is_no_memory_for_is_an_answer() {
        assert_eq!(without_memory_for(0, || boxed([7_u64; 9])), (Err(NoMemory), true));
        assert_eq!(without_memory_for(1, || boxed([7_u64; 9])).0.map(|seven| *seven), Ok([7; 9]));
        assert_eq!(without_memory_for(0, || copied(&[1, 2, 3])), (Err(NoMemory), true));
        assert_eq!(without_memory_for(1, || copied(&[1, 2, 3])).0.as_deref(), Ok(&[1, 2, 3][..]));
        assert_eq!(without_memory_for(0, || collected(0..9)), (Err(NoMemory), true));
        assert_eq!(without_memory_for(1, || collected(0..3)).0, Ok(vec![0, 1, 2]));
        let mut full = vec![1];
        full.shrink_to_fit();
        // To grow a block takes a new one: the allocator above does not reallocate.
        assert_eq!(without_memory_for(0, || reserve(&mut full, 100)), (Err(NoMemory), true));
        assert_eq!(full, [1]);
    }
}
