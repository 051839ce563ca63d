//! The interrupt controller: GICv2 or GICv3, whichever the device tree names, behind one set of functions.
//!
//! Two groups, two signals. Group 1 arrives as IRQ and carries all of the kernel's work, at one priority: none of
//! these interrupts another. Group 0 arrives as FIQ, at a higher priority, so that it also reaches a CPU that masks
//! IRQs or is inside a handler: the watchdog's way in. Some machines cannot do that (a guest of a hypervisor, a world
//! that is not the secure one): [`has_fiq`] is found out by sending one, and what was asked for as FIQ stays off.
//!
//! INVARIANT `fiq-first`: a pending FIQ holds back the IRQs of its CPU until it is taken; so FIQs are not masked for
//! long. All that happens while the kernel runs is `notrace` (O8) and takes no lock.
//!
//! `irq_enable` and `irq_disable` of arm-gic write all of DAIF and are not used.

mod identity;
mod v2;
mod v3;

use super::cpu;
use crate::platform::devicetree::{self, Machine};
use arm_gic::IntId;
use core::sync::atomic::{AtomicU32, Ordering};

/// The priority of IRQs.
const IRQ_PRIORITY: u8 = 0x80;
/// The priority of FIQs: above that of IRQs in the highest bit, which every controller implements.
const FIQ_PRIORITY: u8 = 0;
/// How many CPUs one SGI of a GICv3 can name: their Aff0 is below this number.
const SGI_TARGETS: u64 = 16;
/// Interrupt ids from here on say that there is none.
const FIRST_SPECIAL: u32 = 1020;
/// How often a CPU looks for the FIQ that it sent to itself: a hypervisor shows it at its next entry.
const LOOKS_FOR_FIQ: u32 = 1000;

/// The private interrupts that arrive as FIQ, a bit each; none where the controller has no such thing.
static FIQS: AtomicU32 = AtomicU32::new(0);

/// Why there is no interrupt controller to work with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GicError {
    /// What lies there is no redistributor of a GICv3 or v4.
    Layout {
        /// Where.
        at: u64,
    },
    /// What lies there is no distributor of a GIC of this version.
    NoDistributor {
        /// Where.
        at: u64,
        /// The version.
        version: u32,
    },
    /// What lies there is no CPU interface of a GICv2.
    NoInterface {
        /// Where.
        at: u64,
    },
    /// The UART's interrupt is none of this controller's.
    NoInterrupt {
        /// Its number.
        id: u32,
        /// How many the controller has.
        count: u32,
    },
    /// SGIs do not reach this CPU.
    OutOfReach {
        /// The CPU's MPIDR.
        mpidr: u64,
    },
    /// No redistributor belongs to this CPU.
    NoRedistributor {
        /// The CPU's MPIDR.
        mpidr: u64,
    },
}

impl core::fmt::Display for GicError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Layout { at } => {
                write!(f, "no redistributor of a GICv3 answers at {at:#x}, where the device tree has one")
            }
            Self::NoDistributor { at, version } => {
                write!(f, "no distributor of a GICv{version} is at {at:#x}, where the device tree has it")
            }
            Self::NoInterface { at } => {
                write!(f, "no CPU interface of a GICv2 is at {at:#x}, where the device tree has it")
            }
            Self::NoInterrupt { id, count } => write!(f, "the UART's interrupt is {id}, and the GIC has {count}"),
            Self::OutOfReach { mpidr } => {
                write!(f, "SGIs do not reach the CPU with MPIDR {mpidr:#x}: its Aff0 is not below {SGI_TARGETS}")
            }
            Self::NoRedistributor { mpidr } => write!(f, "no GIC redistributor for the CPU with MPIDR {mpidr:#x}"),
        }
    }
}

/// An interrupt that this CPU has taken and not yet ended. On GICv2 it also says who sent an SGI.
#[must_use = "blocks all interrupts of its priority until it is ended"]
#[derive(Debug)]
pub struct Interrupt(u32);

impl Interrupt {
    /// What the controller answered; `None` if there was nothing to take.
    #[inline(always)]
    fn from_answer(answer: u32) -> Option<Self> {
        let interrupt = Self(answer);
        if interrupt.id() < FIRST_SPECIAL { Some(interrupt) } else { None }
    }

    /// Its number.
    #[inline(always)]
    pub fn id(&self) -> u32 {
        self.0 & 0x3ff
    }
}

/// Sets up what the CPUs share. Context: boot, first CPU, registers mapped.
pub fn init(machine: &Machine) -> Result<(), GicError> {
    let id = machine.uart.interrupt;
    match &machine.gic {
        devicetree::Gic::V2 { gicd, gicc } => {
            identity::v2(*gicd, *gicc, id)?;
            v2::init(*gicd as usize, *gicc as usize);
            Ok(())
        }
        devicetree::Gic::V3 { gicd, gicr } => {
            identity::v3(*gicd, id)?;
            v3::init(machine, *gicd as usize, gicr)
        }
    }
}

/// Whether interrupts of CPU number `cpu` and SGIs to it arrive, once it runs. Context: boot, after [`init`].
pub fn reaches(cpu: usize) -> Result<(), GicError> {
    if v2::cpu_interface().is_some() { Ok(()) } else { v3::reaches(cpu) }
}

