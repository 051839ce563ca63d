//! A violation: the story of the first one, then the verdict. Nothing goes on after it.

use super::{BURIED, SLOTS, slot};
use crate::arch::unwind::Frames;
use crate::arch::vectors::{ExceptionFrame, Fault, Kind};
use crate::arch::{cpu, exit, trampoline};
use crate::console::epitaph::{Place, print_backtrace, symbols};
use crate::console::print::{Turn, begin_panic};
use crate::ftrace::fanout;
use crate::hook::Hook;
use crate::mm::poison::is_poison;
use crate::mm::text_page::place_of;
use crate::println;
use crate::sched::{self, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The properties, as THEORY numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Property {
    /// P1: no load from an ops after it was freed.
    NoUaf,
    /// P2: func is not entered for an ops after its grace period ended.
    NoLateEntry,
    /// P3: no context is inside func at the end of the grace period.
    FuncLeft,
    /// P4: func is called with the ops it belongs to.
    NoTornPair,
    /// P5: the grace period ends.
    Progress,
    /// P6: no call is lost.
    NoLoss,
}

impl Property {
    /// Its key in the verdict line: its place among the six.
    pub const fn index(self) -> usize {
        self as usize
    }

    const fn name(self) -> &'static str {
        match self {
            Self::NoUaf => "no-uaf: no load from an ops after it was freed",
            Self::NoLateEntry => "no-late-entry: func is not entered for an ops whose grace period has ended",
            Self::FuncLeft => "func-left: nobody is inside func when its grace period ends",
            Self::NoTornPair => "no-torn-pair: func is called with the ops it belongs to",
            Self::Progress => "progress: the grace period ends",
            Self::NoLoss => "no-loss: every pass is a call or a counted skip",
        }
    }
}

/// Exception classes of aborts taken without a change of exception level. Source: Arm ARM DDI 0487, ESR_EL1.
const INSTRUCTION_ABORT: u64 = 0x21;
const DATA_ABORT: u64 = 0x25;

/// Prints the verdict of the experiment that was violated, and its replay line. Set by the experiment.
static VERDICT: Hook<fn(Property)> = Hook::new();
static WATCHING: AtomicBool = AtomicBool::new(false);
static VIOLATED: AtomicBool = AtomicBool::new(false);

/// What becomes of a violation that the experiment survives: it gets what a late use was, and the context of its fault, if
/// it was one, which goes on as this leaves it. Says whether it has contained it.
pub type Contain = fn(&Late, Option<&mut ExceptionFrame>) -> bool;

/// A late use.
#[derive(Clone, Copy, Debug)]
pub struct Late {
    /// What it breaks.
    pub property: Property,
    /// Where it happened, or by which hit.
    pub pc: usize,
    /// What was seen, in words.
    pub what: &'static str,
}

/// A [`Contain`], as an address; 0 for none: a violation ends the run.
static CONTAIN: AtomicUsize = AtomicUsize::new(0);

/// From now on late uses are shown to `contain` first. Context: task.
pub fn contain(contain: Option<Contain>) {
    CONTAIN.store(contain.map_or(0, |contain| contain as usize), Ordering::Release);
}

#[inline(always)]
fn is_contained(late: &Late, frame: Option<&mut ExceptionFrame>) -> bool {
    let address = CONTAIN.load(Ordering::Acquire);
    // SAFETY: only `contain` stores to it, and it stores 0 or a `Contain`.
    address != 0 && unsafe { core::mem::transmute::<usize, Contain>(address) }(late, frame)
}

/// From now on faults that hold the poison, or hit an unmapped func, are the oracle's. Context: task.
pub fn begin(verdict: fn(Property)) {
    if !WATCHING.swap(true, Ordering::Relaxed) && VERDICT.get().is_none() {
        VERDICT.set(verdict);
    }
}

/// The experiment is over: faults are faults again. Context: task.
pub fn end() {
    WATCHING.store(false, Ordering::Relaxed);
}

/// Tells the story, the verdict and the replay line, and ends the machine with status 1. Context: any.
#[cold]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn violation(property: Property, number: Option<usize>, ip: usize, what: &str) -> ! {
    tell(property, number, ip, what, None)
}

/// A func was entered through a buried ops: its tombstone was followed. Context: any.
pub fn late_entry(ops: usize, ip: usize) {
    let what = "the freed ops was loaded: its func is the tombstone's";
    if is_contained(&Late { property: Property::NoUaf, pc: ip, what }, None) {
        return;
    }
    let number = (0..SLOTS).find(|&number| slot(number).ops.load(Ordering::Relaxed) == ops);
    tell(Property::NoUaf, number, ip, what, None)
}

