//! The panic epitaph: message, CPU, task, a symbolised backtrace, the last events of this CPU. Takes no lock.
//!
//! Context: any. A second panic, on this CPU or another, stops where it is.

use super::events::{self, Log};
use crate::arch::unwind::Frames;
use crate::arch::vectors::ExceptionFrame;
use crate::arch::{cpu, exit};
use crate::hook::Hook;
use crate::platform::symbols::SymbolTable;
use crate::println;
use core::fmt;

/// What is told of the CPUs that go on.
const EVENTS_OF_OTHERS: usize = 16;

/// Describes the current task in a few words. Wired by `main.rs` to `sched`.
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
            Some(symbol) if symbol.offset == 0 => write!(f, "{}", symbol.demangled()),
            Some(symbol) => write!(f, "{}+{:#x}", symbol.demangled(), symbol.offset),
            None => write!(f, "{:#x}", self.0),
        }
    }
}

/// Prints one line per frame, innermost first. Context: any.
pub fn print_backtrace(frames: Frames) {
    for (number, step) in frames.enumerate() {
        // A return address belongs to the call before it.
        let place = Place(if step.interrupted { step.pc } else { step.pc - 4 });
        let mark = if step.interrupted { " (interrupted)" } else { "" };
        println!("  #{number:<2} {:#012x} {place}{mark}", step.pc);
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
pub fn die(message: fmt::Arguments<'_>, frame: Option<&ExceptionFrame>, status: u8) -> ! {
    cpu::mask_irqs();
    if super::print::begin_panic() {
        cpu::park();
    }
    println!("\npanic: {message}");
    println!("CPU {}, task {CurrentTask}", cpu::id());
    if let Some(frame) = frame {
        print_registers(frame);
    }
    println!("backtrace:");
    print_backtrace(frame.map_or_else(Frames::here, Frames::of_exception));
    println!("last events of CPU {}:", cpu::id());
    for happening in Log::of(|cpu| cpu == cpu::id(), events::DEPTH) {
        println!("{happening}");
    }
    let mut others = Log::of(|cpu| cpu != cpu::id(), EVENTS_OF_OTHERS).peekable();
    if others.peek().is_some() {
        println!("last events of the other CPUs:");
        others.for_each(|happening| println!("{happening}"));
    }
    exit::exit(status)
}

fn print_registers(frame: &ExceptionFrame) {
    println!("pc {:#x} sp {:#x} lr {:#x} pstate {:#x}", frame.elr, frame.sp, frame.lr, frame.spsr);
    for (number, pair) in frame.x.chunks(5).enumerate() {
        for (offset, value) in pair.iter().enumerate() {
            crate::print!("x{:<2} {value:#018x} ", number * 5 + offset);
        }
        println!();
    }
}
