//! One hit, instruction by instruction, with what is held at each: what the shell's `step NAME` prints.
//!
//! A thread of its own calls the function through its callsite and is stepped through trampoline and func up to the
//! function's body. The body is not run: whoever calls it here knows neither its arguments nor what it does. Behind the
//! last instruction of the trampoline the thread goes back to where it called.
//! Context: task. One walk at a time: the handler's statics belong to it.

use super::stepper::{NO_MARKS, Stepper};
use crate::arch::disassembly::Spelled;
use crate::arch::insn::Insn;
use crate::arch::site::CallSite;
use crate::arch::step::{self, Stop, Then};
use crate::arch::text;
use crate::arch::trampoline::Trampoline;
use crate::arch::vectors::ExceptionFrame;
use crate::console::epitaph::{Place, symbols};
use crate::ftrace::live;
use crate::sched::{self, Class, Spawn};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;
use crate::tracers::count;
use crate::{println, rcu};
use alloc::boxed::Box;
use core::arch::asm;
use core::fmt::{self, Write};

/// Boundaries that are kept. A longer path is stepped to its end all the same.
const MOST: usize = 256;

static PCS: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static HOLDS: [AtomicUsize; MOST] = [const { AtomicUsize::new(0) }; MOST];
static LENGTH: AtomicUsize = AtomicUsize::new(0);
/// The function's entry.
static ENTRY: AtomicUsize = AtomicUsize::new(0);
/// The stepped thread's alone.
static STEPPER: IrqLock<Stepper> = IrqLock::new(Stepper::new(NO_MARKS));

/// Each stop. Context: exception; the thread holds no lock, as it runs nothing but the callsite, trampoline and func.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn on_stop(frame: &mut ExceptionFrame, _: Stop) -> Then {
    let pc = frame.elr as usize;
    let entry = ENTRY.load(Ordering::Relaxed);
    // Nobody else takes it while a walk runs.
    let Some(mut stepper) = STEPPER.try_lock() else { return Then::Leave };
    let Some(number) = stepper.stop(pc, frame.x[2] as usize, entry) else {
        return Then::Step;
    };
    if let (Some(pc_slot), Some(holds)) = (PCS.get(number), HOLDS.get(number)) {
        pc_slot.store(pc, Ordering::Relaxed);
        holds.store(stepper.held().innermost().unwrap_or(0), Ordering::Relaxed);
    }
    LENGTH.store(number + 1, Ordering::Relaxed);
    if pc == entry + 8 {
        frame.elr = frame.lr; // as if the body had returned at once
        return Then::Leave;
    }
    Then::Step
}

/// Calls the function at `entry`, whose body does not run.
#[inline(never)]
fn call(entry: usize) {
    // SAFETY: `on_stop` turns the call back before its first own instruction; callsite, trampoline and func change what
    // the C ABI lets a call change.
    unsafe { asm!("blr {entry}", entry = in(reg) entry, clobber_abi("C")) };
}

/// The label that the steps of the trampoline have in its source.
pub(super) fn label(pc: usize, site: CallSite, trampoline: &Trampoline) -> &'static str {
    let labels = [
        (site.entry(), "F+0"),
        (site.entry() + 8, "F+8"),
        (trampoline.t0, "T0"),
        (trampoline.t2, "T2"),
        (trampoline.t3, "T3"),
        (trampoline.t6, "T6"),
        (trampoline.t7, "T7"),
    ];
    labels.iter().find(|(at, _)| *at == pc).map_or("", |(_, label)| label)
}

/// Steps a hit of the function at `entry`, which is traceable, and prints it. Returns why it could not.
pub fn run(entry: usize) -> Result<(), &'static str> {
    let id = live::site_at(entry).ok_or("this function cannot be traced")?;
    let site = CallSite::from_return_address(entry + 8);
    let ops = live::register_at(count::counter("step"), alloc::vec![id])
        .map_err(|_| "its callsite has as many ops as it can have")?;
    let trampoline = live::trampoline();
    ENTRY.store(entry, Ordering::Relaxed);
    LENGTH.store(0, Ordering::Relaxed);
    *STEPPER.lock() = Stepper::new(trampoline.marks());
    let what = Spawn { name: "stepped", class: Class::Normal, cpu: None };
    let stepped = sched::spawn(what, Box::new(move || step::debug(on_stop, || call(entry))));
    let outcome = stepped.map(sched::JoinHandle::join).map_err(|_| "there is no memory for the stepped thread");
    if outcome.is_ok() {
        print(id, site, &trampoline);
    }
    let gone = live::unregister(ops).expect("registered above");
    let elapsed = rcu::synchronize_for(&gone);
    drop(gone.reclaim(elapsed));
    outcome
}

/// An instruction in words, its target by name, or by its distance where that is within the same function.
struct Words {
    insn: Insn,
    pc: usize,
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = f.width().unwrap_or(0);
        let mut line = Counted { f, written: 0 };
        let spelled = Spelled::new(self.insn);
        let function = |at: usize| symbols().lookup(at as u64).map(|symbol| symbol.name);
        let elsewhere = |target: &usize| function(*target).is_some_and(|there| function(self.pc) != Some(there));
        spelled.write(&mut line, self.pc, spelled.target(self.pc).filter(elsewhere).map(Place))?;
        let missing = width.saturating_sub(line.written);
        write!(f, "{:missing$}", "")
    }
}

/// Counts what is written through it, in bytes.
struct Counted<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    written: usize,
}

impl Write for Counted<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.written += text.len();
        self.f.write_str(text)
    }
}

/// Prints what the handler kept. The ops are still registered.
fn print(id: crate::ftrace::table::SiteId, site: CallSite, trampoline: &Trampoline) {
    let literal = text::read_literal(site).addr();
    let nr_ops = live::with_registry(|registry| registry.nr_ops_of(id));
    let length = LENGTH.load(Ordering::Relaxed);
    println!("{:>3}  {:<12} {:<8} {:<4} {:<21} {:<34} WHERE", "N", "PC", "INSN", "STEP", "HOLDS", "INSTRUCTION");
    for number in 0..length.min(MOST) {
        let pc = PCS[number].load(Ordering::Relaxed);
        let holds = HOLDS[number].load(Ordering::Relaxed);
        let insn = text::read_insn(pc);
        let (Insn(word), words) = (insn, Words { insn, pc });
        let label = label(pc, site, trampoline);
        let what = if nr_ops > 1 && holds == literal { "node" } else { "ops" };
        let place = Place(pc);
        match holds {
            0 => println!("{number:>3}  {pc:#012x} {word:08x} {label:<4} {:<21} {words:<34} {place}", "-"),
            _ => println!("{number:>3}  {pc:#012x} {word:08x} {label:<4} {what:<4} {holds:#016x} {words:<34} {place}"),
        }
        sched::cond_resched();
    }
    let held = HOLDS.iter().take(length).filter(|holds| holds.load(Ordering::Relaxed) != 0).count();
    println!(
        "{} instructions from callsite to body; {what} held at {held} of the boundaries; the body was not run",
        length.saturating_sub(1),
        what = if nr_ops > 1 { "a node is" } else { "the ops is" },
    );
}
