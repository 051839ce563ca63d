//! The rows of the theory's table: the situations that a context can be in, in words, and what answers for each.
//!
//! Most are reached by stepping. In some, somebody has to hand the CPU over at the right moment, which a script in the kernel
//! does. What is a matter of a race between two looks, or of the order of memory, no stop at an instruction can show: models answer.

use crate::judge;
use crate::record::{Record, Run, Verdict};

/// How a situation is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// By software step to an instruction.
    Stepping,
    /// By a hand-over that the kernel's scenario scripts.
    Script,
    /// Not here; what has to say of it.
    Elsewhere(&'static str),
}

/// A row of the theory's table.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// Its number there, which is the kernel's `phase=` as well.
    pub row: &'static str,
    pub words: &'static str,
    pub reached: Reached,
}

const fn by_step(row: &'static str, words: &'static str) -> Situation {
    Situation { row, words, reached: Reached::Stepping }
}

const fn by_script(row: &'static str, words: &'static str) -> Situation {
    Situation { row, words, reached: Reached::Script }
}

const fn elsewhere(row: &'static str, words: &'static str, by: &'static str) -> Situation {
    Situation { row, words, reached: Reached::Elsewhere(by) }
}

/// All of them, in the order of the table.
pub const SITUATIONS: [Situation; 21] = [
    by_step("1a", "at the callsite, before the trampoline"),
    by_step("1b", "in the trampoline, the ops not loaded yet"),
    by_step("2", "in the trampoline, the ops in a register"),
    by_step("3", "at func's start, the way back in a register alone"),
    by_step("4", "in func, or in what func called"),
    by_step("5", "in func, preempted as it enables preemption"),
    by_step("6", "in the trampoline, an interrupted softirq on top"),
    by_step("7", "in func, an interrupted softirq on top"),
    by_script("8", "in an interrupt, on top of idle or the grace-period task"),
    by_step("9", "in func, which blocks"),
    by_step("10", "near func's end: the ops read, its text still running"),
    by_step("11", "in the trampoline again, func behind it"),
    by_script("12", "running, and merely looked for"),
    by_script("13", "in the trampoline, moved to another CPU"),
    by_script("14", "in the trampoline, in a last call, off the task list"),
    elsewhere(
        "15",
        "looked at just as it gets its CPU back",
        "tests/models/holders.rs, tests/spin/windows.pml, tests/litmus/P1-scan-pin-*",
    ),
    elsewhere("16", "awaited by a return hook, while its function sleeps", "return hooks are not built yet"),
    elsewhere("17", "in a return hook itself", "return hooks are not built yet"),
    elsewhere(
        "18",
        "preempted, or resumed, between two looks of one wait",
        "tests/models/holders.rs, tests/spin/windows.pml",
    ),
    elsewhere("19", "its count seen by others after its load of the ops", "tests/litmus/GP-depth-*, tests/litmus/O4-*"),
    by_step("20", "where func sent the call to"),
];

/// Those of `schemes` of which nobody has said anything in a situation: it is not reached here, and the models and litmus tests that
/// answer for it are of the schemes that the theory knows.
pub fn unchecked<'a>(it: &Situation, schemes: &'a [String]) -> Vec<&'a str> {
    let is_asked_elsewhere = matches!(it.reached, Reached::Elsewhere(by) if by.starts_with("tests/"));
    let unknown = schemes.iter().map(String::as_str).filter(|scheme| !judge::is_known(scheme));
    unknown.filter(|_| is_asked_elsewhere).collect()
}

/// The row that a record is about, if it is about one.
pub fn row(record: &Record) -> Option<&str> {
    let (phase, is_held) = (record.phase.as_str(), record.held != "none");
    match record.scenario.as_str() {
        "running" => is_held.then_some("12"),
        // What the theory has no row for: two ops that are retired, and holders that answer nobody.
        "other-first" | "other-next" | "preempt-off" | "irqs-off" => None,
        "irq" | "irq-elsewhere" => is_held.then_some(if phase == "2" { "6" } else { "7" }),
        "preempted-migrated" if phase == "2" => Some("13"),
        "preempted-exits-next" if phase == "2" => Some("14"),
        _ => (phase != "-").then_some(phase),
    }
}

