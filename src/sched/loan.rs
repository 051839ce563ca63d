//! What boosted tasks have borrowed of a CPU from normal ones, and when they give it back. Pure. Notrace (O8).
//!
//! A normal task that somebody waits for goes before the other normal ones. Were that all, a crowd of them, or one that spins for
//! what only another normal task can do, would keep the others from the CPU for as long as it likes. So what boosted tasks use of
//! a CPU while others of their own class wait for it is owed to these. Once that comes to half a tick the boosted ones stand
//! behind the normal ones until all but an eighth of a tick is paid back; the rest stays owed. So where both always want the CPU,
//! they take turns of a tick, and each have half of it.
//!
//! What is used is what turns are charged with (`sched::turn`), at switches and ticks. A tick calls what is owed in, so the two
//! take turns of ticks.
//!
//! # Why a bound on the debt
//! A task that cannot be preempted would let the debt grow until nobody whom a grace period waits for gets the CPU for as long.

/// Who has had the CPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    /// A task that is boosted. Whether normal ones wait.
    Boosted {
        /// They do.
        others_wait: bool,
    },
    /// A normal task.
    Normal,
    /// A task of the high class: it owes nothing.
    High,
    /// Nobody wanted it.
    Idle,
}

/// The account of one CPU. Its run queue's lock guards it.
#[derive(Debug)]
pub struct Loan {
    owed: u64,
    is_called_in: bool,
}

impl Loan {
    /// Nothing is owed.
    pub const fn new() -> Self {
        Self { owed: 0, is_called_in: false }
    }

    /// Whether boosted tasks stand behind normal ones now.
    #[inline(always)]
    pub const fn is_called_in(&self) -> bool {
        self.is_called_in
    }

    /// Whether anything is owed: if not, what normal tasks use need not be noted.
    #[inline(always)]
    pub const fn is_owed(&self) -> bool {
        self.owed > 0
    }

    /// `user` has used so much of the CPU, whose ticks are so long.
    #[inline(always)]
    pub fn note(&mut self, used: u64, tick: u64, user: User) {
        self.owed = match user {
            User::Boosted { others_wait: true } => (self.owed + used).min(2 * tick),
            User::Boosted { others_wait: false } | User::High => self.owed,
            User::Normal => self.owed.saturating_sub(used),
            User::Idle => 0,
        };
        self.is_called_in = self.owed >= tick / 2 || self.is_called_in && self.owed > tick / 8;
    }
}

impl Default for Loan {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{Loan, User};
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    const TICK_NS: u64 = 4_000_000;
    const WINDOW_NS: u64 = 200_000_000;

    /// One boosted task and one normal one both always want the CPU; the boosted one lets go after `stint(n)` each time, and a
    /// tick makes the CPU choose again. Says how much of the worst window the normal one had.
    fn least_of_a_window(mut stint: impl FnMut() -> u64) -> u64 {
        let (mut loan, mut now, mut tick) = (Loan::new(), 0, TICK_NS);
        // When the user changed, and what the normal one had had by then.
        let mut changes: Vec<(u64, u64)> = vec![(0, 0)];
        let (mut had, mut was_normal) = (0, false);
        while now < 8 * WINDOW_NS {
            let is_normal = loan.is_called_in();
            if is_normal != was_normal {
                changes.push((now, had));
                was_normal = is_normal;
            }
            let until = if is_normal { tick } else { tick.min(now + stint()) };
            let user = if is_normal { User::Normal } else { User::Boosted { others_wait: true } };
            loan.note(until - now, TICK_NS, user);
            had += if is_normal { until - now } else { 0 };
            now = until;
            tick += if now == tick { TICK_NS } else { 0 };
        }
        changes.push((now, had));
        // Every other stretch is the normal one's; a window is worst that begins where one of the boosted one does, or ends there.
        let had_by = |at: u64| -> u64 {
            let behind = changes.partition_point(|change| change.0 <= at).min(changes.len() - 1);
            let (since, had) = changes[behind - 1];
            if behind % 2 == 0 { had + (at - since) } else { had }
        };
        let edges = changes.iter().flat_map(|change| [change.0, change.0.saturating_sub(WINDOW_NS)]);
        let windows = edges.filter(|from| from + WINDOW_NS <= now);
        windows.map(|from| had_by(from + WINDOW_NS) - had_by(from)).min().expect("there are windows")
    }

    #[test]
    fn normal_tasks_have_half_of_any_window_whether_the_boosted_one_spins_or_yields() {
        for stint in [u64::MAX / 2, TICK_NS, 3_000_000, 1_000_000, 20_000, 1_000] {
            let least = least_of_a_window(|| stint);
            assert!(least >= WINDOW_NS / 2, "{least} ns beside a task that lets go after {stint} ns");
        }
        let mut random = Xoshiro256PlusPlus::seed_from_u64(0x10a2);
        let least = least_of_a_window(|| u64::from(random.next_u32()) % (2 * TICK_NS));
        assert!(least >= WINDOW_NS / 2, "{least} ns beside a task that lets go at random");
    }

    #[test]
    fn nothing_is_owed_while_nobody_waits_and_idle_time_settles_it() {
        let mut loan = Loan::new();
        loan.note(10 * TICK_NS, TICK_NS, User::Boosted { others_wait: false });
        assert!(!loan.is_owed() && !loan.is_called_in());
        loan.note(TICK_NS / 2, TICK_NS, User::Boosted { others_wait: true });
        assert!(loan.is_called_in());
        loan.note(10 * TICK_NS, TICK_NS, User::High);
        assert!(loan.is_called_in(), "the high class pays nobody's debts");
        loan.note(1, TICK_NS, User::Idle);
        assert!(!loan.is_owed() && !loan.is_called_in());
    }

    #[test]
    fn what_is_owed_has_a_bound_and_what_is_not_paid_back_stays_owed() {
        let mut loan = Loan::new();
        loan.note(1_000 * TICK_NS, TICK_NS, User::Boosted { others_wait: true });
        loan.note(2 * TICK_NS - TICK_NS / 8 - 1, TICK_NS, User::Normal);
        assert!(loan.is_called_in(), "the bound is two ticks, and more than an eighth is left");
        loan.note(1, TICK_NS, User::Normal);
        assert!(!loan.is_called_in() && loan.is_owed());
        loan.note(TICK_NS * 3 / 8, TICK_NS, User::Boosted { others_wait: true });
        assert!(loan.is_called_in(), "the rest counts");
    }
}
