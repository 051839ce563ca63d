//! `print!` and `println!`: one caller's text at a time. Context: any; the panic path takes no lock.

use crate::arch::uart;
use crate::sync::lock::IrqLock;
use core::fmt::{self, Write};
use core::sync::atomic::{AtomicBool, Ordering};

static CONSOLE: IrqLock<()> = IrqLock::new(());
/// Set once by the panic path: from then on nobody waits for the lock.
static PANICKING: AtomicBool = AtomicBool::new(false);

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
    let guard = (!PANICKING.load(Ordering::Relaxed)).then(|| CONSOLE.lock());
    // The UART takes everything.
    let _ = Uart.write_fmt(arguments);
    drop(guard);
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

/// From here on nothing waits for the console's lock. Returns whether a panic had begun before.
pub fn begin_panic() -> bool {
    PANICKING.swap(true, Ordering::Relaxed)
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
