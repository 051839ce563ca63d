//! Late uses that the explorer survives: what was seen is noted, and the thread goes on behind its func.
//!
//! A fault in func is answered by going on at T7 with the registers that func would have had to give back. What faults in
//! the place of the traced function, where the trampoline was sent on to, returns to the function's caller.
//! Context: fault, or func; only of an explored call, and only a few times a call.

use super::order;
use super::party::{AtT2, Party};
use crate::arch::site::Regs;
use crate::arch::vectors::ExceptionFrame;
use crate::lab::oracle::Late;
use crate::sched;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;
use core::arch::global_asm;
use core::mem::offset_of;

/// More in one call is no late use any more, but a kernel that runs wild.
const MOST: usize = 8;

static EARLIEST: IrqLock<Option<Late>> = IrqLock::new(None);
static NUMBER: AtomicUsize = AtomicUsize::new(0);

global_asm!(
    ".pushsection .text.window_resume, \"ax\", %progbits",
    ".balign 4",
    ".global window_resume",
    ".type window_resume, %function",
    "window_resume:",
    "mov sp, x16", // an exception return goes back to where sp was
    "br x17",
    ".size window_resume, . - window_resume",
    ".popsection",
);

unsafe extern "C" {
    fn window_resume();
}

/// Notes a late use, and lets the thread go on. Says whether it did.
pub(super) fn contain(late: &Late, frame: Option<&mut ExceptionFrame>) -> bool {
    let Some(party) = Party::current() else { return false };
    if NUMBER.fetch_add(1, Ordering::Relaxed) >= MOST {
        return false;
    }
    if let Some(mut earliest) = EARLIEST.try_lock() {
        earliest.get_or_insert(*late);
    }
    if let Some(frame) = frame {
        go_on(party, frame);
    }
    true
}

fn go_on(party: &Party, frame: &mut ExceptionFrame) {
    if frame.lr as usize == party.return_to.load(Ordering::Relaxed) {
        frame.elr = frame.lr;
        return;
    }
    // A func runs below the frame of the trampoline that called it, the lowest of those that are not popped.
    let (sp, sp_of) = (frame.sp as usize, |it: &AtT2| it.sp.load(Ordering::Relaxed));
    let of_func = party.at_t2.iter().filter(|it| sp_of(it) >= sp).min_by_key(|it| sp_of(it));
    let callsite_record = as_at_t2(of_func.unwrap_or(&party.at_t2[0]), frame);
    frame.x[29] = callsite_record as u64;
    frame.x[16] = (callsite_record - offset_of!(Regs, callsite)) as u64;
    frame.x[17] = order::marks().1 as u64;
    frame.elr = window_resume as *const () as u64;
}

/// Gives back what func has changed of the registers that it must not change; gives where the trampoline's record is.
fn as_at_t2(at_t2: &AtT2, frame: &mut ExceptionFrame) -> usize {
    for (register, slot) in frame.x[19..=28].iter_mut().zip(&at_t2.registers) {
        *register = slot.load(Ordering::Relaxed) as u64;
    }
    sched::current().header.recursion.store(at_t2.recursion.load(Ordering::Relaxed), Ordering::Relaxed);
    at_t2.sp.load(Ordering::Relaxed) + offset_of!(Regs, callsite)
}

/// What was seen first since the last time. Context: the director, when the call is over.
pub(super) fn take() -> Option<Late> {
    NUMBER.store(0, Ordering::Relaxed);
    EARLIEST.lock().take()
}
