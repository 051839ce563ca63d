//! `cargo run -- <boot arguments>`: builds the kernel for its target and boots it.
//!
//! Cargo's default target stays the host, so that `cargo test` runs there; this launcher is the
//! default binary and asks cargo for the kernel, whose runner is `scripts/boot`.

use std::env;
use std::process::{Command, ExitCode};

const TARGET: &str = "aarch64-unknown-none-softfloat";

fn main() -> ExitCode {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "-p", "holdout", "--release", "--target", TARGET, "--"])
        .args(env::args_os().skip(1))
        .env_remove("RUSTFLAGS")
        .env_remove("RUSTC_WRAPPER")
        .status();
    match status {
        Ok(status) => ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)),
        Err(error) => {
            eprintln!("launch: cannot run cargo: {error}");
            ExitCode::from(2)
        }
    }
}
