//! One value per CPU. Reaching this CPU's own takes a proof that the caller stays on it.

use super::irqs::IrqsMasked;
use crate::arch::cpu;

/// A value on cache lines of its own.
#[repr(align(128))]
#[derive(Debug)]
pub struct Line<T>(T);

impl<T> Line<T> {
    /// The value of one CPU; use [`percpu!`](crate::percpu).
    pub const fn new(value: T) -> Self {
        Self(value)
    }
}

/// One `T` for each CPU. `T` is shared: its fields are atomics, cells behind a lock, or the like.
#[derive(Debug)]
pub struct PerCpu<T>([Line<T>; cpu::MAX_CPUS]);

/// A [`PerCpu`] whose values all start as one constant expression.
#[macro_export]
macro_rules! percpu {
    ($value:expr) => {
        $crate::sync::percpu::PerCpu::from_lines(
            [const { $crate::sync::percpu::Line::new($value) }; $crate::arch::cpu::MAX_CPUS],
        )
    };
}

impl<T> PerCpu<T> {
    /// For [`percpu!`](crate::percpu).
    pub const fn from_lines(lines: [Line<T>; cpu::MAX_CPUS]) -> Self {
        Self(lines)
    }

    /// This CPU's value. Context: IRQs masked.
    #[inline(always)]
    pub fn this(&self, _: &IrqsMasked<'_>) -> &T {
        &self.0[cpu::id() % cpu::MAX_CPUS].0
    }

    /// The value of CPU number `cpu`: someone else's, or one's own when it does not matter.
    #[inline(always)]
    pub fn of(&self, cpu: usize) -> &T {
        &self.0[cpu % cpu::MAX_CPUS].0
    }

    /// All of them, in the order of the CPUs.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|line| &line.0)
    }
}
