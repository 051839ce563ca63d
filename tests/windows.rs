//! The window table of the theory, answered by exhaustive search: `spin/windows.pml` says what is modelled and what not.
//!
//! One run goes through every scheme, both kinds of preemption model and every row; each planted fault is a run of its own
//! and must make its scheme free early in the row that it is about: a model that cannot fail shows nothing.
//! Needs `spin` and `cc`, which `scripts/setup --tests` installs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// The theory's table: `W` waits, `·` nothing is held, so freeing is right, `U` frees early, `–` does not apply.
/// Rows 16, 17, 19 and 20 are not about who stands where; `linux` reads as `classic`.
const TABLE: &str = include_str!("spin/table.txt");
/// What is sound whatever the preemption model, and what only where nobody is preempted.
const SOUND: [&str; 5] = ["classic", "linux", "nopreempt", "depth", "scan"];
const SOUND_UNPREEMPTED: [&str; 4] = ["sched", "rude", "ip", "flag"];

/// Rows that the model splits: at the first half nothing is counted, at the other the trampoline's count is up.
const HALVES: [(&str, [&str; 2]); 2] = [("1b", ["1b-before", "1b-counted"]), ("11", ["11-after", "11-counted"])];

/// What a run told: the words of each line.
#[derive(Debug)]
struct Answers(BTreeSet<[String; 5]>);

impl Answers {
    /// Whether the run told that line.
    fn has(&self, line: [&str; 5]) -> bool {
        self.0.contains(&line.map(str::to_owned))
    }

    /// The letter of the table for one scheme and row of the model.
    fn letter(&self, scheme: &str, preempts: &str, row: &str) -> &'static str {
        match ["held", "clear"].map(|held| self.has(["free", scheme, preempts, row, held])) {
            [true, _] => "U",
            [_, true] => "·",
            _ => "W",
        }
    }

    /// Whether the context ever stood in that row when the literal changed.
    fn stood(&self, scheme: &str, preempts: &str, row: &str) -> bool {
        ["held", "clear"].iter().any(|held| self.has(["stands", scheme, preempts, row, held]))
    }
}

fn command(program: impl AsRef<std::ffi::OsStr>, arguments: &[&str], folder: &Path) -> String {
    let program = program.as_ref();
    let output = Command::new(program).args(arguments).current_dir(folder).output();
    let output =
        output.unwrap_or_else(|error| panic!("{}: {error}; scripts/setup --tests installs it", program.display()));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {text}{}", program.display(), String::from_utf8_lossy(&output.stderr));
    text
}

/// Searches the model with these definitions, to the end.
fn search(name: &str, definitions: &[String]) -> Answers {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("windows-{name}"));
    std::fs::create_dir_all(&folder).expect("the folder for tests' files can be written");
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spin/windows.pml");
    std::fs::copy(&model, folder.join("windows.pml")).expect("the model is there");
    let defined: Vec<&str> = definitions.iter().map(String::as_str).collect();
    command("spin", &[&defined[..], &["-a", "windows.pml"]].concat(), &folder);
    // The search's own C code is not ours to have warnings about; no reduction: what is told would be left out too.
    command("cc", &["-O1", "-w", "-DSAFETY", "-DNOREDUCE", "-o", "pan", "pan.c"], &folder);
    // -E: an updater that waits for ever for a context that stays is what W means, and no error.
    let told = command(folder.join("pan"), &["-E", "-m1000000"], &folder);
    for sign in ["errors: 0\n", "Full statespace search"] {
        assert!(told.contains(sign), "the search did not come to its end:\n{told}");
    }
    for sign in ["max search depth too small", "Search not completed", "out of memory"] {
        assert!(!told.contains(sign), "the search did not come to its end:\n{told}");
    }
    let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<String>>().try_into().ok();
    let lines = told.lines().filter(|line| line.starts_with("free ") || line.starts_with("stands "));
    Answers(lines.map(|line| words(line).unwrap_or_else(|| panic!("what is `{line}`?"))).collect())
}

