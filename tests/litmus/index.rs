//! The index as data, and files as text.

use std::path::Path;

/// One file of the repository; `path` is relative to its root, with `/`.
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

/// A row of the first table: what a litmus test shows.
pub(crate) struct Outcome {
    pub(crate) test: String,
    pub(crate) obligations: Vec<String>,
    pub(crate) outcome: String,
    /// The model's variant, or `-`.
    pub(crate) variant: String,
}

/// A row of the second table: a place in the sources that rests on litmus tests.
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) item: String,
    pub(crate) obligations: Vec<String>,
    pub(crate) tests: Vec<String>,
}

/// `litmus/INDEX.md`.
pub(crate) struct Index {
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) places: Vec<Place>,
}

impl Index {
    /// Reads the rows of both tables: five cells are an outcome, six are a place.
    pub(crate) fn parse(text: &str) -> Self {
        let mut index = Self { outcomes: Vec::new(), places: Vec::new() };
        let words = |cell: &str| cell.split_whitespace().map(str::to_owned).collect::<Vec<String>>();
        for line in text.lines().filter(|line| line.starts_with("| ")) {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            match *cells {
                ["test", ..] | ["code", ..] => {}
                [test, obligations, outcome, variant, _] => index.outcomes.push(Outcome {
                    test: test.into(),
                    obligations: words(obligations),
                    outcome: outcome.into(),
                    variant: variant.into(),
                }),
                [file, item, obligations, tests, _, _] => index.places.push(Place {
                    file: file.into(),
                    item: item.into(),
                    obligations: words(obligations),
                    tests: words(tests),
                }),
                _ => panic!("not a row of either table: {line}"),
            }
        }
        index
    }
}

/// Every file under `folder` with one of these extensions, sorted by path.
pub(crate) fn read_tree(root: &Path, folder: &str, extensions: &[&str]) -> Vec<Source> {
    let mut files = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a folder can be listed").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extensions.iter().any(|&known| extension == known)) {
                let text = std::fs::read_to_string(&path).expect("sources are UTF-8");
                let relative = path.strip_prefix(root).expect("it was found under the root");
                files.push(Source { path: relative.to_str().expect("paths are UTF-8").into(), text });
            }
        }
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}
