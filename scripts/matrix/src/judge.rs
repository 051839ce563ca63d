//! What the matrix says about the schemes, against what the theory says of them.

use crate::record::{Run, Verdict};

/// The schemes that the theory knows, in the order of its table. Others stand behind them, and are taken to be sound.
pub const SCHEMES: [&str; 10] =
    ["none", "sched", "rude", "ip", "flag", "classic", "linux", "nopreempt", "depth", "scan"];
/// The preemption models, in the order of the boot argument.
pub const MODELS: [&str; 4] = ["none", "voluntary", "full", "lazy"];

/// Whether `scheme` never frees early under `preempt`, by the theory.
pub fn is_sound(scheme: &str, preempt: &str) -> bool {
    match scheme {
        "none" => false,
        "sched" | "rude" | "ip" | "flag" => matches!(preempt, "none" | "voluntary"),
        _ => true,
    }
}

/// Whether the theory knows `scheme`.
pub fn is_known(scheme: &str) -> bool {
    SCHEMES.contains(&scheme)
}

/// What a scheme stops waiting at, in a few words. Empty for one that the theory does not know.
pub fn answer(scheme: &str) -> &'static str {
    match scheme {
        "none" => "does not wait at all: the control that has to be caught",
        "sched" => "waits until each CPU has made any context switch",
        "rude" => "waits until a worker thread ran on every CPU",
        "ip" => "a preempted task counts only if its CPU's last interrupt hit the trampoline",
        "flag" => "a preempted task counts only if the interrupt that preempted it hit the trampoline",
        "classic" => "waits until each task has switched voluntarily, slept or exited: Linux's Tasks RCU",
        "linux" => "rude, then classic: what Linux does before it frees an ops",
        "nopreempt" => "the trampoline disables preemption; waits until each CPU was seen with it enabled",
        "depth" => "each task counts the trampolines it is in; waits until that count has been 0",
        "scan" => "walks the stacks, and waits for who really holds this ops",
        _ => "",
    }
}

/// How many cells of `run` have this verdict.
fn found(run: &Run, verdict: Verdict, what: &str) -> Option<String> {
    let cells = run.count(verdict);
    let (scheme, preempt) = (&run.scheme, &run.preempt);
    (cells > 0).then(|| format!("{scheme} under preempt={preempt} {what} at {cells} of {}", run.verdicts().count()))
}

/// What is not as it has to be, a line each. `is_whole`: nothing was left out, so a broken scheme has to be caught.
pub fn complaints(runs: &[Run], is_whole: bool) -> Vec<String> {
    let mut lines = Vec::new();
    for run in runs {
        let name = format!("{} under preempt={}", run.scheme, run.preempt);
        if run.verdict.is_none() {
            lines.push(format!("{name} ended with status {} and no verdict:", run.status));
            lines.extend(run.tail.iter().map(|line| format!("  {line}")));
            continue;
        }
        let is_sound = is_sound(&run.scheme, &run.preempt);
        let early = run.count(Verdict::Unsafe);
        if is_sound {
            lines.extend(found(run, Verdict::Unsafe, "frees early"));
        } else if is_whole && early == 0 {
            lines.push(format!("{name} is broken, and was not caught"));
        }
        lines.extend(found(run, Verdict::Undecided, "neither ended nor came to rest"));
        lines.extend(found(run, Verdict::Disputed, "is judged otherwise by the oracle than by what was executed"));
        if let (Some(runs), Some(ended)) = (run.figure("runs"), run.figure("ended"))
            && ended < runs
        {
            lines.push(format!("{name}: {} grace periods of {runs} never ended", runs - ended));
        }
        if run.status != 0 && is_sound && early == 0 {
            lines.push(format!("{name} says FAIL: {}", run.verdict.as_deref().unwrap_or_default()));
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{record, run};

    fn of(scheme: &str, preempt: &str, cells: &[&str], figures: &str) -> Run {
        let lines = cells.iter().enumerate().map(|(n, verdict)| {
            format!(
                "window: scheme={scheme} preempt={preempt} func=plain n={n} pc=0x4 insn=0x0 step=- place=a phase=4 \
                 scenario=preempted held=ops verdict={verdict}\n"
            )
        });
        let console: String = lines.chain([format!("windows: PASS {figures}\n")]).collect();
        assert!(console.lines().next().is_some_and(|line| record(line).is_some()));
        run(scheme, preempt, 0, &console).expect("it is of the format")
    }

    #[test]
    fn a_sound_scheme_that_frees_early_is_told_and_a_broken_one_is_not() {
        let cells = ["waits", "unsafe"];
        let told = complaints(&[of("scan", "full", &cells, ""), of("ip", "full", &cells, "")], true);
        assert_eq!(told, ["scan under preempt=full frees early at 1 of 2"]);
        let told = complaints(&[of("ip", "none", &cells, "")], true);
        assert_eq!(told, ["ip under preempt=none frees early at 1 of 2"], "there it is sound");
    }

    #[test]
    fn a_broken_scheme_that_is_not_caught_is_told_when_all_was_run() {
        let runs = [of("ip", "full", &["waits"], "")];
        assert_eq!(complaints(&runs, true), ["ip under preempt=full is broken, and was not caught"]);
        assert!(complaints(&runs, false).is_empty());
    }

    #[test]
    fn what_does_not_end_is_told() {
        let told = complaints(&[of("scan", "lazy", &["waits"], "runs=5 ended=4")], true);
        assert_eq!(told, ["scan under preempt=lazy: 1 grace periods of 5 never ended"]);
        let told = complaints(&[of("scan", "lazy", &["disputed"], "")], true);
        assert!(told[0].contains("judged otherwise by the oracle"), "{told:?}");
        let told = complaints(&[of("scan", "lazy", &["undecided"], "")], true);
        assert_eq!(told, ["scan under preempt=lazy neither ended nor came to rest at 1 of 1"]);
        let died = Run { scheme: "scan".into(), preempt: "full".into(), status: 101, ..Run::default() };
        assert!(complaints(&[died], false)[0].contains("status 101 and no verdict"));
    }

    #[test]
    fn a_scheme_that_the_theory_does_not_know_has_to_be_sound() {
        assert!(is_sound("mine", "full") && answer("mine").is_empty());
        assert!(SCHEMES.iter().all(|scheme| !answer(scheme).is_empty()));
    }
}
