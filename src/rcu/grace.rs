//! The grace-period machine: what the grace-period task does next, decided without doing it.
//!
//! The task asks [`Machine::step`] in a loop and carries the [`Action`] out; it has no decisions of its own. A grace
//! period is the steps of the selected scheme, one after the other; each begins, and is over when the scheme counts
//! nobody outstanding. Promises: one grace period serves all that asked before it began; a step that does not end is
//! reported after `stall_after_ns`, and again after each further interval; waiting has no period of its own, the
//! end of a wait is the next report. What each scheme's grace periods came to is kept apart.
//! Context: the grace-period task. Pure: time and the scheme's counts come in, actions go out.
//!
//! How long grace periods took is told by the clock; when one counts as stalled, by progress ([`crate::sched::progress`]): a host
//! that stops the guest keeps no grace period from ending.

use super::cookie::{Elapsed, Sequence};
use super::schemes::{NAMES, Scheme};

/// What the grace-period task does now; then it asks again.
#[derive(Debug)]
pub enum Action {
    /// Nobody waits: sleep until a request comes.
    Sleep,
    /// Begin this step of the scheme.
    Begin {
        /// Counted from 0.
        step: usize,
    },
    /// Sleep until the step's count is zero, at most for so long.
    Wait {
        /// The running step.
        step: usize,
        /// How much progress is left before the step counts as stalled.
        most_ns: u64,
    },
    /// Name the culprits: this step has waited for too long.
    Report {
        /// The running step.
        step: usize,
        /// How long it has waited.
        stalled_ns: u64,
    },
    /// The grace period is over: wake those who waited, reclaim what it covers.
    Finish(Elapsed),
}

/// What time it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// By the clock.
    pub clock_ns: u64,
    /// By what the guest has executed.
    pub progress_ns: u64,
}

/// What the grace periods of one scheme came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Statistics {
    /// Grace periods that have ended.
    pub nr_grace_periods: u64,
    /// How long the last one took.
    pub last_ns: u64,
    /// How long the longest one took.
    pub max_ns: u64,
    /// How long all took together.
    pub total_ns: u64,
    /// Stall reports made.
    pub nr_stalls: u64,
    /// Visits of every CPU.
    pub nr_rounds: u64,
    /// Tasks and CPUs that had not left when their step had begun.
    pub nr_waited_for: u64,
    /// Objects that the reclaimer freed.
    pub nr_freed: u64,
}

impl Statistics {
    /// How long a grace period took on average.
    pub fn mean_ns(&self) -> u64 {
        self.total_ns / self.nr_grace_periods.max(1)
    }
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    /// This step is to begin, or has just begun.
    Begun {
        step: usize,
    },
    Waiting {
        step: usize,
        since_ns: u64,
        report_ns: u64,
    },
}

/// Where the running grace period stands.
#[derive(Debug)]
pub struct Machine {
    state: State,
    stall_after_ns: u64,
    began_ns: u64,
    /// Of the schemes of [`NAMES`].
    statistics: [Statistics; NAMES.len()],
    selected: usize,
}

impl Machine {
    /// A machine at rest, which reports a step after this long.
    pub fn new(stall_after_ns: u64) -> Self {
        let statistics = [Statistics::default(); NAMES.len()];
        Self { state: State::Idle, stall_after_ns, began_ns: 0, statistics, selected: 0 }
    }

    /// From now on what happens is counted for the scheme that stands at this place of [`NAMES`].
    pub fn count_for(&mut self, index: usize) {
        self.selected = index;
    }

    /// Where the selected scheme's figures are kept.
    #[inline(always)]
    fn figures(&mut self) -> &mut Statistics {
        &mut self.statistics[self.selected]
    }

    /// A round was made.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn count_round(&mut self) {
        self.figures().nr_rounds += 1;
    }

    /// The reclaimer freed an object.
    pub fn count_freed(&mut self) {
        self.figures().nr_freed += 1;
    }

    /// A stall was reported that the machine itself could not see.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn count_stall(&mut self) {
        self.figures().nr_stalls += 1;
    }

    /// The next action. `scheme` is the same from the first step of a grace period to its last.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn step(&mut self, sequence: &Sequence, scheme: &dyn Scheme, now: Now) -> Action {
        match self.state {
            State::Idle if sequence.is_wanted() => {
                sequence.begin();
                self.began_ns = now.clock_ns;
                self.go_to(0, sequence, scheme, now)
            }
            State::Idle => Action::Sleep,
            State::Begun { step } => {
                let report_ns = now.progress_ns + self.stall_after_ns;
                self.state = State::Waiting { step, since_ns: now.progress_ns, report_ns };
                self.figures().nr_waited_for += scheme.outstanding(step) as u64;
                self.step(sequence, scheme, now)
            }
            State::Waiting { step, .. } if scheme.outstanding(step) == 0 => self.go_to(step + 1, sequence, scheme, now),
            State::Waiting { step, since_ns, report_ns } if now.progress_ns >= report_ns => {
                let report_ns = now.progress_ns + self.stall_after_ns;
                self.state = State::Waiting { step, since_ns, report_ns };
                self.count_stall();
                Action::Report { step, stalled_ns: now.progress_ns.saturating_sub(since_ns) }
            }
            State::Waiting { step, report_ns, .. } => Action::Wait { step, most_ns: report_ns - now.progress_ns },
        }
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn go_to(&mut self, step: usize, sequence: &Sequence, scheme: &dyn Scheme, now: Now) -> Action {
        if step < scheme.nr_steps() {
            self.state = State::Begun { step };
            return Action::Begin { step };
        }
        self.state = State::Idle;
        let last_ns = now.clock_ns.saturating_sub(self.began_ns);
        let figures = self.figures();
        figures.nr_grace_periods += 1;
        figures.last_ns = last_ns;
        figures.max_ns = figures.max_ns.max(last_ns);
        figures.total_ns += last_ns;
        Action::Finish(sequence.end())
    }

    /// The step that it waits in, and since when, by progress.
    pub fn waiting(&self) -> Option<(usize, u64)> {
        match self.state {
            State::Waiting { step, since_ns, .. } => Some((step, since_ns)),
            State::Idle | State::Begun { .. } => None,
        }
    }

    /// Whether no grace period runs: then another scheme may be selected.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn is_idle(&self) -> bool {
        matches!(self.state, State::Idle)
    }

    /// Reports a step after this long, from the next one on; returns how long it was before.
    pub fn set_stall_after(&mut self, ns: u64) -> u64 {
        core::mem::replace(&mut self.stall_after_ns, ns)
    }

    /// What the selected scheme's grace periods came to so far.
    pub fn statistics(&self) -> Statistics {
        self.statistics[self.selected]
    }

    /// The same for every scheme, in the order of [`NAMES`].
    pub fn all_statistics(&self) -> [Statistics; NAMES.len()] {
        self.statistics
    }

    /// When a step counts as stalled.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn stall_after_ns(&self) -> u64 {
        self.stall_after_ns
    }
}
