//! The explorer: what it measured at each boundary, held against the theory's table.
//!
//! A row of the table is a place and a way to stand there. Most are a phase of the call, in which the task was preempted;
//! others are a scenario: a softirq on top (6, 7), a holder at interrupt level (8), a task that runs (12), that was moved (13),
//! that exits (14), whose func lets go (5, 9). What it has no row for is in `beside`: two ops retired, masked holders.

mod beside;
mod beyond;
mod nested;
mod pairs;
mod scenes;

use crate::guest::{Ended, Guest, each};
use crate::verdict::Pairs;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The theory's table, as `tests/windows.rs` reads it.
const TABLE: &str = include_str!("../spin/table.txt");
const SCHEMES: [&str; 10] = ["none", "sched", "rude", "ip", "flag", "classic", "linux", "nopreempt", "depth", "scan"];
const SOUND: [&str; 5] = ["classic", "linux", "nopreempt", "depth", "scan"];

/// Where the measured letter is another than the table's, and why.
const DIFFERENCES: [(&str, &str, &str, &str); 4] = [
    (
        "sched",
        "12",
        "U",
        "it asks the running task's CPU to reschedule, as RCU does, and a task that is preempted has switched",
    ),
    ("sched", "14", "U", "a task that exits is preempted as any other: the exit list is no scheme's of switches"),
    ("rude", "14", "U", "as sched"),
    ("ip", "13", "W", "the interrupt that preempts the task on its new CPU leaves the same PC there"),
];

/// The letter of the table.
fn letter(scheme: &str, row: &str) -> String {
    if let Some((_, _, letter, _)) = DIFFERENCES.iter().find(|(of, at, ..)| (*of, *at) == (scheme, row)) {
        return (*letter).to_owned();
    }
    let column = if scheme == "linux" { "classic" } else { scheme };
    let rows: Vec<Vec<&str>> = TABLE.lines().map(|line| line.split_whitespace().collect()).collect();
    let column = rows[0].iter().position(|name| *name == column).expect("a column of the table");
    rows.iter().find(|cells| cells[0] == row).expect("a row of the table")[column].to_owned()
}

/// The row of the table that a line is about, if it is about one.
fn row(line: &Pairs) -> Option<&str> {
    let (phase, is_held) = (line.text("phase"), line.text("held") != "none");
    match line.text("scenario") {
        _ if matches!(phase, "-" | "20") => None,
        "running" => is_held.then_some("12"),
        "preempted-exits-next" if phase == "2" => Some("14"),
        "irq" | "irq-elsewhere" if is_held => Some(if phase == "2" { "6" } else { "7" }),
        "irq" | "irq-elsewhere" => None,
        "preempted-migrated" if phase == "2" => Some("13"),
        "other-first" | "other-next" | "preempt-off" | "irqs-off" => None,
        // The table has a row for holders at interrupt level alone.
        "softirq-on-idle" if !is_held => None,
        _ => Some(phase),
    }
}

/// Inside `enable`'s helper preemption is disabled for a while: nobody is preempted there, and whoever frees early elsewhere
/// because somebody can be, waits.
fn may_be_unpreemptible(line: &Pairs) -> bool {
    line.text("scheme") != "none" && line.text("func") == "enable" && line.text("phase") == "4"
}

/// What the table lets a scheme do there.
fn allowed(scheme: &str, row: &str, is_held: bool) -> &'static [&'static str] {
    if scheme == "none" {
        return if row == "9" {
            &["forbidden"]
        } else if is_held {
            &["unsafe"]
        } else {
            &["right"]
        };
    }
    match letter(scheme, row).as_str() {
        _ if row == "9" && !matches!(scheme, "depth" | "scan") => &["forbidden"],
        "W" => &["waits", "late"],
        "·" => &["right"],
        "·/W" => &["right", "late"],
        "U" => &["unsafe"],
        other => panic!("the table says {other} of {scheme} in row {row}"),
    }
}

fn lines(ended: &Ended) -> Vec<Pairs> {
    ended.lines().filter_map(|line| line.strip_prefix("window: ")).map(Pairs::parse).collect()
}

