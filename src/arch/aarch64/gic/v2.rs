//! GICv2: distributor and CPU interface in memory, laid out as arm-gic describes them.
//!
//! The CPU interface has one register to acknowledge by for both groups (AckCtl): the alias that would take Group 1
//! alone is not in every emulator. So an FIQ that comes between an IRQ and its acknowledgement is taken in the IRQ's
//! stead: [`acknowledge_irq`] sends it once more, and both come again.
//!
//! # Why not arm-gic's driver
//! Its set-up puts every interrupt into Group 0, none of its functions can be called without the one `&mut`, and it
//! has no interrupt targets.

use super::{FIQ_PRIORITY, FIQS, GicError, IRQ_PRIORITY, Interrupt};
use crate::arch::aarch64::mmio::Registers;
use crate::arch::cpu::{self, MAX_CPUS};
use arm_gic::gicv2::registers::{Gicc, Gicd, GicdCtlr};
use core::mem::offset_of;
use core::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

/// GICC_CTLR, as the secure world and a GIC of one world have it. Source: Arm IHI 0048B, 4.4.1.
const ENABLE_BOTH_GROUPS: u32 = 0b11;
const ACKNOWLEDGE_BOTH_GROUPS: u32 = 1 << 2;
const GROUP0_IS_FIQ: u32 = 1 << 3;
/// GICC_CTLR where there is one group.
const ENABLE: u32 = 1;
/// GICD_SGIR.NSATT: an SGI of Group 1.
const SGI_OF_GROUP1: u32 = 1 << 15;

static DISTRIBUTOR: AtomicUsize = AtomicUsize::new(0);
/// 0 on a machine with another controller.
static CPU_INTERFACE: AtomicUsize = AtomicUsize::new(0);
/// The bit of each CPU's interface, by which the distributor knows the CPU; 0 until the CPU has said it.
static TARGET: [AtomicU8; MAX_CPUS] = [const { AtomicU8::new(0) }; MAX_CPUS];

fn distributor() -> Registers {
    // SAFETY: `init` got it from the device tree, and `mmu::init` mapped it; interrupts are this module's.
    unsafe { Registers::new(DISTRIBUTOR.load(Ordering::Relaxed)) }
}

/// This CPU's interface, if the controller is a GICv2.
#[inline(always)]
pub(super) fn cpu_interface() -> Option<Registers> {
    match CPU_INTERFACE.load(Ordering::Relaxed) {
        0 => None,
        // SAFETY: as for the distributor.
        base => Some(unsafe { Registers::new(base) }),
    }
}

/// Every shared interrupt off, an IRQ, level-triggered; both groups on.
pub(super) fn init(distributor: usize, cpu_interface: usize) {
    DISTRIBUTOR.store(distributor, Ordering::Relaxed);
    CPU_INTERFACE.store(cpu_interface, Ordering::Relaxed);
    let gicd = self::distributor();
    gicd.write(offset_of!(Gicd, ctlr), 0);
    let words = (gicd.read(offset_of!(Gicd, typer)) & 0x1f) as usize + 1; // of 32 interrupts
    for word in 1..words {
        gicd.write(offset_of!(Gicd, icenabler) + 4 * word, !0);
        gicd.write(offset_of!(Gicd, icpendr) + 4 * word, !0);
        gicd.write(offset_of!(Gicd, icactiver) + 4 * word, !0);
        gicd.write(offset_of!(Gicd, igroupr) + 4 * word, !0);
        (8 * word..8 * (word + 1))
            .for_each(|at| gicd.write(offset_of!(Gicd, ipriorityr) + 4 * at, u32::from_ne_bytes([IRQ_PRIORITY; 4])));
        (2 * word..2 * (word + 1)).for_each(|at| gicd.write(offset_of!(Gicd, icfgr) + 4 * at, 0));
    }
    gicd.write(offset_of!(Gicd, ctlr), (GicdCtlr::EnableGrp0 | GicdCtlr::EnableGrp1).bits());
}

