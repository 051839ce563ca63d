//! The rules themselves: each takes sources and a table, and names what breaks it, one line each.

use crate::source::{Source, Token};
use std::collections::BTreeMap;

/// A file that a rule lets through, and why. One that is not needed is itself a violation.
pub(crate) struct Exception {
    pub(crate) file: &'static str,
    pub(crate) reason: &'static str,
}

/// A hook by which a lower floor calls up.
pub(crate) struct Hook {
    pub(crate) file: &'static str,
    pub(crate) name: &'static str,
    pub(crate) wired_by: &'static str,
}

/// Runs `rule` over each source but the excepted ones, for which it must find something.
fn with_exceptions(sources: &[Source], exceptions: &[Exception], rule: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    let mut violations = Vec::new();
    for source in sources {
        match exceptions.iter().find(|exception| exception.file == source.path) {
            None => violations.extend(rule(source)),
            Some(Exception { file, reason }) if rule(source).is_empty() => {
                violations.push(format!("{file}: the exception ({reason}) is not needed"));
            }
            Some(_) => {}
        }
    }
    let missing = exceptions.iter().filter(|exception| !sources.iter().any(|source| source.path == exception.file));
    violations.extend(missing.map(|exception| format!("{}: excepted, but there is no such file", exception.file)));
    violations
}

fn is_word(token: &Token) -> bool {
    token.text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

fn is_path_separator(tokens: &[Token], at: usize) -> bool {
    matches!(tokens.get(at..at + 2), Some([a, b]) if a.text == ":" && b.text == ":")
}

/// The paths of the use tree (or plain path) that begins at `at`, each with the line of its first word.
fn paths(tokens: &[Token], at: usize, prefix: &[String], into: &mut Vec<(Vec<String>, usize)>) {
    let Some(first) = tokens.get(at) else { return };
    if first.text == "{" {
        let mut depth = 0;
        for (index, token) in tokens.iter().enumerate().skip(at) {
            match token.text.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            let begins_branch = depth == 1 && matches!(token.text.as_str(), "{" | ",");
            if begins_branch && tokens.get(index + 1).is_some_and(|next| next.text != "}") {
                paths(tokens, index + 1, prefix, into);
            }
            if depth == 0 {
                break;
            }
        }
        return;
    }
    let mut path = prefix.to_vec();
    path.push(first.text.clone());
    if is_word(first) && is_path_separator(tokens, at + 1) {
        paths(tokens, at + 3, &path, into);
    } else {
        into.push((path, first.line));
    }
}

/// Every path of `source` that starts at the crate root, and every use of an exported macro as a path to its room.
///
/// `super` reaches the root by its count; in a nested module it may not, so what then names no room is left out.
fn root_paths(
    source: &Source,
    macros: &BTreeMap<String, String>,
    is_room: impl Fn(&str) -> bool,
) -> Vec<(Vec<String>, usize)> {
    let tokens = source.tokens(false);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let rooted = is_path_separator(&tokens, at + 1);
        let follows_path = at >= 2 && is_path_separator(&tokens, at - 2);
        match token.text.as_str() {
            "crate" | "holdout" if rooted => paths(&tokens, at + 3, &[], &mut found),
            "super" if rooted && !follows_path => {
                let mut last = at;
                while is_path_separator(&tokens, last + 1) && tokens.get(last + 3).is_some_and(|t| t.text == "super") {
                    last += 3;
                }
                if (last - at) / 3 + 1 >= source.module().len() {
                    let mut up = Vec::new();
                    paths(&tokens, last + 3, &[], &mut up);
                    found.extend(up.into_iter().filter(|(path, _)| is_room(&path[0])));
                }
            }
            name if !follows_path && tokens.get(at + 1).is_some_and(|next| next.text == "!") => {
                if let Some(room) = macros.get(name) {
                    found.push((vec![room.clone(), format!("{name}!")], token.line));
                }
            }
            _ => {}
        }
    }
    for (path, _) in &mut found {
        if let Some(room) = macros.get(&path[0]) {
            path.insert(0, room.clone());
        }
    }
    found
}

