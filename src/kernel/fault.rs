//! What a fault is, in words, and where: the message of its epitaph. Context: fault; waits for no lock.

use super::{machine, refuse};
use core::fmt;
use holdout::arch::vectors::{ExceptionFrame, Fault, Kind, STACK_SIZE, overflow_slot};
use holdout::arch::{cpu, exit, image, mmu, uart};
use holdout::console::epitaph::{self, Place};
use holdout::console::print;
use holdout::lab::oracle;
use holdout::mm::poison::{POISON, is_poison};
use holdout::mm::{heap, text_page};
use holdout::sched;

/// Objects that a null pointer is taken for are smaller than this.
const NEAR_NULL: usize = 1 << 16;

/// A fault: the oracle's, or the end. Wired to `arch::vectors::FAULT`.
pub(super) fn fault(frame: &mut ExceptionFrame, fault: &Fault) {
    if let Some(says) = machine::what_a_fault_says() {
        machine::look_at(machine::LookingAt::Nothing);
        refuse(format_args!("{says}: {}", Story { frame, fault }));
    }
    if !print::is_panicking_here() && oracle::claim_fault(frame, fault) {
        return;
    }
    epitaph::die(format_args!("{}", Story { frame, fault }), Some(frame), exit::STATUS_PANIC)
}

struct Story<'a> {
    frame: &'a ExceptionFrame,
    fault: &'a Fault,
}

impl fmt::Display for Story<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { frame, fault } = *self;
        let (what, why, sp) = (fault.describe(), fault.reason(), frame.sp as usize);
        match fault.kind {
            Kind::StackOverflow => {
                // Where the frame of this exception would have begun.
                let below = sp.wrapping_sub(size_of::<ExceptionFrame>());
                return write!(f, "{what}: sp {sp:#x} runs into {}", Where(below));
            }
            Kind::BadStack if !sp.is_multiple_of(16) => return write!(f, "{what}: {sp:#x} is not a multiple of 16"),
            Kind::BadStack => return write!(f, "{what}: {sp:#x} is in no stack ({})", Where(sp)),
            _ => {}
        }
        if why.is_empty() {
            write!(f, "{what} at address {:#x}", frame.elr)?;
        } else {
            write!(f, "{what} {why} at address {:#x} ({})", fault.address, Where(fault.address as usize))?;
        }
        write!(f, ", syndrome {:#x}", fault.syndrome)
    }
}

/// What lies at an address, in a few words.
struct Where(usize);

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.0;
        if address == 0 {
            f.write_str("null")
        } else if address < NEAR_NULL {
            write!(f, "near null: {address:#x} into an object that is not there")
        } else if is_poison(address as u64) {
            let offset = (address as u64).wrapping_sub(POISON).cast_signed();
            write!(f, "poison: freed memory, {offset:+} from what fills it")
        } else if mmu::STACK_WINDOW.contains(&address) {
            write_stack(address, f)
        } else if mmu::text().contains(&address) {
            write!(f, "kernel text: {}", Place(address))
        } else if let Some(cpu) = (0..cpu::MAX_CPUS).find(|&cpu| overflow_slot(cpu).0.contains(&address)) {
            write!(f, "the guard below the overflow stack of CPU {cpu}")
        } else if let Some(section) = image::section(address) {
            f.write_str(section)
        } else if let Some(place) = text_page::place_of(address) {
            write!(f, "func page {place}")
        } else if mmu::ALIAS_WINDOW.contains(&address) || mmu::ALIAS_BLOCK_WINDOW.contains(&address) {
            f.write_str("the patcher's window")
        } else if heap::holds(address) {
            f.write_str("the heap")
        } else if uart::base() & !(mmu::PAGE_SIZE - 1) == address & !(mmu::PAGE_SIZE - 1) {
            f.write_str("the UART's registers")
        } else {
            f.write_str("nothing that this kernel put there")
        }
    }
}

/// A stack or its guard, and whose.
fn write_stack(address: usize, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let is_guard = (address - mmu::STACK_WINDOW.start) & STACK_SIZE == 0;
    f.write_str(if is_guard { "the guard below the stack of " } else { "the stack of " })?;
    let mut owner = None;
    sched::try_owner_of_stack(address, |task| owner = Some(write!(f, "task {task:?}")));
    owner.unwrap_or_else(|| f.write_str("no task"))
}
