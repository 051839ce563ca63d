//! The version line names the commit that is built, with `+` where its files are others, in 12 bytes; and nothing is
//! compiled without a change.

use crate::tree::{Tree, git, uncommitted};
use std::path::Path;
use std::process::Command;

/// In place of the kernel's sources: enough to be compiled.
const SOURCE: &str = "#![no_std]\npub const COMMIT: &str = env!(\"HOLDOUT_COMMIT\");\n";
const MANIFEST: &str = "[workspace]\n[package]\nname = \"holdout\"\nversion = \"0.1.0\"\nedition = \"2024\"\n";

/// A file of each that the kernel is made of, but `Cargo.lock`: cargo itself undoes what a test writes there.
const MADE_OF: [&str; 8] = [
    ".cargo/config.toml",
    "Cargo.toml",
    "build.rs",
    "linker.ld",
    "rust-toolchain.toml",
    "scripts/link",
    "scripts/rustc",
    "src/lib.rs",
];

/// What `cargo check` made of a tree: the commit that it names, and whether anything was compiled.
#[derive(Debug, PartialEq)]
struct Built {
    commit: String,
    is_compiled: bool,
}

/// Runs cargo in `tree`, and returns what it says.
fn cargo(tree: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    let output =
        command.env("CARGO_TARGET_DIR", "target").args(arguments).current_dir(tree).output().expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn build(tree: &Path) -> Built {
    let arguments = ["check", "--offline", "--target", "aarch64-unknown-none-softfloat", "--message-format", "json"];
    let told = cargo(tree, &arguments);
    let commit = told.split("[\"HOLDOUT_COMMIT\",\"").nth(1).and_then(|rest| rest.split('"').next());
    Built { commit: commit.expect("build.rs says it").to_owned(), is_compiled: told.contains("\"fresh\":false") }
}

/// A tree with the shipping `build.rs`, cargo settings and compiler wrapper, and with next to nothing to compile.
fn small_tree(name: &str) -> Tree {
    let clone = Tree::new(name);
    clone.apply(&uncommitted());
    std::fs::remove_dir_all(clone.folder.join("src")).expect("a folder of ours");
    std::fs::create_dir(clone.folder.join("src")).expect("a folder of ours");
    clone.write("src/lib.rs", SOURCE);
    clone.write("Cargo.toml", MANIFEST);
    std::fs::remove_file(clone.folder.join("Cargo.lock")).expect("a file of ours");
    cargo(&clone.folder, &["generate-lockfile", "--offline"]);
    clone.git(&["add", "--all"]);
    clone.git(&["commit", "--quiet", "-m", "less"]);
    clone
}

fn head(tree: &Path) -> String {
    git(tree, &["rev-parse", "--short=12", "HEAD"])
}

#[test]
fn the_version_line_is_right_after_each_change_and_nothing_is_compiled_without_one() {
    let clone = small_tree("version");
    let tree = &clone.folder;
    let is = |tree: &Path, dirt: &str, is_compiled: bool, why: &str| {
        let index = git(tree, &["rev-parse", "--git-path", "index"]);
        let index = || std::fs::read(tree.join(&index)).expect("git has one");
        let before = index();
        let built = build(tree);
        assert!(index() == before, "{why}: a build writes what git keeps for itself");
        let commit = head(tree)[..12 - dirt.len()].to_owned() + dirt;
        assert_eq!(built, Built { commit, is_compiled }, "{why}");
    };
    is(tree, "", true, "a fresh clone");
    is(tree, "", false, "the second build");
    // Git writes its index when it finds that a file was written, but not changed.
    let rewrite = |name: &str| clone.write(name, &std::fs::read_to_string(tree.join(name)).expect("it is there"));
    rewrite("README.md");
    clone.git(&["status"]);
    is(tree, "", false, "git status");
    for file in ["linker.ld", "Cargo.lock"] {
        rewrite(file);
        is(tree, "", true, "a file was written, and is as it was");
    }
    clone.write("README.md", "other words\n");
    is(tree, "", false, "the kernel is not made of it");
    clone.git(&["commit", "--quiet", "--allow-empty", "-m", "nothing"]);
    is(tree, "", true, "a commit, and still another file");
    clone.git(&["commit", "--quiet", "-am", "other words"]);
    is(tree, "", true, "a commit of that file");
    is(tree, "", false, "the build after it");

    for file in MADE_OF {
        let text = std::fs::read_to_string(tree.join(file)).expect("it is there");
        clone.write(file, &(text + "\n"));
        is(tree, "+", true, file);
        is(tree, "+", false, file);
        clone.git(&["checkout", "--quiet", file]);
        is(tree, "", true, file);
    }
    clone.write("src/lib.rs", &format!("//! Other words.\n{SOURCE}"));
    is(tree, "+", true, "a change");
    clone.git(&["commit", "--quiet", "-am", "a change"]);
    is(tree, "", true, "the change is committed");

    clone.git(&["pack-refs", "--all"]);
    build(tree);
    is(tree, "", false, "the branch has no file any more");
    clone.git(&["commit", "--quiet", "--allow-empty", "-m", "its file is back"]);
    is(tree, "", true, "a commit to a branch that was packed");
    clone.git(&["checkout", "--quiet", "--detach", "HEAD~1"]);
    is(tree, "", true, "no branch at all");
    clone.git(&["checkout", "--quiet", "-b", "topic/one"]);
    build(tree);
    clone.git(&["commit", "--quiet", "--allow-empty", "-m", "of a topic"]);
    is(tree, "", true, "a commit to another branch");

    let linked = tree.join("target/linked");
    clone.git(&["worktree", "add", "--quiet", "-b", "elsewhere", linked.to_str().expect("a path of text")]);
    is(&linked, "", true, "a linked worktree");
    is(&linked, "", false, "its second build");
    git(&linked, &["commit", "--quiet", "--allow-empty", "-m", "there"]);
    is(&linked, "", true, "a commit there");
    is(tree, "", false, "that commit is not here");
}

#[test]
fn a_tree_without_git_says_so() {
    let clone = small_tree("unknown");
    std::fs::remove_dir_all(clone.folder.join(".git")).expect("a folder of ours");
    assert_eq!(build(&clone.folder).commit, "not-from-git");
    assert!(!build(&clone.folder).is_compiled);
}
