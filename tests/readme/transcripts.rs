//! Transcripts: fenced blocks that begin with a command, and show some of what it prints.
//!
//! A block without a language is one or several: `$ COMMAND`, then lines of its output. A line `...` stands for any
//! lines, and ` ... ` within a line for any text. `holdout> COMMAND` at a block's start is typed into the kernel's shell, and
//! `(gdb) COMMAND` into the debugger of `scripts/gdb`. A command whose output hangs on timing says `--exact`: then the
//! command prints the same each time.

use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use crate::align::{EQUAL, Shown, Step, align};
use crate::run;

/// A command, and what README.md shows of its output.
#[derive(Clone, Debug)]
pub(crate) struct Transcript {
    /// As README.md has it, with the lines that it goes on in.
    head: String,
    body: String,
}

/// All transcripts of a text, in order.
pub(crate) fn of(text: &str) -> Vec<Transcript> {
    let mut found: Vec<Transcript> = Vec::new();
    let (mut fence, mut goes_on) = (None, false);
    for line in text.lines() {
        match fence {
            None => fence = line.strip_prefix("```").map(|language| (language, true)),
            Some(_) if line == "```" => fence = None,
            Some((language, is_first)) if language.is_empty() => {
                let is_command = line.starts_with("$ ") || is_first;
                assert!(!is_first || is_typed(line), "README.md: a block begins with `{line}`, which is no command");
                if is_command {
                    found.push(Transcript { head: String::new(), body: String::new() });
                }
                let it = found.last_mut().expect("a block begins with a command");
                let part = if is_command || goes_on { &mut it.head } else { &mut it.body };
                *part += &format!("{line}\n");
                goes_on = (is_command || goes_on) && line.ends_with('\\');
                fence = Some((language, false));
            }
            Some(_) => {}
        }
    }
    found
}

fn is_typed(line: &str) -> bool {
    line.starts_with("$ ") || line.starts_with("holdout> ")
}

impl Transcript {
    /// The command without its prompt.
    pub(crate) fn name(&self) -> String {
        self.head.trim_end().replace("\\\n", "").split_whitespace().collect::<Vec<&str>>().join(" ")
    }

    /// What README.md has of it, command and all.
    pub(crate) fn text(&self) -> String {
        format!("{}{}", self.head, self.body)
    }

    /// The same, made anew.
    pub(crate) fn anew(&self) -> Result<String, String> {
        if self.body.lines().all(|line| line.trim() == "...") {
            return Err("  README.md shows nothing of what it prints".to_owned());
        }
        Ok(self.head.clone() + &anew(&self.body, &self.output()?))
    }

    fn output(&self) -> Result<String, String> {
        let command = self.head.trim_end();
        if let Some(typed) = command.strip_prefix("holdout> ") {
            return run::console(&format!("scripts/run --exact --smp 1 shell 'cmds={typed}'"));
        }
        let command = command.strip_prefix("$ ").expect("a transcript begins with a command");
        let Some(options) = command.strip_prefix("scripts/gdb") else { return run::console(command) };
        // GDB tells no command that it reads from a file.
        let typed = self.body.lines().filter_map(|line| line.strip_prefix("(gdb) "));
        let script: String = typed.map(|typed| format!("echo (gdb) {typed}\\n\n{typed}\n")).collect();
        let name = format!("readme-{}-{}.gdb", std::process::id(), self.head.len());
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&file, script).map_err(|error| format!("{}: {error}", file.display()))?;
        let output = run::console(&format!("scripts/gdb --batch {} {options}", file.display()));
        std::fs::remove_file(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        // What the guest prints when GDB has left is no part of the session.
        let told = output?;
        Ok(told.split("[Inferior 1 ").next().unwrap_or_default().to_owned())
    }
}

/// The lines of `body`, each as `output` has it now.
pub(crate) fn anew(body: &str, output: &str) -> String {
    let shown: Vec<Shown<Vec<Word<'_>>>> = body.lines().map(|line| shown(line.trim(), words(line))).collect();
    let actual: Vec<Vec<Word<'_>>> = output.lines().map(words).collect();
    let (_, steps) = align(&shown, &actual, |line, other| line_anew(line, other).0);
    let line = |step: Step<'_, Vec<Word<'_>>, Vec<Word<'_>>>| match step {
        Step::Pair(Shown::This(line), other) => Some(line_anew(line, other).1),
        Step::New(other) => Some(other.iter().map(|word| word.text).collect()),
        Step::Anything => Some("...".to_owned()),
        Step::Pair(..) | Step::Gone => None,
    };
    steps.into_iter().filter_map(line).map(|line| line + "\n").collect()
}

/// A word with the spaces before it.
#[derive(Clone, Debug)]
pub(crate) struct Word<'a> {
    text: &'a str,
    /// The word without its numbers.
    skeleton: String,
}

fn words(line: &str) -> Vec<Word<'_>> {
    static NUMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new("0x[0-9a-f]+|[0-9]+").expect("a pattern"));
    static WORD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\s*\S+").expect("a pattern"));
    let word = |text| Word { text, skeleton: NUMBER.replace_all(text.trim(), "#").into_owned() };
    WORD.find_iter(line).map(|found| word(found.as_str())).collect()
}

fn shown<T>(text: &str, item: T) -> Shown<T> {
    if text == "..." { Shown::Anything } else { Shown::This(item) }
}

/// How like two lines are, and the first as the second has it now.
fn line_anew(line: &[Word<'_>], other: &[Word<'_>]) -> (i32, String) {
    let shown: Vec<Shown<&Word<'_>>> = line.iter().map(|word| shown(word.text.trim(), word)).collect();
    let (sum, steps) = align(&shown, other, |word, other| word.likeness(other));
    let text = steps.iter().map(|step| match step {
        Step::Pair(_, word) | Step::New(word) => word.text,
        Step::Anything => " ...",
        Step::Gone => "",
    });
    let nr_shown = shown.iter().filter(|item| matches!(item, Shown::This(_))).count();
    let nr = if nr_shown < shown.len() { nr_shown } else { nr_shown.max(other.len()) };
    // Two blank lines are equal.
    let likeness = if nr == 0 { EQUAL } else { sum / nr as i32 };
    (likeness, text.collect())
}

impl Word<'_> {
    fn likeness(&self, other: &Self) -> i32 {
        let key = |word: &Self| word.text.split_once('=').map(|(key, _)| key.trim().to_owned());
        match (self.text.trim() == other.text.trim(), self.skeleton == other.skeleton) {
            (true, _) => EQUAL,
            (false, true) => EQUAL * 7 / 10,
            (false, false) if key(self).is_some() && key(self) == key(other) => EQUAL / 2,
            (false, false) => 0,
        }
    }
}