/// Macros that `#[macro_export]` puts at the crate root, by the room that declares them.
fn exported_macros(sources: &[Source]) -> BTreeMap<String, String> {
    let mut macros = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs")) {
        let tokens = source.tokens(false);
        let exported = tokens.iter().any(|token| token.text == "macro_export");
        let names = tokens.windows(3).filter(|window| window[0].text == "macro_rules" && window[1].text == "!");
        for name in names.filter(|_| exported) {
            macros.insert(name[2].text.clone(), source.module().first().copied().unwrap_or("lib").to_owned());
        }
    }
    macros
}

/// Files that only tests take in.
fn test_files(sources: &[Source]) -> Vec<String> {
    sources.iter().filter(|source| source.path.ends_with(".rs")).flat_map(Source::test_files).collect()
}

/// A module imports only from lower floors and its own room.
pub(crate) fn imports(sources: &[Source], ground: &[&str], floors: &[(&str, u8)]) -> Vec<String> {
    let macros = exported_macros(sources);
    let test_files = test_files(sources);
    let room_of = |path: &[&str]| -> (String, Option<i16>) {
        let pair = path[..path.len().min(2)].join("::");
        match path.first() {
            None => ("lib".into(), Some(9)),
            Some(first) if ground.contains(first) || ground.contains(&pair.as_str()) => ("ground".into(), Some(-1)),
            Some(first) => {
                let floor = floors.iter().find(|(room, _)| room == first).map(|(_, floor)| i16::from(*floor));
                ((*first).to_owned(), floor)
            }
        }
    };
    let mut violations = Vec::new();
    for source in sources.iter().filter(|s| s.path.ends_with(".rs") && !test_files.contains(&s.path)) {
        let (room, Some(floor)) = room_of(&source.module()) else {
            violations.push(format!("{}: this room has no floor", source.path));
            continue;
        };
        for (path, line) in root_paths(source, &macros, |name| floors.iter().any(|(room, _)| *room == name)) {
            let words: Vec<&str> = path.iter().map(String::as_str).collect();
            let (target, target_floor) = room_of(&words);
            let at = format!("{}:{line}", source.path);
            match target_floor {
                _ if target == room => {}
                None if room == "lib" => {}
                None => violations.push(format!("{at}: `{}` is in no room", words.join("::"))),
                Some(target_floor) if target_floor < floor => {}
                Some(target_floor) => violations.push(format!(
                    "{at}: {room} (floor {floor}) imports `{}` (floor {target_floor})",
                    words.join("::")
                )),
            }
        }
    }
    violations
}

/// Functions that have a linker's name of their own, by the room that defines them.
fn linker_names(sources: &[Source]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for source in sources.iter().filter(|source| source.path.ends_with(".rs")) {
        let tokens = source.tokens(false);
        for at in (0..tokens.len()).filter(|&at| tokens[at].text == "no_mangle") {
            let name = tokens[at..].iter().skip_while(|token| token.text != "fn" && token.text != "static").nth(1);
            let room = source.module().first().copied().unwrap_or("lib").to_owned();
            names.extend(name.map(|name| (name.text.clone(), room)));
        }
    }
    names
}

/// The ways up that `source` declares: statics of a type that names `Hook`, functions that set hooks, and
/// functions of another room that it knows by the linker's name.
fn declared_hooks(source: &Source, linker_names: &BTreeMap<String, String>) -> Vec<(String, usize)> {
    let tokens = source.tokens(false);
    let room = source.module().first().copied().unwrap_or("lib");
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some(name) = tokens.get(at + 1) else { break };
        let mut type_of_static = tokens.iter().skip(at + 2).take_while(|t| t.text != "=" && t.text != ";");
        let is_hook = match token.text.as_str() {
            "static" => type_of_static.any(|t| t.text == "Hook"),
            "fn" if name.text == "set_hooks" => true,
            "fn" if name.text.starts_with("set_") && name.text.ends_with("_hook") => true,
            "fn" => linker_names.get(&name.text).is_some_and(|home| home != room),
            _ => false,
        };
        if is_hook {
            found.push((name.text.clone(), name.line));
        }
    }
    found
}