static ANSWERS: LazyLock<Answers> = LazyLock::new(|| search("none", &[]));

/// The table as scheme, row, letters; `classic` also as `linux`.
fn table() -> Vec<(String, String, String)> {
    let mut lines =
        TABLE.lines().map(|line| line.split_whitespace().collect::<Vec<&str>>()).filter(|row| !row.is_empty());
    let schemes = lines.next().expect("the table has a head");
    let mut cells = Vec::new();
    for line in lines {
        assert_eq!(line.len(), schemes.len(), "row {}", line[0]);
        for (scheme, letters) in schemes.iter().zip(&line).skip(1) {
            cells.push(((*scheme).to_owned(), line[0].to_owned(), (*letters).to_owned()));
            if *scheme == "classic" {
                cells.push(("linux".to_owned(), line[0].to_owned(), (*letters).to_owned()));
            }
        }
    }
    cells
}

/// Where the answers are not the table's.
fn differences(answers: &Answers) -> Vec<String> {
    let mut found = Vec::new();
    for (scheme, row, letters) in table() {
        let halves = HALVES.iter().find(|(whole, _)| *whole == row).map(|(_, halves)| halves.to_vec());
        let rows = halves.unwrap_or_else(|| vec![row.as_str()]);
        let wanted: Vec<&str> = match letters.as_str() {
            "–" => continue,
            "·/W" => vec!["·", "W"],
            letter => vec![letter; rows.len()],
        };
        for (row, wanted) in rows.iter().zip(wanted) {
            let letter = answers.letter(&scheme, "preempt", row);
            if letter != wanted {
                found.push(format!("{scheme}, row {row}: {letter}, and {wanted} in the table"));
            }
        }
    }
    found
}

