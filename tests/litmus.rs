//! The litmus tests, their index, and the comments that rest on them: one story, held together.
//!
//! `litmus/INDEX.md` says what each test shows and which line of ours stands on it. Each rule here is a function over
//! that text, the litmus files and the sources, and each has a test that feeds it something which breaks it. That the
//! linked kernel has the sequences is looked at by `image/ordering.rs`.

#[path = "litmus/index.rs"]
mod index;
#[path = "litmus/rules.rs"]
mod rules;

use index::{Index, Source};
use rules::{Obligation, Sides};
use std::path::Path;

/// The obligations that are questions of the memory model.
const OBLIGATIONS: &[Obligation] = &["O1", "O2", "O3", "O4", "O5", "O6", "O10", "O11"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn index() -> Index {
    Index::parse(&std::fs::read_to_string(root().join("tests/litmus/INDEX.md")).expect("the index is there"))
}

fn tests() -> Vec<Source> {
    index::read_tree(root(), "tests/litmus", &["litmus"])
}

fn sources() -> Vec<Source> {
    index::read_tree(root(), "src", &["rs", "S"])
}

fn assert_none(violations: Vec<String>) {
    assert!(violations.is_empty(), "{} violations:\n  {}", violations.len(), violations.join("\n  "));
}

#[test]
fn every_litmus_test_is_in_the_index_once_and_is_what_it_says() {
    assert_none(rules::outcomes(&index(), &tests()));
}

#[test]
fn every_obligation_has_a_test_that_holds_and_a_control_that_does_not() {
    assert_none(rules::both_sides(&index(), OBLIGATIONS));
}

#[test]
fn every_place_that_rests_on_a_test_names_its_obligation() {
    assert_none(rules::places(&index(), &sources()));
}

#[test]
fn every_comment_that_names_an_obligation_has_its_tests_in_the_index() {
    assert_none(rules::comments(&index(), &sources(), OBLIGATIONS));
}

#[test]
fn every_litmus_test_that_a_comment_names_exists() {
    let mut all = sources();
    all.extend(
        index::read_tree(root(), "tests", &["rs"]).into_iter().filter(|source| source.path != "tests/litmus.rs"),
    );
    assert_none(rules::named(&index(), &all));
}

/// What each rule must catch.
mod the_rules_can_fail {
    use super::{Index, Sides, Source, rules};

    const INDEX: &str = "## Outcomes\n| test | obligation | outcome | variant | what |\n|---|---|---|---|---|\n\
        | O5-a | O5 | Never | - | w |\n| O5-b | O5 | Sometimes | ifetch | w |\n\
        ## Where\n| code | item | obligations | tests | what | image |\n|---|---|---|---|---|---|\n\
        | src/x.rs | fn leave | O5 | O5-a O5-b | w | - |\n";
    const A: &str = "AArch64 O5-a\n(* O5: w.\n   Expected: Never. *)\n{ }\n P0 ;\nexists (true)\n";
    const B: &str =
        "AArch64 O5-b\n(* O5: w.\n   Expected: Sometimes. Run with -variant ifetch. *)\n{ }\n P0 ;\nexists (true)\n";
    const CODE: &str = "/// Leaves.\n///\n/// Order: release (O5).\npub fn leave() {\n    now();\n}\n";

    fn source(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    fn outcomes(index: &str, a: &str) -> usize {
        let files = [source("tests/litmus/O5-a.litmus", a), source("tests/litmus/O5-b.litmus", B)];
        rules::outcomes(&Index::parse(index), &files).len()
    }

    #[test]
    fn a_file_without_a_row_or_a_row_without_a_file() {
        assert_eq!(outcomes(INDEX, A), 0);
        assert_eq!(outcomes(&INDEX.replace("| O5-a | O5 | Never | - | w |\n", ""), A), 1);
        assert_eq!(outcomes(&INDEX.replace("| O5-a | O5 |", "| O5-c | O5 |"), A), 2);
        assert_eq!(outcomes(&INDEX.replace("## Where", "| O5-a | O5 | Never | - | w |\n## Where"), A), 1);
    }

    #[test]
    fn a_file_that_is_not_what_its_row_says() {
        assert_eq!(outcomes(INDEX, &A.replace("AArch64 O5-a", "AArch64 O5-x")), 1, "its name");
        assert_eq!(outcomes(INDEX, &A.replace("Never", "Sometimes")), 1, "its outcome");
        assert_eq!(outcomes(INDEX, &A.replace("Never.", "Never. Run with -variant mixed.")), 1, "its variant");
        assert_eq!(outcomes(INDEX, &A.replace("exists", "forall")), 1, "its question");
    }

    #[test]
    fn an_obligation_with_one_side_only() {
        assert_eq!(rules::both_sides(&Index::parse(INDEX), &["O5"]).len(), 0);
        assert_eq!(rules::both_sides(&Index::parse(&INDEX.replace("Never", "Sometimes")), &["O5"]).len(), 1);
        assert_eq!(rules::both_sides(&Index::parse(&INDEX.replace("Sometimes", "Never")), &["O5"]).len(), 1);
        assert_eq!(rules::both_sides(&Index::parse(INDEX), &["O5", "O6"]).len(), 2, "of O6 there is nothing");
        assert_eq!(Sides::of("Sometimes, not flagged"), Some(Sides::Holds));
        assert_eq!(Sides::of("Sometimes, flagged"), Some(Sides::Control));
        assert_eq!(Sides::of("Perhaps"), None);
    }

    fn places(index: &str, code: &str) -> usize {
        rules::places(&Index::parse(index), &[source("src/x.rs", code)]).len()
    }

    #[test]
    fn a_place_that_is_not_there_or_does_not_say_what_it_owes() {
        assert_eq!(places(INDEX, CODE), 0);
        assert_eq!(places(INDEX, &CODE.replace("(O5)", "(O4)")), 1);
        assert_eq!(places(INDEX, &CODE.replace("(O5)", "(O51)")), 1, "a longer number is another one");
        assert_eq!(places(INDEX, &CODE.replace("fn leave", "fn leaves")), 1);
        assert_eq!(
            places(INDEX, &CODE.replace("/// Order", "\n// Order")),
            0,
            "inside counts, and so do plain comments"
        );
        assert_eq!(
            places(INDEX, &format!("// (O5)\n\n{}", CODE.replace("(O5)", ""))),
            1,
            "a comment above a gap is another's"
        );
        assert_eq!(places(&INDEX.replace("fn leave", "//!"), CODE), 1, "the file says nothing of it");
        assert_eq!(places(&INDEX.replace("fn leave", "//!"), "//! All (O5).\n"), 0);
        assert_eq!(places(&INDEX.replace("O5-a O5-b | w | - |", "O5-a | w | - |"), CODE), 1, "nobody rests on O5-b");
        assert_eq!(places(&INDEX.replace("O5-a O5-b | w | - |", "O5-a O5-b O5-z | w | - |"), CODE), 1);
        assert_eq!(places(&INDEX.replace("fn leave | O5", "fn leave | O4"), CODE), 3, "both tests are about O5");
    }

    #[test]
    fn a_comment_whose_obligation_stands_nowhere() {
        let comments = |code: &str| {
            let files = [source("src/x.rs", CODE), source("src/y.rs", code)];
            rules::comments(&Index::parse(INDEX), &files, &["O4", "O5"]).len()
        };
        assert_eq!(comments("let O5 = 1; // as O51 and O9 say\n"), 0);
        assert_eq!(comments("// released (O5)\n"), 1);
        assert_eq!(comments("/// O5: released, by O4.\n"), 2);
    }

    #[test]
    fn a_comment_that_names_a_test_which_is_not_there() {
        let named = |text: &str| rules::named(&Index::parse(INDEX), &[source("src/x.rs", text)]).len();
        assert_eq!(named("// O5, litmus O5-a: so it holds. The litmus tests say more.\n"), 0);
        assert_eq!(named("// O5, litmus O5-x: so it holds\n"), 1);
    }
}
