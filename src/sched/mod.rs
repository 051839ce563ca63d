//! Who runs: tasks, run queues, the switch; how tasks wait, wake and are timed; cross-CPU visits. Floor 4.
//!
//! ```text
//! spawn -> queue -> pick -> switch_context -> finish (prev is off the CPU from here on)
//!            ^                                  | runnable: queued again
//!            +---- wake <---- BLOCKED <---------+ blocking: release CAS to BLOCKED; dead: to the reaper
//! ```
//! INVARIANT `off-cpu`: a task's saved context is read by another CPU only after the next task's
//! [`switch`] stored BLOCKED or queued it (release), which whoever runs or examines it acquires (O11).
//! `rcu` hangs on to [`seam`]; `irq` calls [`switch::preempt_irq`] and [`tick`]. All that runs inside a switch
//! is notrace (O8).

#[cfg(target_os = "none")]
mod account;
#[cfg(target_os = "none")]
mod affinity;
pub mod deadlines;
pub mod digest;
pub mod fifo;
pub mod handover;
#[cfg(target_os = "none")]
pub mod ipi;
pub mod jitter;
pub mod loan;
#[cfg(target_os = "none")]
mod mutex;
#[cfg(target_os = "none")]
mod patience;
pub mod preemption;
pub mod progress;
pub mod rcu_words;
pub mod roll;
#[cfg(target_os = "none")]
mod runqueue;
#[cfg(target_os = "none")]
pub mod seam;
pub mod starved;
#[cfg(target_os = "none")]
mod stay;
#[cfg(target_os = "none")]
pub mod switch;
#[cfg(target_os = "none")]
pub mod task;
#[cfg(target_os = "none")]
mod tasks;
#[cfg(test)]
mod tests;
#[cfg(target_os = "none")]
pub mod tick;
#[cfg(target_os = "none")]
pub mod timers;
pub mod turn;
#[cfg(target_os = "none")]
pub mod wait;
pub mod waiting;

#[cfg(target_os = "none")]
pub use {
    crate::arch::timer::now_ns,
    account::{Account, account, begin_schedule, note_in_schedule, nr_noted_in_schedule, schedule_digest},
    affinity::{hold_back, set_affinity},
    ipi::{Pending, Visit, nr_cpus, pending_visit, synchronise_every_cpu, visit_every_cpu},
    mutex::{Mutex, MutexGuard},
    patience::{Patience, progress_ns},
    runqueue::{boost, lend, owe, unboost, want_reschedule},
    stay::Stay,
    switch::{cond_resched, current, exit, might_sleep, sleep, yield_now},
    task::{Class, Task},
    tasks::{
        JoinHandle, Spawn, SpawnError, TaskName, Walk, counts, find, for_each_task, idle_task, spawn, try_current_of,
        try_for_each_task, try_owner_of_stack, watch_waits,
    },
    tick::{TICK_NS, idle_ticks, jitter, ticks},
    wait::{WaitQueue, defer_wake},
};
