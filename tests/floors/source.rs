//! Source files as tokens: comments are gone, strings are single tokens, what is compiled only for tests is left out.

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use std::path::Path;

/// One file of the repository; `path` is relative to its root, with `/`.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// One token, with the line it stands on; a group is its opening, its tokens and its closing.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Source {
    /// The tokens of the file. `with_tests` keeps what only `cargo test` compiles.
    pub(crate) fn tokens(&self, with_tests: bool) -> Vec<Token> {
        let stream: TokenStream = self.text.parse().unwrap_or_else(|error| panic!("{}: {error}", self.path));
        let mut tokens = Vec::new();
        flatten(stream, with_tests, &mut tokens);
        tokens
    }

    /// Files that a `#[cfg(test)] mod name;` of this file takes in.
    pub(crate) fn test_files(&self) -> Vec<String> {
        let folder = self.path.trim_end_matches(".rs").trim_end_matches("/mod");
        let tokens = self.tokens(true);
        let gate = ["#", "[", "cfg", "(", "test", ")", "]", "mod"];
        let names = tokens.windows(gate.len() + 2).filter(|window| {
            window.iter().zip(gate).all(|(token, word)| token.text == word) && window[gate.len() + 1].text == ";"
        });
        names.map(|window| format!("{folder}/{}.rs", window[gate.len()].text)).collect()
    }

    /// The module path of the file, as `["sched", "task"]`; empty for a crate root.
    pub(crate) fn module(&self) -> Vec<&str> {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        let path = path.strip_suffix("/mod").unwrap_or(path);
        if path == "lib" || path == "main" { Vec::new() } else { path.split('/').collect() }
    }
}

/// Every Rust and assembly file under `folder`, sorted by path.
pub(crate) fn read_tree(root: &Path, folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        for path in entries.map(|entry| entry.expect("a folder can be listed").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs" || extension == "S") {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                let relative = path.strip_prefix(root).expect("it was found under the root");
                files.push(Source { path: relative.to_str().expect("paths are UTF-8").replace('\\', "/"), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn flatten(stream: TokenStream, with_tests: bool, into: &mut Vec<Token>) {
    let trees: Vec<TokenTree> = stream.into_iter().collect();
    let mut at = 0;
    while at < trees.len() {
        if !with_tests && is_test_gate(&trees[at..]) {
            at = end_of_item(&trees, at);
            continue;
        }
        let line = trees[at].span().start().line;
        match &trees[at] {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::None => ("", ""),
                };
                into.push(Token { text: open.into(), line });
                flatten(group.stream(), with_tests, into);
                into.push(Token { text: close.into(), line: group.span_close().start().line });
            }
            tree => into.push(Token { text: tree.to_string(), line }),
        }
        at += 1;
    }
}

/// Whether an item that is compiled only for tests begins here: `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]`.
fn is_test_gate(trees: &[TokenTree]) -> bool {
    let [TokenTree::Punct(hash), TokenTree::Group(group), ..] = trees else { return false };
    let attribute = group.stream().to_string().replace(' ', "");
    hash.as_char() == '#' && (attribute == "test" || attribute == "cfg(test)" || attribute.starts_with("cfg(all(test,"))
}

/// The index after the item that begins at `at`: after its `;`, or its braces if it is no `use`.
fn end_of_item(trees: &[TokenTree], at: usize) -> usize {
    let mut is_use = false;
    for (index, tree) in trees.iter().enumerate().skip(at) {
        match tree {
            TokenTree::Ident(word) if word == "use" => is_use = true,
            TokenTree::Punct(mark) if mark.as_char() == ';' => return index + 1,
            TokenTree::Group(group) if group.delimiter() == Delimiter::Brace && !is_use => return index + 1,
            _ => {}
        }
    }
    trees.len()
}