/// This CPU takes the private interrupts `enabled`, those of them in `fiqs` as FIQs: bits both.
pub(super) fn init_cpu(enabled: u32, fiqs: u32) -> Result<(), GicError> {
    let gicd = distributor();
    gicd.write(offset_of!(Gicd, icenabler), !0);
    gicd.write(offset_of!(Gicd, icactiver), !0);
    gicd.write(offset_of!(Gicd, igroupr), !fiqs);
    // A world that is not the secure one, or an emulator without groups, does not let them be chosen.
    let has_groups = gicd.read(offset_of!(Gicd, igroupr)) == !fiqs;
    for word in 0..8 {
        let of = |byte| if fiqs & 1_u32 << (4 * word + byte) == 0 { IRQ_PRIORITY } else { FIQ_PRIORITY };
        gicd.write(offset_of!(Gicd, ipriorityr) + 4 * word, u32::from_le_bytes([0, 1, 2, 3].map(of)));
    }
    let Some(gicc) = cpu_interface() else { return Ok(()) };
    gicc.write(offset_of!(Gicc, pmr), 0xff);
    gicc.write(offset_of!(Gicc, bpr), 0);
    let groups = ENABLE_BOTH_GROUPS | ACKNOWLEDGE_BOTH_GROUPS | GROUP0_IS_FIQ;
    gicc.write(offset_of!(Gicc, ctlr), if has_groups { groups } else { ENABLE });
    gicd.write(offset_of!(Gicd, isenabler), enabled);
    // The targets of the SGIs name the CPU that reads them; they read as zero where there is one CPU.
    let targets = gicd.read(offset_of!(Gicd, itargetsr)).to_ne_bytes();
    TARGET[cpu::id()].store(targets.iter().fold(0, |all, target| all | target).max(1), Ordering::Relaxed);
    // SGIs that were sent before anyone knew the target are lost: this CPU takes each of its own once. The sender's
    // barrier, before it reads the target, and the one in `send_sgi` leave no SGI unseen by both.
    (0..16).filter(|sgi| enabled & !fiqs & 1 << sgi != 0).for_each(|sgi| super::send_sgi(sgi, cpu::id()));
    Ok(())
}

/// What is pending of this CPU's own interrupts.
pub(super) fn pending() -> u32 {
    distributor().read(offset_of!(Gicd, ispendr))
}

/// Lets a shared interrupt through to the first CPU.
pub(super) fn enable_shared(id: u32) {
    let gicd = distributor();
    let (word, byte) = (4 * (id as usize / 4), id % 4);
    let others = gicd.read(offset_of!(Gicd, itargetsr) + word) & !(0xff << (8 * byte));
    let first = u32::from(TARGET[0].load(Ordering::Relaxed));
    gicd.write(offset_of!(Gicd, itargetsr) + word, others | first << (8 * byte));
    gicd.write(offset_of!(Gicd, isenabler) + 4 * (id as usize / 32), 1 << (id % 32));
}

#[inline(always)]
pub(super) fn acknowledge_irq(gicc: Registers) -> Option<Interrupt> {
    let taken = acknowledge_fiq(gicc)?;
    let id = taken.id();
    if id >= 32 || FIQS.load(Ordering::Relaxed) & 1 << id == 0 {
        return Some(taken);
    }
    end(gicc, taken);
    if id < 16 {
        send_fiq(id, cpu::id());
    } // a timer's signal stays up until its handler has run
    None
}

#[inline(always)]
pub(super) fn acknowledge_fiq(gicc: Registers) -> Option<Interrupt> {
    Interrupt::from_answer(gicc.read(offset_of!(Gicc, iar)))
}

#[inline(always)]
pub(super) fn end(gicc: Registers, interrupt: Interrupt) {
    gicc.write(offset_of!(Gicc, eoir), interrupt.0);
    cpu::dsb_sy(); // ended before interrupts are unmasked: else a level-triggered one is taken once more
}

#[inline(always)]
pub(super) fn send_irq(sgi: u32, target: usize) {
    let targets = u32::from(TARGET[target].load(Ordering::Relaxed));
    distributor().write(offset_of!(Gicd, sgir), targets << 16 | SGI_OF_GROUP1 | sgi);
}

#[inline(always)]
pub(super) fn send_fiq(sgi: u32, target: usize) {
    let targets = u32::from(TARGET[target].load(Ordering::Relaxed));
    distributor().write(offset_of!(Gicd, sgir), targets << 16 | sgi);
}
