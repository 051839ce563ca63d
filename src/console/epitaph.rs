//! The panic epitaph: message, CPU, task, context, registers, a symbolised backtrace, the last events.
//!
//! Context: any. Waits for no lock, but a moment for the line that another CPU is printing. Allocates nothing.

use super::context::Context;
use super::events::{self, Log};
use super::print::{Turn, begin_panic, panicked_too};
use crate::arch::unwind::{Frames, Step};
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, exit};
use crate::hook::Hook;
use crate::platform::symbols::SymbolTable;
use crate::println;
use crate::sync::preempt;
use core::fmt;

/// What is told of the CPUs that go on.
const EVENTS_OF_OTHERS: usize = 16;

/// Lines of a backtrace; who reads them has seen enough.
pub const MOST_LINES: usize = 48;
/// PSTATE.I in a saved PSTATE.
const SPSR_I: u64 = 1 << 7;

/// Describes the current task in a few words. Wired by `kernel` to `sched`.
pub static DESCRIBE_TASK: Hook<fn(&mut dyn fmt::Write)> = Hook::new();

unsafe extern "C" {
    static __symbols_start: u8;
    static __symbols_end: u8;
}

/// The image's own symbols. Context: any.
pub fn symbols() -> SymbolTable {
    let start = &raw const __symbols_start;
    let size = (&raw const __symbols_end).addr() - start.addr();
    // SAFETY: linker.ld reserves these bytes, scripts/link fills them, and they are mapped read-only.
    SymbolTable::new(unsafe { core::slice::from_raw_parts(start, size) })
}

/// An address as `name+0x18` or `name`, or as a number where no function is.
#[derive(Clone, Copy, Debug)]
pub struct Place(pub usize);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match symbols().lookup(self.0 as u64) {
            Some(symbol) if symbol.offset == 0 => f.write_str(symbol.name),
            Some(symbol) => write!(f, "{}+{:#x}", symbol.name, symbol.offset),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

/// A line of a backtrace: one frame, or all of a call that calls itself.
#[derive(Clone, Copy, Debug)]
pub struct Line {
    number: usize,
    pc: usize,
    interrupted: bool,
    times: usize,
}

impl Line {
    /// The frames that it stands for.
    pub const fn nr_frames(&self) -> usize {
        self.times
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, pc, interrupted, times } = *self;
        // A return address belongs to the call before it.
        let place = Place(if interrupted { pc } else { pc - 4 });
        let mark = if interrupted { " (interrupted)" } else { "" };
        write!(f, "  #{number:<2} {pc:#012x} {place}{mark}")?;
        if times > 1 { write!(f, ", {times} times") } else { Ok(()) }
    }
}

/// The lines of a backtrace, innermost first. Context: any.
pub fn lines(frames: Frames) -> impl Iterator<Item = Line> {
    let mut frames = frames.enumerate().peekable();
    core::iter::from_fn(move || {
        let (number, Step { pc, interrupted, .. }) = frames.next()?;
        let mut times = 1;
        // Their records differ, by nothing that is told.
        let is_same = |step: &Step| (step.pc, step.interrupted) == (pc, interrupted);
        while frames.next_if(|(_, next)| is_same(next)).is_some() {
            times += 1;
        }
        Some(Line { number, pc, interrupted, times })
    })
}

/// Prints them. Context: any.
pub fn print_backtrace(frames: Frames) {
    let mut rest = lines(frames);
    rest.by_ref().take(MOST_LINES).for_each(|line| println!("{line}"));
    let nr_more: usize = rest.map(|line| line.nr_frames()).sum();
    if nr_more > 0 {
        println!("  and {nr_more} more");
    }
}

struct CurrentTask;

impl fmt::Display for CurrentTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match DESCRIBE_TASK.get() {
            Some(describe) => {
                describe(f);
                Ok(())
            }
            None => f.write_str("boot"),
        }
    }
}

/// Prints the epitaph and ends the machine with `status`. `frame` is where an exception interrupted.
///
/// A panic of the same CPU on the way is told in place of the rest, a further one ends the machine without a word.
/// Another CPU that panics meanwhile stops where it is; the epitaph's end says so.
pub fn die(message: fmt::Arguments<'_>, frame: Option<&ExceptionFrame>, status: u8) -> ! {
    let were_masked = frame.map_or(cpu::irqs_are_masked(), |frame| frame.spsr & SPSR_I != 0);
    cpu::mask_irqs_and_fiqs();
    let this = cpu::id();
    match begin_panic() {
        Turn::First => println!("\npanic: {message}"),
        Turn::Again(1) => println!("\npanic again, while the first was told: {message}"),
        Turn::Again(_) => exit::exit(status),
        Turn::Late => cpu::park(),
    }
    let masked = if were_masked { "masked" } else { "unmasked" };
    println!("CPU {this}, task {CurrentTask}, {}, IRQs {masked}", Context(preempt::count()));
    if let Some(frame) = frame {
        print_registers(frame);
    }
    println!("backtrace:");
    print_backtrace(frame.map_or_else(Frames::here, Frames::of_exception));
    println!("last events of CPU {this}:");
    for happening in Log::of(|cpu| cpu == this, events::DEPTH) {
        println!("{happening}");
    }
    let mut others = Log::of(|cpu| cpu != this, EVENTS_OF_OTHERS).peekable();
    if others.peek().is_some() {
        println!("last events of the other CPUs:");
        others.for_each(|happening| println!("{happening}"));
    }
    for cpu in (0..cpu::MAX_CPUS).filter(|&cpu| panicked_too(cpu)) {
        println!("CPU {cpu} panicked too, and was stopped");
    }
    exit::exit(status)
}

fn print_registers(frame: &ExceptionFrame) {
    println!("pc {:#x} {}", frame.elr, Place(frame.elr as usize));
    println!("sp {:#x} lr {:#x} pstate {:#x}", frame.sp, frame.lr, frame.spsr);
    for (number, registers) in frame.x.chunks(5).enumerate() {
        for (offset, value) in registers.iter().enumerate() {
            crate::print!("x{:<2} {value:#018x} ", number * 5 + offset);
        }
        println!();
    }
}
