//! `classic`: Tasks RCU. A task stops being waited for when it switches voluntarily, sleeps, or exits.
//!
//! For it: no func switches voluntarily, so a task that did has left every func that it was inside of before; a
//! preempted one stays a holdout, since it may stand in a func. Interrupt-level holders and idle, which are on no list,
//! are flushed by the brackets (see [`super::holdouts`]).
//! Cost: nothing per call. A grace period walks all tasks; a task that never switches is waited for without end and is
//! named by the stall report: that is the scheme's price. A func must not block: `away` would be a lie (`away-is-clean`).
//! Source: Linux's `synchronize_rcu_tasks`, kernel/rcu/tasks.h.

use super::holdouts::{Listed, Rule};

/// Only a switch that the task asked for.
#[derive(Debug, Default)]
pub struct Voluntary;

impl Rule for Voluntary {
    const NAME: &'static str = "classic";
}

/// Tasks RCU.
pub type Classic = Listed<Voluntary>;
