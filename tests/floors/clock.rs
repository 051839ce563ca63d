//! Who looks at the clock in experiments, grace periods and all below them, and what for: the clock goes on while the host stops the guest, so what
//! judges looks at progress (`sched::Patience`) instead.
//!
//! Every function that reads the clock, or waits with a deadline of it, is listed with how often it does. One that is not, or
//! does so more often, fails until somebody has judged it.

use crate::source::{Source, Token};

/// What a function takes the clock for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    /// It stays, sleeps or arms a timer for so long: what follows is judged by something else.
    Paces,
    /// It prints how long something took.
    Measures,
    /// It judges, and a leap of the clock cannot make it wrong: something happened too early, or time went back.
    JudgesEarliness,
}

/// A function's looks at the clock.
pub(crate) struct Looks {
    pub(crate) file: &'static str,
    pub(crate) function: &'static str,
    pub(crate) nr: usize,
    pub(crate) uses: &'static [Use],
}

const fn looks(file: &'static str, function: &'static str, nr: usize, uses: &'static [Use]) -> Looks {
    Looks { file, function, nr, uses }
}

const PACES: &[Use] = &[Use::Paces];
const MEASURES: &[Use] = &[Use::Measures];
const JUDGES: &[Use] = &[Use::JudgesEarliness];

/// All of them.
pub(crate) const LOOKS: &[Looks] = &[
    looks("src/irq/serial.rs", "sleep", 2, PACES),
    looks("src/irq/watchdog.rs", "instead_of_fiq", 1, PACES),
    // No look counts for more than a millisecond.
    looks("src/irq/watchdog/report.rs", "comes_true", 2, PACES),
    looks("src/lab/bench.rs", "now", 1, MEASURES),
    looks("src/lab/bench.rs", "run", 1, MEASURES),
    looks("src/lab/bench/masked.rs", "went_off", 1, MEASURES),
    looks("src/lab/bench/masked.rs", "set", 1, PACES),
    looks("src/lab/bench/masked/deep.rs", "longest", 2, PACES),
    looks("src/lab/bench/switch.rs", "sample", 2, MEASURES),
    looks("src/lab/bystander.rs", "look_at_clock", 1, MEASURES),
    looks("src/lab/bystander.rs", "beside", 1, MEASURES),
    looks("src/lab/cpu_time.rs", "use_up_while", 2, PACES),
    looks("src/lab/demo.rs", "wait_and_free", 3, MEASURES),
    looks("src/lab/demo.rs", "free_at_once", 1, MEASURES),
    looks("src/lab/demo/gate.rs", "stay", 1, MEASURES),
    looks("src/lab/hold.rs", "free", 2, MEASURES),
    looks("src/lab/oracle.rs", "note_retired", 1, MEASURES),
    looks("src/lab/oracle.rs", "bury", 1, MEASURES),
    // They stay, or sleep, until every CPU has run for as long, too.
    looks("src/lab/oracle/hit.rs", "stay_for", 2, PACES),
    looks("src/lab/oracle/hit.rs", "sleep_for", 1, PACES),
    looks("src/lab/oracle/hit.rs", "nap", 1, PACES),
    looks("src/lab/oracle/hit.rs", "sleep_until", 1, PACES),
    looks("src/lab/oracle/violation.rs", "tell_slot", 1, MEASURES),
    looks("src/lab/progress.rs", "tell", 1, PACES),
    looks("src/lab/selftest.rs", "run", 4, MEASURES),
    // The wait begins again where there is patience left.
    looks("src/lab/selftest/crew.rs", "wait_in", 2, PACES),
    looks("src/lab/selftest/ground.rs", "clock", 2, JUDGES),
    looks("src/lab/selftest/softirqs.rs", "sender", 1, PACES),
    looks("src/lab/selftest/timers.rs", "went_off", 1, &[Use::JudgesEarliness, Use::Measures]),
    looks("src/lab/selftest/timers.rs", "armer", 1, PACES),
    looks("src/lab/selftest/turns.rs", "stay", 1, PACES),
    looks("src/lab/selftest/turns.rs", "cross", 1, PACES),
    looks("src/lab/selftest/waits.rs", "impatient", 3, &[Use::Paces, Use::JudgesEarliness]),
    looks("src/lab/selftest/waits.rs", "sender", 1, PACES),
    looks("src/lab/stress/held.rs", "keep", 2, MEASURES),
    looks("src/lab/stress/in_trampoline.rs", "keep", 2, PACES),
    looks("src/lab/stress/load.rs", "chaos", 1, PACES),
    looks("src/lab/stress/sleepers.rs", "swap_unheld", 2, MEASURES),
    looks("src/lab/stress/updaters.rs", "free", 2, MEASURES),
    looks("src/lab/stress/verdict.rs", "plan", 1, MEASURES),
    looks("src/lab/stress/verdict.rs", "tell_progress", 1, MEASURES),
    looks("src/lab/stress/verdict.rs", "on_violation", 1, MEASURES),
    looks("src/lab/windows/director.rs", "try_run", 2, MEASURES),
    // It rests until a stall may have come, and looks at progress then.
    looks("src/rcu/gp_task.rs", "run_grace_periods", 2, &[Use::Measures, Use::Paces]),
    looks("src/rcu/gp_task.rs", "now", 1, MEASURES),
    looks("src/rcu/hurry.rs", "wait", 2, PACES),
    looks("src/sched/switch.rs", "sleep", 2, PACES),
    looks("src/sched/tick.rs", "start", 1, PACES),
    looks("src/sched/tick.rs", "on_alarm", 1, PACES),
    looks("src/sched/timers.rs", "expire", 1, PACES),
    looks("src/sched/wait.rs", "wait", 1, PACES),
    looks("src/shell/faults.rs", "in_irq", 1, PACES),
    looks("src/shell/grace_periods.rs", "synchronize", 2, MEASURES),
    looks("src/shell/tracing.rs", "switch_off", 2, MEASURES),
];

