//! `cargo run -- <boot arguments>`: builds the kernel for its target and boots it.
//!
//! Cargo's default target stays the host, so that `cargo test` runs there; this launcher is the
//! default binary and asks cargo for the kernel, whose runner is `scripts/boot`. It builds first: cargo ends with 101 when
//! it cannot, which behind a boot is a guest's panic.

use std::env;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

const KERNEL: [&str; 6] = ["--quiet", "-p", "holdout", "--release", "--target", "aarch64-unknown-none-softfloat"];
/// Nothing was run.
const REFUSED: u8 = 2;

/// Runs cargo; its status, if it had one of its own.
fn cargo(command: &str, rest: impl Iterator<Item = OsString>) -> Option<u8> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut cargo = Command::new(cargo);
    cargo.arg(command).args(KERNEL).args(rest).env_remove("RUSTFLAGS").env_remove("RUSTC_WRAPPER");
    match cargo.status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()),
        Err(error) => {
            eprintln!("launch: cannot run cargo: {error}");
            None
        }
    }
}

fn main() -> ExitCode {
    if cargo("build", std::iter::empty()) != Some(0) {
        return ExitCode::from(REFUSED);
    }
    let words = std::iter::once("--".into()).chain(env::args_os().skip(1));
    ExitCode::from(cargo("run", words).unwrap_or(REFUSED))
}
