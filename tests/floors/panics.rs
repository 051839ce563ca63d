//! What can end the kernel by a panic, and why nobody who types a line, boots an argument or hands over a tree gets there, or what a
//! full heap has to do with it: `panics.txt` has each place with its verdict, and is held against the sources. What allocates
//! without an answer is not in it: on a full heap that ends the kernel too, by the allocator's own panic.

use crate::source::{Token, read_tree};
use std::collections::BTreeMap;
use std::path::Path;

const LIST: &str = "tests/floors/panics.txt";
/// Rooms whose input is somebody's: there an index or a slice out of range counts too.
const READING: [&str; 5] = ["src/platform/", "src/shell/", "src/ftrace/", "src/kernel", "src/mm/ranges.rs"];
const CALLS: [&str; 4] = ["expect", "unwrap", "expect_err", "unwrap_err"];
const FULL_HEAP: &str = "handle_alloc_error";
const MACROS: [&str; 6] = ["panic", "unreachable", "assert", "assert_eq", "assert_ne", "todo"];
/// Behind these a bracket opens an array, and indexes nothing.
const NO_VALUE: [&str; 12] =
    ["mut", "in", "return", "as", "dyn", "ref", "move", "else", "match", "const", "if", "static"];

/// The verdicts that there are.
const VERDICTS: [&str; 5] = ["invariant", "asked", "experiment", "broken-kernel", "test"];

fn places(path: &str, tokens: &[Token]) -> Vec<String> {
    let reads_input = READING.iter().any(|room| path.starts_with(room));
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let before = |n: usize| at.checked_sub(n).map_or("", |at| &*tokens[at].text);
        let after = |n: usize| tokens.get(at + n).map_or("", |token| &*token.text);
        match &*token.text {
            word if CALLS.contains(&word) && before(1) == "." && after(1) == "(" => {
                let said = after(2);
                found.push(if said.starts_with('"') { format!("{word} {said}") } else { word.to_owned() });
            }
            FULL_HEAP if after(1) == "(" => found.push(FULL_HEAP.into()),
            word if MACROS.contains(&word) && after(1) == "!" => {
                let said = tokens[at..].iter().take(400).find(|token| token.text.starts_with('"'));
                found.push(format!("{word} {}", said.map_or("", |said| &said.text)));
            }
            "[" if reads_input => {
                let value = before(1);
                let is_name = value.chars().next().is_some_and(|c| c.is_alphabetic() || c == '_');
                let is_value = is_name && !NO_VALUE.contains(&value) && before(2) != "'" || matches!(value, ")" | "]");
                if is_value {
                    found.push("index".into());
                }
            }
            _ => {}
        }
    }
    found
}

/// `path: what` and how often.
fn of_the_sources(root: &Path) -> BTreeMap<String, usize> {
    let mut sources = read_tree(root, "src");
    sources.retain(|source| source.path.ends_with(".rs"));
    let tests: Vec<String> = sources.iter().flat_map(crate::source::Source::test_files).collect();
    let mut all = BTreeMap::new();
    for source in sources.iter().filter(|source| !tests.contains(&source.path)) {
        for place in places(&source.path, &source.tokens(false)) {
            *all.entry(format!("{}: {place}", source.path)).or_insert(0) += 1;
        }
    }
    all
}

#[test]
fn each_place_that_can_panic_has_a_verdict_and_each_verdict_a_place() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = of_the_sources(root);
    let text = std::fs::read_to_string(root.join(LIST)).expect("the list");
    let mut listed = BTreeMap::new();
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        let (verdict, rest) = line.split_once(' ').expect("a verdict");
        assert!(VERDICTS.contains(&verdict), "no verdict: {line}");
        let (nr, place) = rest.trim_start().split_once(' ').expect("how often");
        let nr: usize = nr.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(listed.insert(place.to_owned(), nr).is_none(), "twice: {line}");
    }
    if let Ok(path) = std::env::var("HOLDOUT_PANICS") {
        let lines = found.iter().map(|(place, nr)| format!("{nr} {place}\n"));
        std::fs::write(path, lines.collect::<String>()).expect("a place for the list");
    }
    let new: Vec<_> = found.iter().filter(|(place, nr)| listed.get(*place) != Some(nr)).collect();
    let gone: Vec<_> = listed.iter().filter(|(place, nr)| found.get(*place) != Some(nr)).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "not in {LIST} as found: {new:#?}\nin {LIST} and not so found: {gone:#?}"
    );
}
