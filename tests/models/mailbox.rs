//! The inbox of a CPU.
//!
//! loom's own channel does not do: its `try_recv` is no point at which loom lets another thread run first, so a CPU
//! that polls would never find a message between two steps. (The planted faults showed it: they were not found.)

use std::collections::VecDeque;

use loom::sync::{Condvar, Mutex};

/// Messages in the order in which they were sent.
pub struct Mailbox<T> {
    messages: Mutex<VecDeque<T>>,
    arrival: Condvar,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Self {
        Self { messages: Mutex::new(VecDeque::new()), arrival: Condvar::new() }
    }
}

impl<T> Mailbox<T> {
    /// Leaves a message.
    pub fn send(&self, message: T) {
        self.messages.lock().expect("no step panics with it").push_back(message);
        self.arrival.notify_one();
    }

    /// The oldest message, if there is one.
    pub fn look(&self) -> Option<T> {
        self.messages.lock().expect("no step panics with it").pop_front()
    }

    /// Waits for a message.
    pub fn wait(&self) -> T {
        let mut messages = self.messages.lock().expect("no step panics with it");
        loop {
            if let Some(message) = messages.pop_front() {
                return message;
            }
            messages = self.arrival.wait(messages).expect("no step panics with it");
        }
    }
}
