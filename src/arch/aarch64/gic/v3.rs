//! GICv3 and later, through arm-gic: distributor and redistributors in memory, the CPU interface in system registers.

use super::{FIQ_PRIORITY, GicError, Interrupt, typed};
use crate::arch::aarch64::mmio::Registers;
use crate::arch::cpu::{self, MAX_CPUS};
use crate::arch::relax::SpinMutex;
use crate::platform::devicetree::Machine;
use arm_gic::gicv3::registers::{Gicd, GicdCtlr, GicrSgi};
use arm_gic::gicv3::{GicCpuInterface, GicV3, Group, SecureIntGroup, SgiTarget, SgiTargetGroup};
use arm_gic::{InterruptGroup, UniqueMmioPointer};
use core::arch::asm;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

static GIC: SpinMutex<Option<GicV3<'static>>> = SpinMutex::new(None);
static DISTRIBUTOR: AtomicUsize = AtomicUsize::new(0);
/// The MPIDR of each CPU: where its SGIs go.
static MPIDR: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// Sets up the distributor and the redistributors of one region.
pub(super) fn init(machine: &Machine, gicd: usize, gicr: usize, gicr_bytes: u64) -> Result<(), GicError> {
    for (slot, cpu) in MPIDR.iter().zip(&machine.cpus) {
        slot.store(cpu.mpidr, Ordering::Relaxed);
    }
    let distributor = NonNull::new(core::ptr::with_exposed_provenance_mut::<Gicd>(gicd)).ok_or(GicError::Layout)?;
    let redistributors =
        NonNull::new(core::ptr::with_exposed_provenance_mut::<GicrSgi>(gicr)).ok_or(GicError::Layout)?;
    // A machine of very many CPUs has a second region, for CPUs beyond those that are used.
    let nr_redistributors = machine.cpus_in_tree.min(gicr_bytes as usize / size_of::<GicrSgi>());
    // SAFETY: the device tree says that the registers are there; `mmu::init` mapped them as device memory;
    // this module makes the only pointers to them, once.
    let mut gic = unsafe { GicV3::new(UniqueMmioPointer::new(distributor), redistributors, nr_redistributors) }
        .map_err(|_| GicError::Layout)?;
    gic.setup(0);
    *GIC.lock() = Some(gic);
    DISTRIBUTOR.store(gicd, Ordering::Relaxed);
    Ok(())
}

/// This CPU takes the private interrupts `enabled`, those of them in `fiqs` as FIQs: bits both.
pub(super) fn init_cpu(enabled: u32, fiqs: u32) -> Result<(), GicError> {
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
    // Beside another world Group 0 is that world's, and its registers may trap.
    // SAFETY: `init` got it from the device tree, and `mmu::init` mapped it; interrupts are this module's.
    let ctlr = unsafe { Registers::new(DISTRIBUTOR.load(Ordering::Relaxed)) }.read(offset_of!(Gicd, ctlr));
    let has_group0 = ctlr & GicdCtlr::DS.bits() != 0;
    let fiqs = if has_group0 { fiqs } else { 0 };
    if fiqs != 0 {
        gic.gicd_set_control(GicdCtlr::EnableGrp0);
        // SAFETY: ICC_BPR0_EL1, the finest grouping: a FIQ's priority interrupts an IRQ's.
        unsafe { asm!("msr S3_0_C12_C8_3, xzr", options(nostack, preserves_flags)) };
    }
    let mut redistributor = gic.redistributor(index).map_err(|_| GicError::Layout)?;
    for id in 0..32 {
        let (bit, id) = (1 << id, typed(id));
        if fiqs & bit != 0 {
            redistributor.set_group(id, Group::Secure(SecureIntGroup::Group0)).expect("a private interrupt");
            redistributor.set_interrupt_priority(id, FIQ_PRIORITY).expect("a private interrupt");
        }
        redistributor.enable_interrupt(id, enabled & bit != 0).expect("a private interrupt");
    }
    if has_group0 {
        GicCpuInterface::enable_group0(fiqs != 0);
    }
    cpu::isb();
    Ok(())
}

/// Lets a shared interrupt through to the first CPU.
pub(super) fn enable_shared(id: u32) {
    let mut gic = GIC.lock();
    let gic = gic.as_mut().expect("init ran");
    let target = MPIDR[0].load(Ordering::Relaxed);
    gic.distributor().set_routing(typed(id), Some(target)).expect("the interrupt exists");
    gic.enable_interrupt(typed(id), None, true).expect("the interrupt exists");
}

#[inline(always)]
pub(super) fn acknowledge_irq() -> Option<Interrupt> {
    Interrupt::from_answer(GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group1)?.raw_value())
}

#[inline(always)]
pub(super) fn acknowledge_fiq() -> Option<Interrupt> {
    Interrupt::from_answer(GicCpuInterface::get_and_acknowledge_interrupt(InterruptGroup::Group0)?.raw_value())
}

#[inline(always)]
pub(super) fn end_irq(interrupt: Interrupt) {
    GicCpuInterface::end_interrupt(typed(interrupt.id()), InterruptGroup::Group1);
    cpu::isb(); // ended before IRQs are unmasked: else a level-triggered one is taken once more
}

#[inline(always)]
pub(super) fn end_fiq(interrupt: Interrupt) {
    GicCpuInterface::end_interrupt(typed(interrupt.id()), InterruptGroup::Group0);
    cpu::isb();
}

#[inline(always)]
pub(super) fn send_irq(sgi: u32, target: usize) {
    send(sgi, target, SgiTargetGroup::CurrentGroup1);
}

#[inline(always)]
pub(super) fn send_fiq(sgi: u32, target: usize) {
    send(sgi, target, SgiTargetGroup::Group0);
}

#[inline(always)]
fn send(sgi: u32, target: usize, group: SgiTargetGroup) {
    let mpidr = MPIDR[target].load(Ordering::Relaxed);
    let target = SgiTarget::List {
        affinity3: (mpidr >> 32) as u8,
        affinity2: (mpidr >> 16) as u8,
        affinity1: (mpidr >> 8) as u8,
        target_list: 1 << (mpidr & 0xf),
    };
    // The only error is a number that is no SGI, and `typed` has told them apart.
    let _ = GicCpuInterface::send_sgi(typed(sgi), target, group);
    cpu::isb(); // the write takes effect before whatever waits for the answer
}
