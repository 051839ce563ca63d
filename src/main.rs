//! The kernel image: boot order as a list, the hooks' wiring, what a panic and a fault do. Floor 9.
//!
//! On the host this program only says how to boot.
#![cfg_attr(target_os = "none", no_std, no_main)]
#![cfg_attr(target_os = "none", feature(patchable_function_entry, alloc_error_handler))]

#[cfg(target_os = "none")]
mod kernel;

#[cfg(not(target_os = "none"))]
fn main() {
    eprintln!("holdout is a kernel: boot it with scripts/run, or `cargo run -- <boot arguments>`");
    std::process::exit(2);
}
