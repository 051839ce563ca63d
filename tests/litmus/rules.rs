//! The rules themselves: each names what breaks it, one line each.

use crate::index::{Index, Outcome, Source};
use std::collections::BTreeSet;

/// A name of the theory's, such as `O4`.
pub(crate) type Obligation = &'static str;

/// What a test is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sides {
    /// It shows that our sequence is enough.
    Holds,
    /// It shows that less is not.
    Control,
}

impl Sides {
    /// What the outcome makes of a test; `None` when it is none.
    pub(crate) fn of(outcome: &str) -> Option<Self> {
        match outcome {
            "Never" | "Sometimes, not flagged" => Some(Self::Holds),
            "Sometimes" | "Sometimes, flagged" => Some(Self::Control),
            _ => None,
        }
    }
}

/// Files and rows are one to one, and each file is the test that its row describes.
pub(crate) fn outcomes(index: &Index, files: &[Source]) -> Vec<String> {
    let name = |file: &Source| file.path.rsplit('/').next().unwrap_or("").trim_end_matches(".litmus").to_owned();
    let mut found = Vec::new();
    for row in &index.outcomes {
        let nr_rows = index.outcomes.iter().filter(|other| other.test == row.test).count();
        match files.iter().find(|file| name(file) == row.test) {
            None => found.push(format!("{}: there is no such file", row.test)),
            Some(_) if nr_rows > 1 => found.push(format!("{}: {nr_rows} rows", row.test)),
            Some(file) => found.extend(differs(row, &file.text).map(|what| format!("{}: {what}", row.test))),
        }
    }
    let is_missing = |file: &&Source| !index.outcomes.iter().any(|row| row.test == name(file));
    found.extend(files.iter().filter(is_missing).map(|file| format!("{}: not in the index", file.path)));
    found.sort();
    found.dedup();
    found
}

/// What in a file is not as its row says.
fn differs(row: &Outcome, text: &str) -> Option<String> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest.split_once('.').map_or(rest, |(word, _)| word));
    let expected = after("Expected: ");
    let variant = after("-variant ").unwrap_or("-");
    let says = row.outcome.split(',').next();
    if text.lines().next() != Some(&format!("AArch64 {}", row.test)) {
        Some("its first line has another name".into())
    } else if Sides::of(&row.outcome).is_none() || expected != says {
        Some(format!("`{}` in the index, {expected:?} in the file", row.outcome))
    } else if variant != row.variant {
        Some(format!("variant `{}` in the index, `{variant}` in the file", row.variant))
    } else if !text.lines().any(|line| line.starts_with("exists (")) {
        Some("it asks nothing".into())
    } else {
        None
    }
}

/// Each obligation is shown to hold with what we do, and not to hold with less.
pub(crate) fn both_sides(index: &Index, obligations: &[Obligation]) -> Vec<String> {
    let mut found = Vec::new();
    for &obligation in obligations {
        for side in [Sides::Holds, Sides::Control] {
            let is_it = |row: &&Outcome| {
                Sides::of(&row.outcome) == Some(side) && row.obligations.iter().any(|o| o == obligation)
            };
            if !index.outcomes.iter().any(|row| is_it(&row)) {
                found.push(format!("{obligation}: no test of the kind {side:?}"));
            }
        }
    }
    found
}

/// Each place is there, its comments name its obligations, and its tests are about one of them. Each test has a place.
pub(crate) fn places(index: &Index, sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for place in &index.places {
        let at = format!("{} {}", place.file, place.item);
        let source = sources.iter().find(|source| source.path == place.file);
        match source.and_then(|source| comments_of(&source.text, &place.item)) {
            None => found.push(format!("{at}: not there, or there twice")),
            Some(comments) => {
                let unsaid =
                    place.obligations.iter().filter(|obligation| !names(&comments).contains(obligation.as_str()));
                found.extend(unsaid.map(|obligation| format!("{at}: its comments do not name {obligation}")));
            }
        }
        for test in &place.tests {
            match index.outcomes.iter().find(|row| row.test == *test) {
                None => found.push(format!("{at}: there is no test {test}")),
                Some(row) if !row.obligations.iter().any(|obligation| place.obligations.contains(obligation)) => {
                    found.push(format!("{at}: {test} is about {:?}", row.obligations));
                }
                Some(_) => {}
            }
        }
    }
    let is_idle = |row: &&Outcome| !index.places.iter().any(|place| place.tests.contains(&row.test));
    found.extend(index.outcomes.iter().filter(is_idle).map(|row| format!("{}: no code rests on it", row.test)));
    found
}

/// Where a comment names an obligation, the index says which tests stand behind that file's claim.
pub(crate) fn comments(index: &Index, sources: &[Source], obligations: &[Obligation]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let all: String = source.text.lines().filter_map(comment).map(|line| format!("{line}\n")).collect();
        for obligation in names(&all).into_iter().filter(|name| obligations.contains(name)) {
            let is_it = |file: &str, listed: &[String]| file == source.path && listed.iter().any(|o| o == obligation);
            if !index.places.iter().any(|place| is_it(&place.file, &place.obligations)) {
                found.push(format!("{}: a comment names {obligation}, but no row of the index does", source.path));
            }
        }
    }
    found
}

/// Where a comment names a litmus test, as `litmus NAME`, that is one.
pub(crate) fn named(index: &Index, sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for text in source.text.lines().filter_map(comment) {
            for (_, rest) in text.match_indices("litmus ").map(|(at, mark)| text.split_at(at + mark.len())) {
                let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(rest.len());
                let name = &rest[..end];
                if name.contains('-') && !index.outcomes.iter().any(|row| row.test == name) {
                    found.push(format!("{}: there is no litmus test {name}", source.path));
                }
            }
        }
    }
    found
}

/// The comment of a line, if it has one.
fn comment(line: &str) -> Option<&str> {
    line.find("//").map(|at| &line[at..])
}

/// The obligations that a text names: an `O` and a number, as words.
fn names(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_name = |word: &&str| word.strip_prefix('O').is_some_and(|rest| rest.parse::<u8>().is_ok());
    words.filter(is_name).collect()
}

/// The comments of an item of formatted source, those above it and those in it: `fn NAME`, `const NAME`, `.macro NAME`
/// or, for the file as a whole, `//!`. `None` if there is no such item, or more than one.
fn comments_of(text: &str, item: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().collect();
    let joined = |lines: &mut dyn Iterator<Item = &str>| lines.filter_map(comment).collect::<Vec<&str>>().join("\n");
    if item == "//!" {
        return Some(joined(&mut lines.iter().copied().filter(|line| line.starts_with("//!"))));
    }
    let defines = |line: &&str| {
        let code = line.split("//").next().unwrap_or("");
        let mut ends = code.match_indices(item).map(|(at, _)| &code[at + item.len()..]);
        ends.any(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_'))
    };
    let mut at = (0..lines.len()).filter(|&at| defines(&lines[at]));
    let (Some(first), None) = (at.next(), at.next()) else { return None };
    let is_above = |line: &&&str| line.trim_start().starts_with("//") || line.trim_start().starts_with("#[");
    let above = lines[..first].iter().rev().take_while(is_above).count();
    let indent = lines[first].len() - lines[first].trim_start().len();
    let is_end = |line: &str| {
        let closes = line.trim() == "}" || line.trim() == ".endm" || line.trim_end().ends_with(';');
        closes
            && line.len() - line.trim_start().len()
                <= indent.max(if item.starts_with("const") { indent + 4 } else { 0 })
    };
    let length = lines[first..].iter().position(|line| is_end(line))?;
    Some(joined(&mut lines[first - above..=first + length].iter().copied()))
}