/// The verdicts, by scheme.
fn verdicts(ended: &Ended) -> BTreeMap<String, (bool, Pairs)> {
    let read = |line: &str| {
        let (word, pairs) = line.strip_prefix("windows: ")?.split_once(' ')?;
        let pairs = Pairs::parse(pairs);
        Some((pairs.text("scheme").to_owned(), (word == "PASS", pairs)))
    };
    ended.lines().filter_map(read).collect()
}

/// CPUs that take turns: they wait for each other more than they work at once.
fn explorer(cpus: u32) -> Guest {
    Guest::with_cpus(cpus).option("--one-thread")
}

/// Everything under full preemption, on two CPUs: a guest for each scheme.
fn whole() -> &'static Ended {
    static WHOLE: LazyLock<Ended> = LazyLock::new(|| {
        let of = |scheme: &str| {
            let scheme_word = format!("tasks_rcu={scheme}");
            let ended = explorer(2).patience(300).boot(&["windows", &scheme_word, "preempt=full"]);
            ended.expect_status(i32::from(!SOUND.contains(&scheme)))
        };
        each(SCHEMES, of).into_iter().reduce(Ended::followed_by).expect("there are schemes")
    });
    &WHOLE
}

/// The verdict lines say what the lines of the boundaries come to.
fn assert_adds_up(ended: &Ended) {
    let (lines, pairs) = (lines(ended), pairs::lines(ended));
    for (scheme, (has_passed, verdict)) in verdicts(ended) {
        let of = |word: &str| {
            let is_it = |line: &&Pairs| line.text("scheme") == scheme && line.text("verdict") == word;
            let letter = match word {
                "undecided" => '?',
                "disputed" => '!',
                word => word.chars().next().expect("a word"),
            };
            let of_scheme = pairs.iter().filter(|line| line.text("scheme") == scheme);
            let cells = of_scheme.flat_map(|line| line.text("cells").chars().chain(line.text("reversed").chars()));
            (lines.iter().filter(is_it).count() + cells.filter(|&cell| cell == letter).count()) as u64
        };
        assert_eq!(of("undecided") + of("disputed"), 0, "{scheme}: {}", ended.story());
        let runs = of("right") + of("waits") + of("late") + of("unsafe");
        assert_eq!(verdict.number("runs"), runs, "{scheme}: {}", ended.story());
        assert_eq!(verdict.number("ended"), runs, "{scheme} ends each grace period");
        assert_eq!((verdict.number("unsafe"), verdict.number("late")), (of("unsafe"), of("late")), "{scheme}");
        assert_eq!(has_passed, of("unsafe") == 0, "{scheme} is judged by what it let free");
    }
}

/// What was freed early the oracle saw used late, and nothing else. Behind the last member of a fan-out, and in a func whose text
/// stays, nothing of it is used any more: there the stack alone tells that the call is not over, or a late call of another member.
fn assert_is_seen(ended: &Ended) {
    for line in lines(ended) {
        let (verdict, oracle) = (line.text("verdict"), line.text("oracle"));
        let allowed: &[&str] = match verdict {
            "unsafe" if matches!(line.text("func"), "fanout" | "compiled") && line.text("held") == "text" => {
                &["p1", "p2", "p3", "inside"]
            }
            "unsafe" => &["p1", "p2", "p3"],
            "forbidden" => continue,
            _ => &["-"],
        };
        assert!(allowed.contains(&oracle), "{line:?}");
    }
}