/// A freed block was written to: a late use, of an ops or of what belongs to it. Returns if nobody watches. Context: any.
pub fn late_write(block: usize) {
    if WATCHING.load(Ordering::Relaxed) {
        let number = (0..SLOTS).find(|&number| slot(number).ops.load(Ordering::Relaxed) == block);
        tell(Property::NoUaf, number, 0, "freed memory was written to: its func counted a late call", None);
    }
}

/// Takes a fault that is a property's violation. Returns whether it was contained; or if it is not one. Context: fault.
pub fn claim_fault(frame: &mut ExceptionFrame, fault: &Fault) -> bool {
    // An abort, of a fetch or of an access: nothing else is a late use.
    let is_abort = fault.kind == Kind::Synchronous && matches!(fault.class(), INSTRUCTION_ABORT | DATA_ABORT);
    if !WATCHING.load(Ordering::Relaxed) || !is_abort {
        return false;
    }
    let pc = frame.elr as usize;
    let is_of_fetch = fault.class() == INSTRUCTION_ABORT;
    let number = place_of(pc);
    let is_poisoned = is_poison(fault.address) || is_poison(frame.elr) || frame.x.iter().any(|&value| is_poison(value));
    let (property, what) = match number {
        Some(_) if pc.is_multiple_of(4096) => (Property::NoLateEntry, "its func was entered, but its text is gone"),
        Some(_) => (Property::FuncLeft, "its func's text is gone, and somebody was inside"),
        None if is_poisoned => (Property::NoUaf, "a fault with the poison of freed memory"),
        None if follows_ops(pc) || is_of_fetch && follows_ops(frame.lr as usize) => {
            (Property::NoUaf, "a hit followed what is no ops any more: its memory was handed out again")
        }
        None => return false,
    };
    if is_contained(&Late { property, pc, what }, Some(frame)) {
        return true;
    }
    tell(property, number, pc, what, Some(frame))
}

/// Whether the instruction at `pc` follows an ops or a node, and nothing else: there a fault says that it was none any more.
fn follows_ops(pc: usize) -> bool {
    let begin = || symbols().lookup(pc as u64).map(|symbol| symbol.start as usize);
    trampoline::contains(pc) || begin().is_some_and(fanout::begins_at)
}

fn tell(property: Property, number: Option<usize>, ip: usize, what: &str, frame: Option<&ExceptionFrame>) -> ! {
    cpu::mask_irqs_and_fiqs();
    if VIOLATED.swap(true, Ordering::Relaxed) || begin_panic() != Turn::First {
        cpu::park(); // one story is enough
    }
    let task = sched::current();
    println!();
    println!("violation of p{} {}", property.index() + 1, property.name());
    println!("  {what}");
    println!("  seen by task {task:?} on CPU {}", cpu::id());
    if ip != 0 {
        println!("  at {}", Place(ip));
    }
    if let Some(number) = number {
        tell_slot(number);
    }
    println!("  backtrace:");
    print_backtrace(frame.map_or_else(Frames::here, Frames::of_exception));
    if let Some(verdict) = VERDICT.get() {
        verdict(property);
    }
    exit::exit(exit::STATUS_FAIL)
}

fn tell_slot(number: usize) {
    let slot = slot(number);
    let now = now_ns();
    let ago = |then: u64| now.saturating_sub(then) / 1000;
    println!(
        "  ops {:#x}, func {:#x}: entered {} times, left {} times",
        slot.ops.load(Ordering::Relaxed),
        crate::mm::text_page::address_of(number),
        slot.entered.load(Ordering::Relaxed),
        slot.left.load(Ordering::Relaxed),
    );
    let retired = slot.retired_ns.load(Ordering::Relaxed);
    if retired != 0 {
        println!("  retired {} us ago by task {}", ago(retired), slot.retired_by.load(Ordering::Relaxed));
    }
    if slot.state.load(Ordering::Relaxed) == BURIED {
        println!("  freed {} us ago", ago(slot.buried_ns.load(Ordering::Relaxed)));
    }
    let mut told = 0;
    sched::try_for_each_task(|task| {
        if task.lab.load(Ordering::Relaxed) == number + 1 && told < 4 {
            told += 1;
            println!("  inside it: task {task:?} on CPU {}, {}", task.cpu(), task.state_name());
        }
    });
}
