//! The machine: what the architecture defines, and nothing that the kernel decides.

pub mod aarch64;

#[cfg(target_os = "none")]
pub use aarch64::{
    boot, context, cpu, exit, gic, image, mmu, pl061, pmu, psci, ram, relax, step, text, timer, trampoline, uart,
    unwind, vectors,
};
pub use aarch64::{disassembly, hold_words, insn, site};
