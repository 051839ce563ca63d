//! AArch64 on QEMU's `virt` machine and its like. Floor 1: below are `platform` and `hook`.
//!
//! # What it asks of a CPU, and of a hypervisor (`-accel kvm|hvf -cpu host`)
//! Armv8.1 with LSE, asked before anything else; 4 KiB pages, EL1, the virtual timer, PSCI, and a GIC and a PL011 whose
//! registers may be emulated (`mmio`). All else is found out and can be missing:
//! - The PMU: `pmu` reads ID_AA64DFR0_EL1 and PMCEID0_EL0, and `bench` leaves instructions out.
//! - Semihosting: HLT is then undefined, skipped by `vectors`, and the kernel ends by PSCI SYSTEM_OFF. Before there is
//!   a console registers say what happened, and the CPU halts: x20 holds the letters `holdout` and the status, x21 the
//!   address of the text, x22 its length, or 0 up to a NUL (x21 = 0: a fault in `boot.S`, at x22).
//! - FIQs: `gic` sends itself one. The system registers of Group 0 are touched only if the distributor serves one world.
//! - The identification of a GICv2: `gic::identity` takes none for an answer, and tries a priority.
//! - EL2 is used only to leave it: `boot.S` asks ID registers for each thing that it turns off (GIC registers, PMU,
//!   fine-grained traps, HCRX). EL3 is left in the same way, to refuse on the console.
//!
//! Features that a CPU has are off: SCTLR_EL1 is written whole, so pointer authentication, BTI, tag checks, SError
//! synchronisation and alignment checks are as this kernel says; TCR_EL1 too, so no byte of an address is ignored.
//! PAN, UAO, TCO and DIT do not matter to a kernel without EL0 mappings, tags or secrets. Neither FP nor SVE is used.

#[cfg(target_os = "none")]
pub mod boot;
#[cfg(target_os = "none")]
pub mod context;
#[cfg(target_os = "none")]
pub mod cpu;
pub mod disassembly;
#[cfg(target_os = "none")]
pub mod exit;
#[cfg(target_os = "none")]
pub mod gic;
pub mod hold_words;
#[cfg(target_os = "none")]
pub mod image;
pub mod insn;
#[cfg(target_os = "none")]
mod mmio;
#[cfg(target_os = "none")]
pub mod mmu;
#[cfg(target_os = "none")]
pub mod pl061;
#[cfg(target_os = "none")]
pub mod pmu;
#[cfg(target_os = "none")]
pub mod psci;
#[cfg(target_os = "none")]
pub mod ram;
#[cfg(target_os = "none")]
pub mod relax;
pub mod site;
#[cfg(target_os = "none")]
pub mod step;
#[cfg(target_os = "none")]
pub mod text;
#[cfg(target_os = "none")]
pub mod timer;
#[cfg(target_os = "none")]
pub mod trampoline;
#[cfg(target_os = "none")]
pub mod uart;
#[cfg(target_os = "none")]
pub mod unwind;
#[cfg(target_os = "none")]
pub mod vectors;
