//! Proofs about this CPU, and what is built on them: masked IRQs, disabled preemption, spin locks, per-CPU data.
//!
//! Floor 2: above `arch`. A fact about a CPU is a token lent by a closure: it cannot outlive the fact.

pub mod atomic;
pub mod held;
#[cfg(all(target_os = "none", debug_assertions))]
pub mod helps;
#[cfg(all(target_os = "none", not(debug_assertions)))]
#[path = "helps_off.rs"]
pub mod helps;
#[cfg(target_os = "none")]
pub mod irqs;
#[cfg(target_os = "none")]
pub mod lock;
#[cfg(not(target_os = "none"))]
#[path = "lock_host.rs"]
pub mod lock;
pub mod order;
#[cfg(target_os = "none")]
pub mod percpu;
#[cfg(target_os = "none")]
pub mod preempt;
