//! The deliberate faults of the shipping files, planted for one model.

#[path = "../../src/fault/table.rs"]
mod table;

use std::cell::Cell;

pub use table::Fault;

thread_local! {
    // As for `Weaken`: all threads of a model are coroutines on one thread of the system.
    static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
}

/// Whether this rule is to be broken.
pub fn is(fault: Fault) -> bool {
    PLANTED.get() == Some(fault)
}

/// For the models that run on this thread from now on.
pub fn plant(fault: Option<Fault>) {
    PLANTED.set(fault);
}

/// loom comes in between by itself.
pub fn keep_window_open() {}
