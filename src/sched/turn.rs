//! Turns: what a task has used of its CPU, and when others of its class may run. Pure. Notrace (O8).
//!
//! Each task has a *balance*. A turn adds its length, use is taken off. The turn lasts while half a tick or more is left, at
//! the switch or the tick that looks: so it ends at the tick that is nearest to its length. What is left then, or was used
//! too much, goes into the next turn: so over many turns all tasks of a class that always want their CPU have the same of it,
//! wherever between two ticks their turns begin and end. Whoever blocks or yields gives up what is left, not what it owes.
//!
//! Use is charged at each switch and at each tick, to whoever had the CPU. From one tick to the next it comes to one tick's
//! length: whoever meets the tick is charged what is left of that, be the tick early or late. So neither a host that stops the
//! guest nor ticks that jitter cost a task its turn. All lengths are counts of the clock.
//!
//! # What bounds the wait of a runnable task
//! Those of its class that are before it in its queue have a turn each, which is over after its length and one tick at the
//! most; behind a higher class a task that was taken off goes on first, but only with what is left of its turn. So n tasks on
//! a CPU wait for n - 1 turns at the most, of the time that the classes above leave them (of boosted ones that is half, see
//! `sched::loan`). Nothing bounds what the high class takes: the watchdog names who gets no CPU (`sched::starved`).
//!
//! # Why not by ticks
//! A tick says who was hit, not who has used the CPU. Beside a task of the high class that runs across each tick no turn of a
//! normal one would end: whoever was taken off goes on first, again and again, and the others never run. And whoever yields
//! before each tick has nearly all of the CPU, while the tick that follows ends the turn of another that has just begun.

use crate::sync::atomic::{AtomicI64, Ordering};

/// What of a CPU's time is charged. Its run queue's lock guards it.
#[derive(Debug)]
pub struct Charges {
    /// A tick's length.
    tick: i64,
    /// A turn's length.
    turn: i64,
    /// When the last tick came.
    ticked: u64,
    /// Up to here the CPU's time is charged.
    since: u64,
}

impl Charges {
    /// The CPU has no ticks yet.
    pub const fn new() -> Self {
        Self { tick: 0, turn: 0, ticked: 0, since: 0 }
    }

    /// From `now` on there are ticks, of this length, and turns of so many.
    pub fn start(&mut self, tick: u64, turn_ticks: u32, now: u64) {
        let tick = tick as i64;
        *self = Self { tick, turn: tick * i64::from(turn_ticks), ticked: now, since: now };
    }

    /// A tick's length.
    #[inline(always)]
    pub const fn tick(&self) -> u64 {
        self.tick as u64
    }

    /// What whoever has had the CPU since the last switch or tick has used of it. Another CPU's look at the counter may be a
    /// little older than the last one: then it is less than nothing.
    #[inline(always)]
    pub fn at_switch(&mut self, now: u64) -> i64 {
        now.wrapping_sub(core::mem::replace(&mut self.since, now)) as i64
    }

    /// The same at a tick.
    #[inline(always)]
    pub fn at_tick(&mut self, now: u64) -> i64 {
        let charged = self.since.wrapping_sub(self.ticked) as i64;
        (self.ticked, self.since) = (now, now);
        (self.tick - charged).max(0)
    }
}

impl Default for Charges {
    fn default() -> Self {
        Self::new()
    }
}

/// What one task may still use in its turn. The lock of the run queue that it is on, or whose CPU runs it, guards it.
#[derive(Debug)]
pub struct Balance(AtomicI64);

impl Balance {
    /// No turn has begun, and nothing is owed.
    pub const fn new() -> Self {
        Self(AtomicI64::new(0))
    }

    #[inline(always)]
    fn get(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn set(&self, balance: i64) {
        self.0.store(balance, Ordering::Relaxed);
    }

    /// Whether its turn lasts.
    #[inline(always)]
    pub fn has_turn(&self, charges: &Charges) -> bool {
        self.get() >= charges.tick >> 1
    }

    /// It has used so much. If it does not keep its turn, it gives up what is left.
    #[inline(always)]
    pub fn charge(&self, used: i64, keeps_turn: bool) {
        let left = self.get() - used;
        self.set(if keeps_turn { left } else { left.min(0) });
    }

    /// It has used so much, and a tick has come. It owes no more than half a tick: more is not its fault, or cannot be helped.
    #[inline(always)]
    pub fn charge_at_tick(&self, used: i64, charges: &Charges) {
        self.set((self.get() - used).max(-(charges.tick >> 1)));
    }

    /// It has the CPU: if no turn of it lasts, one begins.
    #[inline(always)]
    pub fn begin(&self, charges: &Charges) {
        if !self.has_turn(charges) {
            self.set(self.get() + charges.turn);
        }
    }
}

impl Default for Balance {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests;
