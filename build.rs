//! Puts the commit into the kernel's version line: `HOLDOUT_COMMIT` is the short hash, with `+` when what the kernel is
//! made of differs from that commit.
//!
//! The text has 12 bytes in each case. An exact machine takes its time to print one byte more, and all that follows would
//! come out another way than after the next commit.
//!
//! Cargo compiles the kernel again whenever this has run. So this runs only when the answer can be another one: HEAD
//! names another commit, or a file that the kernel is made of was written. Git's index counts for nothing: it is
//! written by `git status` too.

use std::path::{Path, PathBuf};
use std::process::Command;

const MADE_OF: [&str; 9] = [
    ".cargo",
    "Cargo.lock",
    "Cargo.toml",
    "build.rs",
    "linker.ld",
    "rust-toolchain.toml",
    "scripts/link",
    "scripts/rustc",
    "src",
];

fn main() {
    // What is built for the host has no version line.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() != Ok("none") {
        println!("cargo:rerun-if-changed=build.rs");
        return;
    }
    for watched in MADE_OF.iter().map(PathBuf::from).chain(head()) {
        println!("cargo:rerun-if-changed={}", watched.display());
    }
    println!("cargo:rustc-env=HOLDOUT_COMMIT={}", commit().unwrap_or_else(|| "not-from-git".into()));
}

/// What changes when HEAD names another commit: the file of HEAD, and that of the branch that HEAD names. A branch that
/// git has packed away has no file until its next commit, which changes the folder of that file.
fn head() -> Vec<PathBuf> {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    let files =
        ["HEAD".to_owned()].into_iter().chain(branch).filter_map(|name| git(&["rev-parse", "--git-path", &name]));
    files.filter_map(|file| Some(Path::new(&file).ancestors().find(|it| it.exists())?.to_owned())).collect()
}

fn commit() -> Option<String> {
    let hash = git(&["rev-parse", "--short=12", "HEAD"])?;
    let changed = git(&[&["status", "--porcelain", "--untracked-files=no", "--"], &MADE_OF[..]].concat())?;
    Some(if changed.is_empty() { hash } else { format!("{}+", &hash[..11]) })
}

/// What git says, without a line's end. Git writes nothing, so that another git at the same time is not refused.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).env("GIT_OPTIONAL_LOCKS", "0").output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
