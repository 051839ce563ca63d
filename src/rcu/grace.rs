//! The grace-period machine: what the grace-period task does next, decided without doing it.
//!
//! The task asks [`Machine::step`] in a loop and carries the [`Action`] out; it has no decisions of its own. A grace
//! period is the steps of the selected scheme, one after the other; each begins, and is over when the scheme counts
//! nobody outstanding. When the last one is, what is retired is judged. Promises: one grace period serves all that asked before it
//! began; a step that does not end is reported after `stall_after_ns`, and again after each further interval; so is an object
//! that is held for so long, where grace periods end without waiting for holders; waiting has no period of its own, the
//! end of a wait is the next report. What each scheme's grace periods came to is kept apart.
//! Context: the grace-period task. Pure: time and the scheme's counts come in, actions go out.
//!
//! How long grace periods took is told by the clock; when one counts as stalled, by progress ([`crate::sched::progress`]): a host
//! that stops the guest keeps no grace period from ending.

use super::cookie::Sequence;
use super::judging::Stands;
use super::schemes::{NAMES, Scheme};

/// What the grace-period task does now; then it asks again.
#[derive(Debug)]
pub enum Action {
    /// Nobody waits: sleep until a request comes.
    Sleep,
    /// Something is held: sleep until a request comes, or somebody holds less, at most for so long.
    Rest {
        /// How much progress is left before what is held counts as stalled.
        most_ns: u64,
    },
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
    /// Everybody was met: judge what is retired, and then [`Machine::finish`].
    Judge,
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
    /// Tasks and CPUs that had not left when a step had begun, in each step anew.
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
        wait: Wait,
    },
    Judging,
}

/// Since when something waits, and when that is reported next. By progress.
#[derive(Clone, Copy, Debug)]
struct Wait {
    since_ns: u64,
    report_ns: u64,
}

impl Wait {
    #[inline(always)]
    fn begin(now: Now, stall_after_ns: u64) -> Self {
        Self { since_ns: now.progress_ns, report_ns: now.progress_ns + stall_after_ns }
    }

    /// How long it has waited, if that is to be reported now.
    #[inline(always)]
    fn stalled_ns(&mut self, now: Now, stall_after_ns: u64) -> Option<u64> {
        if now.progress_ns < self.report_ns {
            return None;
        }
        self.report_ns = now.progress_ns + stall_after_ns;
        Some(now.progress_ns.saturating_sub(self.since_ns))
    }
}

/// Where the running grace period stands.
#[derive(Debug)]
pub struct Machine {
    state: State,
    /// The oldest retirement that is held, and its wait.
    held: Option<(u64, Wait)>,
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
        Self { state: State::Idle, held: None, stall_after_ns, began_ns: 0, statistics, selected: 0 }
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

    /// Whether a grace period is to begin: what the grace-period task sleeps for while none runs.
    #[inline(always)]
    pub fn is_wanted<S: Scheme + ?Sized>(sequence: &Sequence, scheme: &S) -> bool {
        sequence.is_wanted() || scheme.is_due()
    }

    /// The next action. `scheme` is the same from the first step of a grace period to its last. `stands` is what the last grace
    /// period has left; `take_over` takes over what is retired, when a grace period has begun.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn step(
        &mut self,
        sequence: &Sequence,
        scheme: &dyn Scheme,
        now: Now,
        stands: Stands,
        take_over: impl FnOnce(),
    ) -> Action {
        let stall_after_ns = self.stall_after_ns;
        match &mut self.state {
            State::Idle => {
                let (held_for, stalled_ns) = self.look_at_held(stands.oldest_held, now);
                if let Some(stalled_ns) = stalled_ns {
                    self.count_stall();
                    return Action::Report { step: 0, stalled_ns };
                }
                if !stands.is_pass_open && !Self::is_wanted(sequence, scheme) {
                    return held_for.map_or(Action::Sleep, |most_ns| Action::Rest { most_ns });
                }
                sequence.begin();
                self.began_ns = now.clock_ns;
                take_over();
                self.go_to(0, scheme)
            }
            State::Begun { step } => {
                let step = *step;
                self.state = State::Waiting { step, wait: Wait::begin(now, stall_after_ns) };
                let (figures, nr_holdouts) = (self.figures(), scheme.nr_holdouts(step) as u64);
                // A sum for reports: with a scheme that miscounts it is wrong, and nothing else is.
                figures.nr_waited_for = figures.nr_waited_for.wrapping_add(nr_holdouts);
                self.step(sequence, scheme, now, stands, take_over)
            }
            State::Waiting { step, .. } if scheme.outstanding(*step) == 0 => {
                let step = *step;
                self.go_to(step + 1, scheme)
            }
            State::Waiting { step, wait } => {
                let step = *step;
                match wait.stalled_ns(now, stall_after_ns) {
                    None => Action::Wait { step, most_ns: wait.report_ns - now.progress_ns },
                    Some(stalled_ns) => {
                        self.count_stall();
                        Action::Report { step, stalled_ns }
                    }
                }
            }
            State::Judging => Action::Judge,
        }
    }

    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    fn go_to(&mut self, step: usize, scheme: &dyn Scheme) -> Action {
        if step < scheme.nr_steps() {
            self.state = State::Begun { step };
            return Action::Begin { step };
        }
        self.state = State::Judging;
        Action::Judge
    }

    /// What is held, be it that grace periods go on or not: how long until that is to be reported, or how long it has been held
    /// if that is to be reported now.
    #[inline(always)]
    fn look_at_held(&mut self, oldest_held: Option<u64>, now: Now) -> (Option<u64>, Option<u64>) {
        let stall_after_ns = self.stall_after_ns;
        let before = self.held.take();
        let Some(number) = oldest_held else { return (None, None) };
        let same = before.filter(|&(oldest, _)| oldest == number);
        let (_, wait) = self.held.insert(same.unwrap_or((number, Wait::begin(now, stall_after_ns))));
        let stalled_ns = wait.stalled_ns(now, stall_after_ns);
        (Some(wait.report_ns - now.progress_ns), stalled_ns)
    }

    /// What is retired has been judged: the grace period is over, and those who waited for it may be woken.
    #[cfg_attr(target_os = "none", unsafe(link_section = ".text.notrace"))]
    pub fn finish(&mut self, sequence: &Sequence, now: Now) {
        assert!(matches!(self.state, State::Judging), "a grace period ends that was not judged");
        self.state = State::Idle;
        sequence.end();
        let last_ns = now.clock_ns.saturating_sub(self.began_ns);
        let figures = self.figures();
        figures.nr_grace_periods += 1;
        figures.last_ns = last_ns;
        figures.max_ns = figures.max_ns.max(last_ns);
        figures.total_ns += last_ns;
    }

    /// The step that it waits in, or behind which something is held, and since when, by progress.
    pub fn waiting(&self) -> Option<(usize, u64)> {
        match (self.state, self.held) {
            (State::Waiting { step, wait }, _) => Some((step, wait.since_ns)),
            (State::Idle, Some((_, wait))) => Some((0, wait.since_ns)),
            _ => None,
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
