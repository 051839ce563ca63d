//! Completion: how the word before the cursor can go on, by the table of commands and the names of functions. Pure.
//!
//! A path is completed part by part: up to its next `::`, from its start or from behind any `::` in it, as patterns find
//! it. What all candidates share is typed at once; one that is alone gets the space behind it too.
//! Bounded: at most [`MOST_NAMES`] candidates are kept, of which [`MOST_ROWS`] rows are shown.
//! Not offered: names that hold a special character of patterns, and outside of double quotes those with spaces, since
//! they would not mean themselves. Context: any that may allocate.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::String;
use core::fmt;

use super::table::{self, Argument, COMMANDS};
use super::words::Words;

/// Different candidates that are kept.
pub const MOST_NAMES: usize = 512;
/// Rows of candidates that are shown.
pub const MOST_ROWS: usize = 12;
/// Columns of a row.
const COLUMNS: usize = 79;

/// Calls what it is given with the path of every function there is.
pub type Functions<'a> = &'a dyn Fn(&mut dyn FnMut(&str));

/// How the word can go on.
#[derive(Debug, Default)]
pub struct Completion {
    /// What to type behind the cursor; empty if that is not certain.
    pub insert: String,
    /// The candidates, of paths only the part in question.
    names: BTreeSet<Box<str>>,
    /// There were more than are kept.
    is_cut: bool,
}

/// The place before the cursor: which argument of which command, and what of it stands there.
struct Place<'a> {
    name: Option<&'a str>,
    /// The word before it.
    last: Option<&'a str>,
    argument: usize,
    word: &'a str,
    is_quoted: bool,
}

impl<'a> Place<'a> {
    fn find(before: &'a str) -> Option<Self> {
        let (mut command, mut word, mut is_quoted) = (0, 0, false);
        for (at, byte) in before.bytes().enumerate() {
            match byte {
                b'"' => is_quoted = !is_quoted,
                b';' if !is_quoted => (command, word) = (at + 1, at + 1),
                _ if byte.is_ascii_whitespace() && !is_quoted => word = at + 1,
                _ => {}
            }
        }
        let words = Words::split(&before[command..word]).ok()?;
        let typed = &before[word..];
        let inside = typed.strip_prefix('"');
        let word = inside.unwrap_or(typed);
        let words = words.as_slice();
        let (name, last) = (words.first().copied(), words.last().copied());
        let place = Self { name, last, argument: words.len(), word, is_quoted };
        (!word.contains('"') && inside.is_some() == is_quoted).then_some(place)
    }
}

/// What the text before the cursor can go on with.
pub fn complete(before: &str, functions: Functions<'_>) -> Completion {
    let Some(place) = Place::find(before) else { return Completion::default() };
    let mut candidates = Candidates { word: place.word, shared: None, names: BTreeSet::new(), is_cut: false };
    let arguments = place.name.and_then(table::find).map_or(&[][..], |command| command.completes);
    match (place.argument, place.argument.checked_sub(1).and_then(|index| arguments.get(index))) {
        (0, _) => COMMANDS.iter().for_each(|command| candidates.offer(command.name)),
        (_, Some(Argument::Topic)) => {
            COMMANDS.iter().for_each(|command| candidates.offer(command.name));
            candidates.offer("boot");
        }
        (_, Some(Argument::Behind(first, _))) if place.last != Some(first) => {}
        (_, Some(Argument::OneOf(words) | Argument::Behind(_, words))) => {
            words.iter().for_each(|word| candidates.offer(word))
        }
        (_, Some(Argument::Function)) => functions(&mut |path| {
            if !path.contains(['*', '?', '[', '\\', '"']) && (place.is_quoted || !path.contains(' ')) {
                candidates.offer_path(path);
            }
        }),
        (_, None) => {}
    }
    candidates.finish(place.is_quoted)
}

/// Candidates that start as the word does.
struct Candidates<'a> {
    word: &'a str,
    /// The longest start that all share.
    shared: Option<String>,
    names: BTreeSet<Box<str>>,
    is_cut: bool,
}