/// Each line is what the table says; gives the rows that were met.
fn assert_is_the_table(ended: &Ended) -> BTreeSet<(String, String)> {
    let mut met = BTreeSet::new();
    let mut wrong = Vec::new();
    for line in lines(ended) {
        let Some(row) = row(&line) else { continue };
        let scheme = line.text("scheme");
        // No grace period ends while the task that ends them stands under the holder: not the control's either.
        let is_control = scheme == "none" && line.text("scenario").ends_with("-on-gp");
        assert!(!is_control || line.text("verdict") == "waits", "{line:?}");
        if is_control {
            continue;
        }
        met.insert((scheme.to_owned(), row.to_owned()));
        let may_wait = may_be_unpreemptible(&line) || nested::is_in_inner_trampoline(&line);
        let is_excused = may_wait && line.text("verdict") == "waits";
        if !is_excused && !allowed(scheme, row, line.text("held") != "none").contains(&line.text("verdict")) {
            wrong.push(format!("{scheme}, row {row}: {line:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} cells are not the table's:\n{}", wrong.len(), wrong.join("\n"));
    met
}

#[test]
fn the_measured_matrix_is_the_theorys_table() {
    let ended = whole();
    assert_adds_up(ended);
    assert_is_seen(ended);
    let met = assert_is_the_table(ended);
    for scheme in SCHEMES {
        for row in beyond::EXPLORED {
            // Under nopreempt nobody is moved there.
            let is_met = met.contains(&(scheme.into(), row.into()));
            assert!(is_met || (scheme, row) == ("nopreempt", "13"), "{scheme} was not seen in row {row}");
        }
    }
    for (scheme, (has_passed, verdict)) in verdicts(ended) {
        assert_eq!(has_passed, SOUND.contains(&scheme.as_str()), "{scheme}: {verdict:?}");
        verdict.expect("boundaries", |n| n >= 300, "those of seven funcs");
        verdict.expect("scenarios", |n| n >= 23, "all of them, but a way out that some have not");
    }
    let late = |line: &&Pairs| line.text("verdict") == "late";
    let (lines, depth) = (lines(ended), ["depth", "nopreempt"]);
    assert!(!lines.iter().filter(late).any(|line| line.text("scheme") == "scan"), "scan is never late");
    let counted = lines.iter().filter(late).filter(|line| depth.contains(&line.text("scheme")));
    for line in counted {
        let is_of_other = line.text("scenario").starts_with("other-");
        let is_counted = matches!(line.text("phase"), "1b" | "11") || line.text("func") == "nested" || is_of_other;
        // In a softirq preemption is disabled anyway.
        let is_disabled =
            line.text("scheme") == "nopreempt" && matches!(line.text("scenario"), "softirq-on-idle" | "preempt-off");
        assert!(is_counted || is_disabled, "late where nothing is counted: {line:?}");
    }
}

/// A fault of `src/fault/table.rs`, a scheme that is sound without it, the scenario that shows it, and where.
const PLANTED: [(&str, &str, &str, &[&str]); 14] = [
    ("preempted-is-voluntary", "classic", "preempted", &["2", "3", "4", "10"]),
    ("holdouts-missing", "classic", "preempted", &["2", "3", "4", "10"]),
    ("exiting-missed", "classic", "preempted-exits-next", &["2", "3", "4", "10"]),
    ("trampoline-plain", "nopreempt", "preempted", &["2", "3", "4", "10"]),
    ("trampoline-plain", "depth", "preempted", &["2", "3", "4", "10"]),
    ("register-overlooked", "scan", "preempted", &["2"]),
    ("counted-late", "depth", "preempted", &["2"]),
    ("number-missing", "scan", "preempted", &["2", "3", "4", "10"]),
    ("innermost-record-only", "scan", "preempted", &["4", "10"]),
    ("round-missing", "scan", "running", &["2", "3", "4", "10"]),
    ("round-missing", "depth", "running", &["2", "3", "4", "10"]),
    ("outer-contexts-overlooked", "scan", "irq preempt=none", &["2", "3", "4", "10"]),
    ("brackets-missing", "classic", "softirq-on-idle", &["8"]),
    ("softirq-overlooked", "nopreempt", "softirq-on-idle", &["8"]),
];

#[test]
fn planted_faults_are_found_at_the_boundaries_where_they_are() {
    each(PLANTED, |(fault, scheme, scenario, phases)| {
        let words = format!("windows tasks_rcu={scheme} only=callee,{scenario} fault={fault}");
        let ended = explorer(2).with_faults().boot(&words.split(' ').collect::<Vec<_>>()).expect_status(1);
        let lines = lines(&ended);
        let red = lines.iter().filter(|line| line.text("verdict") == "unsafe");
        let met: BTreeSet<&str> = red.map(|line| line.text("phase")).collect();
        assert_eq!(met, phases.iter().copied().collect(), "{fault}: {}", ended.story());
        assert!(ended.lines().next_back().is_some_and(|line| line.ends_with(&format!("fault={fault}"))));
    });
}

#[test]
fn where_nobody_is_preempted_only_the_control_frees_early_and_lazy_is_as_full() {
    each(["none", "voluntary", "lazy"], |model| {
        let preempt = format!("preempt={model}");
        let parts = "only=callee,enable,fanout,preempted,running,inside";
        let ended = explorer(2).boot(&["windows", &preempt, parts]).expect_status(1);
        assert_adds_up(&ended);
        if model == "lazy" {
            assert_is_the_table(&ended);
        }
        for scheme in SCHEMES {
            let is_sound = scheme != "none" && (model != "lazy" || SOUND.contains(&scheme));
            assert_eq!(verdicts(&ended)[scheme].0, is_sound, "{scheme} under {model}: {}", ended.story());
        }
    });
}

#[test]
fn the_first_counterexample_is_a_story_that_its_replay_line_tells_again() {
    let parts = "only=callee,preempted";
    let ended = Guest::with_cpus(2).boot(&["windows", "tasks_rcu=ip", parts]).expect_status(1);
    let last = ended.lines().next_back().unwrap_or_default().to_owned();
    let words: Vec<&str> = last.strip_prefix("replay: ").expect("the very last line").split(' ').collect();
    let again = Guest::with_cpus(2).boot(&words).expect_status(1);
    let told = |ended: &Ended| {
        let story = ended.lines().skip_while(|line| *line != "story: begin").take_while(|line| *line != "story: end");
        story.filter(|line| line.contains("stands at boundary")).map(str::to_owned).collect::<Vec<_>>()
    };
    let place = |ended: &Ended| told(ended).first().and_then(|line| Some(line.split_once('<')?.1.to_owned()));
    assert!(place(&ended).is_some(), "{}", ended.story());
    assert_eq!(place(&ended), place(&again), "{}", again.story());
    let lines = lines(&again);
    let [line] = &lines[..] else { panic!("more than one run: {}", again.story()) };
    assert_eq!(line.text("verdict"), "unsafe", "{}", again.story());
    assert!(again.lines().any(|line| line.starts_with("story: the task goes on: p")), "{}", again.story());
}

#[test]
fn a_selection_that_names_no_run_is_refused_with_what_is_there_and_without_a_verdict() {
    let cases = [
        ("callee,pair,2+21", "there each of two can stand at "),
        ("callee,preempted,2+16", "there one can stand at 0 to "),
        ("plain,preempted,300", "there one can stand at 0 to "),
        ("plain,inside", "inside has func enable block"),
    ];
    each(cases, |(only, what)| {
        let words = ["windows", "tasks_rcu=scan", "seed=1", &format!("only={only}")];
        let ended = Guest::with_cpus(2).option("--one-thread").boot(&words).expect_status(2);
        let refusal = ended.refusal();
        assert!(refusal.starts_with(&format!("`only={only}` names no run: {what}")), "{refusal}");
        assert_eq!(ended.lines().count(), 2, "the version line and the refusal alone: {}", ended.story());
    });
}

/// Boundaries are the trampoline's: what one scheme has, another may lack.
#[test]
fn a_boundary_that_one_scheme_has_is_no_error_under_all_of_them() {
    let ended = Guest::with_cpus(2).boot(&["windows", "seed=1", "only=plain,preempted,34"]).expect_status(0);
    ended.line_with(&["windows: PASS scheme=depth", " runs=1 "]);
    ended.line_with(&["left out: under scan `only=plain,preempted,34` names no run: there one can stand at 0 to "]);
    assert!(!ended.lines().any(|line| line.contains(" runs=0 ")), "no verdict on nothing: {}", ended.story());
}
