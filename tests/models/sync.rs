//! loom's atomics under the names that the shipping files use, and the place where an ordering can be weakened.

pub mod atomic {
    //! Each operation goes to loom, with the ordering that the shipping file gave unless a fault says otherwise.

    use std::cell::Cell;

    use loom::sync::atomic as model;
    pub use loom::sync::atomic::Ordering;

    /// What is taken away from the shipping files' orderings.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Weaken {
        /// They stay.
        Nothing,
        /// Every `Release` store becomes relaxed, and so does the release half of every read-modify-write.
        Releases,
        /// There are no fences.
        Fences,
    }

    thread_local! {
        // All threads of a loom model are coroutines on one thread of the system: the model's own.
        static WEAKEN: Cell<Weaken> = const { Cell::new(Weaken::Nothing) };
    }

    /// For the models that run on this thread from now on.
    pub fn weaken(what: Weaken) {
        WEAKEN.set(what);
    }

    fn weakened(order: Ordering) -> Ordering {
        match (WEAKEN.get(), order) {
            (Weaken::Releases, Ordering::Release) => Ordering::Relaxed,
            (Weaken::Releases, Ordering::AcqRel) => Ordering::Acquire,
            _ => order,
        }
    }

    /// As the shipping files call it.
    pub fn fence(order: Ordering) {
        if WEAKEN.get() != Weaken::Fences {
            model::fence(order);
        }
    }

    macro_rules! atomic {
        ($name:ident, $value:ty) => {
            /// As core's; what it does is loom's.
            #[derive(Debug)]
            pub struct $name(model::$name);

            impl $name {
                /// As core's, but not `const`.
                pub fn new(value: $value) -> Self {
                    Self(model::$name::new(value))
                }
                /// As core's.
                pub fn load(&self, order: Ordering) -> $value {
                    self.0.load(order)
                }
                /// As core's.
                pub fn store(&self, value: $value, order: Ordering) {
                    self.0.store(value, weakened(order));
                }
            }
        };
    }
    atomic!(AtomicBool, bool);
    atomic!(AtomicU64, u64);
    atomic!(AtomicUsize, usize);

    /// As core's; what it does is loom's.
    #[derive(Debug)]
    pub struct AtomicPtr<T>(model::AtomicPtr<T>);

    impl<T> AtomicPtr<T> {
        /// As core's, but not `const`.
        pub fn new(value: *mut T) -> Self {
            Self(model::AtomicPtr::new(value))
        }
        /// As core's.
        pub fn load(&self, order: Ordering) -> *mut T {
            self.0.load(order)
        }
        /// As core's.
        pub fn store(&self, value: *mut T, order: Ordering) {
            self.0.store(value, weakened(order));
        }
    }

    impl AtomicBool {
        /// As core's.
        pub fn swap(&self, value: bool, order: Ordering) -> bool {
            self.0.swap(value, weakened(order))
        }
    }

    impl AtomicU64 {
        /// As core's.
        pub fn fetch_max(&self, value: u64, order: Ordering) -> u64 {
            self.0.fetch_max(value, weakened(order))
        }
    }

    impl AtomicUsize {
        /// As core's.
        pub fn swap(&self, value: usize, order: Ordering) -> usize {
            self.0.swap(value, weakened(order))
        }
        /// As core's.
        pub fn compare_exchange(
            &self,
            from: usize,
            to: usize,
            order: Ordering,
            otherwise: Ordering,
        ) -> Result<usize, usize> {
            self.0.compare_exchange(from, to, weakened(order), otherwise)
        }
        /// As core's.
        pub fn fetch_add(&self, value: usize, order: Ordering) -> usize {
            self.0.fetch_add(value, weakened(order))
        }
        /// As core's.
        pub fn fetch_sub(&self, value: usize, order: Ordering) -> usize {
            self.0.fetch_sub(value, weakened(order))
        }
    }
}

pub mod lock {
    //! The lock of the shipping files: loom's.

    use loom::sync::{Mutex, MutexGuard};

    /// A value behind a lock. Whoever takes it holds interrupts off: the models look at messages between steps.
    #[derive(Debug)]
    pub struct IrqLock<T>(Mutex<T>);

    impl<T> IrqLock<T> {
        /// As the kernel's, but not `const`.
        pub fn new(value: T) -> Self {
            Self(Mutex::new(value))
        }
        /// As the kernel's.
        pub fn lock(&self) -> MutexGuard<'_, T> {
            self.0.lock().expect("no step panics with it")
        }
    }
}
