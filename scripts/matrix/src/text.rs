//! The matrix as text: a table for each preemption model, or for several that agree.

use crate::judge::MODELS;
use crate::matrix::Matrix;
use crate::place::short;
use crate::record::{Run, Verdict};
use crate::rows::Table;
use crate::theory::{self, Reached, SITUATIONS};
use std::fmt::Write;

/// What is to be shown: the worst over all scenarios, or one of them.
pub struct View<'a> {
    pub schemes: &'a [String],
    pub models: &'a [String],
    pub scenario: Option<&'a str>,
}

/// The letters of a table's row, a scheme each; a blank where the scheme's path has no such instruction.
fn letters(table: &Table, view: &View<'_>, model: &str, row: usize) -> Vec<char> {
    let worst = |scheme: &String| table.worst(model, scheme, view.scenario, row).map_or(' ', Verdict::letter);
    view.schemes.iter().map(worst).collect()
}

/// Letters, a line for each row of a table, and in it a scheme each.
type Letters = Vec<Vec<char>>;

/// The models, those together of which the same is to be said.
pub fn agreeing<T: PartialEq>(models: &[String], what: impl Fn(&str) -> T) -> Vec<(Vec<&str>, T)> {
    let mut groups: Vec<(Vec<&str>, T)> = Vec::new();
    for model in models {
        let all = what(model);
        match groups.iter_mut().find(|(_, known)| *known == all) {
            Some((models, _)) => models.push(model),
            None => groups.push((vec![model], all)),
        }
    }
    groups
}

/// The end of a table's line: the schemes, or their letters.
fn line_of(schemes: &[String], letters: Option<&[char]>) -> String {
    let mut line = String::new();
    for (index, scheme) in schemes.iter().enumerate() {
        let _ = match letters.map(|letters| letters[index]) {
            Some(letter) => write!(line, " {letter:^width$}", width = scheme.len()),
            None => write!(line, " {scheme}"),
        };
    }
    line
}