/// Makes this CPU take the private interrupts `irqs` as IRQs and `fiqs`, the first of which is an SGI, as FIQs.
///
/// The first CPU finds out whether there are FIQs; the others do as it found. Context: boot of each CPU, IRQs and FIQs
/// masked.
pub fn init_cpu(irqs: &[u32], fiqs: &[u32]) -> Result<(), GicError> {
    let wanted = fiqs.iter().fold(0, |bits, id| bits | 1 << id);
    let as_fiq = if cpu::id() == 0 { wanted } else { FIQS.load(Ordering::Relaxed) };
    let enabled = irqs.iter().fold(as_fiq, |bits, id| bits | 1 << id);
    let init = if v2::cpu_interface().is_some() { v2::init_cpu } else { v3::init_cpu };
    init(enabled, as_fiq)?;
    if cpu::id() == 0 {
        if fiqs.first().is_some_and(|&sgi| fiqs_arrive(sgi)) {
            FIQS.store(wanted, Ordering::Relaxed);
        } else {
            init(enabled & !wanted, 0)?;
        }
    }
    Ok(())
}

/// This CPU's private interrupts that are pending, a bit each, enabled or not. Context: any, after [`init_cpu`].
pub fn pending_private() -> u32 {
    const PRIVATE: u32 = 0xffff_0000;
    PRIVATE & if v2::cpu_interface().is_some() { v2::pending() } else { v3::pending() }
}

/// Sends this CPU a FIQ and looks whether it comes. Context: boot, IRQs and FIQs masked.
fn fiqs_arrive(sgi: u32) -> bool {
    send_fiq(sgi, cpu::id());
    let arrived = (0..LOOKS_FOR_FIQ).any(|_| cpu::fiq_is_pending());
    arrived
        && acknowledge_fiq().is_some_and(|taken| {
            let is_it = taken.id() == sgi;
            end_fiq(taken);
            is_it
        })
}

/// Whether the interrupts that were asked for as FIQs arrive so. Context: any, after [`init_cpu`] on the first CPU.
#[inline(always)]
pub fn has_fiq() -> bool {
    FIQS.load(Ordering::Relaxed) != 0
}

/// Lets the shared interrupt `id` through, to the first CPU. Context: boot.
pub fn enable_shared(id: u32) {
    if v2::cpu_interface().is_some() { v2::enable_shared(id) } else { v3::enable_shared(id) }
}

/// Takes the pending IRQ of the highest priority; `None` when there is none. Context: IRQ entry.
///
/// Order: what the handler loads is loaded after the acknowledgement took effect (O15), so the handler sees what the sender
/// of an SGI stored before [`send_sgi`], or a device before its signal.
#[inline(always)]
pub fn acknowledge() -> Option<Interrupt> {
    let taken = match v2::cpu_interface() {
        Some(interface) => v2::acknowledge_irq(interface),
        None => v3::acknowledge_irq(),
    };
    settle();
    taken
}

/// The barrier between an acknowledgement and the handler's loads (O15). Without it a load of the handler may have been
/// satisfied before the interrupt left its pending state: an SGI that is sent in between is merged with the one that is being
/// taken, and the handler serves the request before that. Exception entry orders no accesses. DSB SY serves both controllers:
/// the read of ICC_IAR1_EL1 is complete behind it (Arm IHI 0069, observability of the effects of accesses to the GIC registers),
/// and so is the load from the GICv2's device memory. Partner: the DSB ISH in [`send_sgi`]. By reasoning: the GIC is outside
/// Arm's axiomatic model; `tests/image` looks for the barrier.
#[inline(always)]
fn settle() {
    cpu::dsb_sy();
}

/// Ends what [`acknowledge`] returned. Context: IRQ entry.
#[inline(always)]
pub fn end(interrupt: Interrupt) {
    match v2::cpu_interface() {
        Some(interface) => v2::end(interface, interrupt),
        None => v3::end_irq(interrupt),
    }
}

/// Takes the pending FIQ; `None` when there is none. Context: FIQ entry. Order: as [`acknowledge`].
#[inline(always)]
pub fn acknowledge_fiq() -> Option<Interrupt> {
    let taken = match v2::cpu_interface() {
        Some(interface) => v2::acknowledge_fiq(interface),
        None => v3::acknowledge_fiq(),
    };
    settle();
    taken
}

/// Ends what [`acknowledge_fiq`] returned. Context: FIQ entry.
#[inline(always)]
pub fn end_fiq(interrupt: Interrupt) {
    match v2::cpu_interface() {
        Some(interface) => v2::end(interface, interrupt),
        None => v3::end_fiq(interrupt),
    }
}

/// Sends SGI number `sgi` to CPU number `target`, this one included. What was stored before is visible to
/// the handler: the barrier here is the updater's half of O4. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn send_sgi(sgi: u32, target: usize) {
    cpu::dsb_ish();
    if v2::cpu_interface().is_some() { v2::send_irq(sgi, target) } else { v3::send_irq(sgi, target) }
}

/// Sends SGI number `sgi`, which [`init_cpu`] was told to be a FIQ, to CPU number `target`, this one included. One to
/// a CPU that has not come up is lost. Context: any, where [`has_fiq`]. Order: as [`send_sgi`].
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn send_fiq(sgi: u32, target: usize) {
    cpu::dsb_ish();
    if v2::cpu_interface().is_some() { v2::send_fiq(sgi, target) } else { v3::send_fiq(sgi, target) }
}

/// The interrupt number as arm-gic types it. Only for numbers below [`FIRST_SPECIAL`].
#[inline(always)]
fn typed(id: u32) -> IntId {
    match id {
        0..16 => IntId::sgi(id),
        16..32 => IntId::ppi(id - 16),
        _ => IntId::spi(id - 32),
    }
}
