//! GICv3 and later, through arm-gic: distributor and redistributors in memory, the CPU interface in system registers.
//!
//! Each redistributor says whose it is: `platform::redistributors` looks for each CPU's among the regions of the tree,
//! whatever the order of CPUs there. arm-gic's `GicV3`, which counts redistributors by CPUs in one region, is not used.

use super::{FIQ_PRIORITY, GicError, Interrupt, SGI_TARGETS, typed};
use crate::arch::aarch64::mmio::Registers;
use crate::arch::cpu::{self, MAX_CPUS};
use crate::arch::relax::SpinMutex;
use crate::platform::devicetree::{Cpu, Machine, Redistributors};
use crate::platform::redistributors;
use arm_gic::gicv3::registers::{Gicd, GicdCtlr, GicrSgi};
use arm_gic::gicv3::{
    GicCpuInterface, GicDistributor, GicRedistributor, Group, SecureIntGroup, SgiTarget, SgiTargetGroup,
};
use arm_gic::{InterruptGroup, UniqueMmioPointer};
use core::arch::asm;
use core::mem::offset_of;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

static DISTRIBUTOR: SpinMutex<Option<GicDistributor<'static>>> = SpinMutex::new(None);
static DISTRIBUTOR_BASE: AtomicUsize = AtomicUsize::new(0);
/// The redistributor of each CPU; 0 where there is none.
static REDISTRIBUTOR: [AtomicUsize; MAX_CPUS] = [const { AtomicUsize::new(0) }; MAX_CPUS];
/// The MPIDR of each CPU: where its SGIs go.
static MPIDR: [AtomicU64; MAX_CPUS] = [const { AtomicU64::new(0) }; MAX_CPUS];

/// The words of GICR_TYPER; GICR_ISPENDR0, in the second frame. Source: Arm IHI 0069, 12.11.
const GICR_TYPER: [usize; 2] = [0x8, 0xc];
const GICR_ISPENDR0: usize = 0x1_0200;

/// Sets up the distributor, and finds each CPU's redistributor.
pub(super) fn init(machine: &Machine, gicd: usize, gicr: &Redistributors) -> Result<(), GicError> {
    // SAFETY: the device tree says that the registers are there; `mmu::init` mapped them as device memory.
    let registers = |at: u64| unsafe { Registers::new(at as usize) };
    for region in &gicr.regions {
        super::identity::redistributor(region.start)?;
    }
    let typer = |at| {
        let [low, high] = GICR_TYPER.map(|word| u64::from(registers(at).read(word)));
        high << 32 | low
    };
    for (cpu, Cpu { mpidr }) in machine.cpus.iter().enumerate() {
        let base = redistributors::find(gicr, *mpidr, typer).unwrap_or(0);
        REDISTRIBUTOR[cpu].store(base as usize, Ordering::Relaxed);
        MPIDR[cpu].store(*mpidr, Ordering::Relaxed);
    }
    let registers = NonNull::new(core::ptr::with_exposed_provenance_mut::<Gicd>(gicd));
    // SAFETY: as above; this module makes the only such pointer, once.
    let registers = unsafe { UniqueMmioPointer::new(registers.ok_or(GicError::Layout { at: 0 })?) };
    let mut distributor = GicDistributor::new(registers);
    distributor.configure_default_settings();
    *DISTRIBUTOR.lock() = Some(distributor);
    DISTRIBUTOR_BASE.store(gicd, Ordering::Relaxed);
    Ok(())
}

/// Whether CPU number `cpu` has a redistributor and SGIs reach it.
pub(super) fn reaches(cpu: usize) -> Result<(), GicError> {
    let mpidr = MPIDR[cpu].load(Ordering::Relaxed);
    if REDISTRIBUTOR[cpu].load(Ordering::Relaxed) == 0 {
        Err(GicError::NoRedistributor { mpidr })
    } else if mpidr & 0xff >= SGI_TARGETS {
        Err(GicError::OutOfReach { mpidr })
    } else {
        Ok(())
    }
}

/// This CPU takes the private interrupts `enabled`, those of them in `fiqs` as FIQs: bits both.
pub(super) fn init_cpu(enabled: u32, fiqs: u32) -> Result<(), GicError> {
    let base = REDISTRIBUTOR[cpu::id()].load(Ordering::Relaxed);
    let registers = NonNull::new(core::ptr::with_exposed_provenance_mut::<GicrSgi>(base));
    let registers = registers.ok_or(GicError::NoRedistributor { mpidr: cpu::mpidr() })?;
    // SAFETY: the redistributor of this CPU, which alone makes a pointer to it, here; mapped by `mmu::init`.
    let mut redistributor = GicRedistributor::new(unsafe { UniqueMmioPointer::new(registers) });
    GicCpuInterface::enable_system_register_el1();
    // The only error is that it is awake.
    let _ = redistributor.mark_core_awake();
    // SAFETY: ICC_CTLR_EL1: to end an interrupt also deactivates it; priorities are no hint to the distributor.
    unsafe { asm!("msr S3_0_C12_C12_4, xzr", options(nostack, preserves_flags)) };
    redistributor.configure_default_settings();
    GicCpuInterface::enable_group1(true);
    GicCpuInterface::set_priority_mask(0xff);
    // Beside another world Group 0 is that world's, and its registers may trap.
    // SAFETY: `init` got it from the device tree, and `mmu::init` mapped it; interrupts are this module's.
    let ctlr = unsafe { Registers::new(DISTRIBUTOR_BASE.load(Ordering::Relaxed)) }.read(offset_of!(Gicd, ctlr));
    let has_group0 = ctlr & GicdCtlr::DS.bits() != 0;
    let fiqs = if has_group0 { fiqs } else { 0 };
    if fiqs != 0 {
        DISTRIBUTOR.lock().as_mut().expect("init ran").modify_control(GicdCtlr::EnableGrp0, true);
        // SAFETY: ICC_BPR0_EL1, the finest grouping: a FIQ's priority interrupts an IRQ's.
        unsafe { asm!("msr S3_0_C12_C8_3, xzr", options(nostack, preserves_flags)) };
    }
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

/// What is pending of this CPU's own interrupts.
pub(super) fn pending() -> u32 {
    match REDISTRIBUTOR[cpu::id()].load(Ordering::Relaxed) {
        0 => 0,
        // SAFETY: a redistributor that `init` found, mapped; interrupts are this module's.
        base => unsafe { Registers::new(base) }.read(GICR_ISPENDR0),
    }
}

/// Lets a shared interrupt through to the first CPU.
pub(super) fn enable_shared(id: u32) {
    let mut distributor = DISTRIBUTOR.lock();
    let distributor = distributor.as_mut().expect("init ran");
    let target = MPIDR[0].load(Ordering::Relaxed);
    distributor.set_routing(typed(id), Some(target)).expect("the interrupt exists");
    distributor.enable_interrupt(typed(id), true).expect("the interrupt exists");
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
