//! Firmware calls: start a CPU, power off. The conduit (HVC or SMC) comes from the device tree.

use crate::platform::devicetree::Conduit;
use core::sync::atomic::{AtomicU8, Ordering};
use smccc::{Hvc, Smc, psci};

const UNKNOWN: u8 = 0;
const HVC: u8 = 1;
const SMC: u8 = 2;

static CONDUIT: AtomicU8 = AtomicU8::new(UNKNOWN);

/// Remembers how firmware is called. Context: boot. No atomic but a plain store: a CPU that lacks them comes here too.
pub fn init(conduit: Conduit) {
    let value = match conduit {
        Conduit::Hvc => HVC,
        Conduit::Smc => SMC,
    };
    CONDUIT.store(value, Ordering::Relaxed);
}

/// Whether firmware answers. Where nobody does, the call is an undefined instruction, which `vectors` answers with
/// NOT_SUPPORTED, or reaches a level that this kernel has left, where `boot.S` does. Context: boot.
pub fn answers() -> bool {
    match CONDUIT.load(Ordering::Relaxed) {
        SMC => psci::version::<Smc>().is_ok(),
        _ => psci::version::<Hvc>().is_ok(),
    }
}

/// Starts the CPU `mpidr` at physical address `entry` with `context` in x0.
pub fn cpu_on(mpidr: u64, entry: usize, context: usize) -> Result<(), psci::error::Error> {
    match CONDUIT.load(Ordering::Relaxed) {
        SMC => psci::cpu_on::<Smc>(mpidr, entry as u64, context as u64),
        _ => psci::cpu_on::<Hvc>(mpidr, entry as u64, context as u64),
    }
}

/// Powers the machine off; returns where firmware does not do it. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn system_off() {
    // Nothing can be done about an error here: the caller parks the CPU.
    let _ = match CONDUIT.load(Ordering::Relaxed) {
        HVC => psci::system_off::<Hvc>(),
        SMC => psci::system_off::<Smc>(),
        _ => return,
    };
}
