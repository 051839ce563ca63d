//! Scenarios that boot the kernel under QEMU and talk to it, by the same scripts that a person uses.
//!
//! They run the `checked` profile, and judge what the guest printed, not only how it ended. `cargo test --test qemu`,
//! or `scripts/test boot::` for a part.
//!
//! A guest under load whose CPUs run at once has the whole host to itself. Guests whose CPUs take turns (`--exact`,
//! `--icount`, `--one-thread`), or that have one, run side by side, each pinned to a CPU of the host that no other guest
//! has: it could not use a second CPU, so it has all that it would have alone. Guests that are idle for the most part (a
//! shell, a refusal) take the place of one, and run where there is room. The time of an exact machine is its own
//! instructions, so that not even a busy CPU would show; all others are to hold beside busy loops too.
//! `guest/host.rs` lends the CPUs.
//!
//! What depends on timing runs on exact machines (`--exact`), where it comes out the same each time, unless that loses
//! something. On machines that run free stay: sound schemes under load (CPUs that really run at once meet what CPUs that
//! take turns never do, and more of it in a second of the host), `--one-insn-per-tb`, races of the patcher with callers,
//! faults that an exact machine meets too late, and what is about the host's own time.

#[path = "../trees/tree.rs"]
mod tree;

mod attended;
mod bench;
mod boot;
mod demo;
mod dirty;
mod epitaph;
mod exact;
mod faults;
mod gdb;
mod guest;
mod heap;
mod lines;
mod locks;
mod machines;
mod mutations;
mod pauses;
mod refusals;
mod room;
mod selftest;
mod shell;
mod stalls;
mod step;
mod stress;
mod table;
mod trees;
mod uboot;
mod unheard;
mod verdict;
mod watchdog;
mod windows;
