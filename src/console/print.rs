//! `print!` and `println!`: one caller's text at a time. Context: any; the panic path takes no lock.

use crate::arch::{cpu, relax, uart};
use crate::sync::lock::IrqLock;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

static CONSOLE: IrqLock<()> = IrqLock::new(());
/// Set once by the panic path: one more than the number of the CPU whose console it is from then on.
static PANICKING: AtomicUsize = AtomicUsize::new(0);
/// Panics of that CPU behind its first.
static AGAIN: AtomicUsize = AtomicUsize::new(0);
/// Other CPUs that panicked meanwhile, a bit each.
static TOO: AtomicUsize = AtomicUsize::new(0);
/// The last line is one that the next text overwrites; changed with the console's lock held.
static IS_PASSING: AtomicBool = AtomicBool::new(false);
/// Goes to the start of the row, and clears it.
const CLEAR: &[u8] = b"\r\x1b[K";
/// How often a panic looks whether another CPU's line has ended: some milliseconds.
const LOOKS: u32 = 1_000_000;

/// Whose turn it is to tell of a panic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The caller's: the console is its own.
    First,
    /// The caller's, who has panicked so often on its way.
    Again(usize),
    /// Another CPU's: the caller must stop.
    Late,
}

/// Writes to the UART, turning `\n` into `\r\n`.
struct Uart;

impl Write for Uart {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut lines = text.split('\n');
        if let Some(first) = lines.next() {
            uart::write(first.as_bytes());
        }
        for line in lines {
            uart::write(b"\r\n");
            uart::write(line.as_bytes());
        }
        Ok(())
    }
}

/// Writes formatted text; use the macros.
pub fn write(arguments: fmt::Arguments<'_>) {
    let guard = match PANICKING.load(Ordering::Relaxed) {
        0 => Some(CONSOLE.lock()),
        _ if is_panicking_here() => None,
        _ => stop(),
    };
    if IS_PASSING.load(Ordering::Relaxed) {
        IS_PASSING.store(false, Ordering::Relaxed);
        uart::write(CLEAR);
    }
    // The UART takes everything.
    let _ = Uart.write_fmt(arguments);
    drop(guard);
}

/// Shows a line until the next text, which overwrites it; for a terminal. At most a row, without an end. Context: task.
pub fn write_passing(arguments: fmt::Arguments<'_>) {
    let _guard = CONSOLE.lock();
    uart::write(CLEAR);
    // The UART takes everything.
    let _ = Uart.write_fmt(arguments);
    IS_PASSING.store(true, Ordering::Relaxed);
}

/// Stands still for good, but for FIQs: the CPU whose console it is may ask where this one stands.
fn stop() -> ! {
    cpu::mask_irqs();
    loop {
        cpu::wait_for_interrupt();
    }
}

/// Writes formatted text and a line's end; use the macros.
pub fn write_line(arguments: fmt::Arguments<'_>) {
    write(format_args!("{arguments}\n"));
}

/// Writes bytes as they are, as a terminal's echo. Context: task.
pub fn write_raw(bytes: &[u8]) {
    let _guard = CONSOLE.lock();
    uart::write(bytes);
}

/// Makes the console this CPU's: nobody else prints from here on. Context: any, IRQs masked.
///
/// # Errors
/// With one more than the number of the CPU whose it is already.
pub fn take_console() -> Result<(), usize> {
    PANICKING.compare_exchange(0, cpu::id() + 1, Ordering::Relaxed, Ordering::Relaxed)?;
    // A line that another CPU is printing may end first; one that this CPU was printing never will.
    for _ in 0..LOOKS {
        if let Some(console) = CONSOLE.try_lock() {
            console.keep();
            break;
        }
        relax::relax();
    }
    Ok(())
}

/// Makes the console CPU number `cpu`'s. Context: the CPU whose it is, or that waits until it is done with it.
pub fn hand_console_to(cpu: usize) {
    PANICKING.store(cpu + 1, Ordering::Relaxed);
}

/// Takes the console for a panic of this CPU. Context: any, IRQs and FIQs masked.
pub fn begin_panic() -> Turn {
    let this = cpu::id();
    match take_console() {
        Ok(()) => Turn::First,
        Err(by) if by == this + 1 => Turn::Again(AGAIN.fetch_add(1, Ordering::Relaxed) + 1),
        Err(_) => {
            TOO.fetch_or(1 << this, Ordering::Relaxed);
            Turn::Late
        }
    }
}

/// Whether this CPU has panicked and is telling of it. Context: any.
pub fn is_panicking_here() -> bool {
    PANICKING.load(Ordering::Relaxed) == cpu::id() + 1
}

/// Whether CPU number `cpu` panicked while another one was telling of its panic.
pub fn panicked_too(cpu: usize) -> bool {
    TOO.load(Ordering::Relaxed) & 1 << cpu != 0
}

/// Prints without a line's end.
#[macro_export]
macro_rules! print {
    ($($argument:tt)*) => { $crate::console::print::write(format_args!($($argument)*)) };
}

/// Prints a line.
#[macro_export]
macro_rules! println {
    () => { $crate::console::print::write(format_args!("\n")) };
    ($($argument:tt)+) => { $crate::console::print::write_line(format_args!($($argument)+)) };
}