/// What reads the clock, and what waits with a deadline of it.
const WORDS: [&str; 2] = ["now_ns", "wait_until_deadline"];

/// The functions of `source` that call one of [`WORDS`], each with how often.
fn found(source: &Source) -> Vec<(String, usize)> {
    let tokens = source.tokens(false);
    let mut found: Vec<(String, usize)> = Vec::new();
    let mut function = "";
    for at in 1..tokens.len() {
        let (before, token) = (&tokens[at - 1], &tokens[at]);
        if before.text == "fn" && token.text != "(" {
            function = &token.text;
        } else if is_look(token, tokens.get(at + 1)) {
            match found.iter_mut().find(|(name, _)| name == function) {
                Some((_, nr)) => *nr += 1,
                None => found.push((function.to_owned(), 1)),
            }
        }
    }
    found
}

/// A call: no import, and no variable of that name.
fn is_look(word: &Token, next: Option<&Token>) -> bool {
    WORDS.contains(&word.text.as_str()) && next.is_some_and(|next| next.text == "(")
}

/// Looks at the clock that are not in `listed`, and what is listed and not there.
pub(crate) fn clock(sources: &[Source], listed: &[Looks]) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        for (function, nr) in found(source) {
            let looks = listed.iter().find(|looks| looks.file == source.path && looks.function == function);
            match looks {
                Some(looks) if looks.nr == nr => {}
                _ => violations.push(format!(
                    "{}: `{function}` looks at the clock {nr} times, {} of them listed; what judges looks at progress",
                    source.path,
                    looks.map_or(0, |looks| looks.nr)
                )),
            }
        }
    }
    for looks in listed {
        let is_there = |source: &&Source| source.path == looks.file;
        let found = sources.iter().find(is_there).map(found).unwrap_or_default();
        if !found.iter().any(|(function, _)| function == looks.function) {
            violations
                .push(format!("{}: `{}` is listed ({:?}), but does not look", looks.file, looks.function, looks.uses));
        }
    }
    violations
}
