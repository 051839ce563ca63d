//! The type rule: what is retired cannot become memory without the proof that nobody uses it any more, which is its own.
//!
//! Each file of `compile_fail/` is a program that breaks the rule in one way; rustc must refuse it for exactly the
//! errors that its first line lists (`//! refused: CODE text`). The one program that obeys the rule must compile, so that
//! the others are not refused for a mistake in the harness. rustc is called on the `rmeta` that `cargo check` makes of
//! the library, offline; no crate is needed for it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Where cargo puts what these tests build.
fn scratch() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("compile_fail")
}

/// The library as `cargo check` sees it, and the folder of its dependencies.
static LIBRARY: LazyLock<(PathBuf, PathBuf)> = LazyLock::new(|| {
    let target = scratch().join("library");
    let output = Command::new(env!("CARGO"))
        .args(["check", "--quiet", "--offline", "--package", "holdout", "--lib", "--message-format", "json"])
        .arg("--target-dir")
        .arg(&target)
        .current_dir(ROOT)
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "the library does not compile: {}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).expect("cargo speaks UTF-8");
    let library = told.split('"').find(|word| word.contains("libholdout-") && word.ends_with(".rmeta"));
    let library = PathBuf::from(library.expect("cargo names what it made"));
    let dependencies = library.parent().expect("it is in a folder").to_owned();
    (library, dependencies)
});

/// Type-checks one program against the library.
fn compile(program: &Path) -> Output {
    let (library, dependencies) = &*LIBRARY;
    let out = scratch().join(program.file_stem().expect("a program has a name"));
    std::fs::create_dir_all(&out).expect("the target folder is writable");
    let mut holdout = std::ffi::OsString::from("holdout=");
    holdout.push(library);
    Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--edition", "2024", "--crate-type", "lib", "--emit", "metadata", "--error-format", "short"])
        .arg("--extern")
        .arg(holdout)
        .arg("-L")
        .arg(dependencies)
        .arg("--out-dir")
        .arg(out)
        .arg(program)
        .current_dir(ROOT)
        .output()
        .expect("rustc runs")
}

/// The errors, without their places: `E0451: field …`.
fn errors(output: &Output) -> Vec<String> {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    told.lines()
        .filter_map(|line| line.split_once("error[").or_else(|| line.split_once(": error: ")))
        .map(|(_, error)| error.replacen(']', "", 1))
        .collect()
}

/// Compiles `compile_fail/<name>.rs` and compares its errors with those that it lists.
fn is_refused_as_it_says(name: &str) {
    let program = Path::new(ROOT).join("tests/compile_fail").join(name).with_extension("rs");
    let text = std::fs::read_to_string(&program).expect("the program is there");
    let expected: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("//! refused: ")).collect();
    let output = compile(&program);
    let found = errors(&output);
    assert_eq!(output.status.success(), expected.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        found.len() == expected.len()
            && found.iter().zip(&expected).all(|(found, expected)| found.starts_with(expected)),
        "{name}: expected {expected:#?}, found {found:#?}"
    );
}

macro_rules! programs {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                is_refused_as_it_says(stringify!($name));
            }
        )*

        #[test]
        fn every_program_is_compiled() {
            let programs = std::fs::read_dir(Path::new(ROOT).join("tests/compile_fail")).expect("the folder is there");
            let mut found: Vec<_> = programs.map(|entry| entry.expect("readable").path()).collect();
            found.sort();
            let mut listed = [$(stringify!($name)),*].map(|name| {
                Path::new(ROOT).join("tests/compile_fail").join(name).with_extension("rs")
            });
            listed.sort();
            assert_eq!(found, listed);
        }
    };
}

programs! {
    a_retired_object_is_reclaimed_with_its_proof
    a_retired_object_is_no_box
    a_retired_object_is_not_taken_apart
    a_retired_object_is_not_reclaimed_without_proof
    a_retired_object_is_not_used_after_reclaim
    a_proof_is_not_made_from_a_number
    a_proof_is_not_made_as_a_default
    a_proof_is_used_once
    a_cookie_is_no_proof
    a_cookie_is_not_made_from_a_number
    a_source_of_proofs_is_not_made_without_a_promise
    an_object_is_not_retired_without_a_promise
}