impl Candidates<'_> {
    fn offer(&mut self, name: &str) {
        self.offer_part(name, 0);
    }

    /// Offers `name`, of which a person is shown what follows `shown_from`.
    fn offer_part(&mut self, name: &str, shown_from: usize) {
        if !name.starts_with(self.word) {
            return;
        }
        match &mut self.shared {
            None => self.shared = Some(name.into()),
            Some(shared) => {
                let same = shared.char_indices().zip(name.chars()).find(|((_, a), b)| a != b);
                let len = same.map_or(shared.len().min(name.len()), |((at, _), _)| at);
                shared.truncate(len);
            }
        }
        let name = &name[shown_from..];
        if self.names.len() < MOST_NAMES {
            if !self.names.contains(name) {
                self.names.insert(name.into());
            }
        } else {
            self.is_cut |= !self.names.contains(name);
        }
    }

    /// Offers every end of `path` that follows some `::` and starts as the word does, up to its next part.
    fn offer_path(&mut self, path: &str) {
        let shown_from = parts(self.word).last().unwrap_or(0);
        let starts = core::iter::once(0).chain(parts(path).filter(|_| !self.word.is_empty()));
        for start in starts.filter(|&start| start < path.len()) {
            let path = &path[start..];
            let next = parts(path).find(|&end| end > self.word.len());
            self.offer_part(&path[..next.unwrap_or(path.len())], shown_from);
        }
    }

    fn finish(self, is_quoted: bool) -> Completion {
        let shared = self.shared.unwrap_or_default();
        let mut insert = String::from(shared.get(self.word.len()..).unwrap_or(""));
        if self.names.len() == 1 && !self.is_cut && !shared.ends_with("::") {
            insert.push_str(if is_quoted { "\" " } else { " " });
        }
        Completion { insert, names: self.names, is_cut: self.is_cut }
    }
}

/// Where each part of a path ends that a `::` follows, behind that; those inside angle brackets belong to types.
fn parts(path: &str) -> impl Iterator<Item = usize> {
    let (mut depth, mut before) = (0_usize, [0; 2]);
    path.bytes().enumerate().filter_map(move |(at, byte)| {
        match byte {
            b'<' => depth += 1,
            // The arrow of a function type closes nothing.
            b'>' if before[1] != b'-' => depth = depth.saturating_sub(1),
            _ => {}
        }
        before = [before[1], byte];
        (depth == 0 && before == *b"::").then_some(at + 1)
    })
}