#[test]
fn the_search_answers_as_the_window_table() {
    let found = differences(&ANSWERS);
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_table_with_one_other_letter_would_be_noticed() {
    // What the search told, less one line, and with one more.
    let without = |line: [&str; 5]| Answers(ANSWERS.0.iter().filter(|told| **told != line).cloned().collect());
    assert_eq!(differences(&without(["free", "ip", "preempt", "13", "held"])).len(), 1);
    let mut more = without([""; 5]);
    more.0.insert(["free", "scan", "preempt", "2", "held"].map(str::to_owned));
    assert_eq!(differences(&more).len(), 1);
}

#[test]
fn sound_schemes_are_sound_and_the_others_only_where_nobody_is_preempted() {
    for scheme in SOUND {
        assert_eq!(ANSWERS.letter(scheme, "preempt", "any"), "·", "{scheme}, preempted");
        assert_eq!(ANSWERS.letter(scheme, "voluntary", "any"), "·", "{scheme}, not preempted");
    }
    for scheme in SOUND_UNPREEMPTED {
        assert_eq!(ANSWERS.letter(scheme, "preempt", "any"), "U", "{scheme}, preempted");
        assert_eq!(ANSWERS.letter(scheme, "voluntary", "any"), "·", "{scheme}, not preempted");
    }
    assert_eq!(ANSWERS.letter("none", "voluntary", "any"), "U");
}

#[test]
fn without_preemption_only_a_func_that_blocks_or_no_grace_period_at_all_frees_early() {
    let early = ANSWERS.0.iter().filter(|[what, _, preempts, _, held]| {
        [what.as_str(), preempts.as_str(), held.as_str()] == ["free", "voluntary", "held"]
    });
    let found: Vec<_> = early.filter(|[_, scheme, _, row, _]| scheme != "none" && row != "9").collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn a_scheme_waits_in_no_row_that_nobody_ever_stands_in() {
    let mut nr_stood = 0;
    for (scheme, row, letters) in table() {
        // Nobody is taken off its CPU between T2 and T7 under `nopreempt`; 13, 15 and 18 come about after the change.
        let is_later = ["13", "15", "18"].contains(&row.as_str());
        if letters == "–" || is_later || scheme == "nopreempt" && !["1a", "8", "12", "14"].contains(&row.as_str()) {
            continue;
        }
        let halves = HALVES.iter().find(|(whole, _)| *whole == row).map(|(_, halves)| halves.to_vec());
        for row in halves.unwrap_or_else(|| vec![row.as_str()]) {
            assert!(ANSWERS.stood(&scheme, "preempt", row), "{scheme}, row {row}");
            nr_stood += 1;
        }
    }
    assert!(nr_stood > 100);
}

#[test]
fn every_grace_period_can_end() {
    for scheme in SOUND.iter().chain(&SOUND_UNPREEMPTED) {
        for preempts in ["preempt", "voluntary"] {
            assert_eq!(ANSWERS.letter(scheme, preempts, "out"), "·", "{scheme}, {preempts}");
        }
    }
}

/// Plants `fault` and searches the worlds of these schemes: each then frees early in these rows, where it did not before.
fn assert_caught(fault: &str, schemes: &[&str], rows: &[&str]) {
    let constants: Vec<String> = schemes.iter().map(|scheme| scheme.to_uppercase()).collect();
    let (from, to) = (&constants[0], &constants[constants.len() - 1]);
    let answers = search(fault, &[format!("-D{fault}"), format!("-DFROM={from}"), format!("-DTO={to}")]);
    for scheme in schemes {
        for row in rows {
            assert_ne!(ANSWERS.letter(scheme, "preempt", row), "U", "{scheme}, row {row}, without the fault");
            assert_eq!(answers.letter(scheme, "preempt", row), "U", "{fault}: {scheme}, row {row}");
        }
    }
}

#[test]
fn a_flag_that_the_inner_irq_clears_is_caught() {
    assert_caught("INNER_CLEARS", &["flag"], &["6"]);
}

#[test]
fn a_flag_that_is_undone_before_the_preemption_point_is_caught() {
    assert_caught("MARK_BEFORE", &["flag"], &["2", "6", "13"]);
}

#[test]
fn a_lister_that_reads_off_cpu_and_flag_one_after_the_other_is_caught() {
    assert_caught("UNPINNED", &["flag"], &["15"]);
}

#[test]
fn a_holder_that_leaves_the_list_when_it_is_switched_in_is_caught() {
    assert_caught("DELIST_AT_RESUME", &["depth", "scan"], &["18", "any"]);
}

#[test]
fn a_list_that_is_read_before_the_cpus_answer_is_caught() {
    assert_caught("LIST_FIRST", &["depth", "scan"], &["18", "2", "any"]);
}

#[test]
fn an_answer_to_the_round_before_is_caught() {
    assert_caught("STALE_ACK", &["nopreempt", "depth", "scan"], &["8", "12", "any"]);
}

#[test]
fn an_sgi_that_is_answered_on_top_of_a_softirq_that_holds_is_caught() {
    assert_caught("ANY_LEVEL", &["nopreempt", "depth", "scan"], &["8"]);
}

#[test]
fn classic_without_its_brackets_is_caught() {
    assert_caught("NO_BRACKETS", &["classic"], &["8"]);
}

#[test]
fn an_exiting_task_that_is_on_no_list_is_caught() {
    assert_caught("EXIT_MISSED", &["classic"], &["14", "any"]);
}

#[test]
fn a_depth_that_goes_up_after_the_load_is_caught() {
    assert_caught("NO_COUNT", &["depth"], &["2", "12", "any"]);
}

/// Not a fault, but what ours does beside the theory's plain RCU: row 12 of `sched` waits only as long as nobody asks.
#[test]
fn sched_that_asks_for_a_reschedule_frees_early_even_when_nobody_else_wants_the_cpu() {
    assert_caught("NUDGE", &["sched"], &["12"]);
}