/// Names as a sentence has them: `a`, `a and b`, `a, b and c`.
pub fn list(names: &[&str]) -> String {
    match names {
        [] => "none".into(),
        [one] => (*one).into(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// One func's tables. What nobody stands at in this view is no row.
pub fn table(table: &Table, view: &View<'_>) -> String {
    let mut out = String::new();
    let insn_width = table.rows.iter().map(|row| row.insn.len()).max().unwrap_or(0).max(11);
    let letters =
        |model: &str| -> Letters { (0..table.rows.len()).map(|row| letters(table, view, model, row)).collect() };
    for (models, letters) in agreeing(view.models, letters) {
        let stops = view.scenario.unwrap_or("stopped in any way, the worst of them");
        let _ = writeln!(out, "\npreempt={}   func={}   {stops}", list(&models), table.func);
        let schemes = line_of(view.schemes, None);
        let _ = writeln!(out, "  {:<insn_width$}  step  row  holds {schemes}", "instruction");
        let mut section = None;
        for (index, row) in table.rows.iter().enumerate() {
            if letters[index].iter().all(|letter| *letter == ' ') {
                continue;
            }
            if section.replace(&row.section) != Some(&row.section) {
                let _ = writeln!(out, "- {}: {}", row.section, short(&row.place));
            }
            let holds = match table.held(index) {
                "none" => "-",
                held => held,
            };
            let cells = line_of(view.schemes, Some(&letters[index]));
            let line = format!("  {:<insn_width$}  {:<4}  {:<3}  {holds:<5} {cells}", row.insn, row.step, row.phase);
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    out
}

/// The rows of the theory's table, over all funcs: what was seen in each, or what answers for it.
pub fn situations(matrix: &Matrix) -> String {
    let mut out = String::new();
    let width = SITUATIONS.iter().map(|it| it.words.chars().count()).max().unwrap_or(0);
    let letter =
        |model: &str, scheme: &str, row| theory::worst(&matrix.runs, model, scheme, row).map_or(' ', Verdict::letter);
    let line = |model: &str, row| matrix.schemes.iter().map(|scheme| letter(model, scheme, row)).collect();
    let letters = |model: &str| -> Letters { SITUATIONS.iter().map(|it| line(model, it.row)).collect() };
    for (models, letters) in agreeing(&matrix.models, letters) {
        let _ = writeln!(out, "\npreempt={}   by situation   any func, the worst of all stops", list(&models));
        let schemes = line_of(&matrix.schemes, None);
        let _ = writeln!(out, "  row  {:<width$}  reached by{schemes}", "where it is");
        for (it, letters) in SITUATIONS.iter().zip(&letters) {
            let answer = match it.reached {
                Reached::Elsewhere(by) => match &theory::unchecked(it, &matrix.schemes)[..] {
                    [] => format!("not here: {by}"),
                    schemes => format!("not here: {by}; unchecked: {}", list(schemes)),
                },
                _ if letters.iter().all(|letter| *letter == ' ') => continue,
                Reached::Stepping => format!("stepping  {}", line_of(&matrix.schemes, Some(letters))),
                Reached::Script => format!("hand-over {}", line_of(&matrix.schemes, Some(letters))),
            };
            let _ = writeln!(out, "  {:<3}  {:<width$}  {}", it.row, it.words, answer.trim_end());
        }
    }
    out
}

/// What is asked, for who sees this for the first time.
pub const QUESTION: &str = "\
A task is stopped before each instruction of a traced call. There its ops is replaced and retired, and freed as soon as the
scheme agrees; then the task goes on. What it held is known from the instructions that it had executed.
";

/// What the letters mean.
pub fn legend() -> String {
    let mut out = String::new();
    for verdict in Verdict::ALL {
        let _ = writeln!(out, "  {}  {}", verdict.letter(), verdict.meaning());
    }
    out.push_str(
        "     a blank: this scheme's trampoline has no such instruction, or nobody can stand there in this way\n",
    );
    out
}

/// Which schemes free early, under which models, in a sentence each.
pub fn conclusion(runs: &[Run], schemes: &[String]) -> String {
    let mut groups: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for scheme in schemes {
        let is_early = |run: &&Run| run.scheme == *scheme && run.count(Verdict::Unsafe) > 0;
        let models: Vec<&str> = runs.iter().filter(is_early).map(|run| run.preempt.as_str()).collect();
        match groups.iter_mut().find(|(known, _)| *known == models) {
            Some((_, schemes)) => schemes.push(scheme),
            None => groups.push((models, vec![scheme])),
        }
    }
    let sentence = |(models, schemes): &(Vec<&str>, Vec<&str>)| match &models[..] {
        [] => format!("free early nowhere: {}\n", list(schemes)),
        models => format!("free early under preempt={}: {}\n", list(models), list(schemes)),
    };
    groups.iter().map(sentence).collect()
}

/// Which rows of the theory's table nobody has checked for which schemes: a run that passes says nothing of them.
pub fn unchecked(schemes: &[String]) -> String {
    let mut rows: Vec<&str> = Vec::new();
    let mut unknown = Vec::new();
    for it in &SITUATIONS {
        let of = theory::unchecked(it, schemes);
        if !of.is_empty() {
            rows.push(it.row);
            unknown = of;
        }
    }
    match &unknown[..] {
        [] => String::new(),
        unknown => {
            format!("unchecked for {}: rows {}, which models and litmus tests decide\n", list(unknown), list(&rows))
        }
    }
}

/// How often each scheme does what, by preemption model.
pub fn summary(runs: &[Run], schemes: &[String]) -> String {
    let mut out = String::new();
    for (verdict, title) in [(Verdict::Unsafe, "frees early"), (Verdict::Late, "waits needlessly")] {
        let _ = write!(out, "\n{title:<20}");
        for scheme in schemes {
            let _ = write!(out, " {scheme:>9}");
        }
        out.push('\n');
        for model in MODELS.iter().filter(|model| runs.iter().any(|run| run.preempt == **model)) {
            let _ = write!(out, "  preempt={model:<10}");
            for scheme in schemes {
                let run = runs.iter().find(|run| run.preempt == *model && run.scheme == *scheme);
                let count = run.map_or_else(String::new, |run| run.count(verdict).to_string());
                let _ = write!(out, " {count:>9}");
            }
            out.push('\n');
        }
    }
    out
}