/// The worst that `scheme` made of a row under `model`.
pub fn worst(runs: &[Run], model: &str, scheme: &str, wanted: &str) -> Option<Verdict> {
    let runs = runs.iter().filter(|run| run.preempt == model && run.scheme == scheme);
    let records = runs.flat_map(|run| &run.records).filter(|record| row(record) == Some(wanted));
    records.map(|record| record.verdict).max()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::record;

    fn line(scenario: &str, phase: &str, held: &str, verdict: &str) -> Record {
        let text = format!(
            "window: scheme=ip preempt=full func=plain n=1 pc=0x4 insn=0x0 step=- place=a phase={phase} \
             scenario={scenario} held={held} verdict={verdict}"
        );
        record(&text).expect("it is of the format")
    }

    #[test]
    fn a_record_is_about_the_row_of_its_phase_unless_its_scenario_is_a_row_itself() {
        let rows = [
            ("preempted", "4", "ops", Some("4")),
            ("never-heard-of", "4", "ops", Some("4")),
            ("other-next", "4", "ops", None),
            ("irqs-off", "4", "ops", None),
            ("running", "4", "ops", Some("12")),
            ("running", "1b", "none", None),
            ("irq", "2", "ops", Some("6")),
            ("irq-elsewhere", "10", "text", Some("7")),
            ("preempted-migrated", "2", "ops", Some("13")),
            ("preempted-migrated", "3", "ops", Some("3")),
            ("preempted-exits-next", "2", "ops", Some("14")),
            ("inside", "9", "ops", Some("9")),
            ("preempted", "-", "none", None),
        ];
        for (scenario, phase, held, wanted) in rows {
            assert_eq!(row(&line(scenario, phase, held, "waits")), wanted, "{scenario}, {phase}");
        }
    }

    #[test]
    fn the_worst_of_a_row_is_told_for_one_scheme_under_one_model() {
        let records = vec![line("preempted", "4", "ops", "waits"), line("preempted-migrated", "4", "ops", "unsafe")];
        let runs = [Run { scheme: "ip".into(), preempt: "full".into(), records, ..Run::default() }];
        assert_eq!(worst(&runs, "full", "ip", "4"), Some(Verdict::Unsafe));
        assert_eq!([worst(&runs, "lazy", "ip", "4"), worst(&runs, "full", "ip", "2")], [None, None]);
    }

    #[test]
    fn what_only_models_decide_is_unchecked_for_a_scheme_that_has_none() {
        let schemes = ["scan", "yield", "early"].map(String::from);
        for it in &SITUATIONS {
            let is_race = ["15", "18", "19"].contains(&it.row);
            let wanted: &[&str] = if is_race { &["yield", "early"] } else { &[] };
            assert_eq!(unchecked(it, &schemes), wanted, "row {}", it.row);
        }
        assert_eq!(unchecked(&SITUATIONS[15], &schemes[..1]), [""; 0], "scan has models of its own");
        let line = "unchecked for yield and early: rows 15, 18 and 19, which models and litmus tests decide\n";
        assert_eq!([crate::text::unchecked(&schemes), crate::text::unchecked(&schemes[..1])], [line, ""]);
    }

    #[test]
    fn what_stepping_cannot_reach_names_files_that_are_there() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let named = SITUATIONS.iter().filter_map(|it| match it.reached {
            Reached::Elsewhere(by) if by.starts_with("tests/") => Some(by.split(", ")),
            _ => None,
        });
        for path in named.flatten() {
            let (folder, start) = path.rsplit_once('/').expect("a file in a folder");
            let start = start.trim_end_matches('*');
            let mut files = std::fs::read_dir(root.join(folder)).expect("its folder");
            assert!(
                files.any(|file| file.is_ok_and(|file| file.file_name().to_string_lossy().starts_with(start))),
                "{path}"
            );
        }
        assert_eq!(SITUATIONS.iter().filter(|it| it.reached == Reached::Script).count(), 4);
    }
}
