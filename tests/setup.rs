//! Who only builds and boots needs no browser: `scripts/setup` wants it for the tests alone.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output};

/// What only the tests need.
const FOR_TESTS: [&str; 2] = ["spin", "chromium"];

/// Runs `scripts/setup` as somebody who may not install, on a machine that has not [`FOR_TESTS`].
fn setup(name: &str, options: &[&str]) -> Output {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("setup-{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a place for a PATH");
    let path = std::env::var_os("PATH").expect("a PATH");
    let programs = std::env::split_paths(&path).filter_map(|part| fs::read_dir(part).ok()).flatten().flatten();
    for program in
        programs.filter(|it| ![&FOR_TESTS[..], &["id", "sudo"]].concat().iter().any(|no| it.file_name() == *no))
    {
        // The first of a name is the one that counts.
        let _ = symlink(program.path(), folder.join(program.file_name()));
    }
    let id = folder.join("id");
    fs::write(&id, "#!/bin/sh\necho 1000\n").expect("a place for it");
    fs::set_permissions(&id, fs::Permissions::from_mode(0o755)).expect("a file of ours");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/setup");
    let output = Command::new(script).args(options).env("PATH", &folder).output().expect("bash");
    fs::remove_dir_all(&folder).expect("a folder of ours");
    output
}

#[test]
fn nothing_is_missing_for_who_does_not_test() {
    let output = setup("plain", &["--quiet"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty() && output.stdout.is_empty());
}

#[test]
fn what_the_tests_miss_is_named_in_one_line() {
    let output = setup("tests", &["--quiet", "--tests"]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert_eq!(
        said.trim_end(),
        format!("scripts/setup: please install these Debian packages as root: {}", FOR_TESTS.join(" "))
    );
}
