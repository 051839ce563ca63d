//! A host that stops the guest for longer than anything is waited for: nothing of that is held against the kernel.
//!
//! The guests are stopped one after the other, and go on so too, so that one runs at a time; their pauses overlap, and other
//! tests run meanwhile.

use crate::guest::{self, Guest, Running};
use std::time::{Duration, Instant};

/// Longer than a scenario of `selftest` waits for its tasks (30 s), and than an ops of `stress` may wait to be freed (20 s).
const PAUSE: Duration = Duration::from_secs(31);
const PAUSE_OF_STRESS: Duration = Duration::from_secs(22);
/// How often a guest is started until it is stopped in the middle of what it is to be stopped in.
const TRIES: usize = 5;

/// What is stopped.
struct Case {
    words: [&'static str; 3],
    /// It is stopped so long after a line that begins so, and before one that begins so.
    after: &'static str,
    delay_ms: u64,
    before: &'static str,
    pause: Duration,
    verdict: &'static str,
}

const CASES: [Case; 4] = [
    Case {
        words: ["selftest", "only=clock,timers", "seed=1"],
        after: "test: clock ok",
        delay_ms: 1000,
        before: "test: timers",
        pause: PAUSE,
        verdict: "selftest: PASS",
    },
    Case {
        words: ["selftest", "only=clock,fairness", "seed=1"],
        after: "test: clock ok",
        delay_ms: 300,
        before: "test: fairness",
        pause: PAUSE,
        verdict: "selftest: PASS",
    },
    Case {
        words: ["selftest", "only=clock,softirq-storm", "seed=1"],
        after: "test: clock ok",
        delay_ms: 60,
        before: "test: softirq-storm",
        pause: PAUSE,
        verdict: "selftest: PASS",
    },
    // From here on the load runs, and ops wait to be freed.
    Case {
        words: ["stress", "secs=5", "seed=1"],
        after: "a queued task was moved",
        delay_ms: 1000,
        before: "every callsite traced",
        pause: PAUSE_OF_STRESS,
        verdict: "stress: PASS",
    },
];

impl Case {
    /// A guest that is stopped in the middle of it.
    fn stopped(&self) -> Running {
        for _ in 0..TRIES {
            let mut guest = Guest::with_cpus(4).patience(120).start(&self.words);
            guest.wait_for(self.after);
            std::thread::sleep(Duration::from_millis(self.delay_ms));
            if !guest.stop().lines().any(|line| line.starts_with(self.before)) {
                return guest;
            }
        }
        panic!("{:?}: `{}` came too soon, {TRIES} times", self.words, self.before);
    }
}

#[test]
fn a_pause_of_the_host_in_the_middle_of_it_fails_neither_stress_nor_a_scenario() {
    guest::image(); // before others are kept away: to try it takes a guest
    let alone = guest::alone();
    let mut stopped = CASES.map(|case| {
        let guest = case.stopped();
        (Instant::now() + case.pause, guest, case.verdict)
    });
    // Who is stopped needs no CPU.
    drop(alone);
    stopped.sort_by_key(|&(until, ..)| until);
    for (until, guest, verdict) in stopped {
        std::thread::sleep(until.saturating_duration_since(Instant::now()));
        let _alone = guest::alone();
        guest.go_on();
        let ended = guest.end().expect_status(0);
        ended.line_with(&[verdict]);
        assert!(!ended.console.contains("grace period stalled: scan has waited 10"), "{}", ended.story());
    }
}