impl Completion {
    /// Whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// In columns, in alphabetical order; how many more there are stands at the end.
impl fmt::Display for Completion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |name: &str| name.chars().count() + 2;
        let column = self.names.iter().map(|name| width(name)).max().unwrap_or(0).min(COLUMNS);
        let (mut rows, mut used, mut nr_shown) = (0, 0, 0);
        for name in &self.names {
            if rows == MOST_ROWS {
                break;
            }
            // Padding goes before a name, so that no row ends in blanks.
            let at = used + (column - used % column) % column;
            let is_first = used == 0;
            write!(f, "{:1$}{name}", "", if is_first { 0 } else { at - used })?;
            used = at + width(name) - 2;
            nr_shown += 1;
            if used + 2 > COLUMNS.saturating_sub(column) {
                writeln!(f)?;
                (rows, used) = (rows + 1, 0);
            }
        }
        if used > 0 {
            writeln!(f)?;
        }
        match (self.names.len() - nr_shown, self.is_cut) {
            (0, false) => Ok(()),
            (more, false) => writeln!(f, "and {more} more"),
            (more, true) => writeln!(f, "and more than {more} more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATHS: &[&str] = &[
        "holdout::sched::switch::wake",
        "holdout::sched::tick::on_alarm",
        "holdout::sched::tick::on_alert",
        "holdout::sched::tick",
        "holdout::shell::tasks::list",
        "<holdout::sched::Task as core::fmt::Debug>::fmt",
        "<holdout::sched::Task>::name",
        "holdout::fill::<[u8; 4]>",
    ];

    fn at(before: &str) -> Completion {
        complete(before, &|visit| PATHS.iter().for_each(|path| visit(path)))
    }

    fn names(before: &str) -> Vec<String> {
        at(before).names.iter().map(|name| name.to_string()).collect()
    }

    #[track_caller]
    fn goes_on(before: &str, insert: &str) {
        assert_eq!(at(before).insert, insert, "behind {before:?}: {:?}", at(before).names);
    }

    #[test]
    fn commands_are_completed_wherever_one_can_stand() {
        goes_on("tra", "ce ");
        goes_on("ps; tra", "ce ");
        goes_on("  tra", "ce ");
        goes_on("trace", " ");
        goes_on("p", "");
        assert_eq!(names("p"), ["panic", "poweroff", "ps"]);
        goes_on("xyz", "");
        assert!(names("xyz").is_empty() && at("xyz").is_empty());
        assert_eq!(names("").len(), COMMANDS.len());
    }

    #[test]
    fn arguments_are_completed_by_the_table() {
        goes_on("help tr", "ace ");
        goes_on("help bo", "ot ");
        goes_on("fault text", "-store ");
        goes_on("fault null ", "");
        goes_on("fault null y", "");
        goes_on("panic ", "");
        goes_on("hold sleep 4 normal ", "");
        goes_on("trace tick o", "");
        assert_eq!(names("trace tick o"), ["off", "on"]);
        goes_on("trace tick of", "f ");
        goes_on("trace tick on o", "");
        goes_on("ps a", "");
        goes_on("echo tra", "");
        goes_on("rcu sc", "heme ");
        goes_on("rcu scheme nop", "reempt ");
        goes_on("rcu stall nop", "");
        goes_on("xyz tra", "");
    }

    #[test]
    fn paths_are_completed_part_by_part_from_any_separator_on() {
        goes_on("trace h", "oldout::");
        goes_on("callsites holdout::s", "");
        assert_eq!(names("callsites holdout::s"), ["sched::", "shell::"]);
        goes_on("trace holdout::sc", "hed::");
        goes_on("trace sched::sw", "itch::");
        goes_on("trace sched::switch::", "wake ");
        goes_on("trace on_a", "l");
        assert_eq!(names("trace tick::on_al"), ["on_alarm", "on_alert"]);
        assert_eq!(names("trace sched::t"), ["tick", "tick::"], "a function and what lies beside it");
        goes_on("trace sched:", ":");
        goes_on("trace <holdout::sched::Task>", "::");
        goes_on("trace nam", "e ");
        assert_eq!(names("trace "), ["<holdout::sched::Task>::", "holdout::"], "of nothing, whole paths alone");
    }

    #[test]
    fn names_that_would_not_mean_themselves_are_not_offered() {
        goes_on("trace \"holdout::fill::<", "");
        goes_on("trace fm", "");
        goes_on("trace \"fm", "t\" ");
        goes_on("trace \"<holdout::sched::Task a", "s core::fmt::Debug>::");
        goes_on("trace \"a b\"", "");
        goes_on("trace a\"b", "");
    }

    #[test]
    fn candidates_are_shown_in_columns_of_a_terminal_and_cut() {
        assert_eq!(at("p").to_string(), "panic     poweroff  ps\n");
        let many = |count: usize| {
            let paths: Vec<String> = (0..count).map(|number| format!("f{number:03}")).collect();
            complete("trace f", &|visit| paths.iter().for_each(|path| visit(path))).to_string()
        };
        let shown = many(500);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), MOST_ROWS + 1);
        assert!(lines.iter().all(|line| line.len() < 80 && line.trim_end() == *line), "{shown}");
        let nr_shown: usize = lines[..MOST_ROWS].iter().map(|line| line.split_whitespace().count()).sum();
        assert_eq!(lines[MOST_ROWS], format!("and {} more", 500 - nr_shown));
        assert!(nr_shown > 100 && lines[0].starts_with("f000  f001"), "{shown}");
        assert!(many(600).ends_with(&format!("and more than {} more\n", MOST_NAMES - nr_shown)));
        let wide = "x".repeat(200);
        let listed = complete("trace x", &|visit| [wide.as_str(), "xy"].iter().for_each(|path| visit(path)));
        assert_eq!(listed.to_string(), format!("{wide}\nxy\n"));
    }
}
