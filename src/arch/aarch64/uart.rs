//! The PL011 UART, through arm-pl011-uart: bytes out, bytes in.
//!
//! The register block is named by the device tree. Nothing here locks: `console` serialises writers, and
//! the panic path writes without asking anybody.

use arm_pl011_uart::{DataBits, Interrupts, LineConfig, PL011Registers, Parity, StopBits, Uart, UniqueMmioPointer};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};
use spin::mutex::SpinMutex;

static BASE: AtomicUsize = AtomicUsize::new(0);
const BAUD_RATE: u32 = 115_200;

/// The UART, once `init` ran.
fn uart() -> Option<Uart<'static>> {
    let base = NonNull::new(core::ptr::with_exposed_provenance_mut::<PL011Registers>(BASE.load(Ordering::Relaxed)))?;
    // SAFETY: the device tree says that a PL011 is there, mapped as device memory. Several such pointers
    // may exist at once (a panic while printing): each use is one access to one register.
    Some(Uart::new(unsafe { UniqueMmioPointer::new(base) }))
}

/// Bytes that were there before the UART was turned on, which empties its FIFO: a pipe does not wait for the boot.
static EARLY: SpinMutex<heapless::Deque<u8, 64>> = SpinMutex::new(heapless::Deque::new());

/// Turns the UART at `base` on. Context: boot, registers mapped.
pub fn init(base: usize, clock_hz: u32) {
    BASE.store(base, Ordering::Relaxed);
    let Some(mut uart) = uart() else { return };
    let mut early = EARLY.lock();
    while !early.is_full()
        && let Ok(Some(byte)) = uart.read_word()
    {
        // There is room: asked just now.
        let _ = early.push_back(byte);
    }
    let line = LineConfig { data_bits: DataBits::Bits8, parity: Parity::None, stop_bits: StopBits::One };
    // A clock that cannot make this rate leaves the loader's setting, which already printed.
    let _ = uart.enable(line, BAUD_RATE, clock_hz);
}

/// Writes bytes, waiting for room. Context: any; the console's lock keeps writers apart.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn write(bytes: &[u8]) {
    let Some(mut uart) = uart() else { return };
    for &byte in bytes {
        while uart.is_tx_fifo_full() {
            core::hint::spin_loop();
        }
        uart.write_word(byte);
    }
}

/// Masks the UART's interrupt: bytes wait in its FIFO. Context: any; `irq::serial` alone, under its lock.
pub fn disable_receive_interrupt() {
    if let Some(mut uart) = uart() {
        uart.set_interrupt_masks(Interrupts::empty());
    }
}

/// Raises the UART's interrupt when bytes arrive. Context: boot; then `irq::serial` alone, under its lock.
pub fn enable_receive_interrupt() {
    if let Some(mut uart) = uart() {
        uart.set_interrupt_masks(Interrupts::RXI | Interrupts::RTI);
    }
}

/// The next received byte. A framing error or an overrun loses that byte, not the next. Context: `irq::serial` alone,
/// under its lock.
pub fn read() -> Option<u8> {
    let early = EARLY.lock().pop_front();
    if early.is_some() {
        return early;
    }
    let mut uart = uart()?;
    loop {
        match uart.read_word() {
            Ok(byte) => return byte,
            Err(_) => uart.clear_interrupts(Interrupts::OEI | Interrupts::BEI | Interrupts::PEI | Interrupts::FEI),
        }
    }
}
