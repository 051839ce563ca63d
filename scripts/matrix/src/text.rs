//! The matrix as text: a table for each preemption model, or for several that agree.

use crate::judge::MODELS;
use crate::record::{Run, Verdict};
use crate::rows::{Table, short};
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

/// The models of `view`, those together that say the same of every row.
fn agreeing<'a>(table: &Table, view: &View<'a>) -> Vec<(Vec<&'a str>, Vec<Vec<char>>)> {
    let mut groups: Vec<(Vec<&str>, Vec<Vec<char>>)> = Vec::new();
    for model in view.models {
        let all: Vec<_> = (0..table.rows.len()).map(|row| letters(table, view, model, row)).collect();
        match groups.iter_mut().find(|(_, known)| *known == all) {
            Some((models, _)) => models.push(model),
            None => groups.push((vec![model], all)),
        }
    }
    groups
}

/// One func's tables.
pub fn table(table: &Table, view: &View<'_>) -> String {
    let mut out = String::new();
    let insn_width = table.rows.iter().map(|row| row.insn.len()).max().unwrap_or(0).max(11);
    for (models, letters) in agreeing(table, view) {
        let scenario = view.scenario.unwrap_or("any scenario, the worst of them");
        let _ = writeln!(out, "\npreempt={}   func={}   {scenario}", models.join(" and "), table.func);
        let _ = write!(out, "  {:<insn_width$}  step  holds ", "instruction");
        for scheme in view.schemes {
            let _ = write!(out, " {scheme}");
        }
        out.push('\n');
        let mut section = None;
        for (index, row) in table.rows.iter().enumerate() {
            if section.replace(&row.section) != Some(&row.section) {
                let _ = writeln!(out, "- {}: {}", row.section, short(&row.place));
            }
            let holds = match table.held(index) {
                "none" => "-",
                held => held,
            };
            let step = if row.step.is_empty() { "" } else { &row.step };
            let mut line = format!("  {:<insn_width$}  {step:<4}  {holds:<5} ", row.insn);
            for (scheme, letter) in view.schemes.iter().zip(&letters[index]) {
                let width = scheme.len();
                let _ = write!(line, " {letter:^width$}");
            }
            let _ = writeln!(out, "{}", line.trim_end());
        }
    }
    out
}

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

/// How often each scheme does what, by preemption model.
pub fn summary(runs: &[Run], schemes: &[String]) -> String {
    let mut out = String::new();
    for (verdict, title) in [(Verdict::Unsafe, "frees early"), (Verdict::Late, "waits needlessly")] {
        let _ = write!(out, "\n{title:<18}");
        for scheme in schemes {
            let _ = write!(out, " {scheme:>9}");
        }
        out.push('\n');
        for model in MODELS.iter().filter(|model| runs.iter().any(|run| run.preempt == **model)) {
            let _ = write!(out, "  preempt={model:<8}");
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