/// The declared hooks are exactly those of the table, and the named file wires each.
pub(crate) fn hooks(sources: &[Source], table: &[Hook]) -> Vec<String> {
    let mut violations = Vec::new();
    let rust = || sources.iter().filter(|source| source.path.ends_with(".rs"));
    let linker_names = linker_names(sources);
    for source in rust() {
        for (name, line) in declared_hooks(source, &linker_names) {
            if !table.iter().any(|hook| hook.file == source.path && hook.name == name) {
                violations.push(format!("{}:{line}: hook `{name}` is not in the table", source.path));
            }
        }
    }
    for hook in table {
        let declares =
            |source: &Source| declared_hooks(source, &linker_names).iter().any(|(name, _)| name == hook.name);
        if !rust().any(|source| source.path == hook.file && declares(source)) {
            violations.push(format!("{}: `{}` is in the table and is not declared", hook.file, hook.name));
        }
        let names = |source: &Source| source.tokens(false).iter().any(|token| token.text == hook.name);
        if !rust().any(|source| source.path == hook.wired_by && names(source)) {
            violations.push(format!("{}: does not wire `{}`", hook.wired_by, hook.name));
        }
    }
    violations
}

/// `target_os` stands only in a `cfg` at a `mod name;` line (and, in a `mod.rs`, at the re-export of what such a
/// file holds), in a `cfg_attr`, and in the crate roots.
pub(crate) fn target_gates(sources: &[Source], exceptions: &[Exception]) -> Vec<String> {
    with_exceptions(sources, exceptions, |source| {
        if source.module().is_empty() || !source.path.ends_with(".rs") {
            return Vec::new();
        }
        let tokens = source.tokens(false);
        let is_index = source.path.ends_with("/mod.rs");
        let mut violations = Vec::new();
        for at in (0..tokens.len()).filter(|&at| tokens[at].text == "target_os") {
            let start = (0..at).rev().find(|&i| matches!(tokens[i].text.as_str(), "cfg" | "cfg_attr")).unwrap_or(0);
            let allowed = tokens[start].text == "cfg_attr" || gates_a_file(&tokens, start, is_index);
            if !allowed {
                violations.push(format!("{}:{}: names the target inside a file", source.path, tokens[at].line));
            }
        }
        violations
    })
}

/// Whether the attribute whose `cfg` stands at `at` gates `mod name;`, or a `use` where those are allowed.
fn gates_a_file(tokens: &[Token], at: usize, uses_too: bool) -> bool {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let is_outer = at >= 2 && text(at - 1) == "[" && text(at - 2) == "#";
    // Past this attribute, those that follow it, and the visibility.
    let mut item = at;
    let mut brackets = 1;
    while brackets > 0 || matches!(text(item), "#" | "[" | "]" | "pub" | "(" | ")" | "crate" | "super") {
        if item >= tokens.len() {
            return false;
        }
        brackets += i32::from(text(item) == "[") - i32::from(text(item) == "]");
        item += 1;
    }
    is_outer && (text(item) == "mod" && text(item + 2) == ";" || uses_too && text(item) == "use")
}

/// Nothing but `readers` names the scheme.
pub(crate) fn scheme_blind(sources: &[Source], readers: &[Exception]) -> Vec<String> {
    let test_files = test_files(sources);
    with_exceptions(sources, readers, |source| {
        if test_files.contains(&source.path) {
            return Vec::new();
        }
        let words = ["SchemeName", "schemes", "tasks_rcu"];
        let knows = |token: &&Token| {
            let is_string = token.text.contains('"');
            words.iter().any(|word| token.text == *word || is_string && token.text.contains(word))
        };
        let tokens = without_docs(source.tokens(false));
        tokens.iter().filter(knows).map(|t| format!("{}:{}: names {}", source.path, t.line, t.text)).collect()
    })
}

/// Leaves out doc comments, which are `#[doc = "…"]` by now.
fn without_docs(tokens: Vec<Token>) -> Vec<Token> {
    let is_doc = |at: usize| at >= 2 && tokens[at - 1].text == "=" && tokens[at - 2].text == "doc";
    (0..tokens.len()).filter(|&at| !is_doc(at)).map(|at| tokens[at].clone()).collect()
}

/// No file is longer than 350 lines unless it is named.
pub(crate) fn length(sources: &[Source], exceptions: &[Exception]) -> Vec<String> {
    with_exceptions(sources, exceptions, |source| {
        let lines = source.text.lines().count();
        if lines > 350 { vec![format!("{}: {lines} lines", source.path)] } else { Vec::new() }
    })
}
