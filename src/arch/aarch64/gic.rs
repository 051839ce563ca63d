//! The interrupt controller, through arm-gic. GICv3; the seam for GICv2 is this module's functions.
//!
//! `irq_enable` and `irq_disable` of the crate write all of DAIF and are not used. Every interrupt has one
//! priority: none interrupts another.

use super::cpu;
use crate::platform::devicetree::{self, Machine};
use arm_gic::gicv3::registers::{Gicd, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicV3, SgiTarget, SgiTargetGroup};
use arm_gic::{IntId, InterruptGroup, UniqueMmioPointer};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, Ordering};
use spin::mutex::SpinMutex;

static GIC: SpinMutex<Option<GicV3<'static>>> = SpinMutex::new(None);
/// The MPIDR of each CPU: where its SGIs go.
static MPIDR: [AtomicU64; cpu::MAX_CPUS] = [const { AtomicU64::new(0) }; cpu::MAX_CPUS];

/// Why there is no interrupt controller to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GicError {
    /// The machine has a GICv2.
    Version2,
    /// The redistributors do not look as GICv3 or v4 lay them out.
    Layout,
    /// No redistributor belongs to this CPU.
    NoRedistributor {
        /// The CPU's MPIDR.
        mpidr: u64,
    },
}

impl core::fmt::Display for GicError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Version2 => f.write_str("this machine has a GICv2, needs gic-version=3"),
            Self::Layout => f.write_str("the GIC's redistributors are laid out in an unknown way"),
            Self::NoRedistributor { mpidr } => write!(f, "no GIC redistributor for the CPU with MPIDR {mpidr:#x}"),
        }
    }
}

/// Sets up the distributor and all redistributors. Context: boot, first CPU, registers mapped.
pub fn init(machine: &Machine) -> Result<(), GicError> {
    let devicetree::Gic::V3 { gicd, gicr, .. } = machine.gic else { return Err(GicError::Version2) };
    for (slot, cpu) in MPIDR.iter().zip(&machine.cpus) {
        slot.store(cpu.mpidr, Ordering::Relaxed);
    }
    let distributor =
        NonNull::new(core::ptr::with_exposed_provenance_mut::<Gicd>(gicd as usize)).ok_or(GicError::Layout)?;
    let redistributors =
        NonNull::new(core::ptr::with_exposed_provenance_mut::<GicrSgi>(gicr as usize)).ok_or(GicError::Layout)?;
    // SAFETY: the device tree says that the registers are there; `mmu::init` mapped them as device memory;
    // this module makes the only pointers to them, once.
    let mut gic = unsafe { GicV3::new(UniqueMmioPointer::new(distributor), redistributors, machine.cpus_in_tree) }
        .map_err(|_| GicError::Layout)?;
    gic.setup(0);
    *GIC.lock() = Some(gic);
    Ok(())
}

/// Makes this CPU take interrupts `private`, its own SGIs included. Context: boot of each CPU, IRQs masked.
pub fn init_cpu(private: &[u32]) -> Result<(), GicError> {
    let mpidr = cpu::mpidr();
    let mut gic = GIC.lock();
    let gic = gic.as_mut().expect("init ran");
    let index = (0..)
        .map_while(|index| gic.gicr_typer(index).ok().map(|typer| (index, typer.core_mpidr())))
        .find_map(|(index, core)| (core == mpidr).then_some(index))
        .ok_or(GicError::NoRedistributor { mpidr })?;
    gic.init_cpu(index);
    GicCpuInterface::enable_group1(true);
    GicCpuInterface::set_priority_mask(0xff);
    for &id in private {
        let id = IntId::try_from(id).expect("a private interrupt");
        gic.enable_interrupt(id, Some(index), true).expect("the redistributor exists");
    }
    Ok(())
}

/// Lets the shared interrupt `id` through, to the first CPU. Context: boot.
pub fn enable_shared(id: u32) {
    let mut gic = GIC.lock();
    let gic = gic.as_mut().expect("init ran");
    let id = IntId::try_from(id).expect("a shared interrupt");
    let target = MPIDR[0].load(Ordering::Relaxed);
    gic.distributor().set_routing(id, Some(target)).expect("the interrupt exists");
    gic.enable_interrupt(id, None, true).expect("the interrupt exists");
}

/// Takes the pending interrupt of the highest priority; `None` when there is none. Context: IRQ entry.
#[inline(always)]
pub fn acknowledge() -> Option<u32> {
    GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1).map(IntId::raw_value)
}

/// Ends the interrupt that [`acknowledge`] returned. Context: IRQ entry.
#[inline(always)]
pub fn end(id: u32) {
    // An id that was acknowledged is a valid one.
    if let Ok(id) = IntId::try_from(id) {
        GicCpuInterface::end_interrupt(id, InterruptGroup::Group1);
        cpu::isb(); // ended before IRQs are unmasked: else a level-triggered one is taken once more
    }
}

/// Sends SGI number `sgi` to CPU number `target`, this one included. What was stored before is visible to
/// the handler: the barrier here is the updater's half of O4. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn send_sgi(sgi: u32, target: usize) {
    cpu::dsb_ish();
    let mpidr = MPIDR[target].load(Ordering::Relaxed);
    let target = SgiTarget::List {
        affinity3: (mpidr >> 32) as u8,
        affinity2: (mpidr >> 16) as u8,
        affinity1: (mpidr >> 8) as u8,
        target_list: 1 << (mpidr & 0xf),
    };
    // The only error is an id that is no SGI, and `IntId::sgi` has checked that.
    let _ = GicCpuInterface::send_sgi(IntId::sgi(sgi), target, SgiTargetGroup::CurrentGroup1);
    cpu::isb(); // the write takes effect before whatever waits for the answer
}
