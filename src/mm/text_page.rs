//! A page of code that was made at run time: written through its heap address, run at an address of its own in
//! the func window, so that it is never writable and executable at once. Dropping it unmaps that address.

use crate::arch::mmu::{self, Access, FUNC_WINDOW, PAGE_SIZE};
use crate::arch::text;
use crate::fault::{self, Fault};
use alloc::alloc::{alloc_zeroed, dealloc};
use core::alloc::Layout;
use core::ptr::NonNull;

const LAYOUT: Layout = match Layout::from_size_align(PAGE_SIZE, PAGE_SIZE) {
    Ok(layout) => layout,
    Err(_) => panic!("a page is a page"),
};

/// Places in the func window.
pub const PLACES: usize = (FUNC_WINDOW.end - FUNC_WINDOW.start) / PAGE_SIZE;

/// Why there is no page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutOfMemory;

/// A page of code, mapped executable.
#[derive(Debug)]
pub struct TextPage {
    memory: NonNull<u8>,
    address: usize,
}

// SAFETY: it owns its memory; its code is shared like any text.
unsafe impl Send for TextPage {}

impl TextPage {
    /// Maps a copy of `code` at place number `place` of the window, which must be free.
    ///
    /// Nobody branches there before every CPU has synchronised its context (O3). Context: task.
    pub fn new(place: usize, code: &[u8]) -> Result<Self, OutOfMemory> {
        // SAFETY: the layout has a size.
        let memory = NonNull::new(unsafe { alloc_zeroed(LAYOUT) }).ok_or(OutOfMemory)?;
        // SAFETY: a whole page, ours, which any bytes are good for.
        text::publish_code(unsafe { memory.cast().as_mut() }, code);
        let address = address_of(place);
        if mmu::map(address..address + PAGE_SIZE, memory.addr().get(), Access::ReadExecute).is_err() {
            // SAFETY: allocated above, used by nobody.
            unsafe { dealloc(memory.as_ptr(), LAYOUT) };
            return Err(OutOfMemory);
        }
        Ok(Self { memory, address })
    }

    /// Where the code runs.
    pub const fn address(&self) -> usize {
        self.address
    }
}

/// The address of place number `place`.
pub const fn address_of(place: usize) -> usize {
    FUNC_WINDOW.start + place % PLACES * PAGE_SIZE
}

/// The place that `address` lies in, if it lies in the window.
pub fn place_of(address: usize) -> Option<usize> {
    FUNC_WINDOW.contains(&address).then(|| (address - FUNC_WINDOW.start) / PAGE_SIZE)
}

impl Drop for TextPage {
    fn drop(&mut self) {
        if fault::is(Fault::TextKept) {
            return;
        }
        mmu::unmap(self.address..self.address + PAGE_SIZE);
        // SAFETY: allocated with this layout; unmapped from the window: a late fetch faults from here on.
        unsafe { dealloc(self.memory.as_ptr(), LAYOUT) };
    }
}
