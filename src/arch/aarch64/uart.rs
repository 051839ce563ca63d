//! The PL011 UART, through arm-pl011-uart: bytes out, bytes in.
//!
//! The register block is named by the device tree. Nothing here locks: `console` serialises writers, and
//! the panic path writes without asking anybody. Before it is known what is written goes out by semihosting: without a
//! device tree there is no other way.

use super::mmio::Registers;
use arm_pl011_uart::{Interrupts, PL011Registers, Uart, UniqueMmioPointer};
use core::ptr::NonNull;
use core::sync::atomic::{AtomicUsize, Ordering};

static BASE: AtomicUsize = AtomicUsize::new(0);
const BAUD_RATE: u32 = 115_200;

/// The UART, once `init` ran.
fn uart() -> Option<Uart<'static>> {
    let base = NonNull::new(core::ptr::with_exposed_provenance_mut::<PL011Registers>(BASE.load(Ordering::Relaxed)))?;
    // SAFETY: the device tree says that a PL011 is there, mapped as device memory. Several such pointers
    // may exist at once (a panic while printing): each use is one access to one register.
    Some(Uart::new(unsafe { UniqueMmioPointer::new(base) }))
}

/// Offsets of the registers that set the line up, and what 8 bits without parity and without FIFOs are in UARTLCR_H.
const UARTIBRD: usize = 0x24;
const UARTFBRD: usize = 0x28;
const UARTLCR_H: usize = 0x2c;
const UARTCR: usize = 0x30;
const EIGHT_BITS: u32 = 3 << 5;
/// On, in both directions.
const RECEIVE_AND_SEND: u32 = 1 << 9 | 1 << 8 | 1;

/// Where its registers are; 0 before `init`.
pub fn base() -> usize {
    BASE.load(Ordering::Relaxed)
}

/// The registers that say what a device is, and what they say of a PL011. Source: Arm DDI 0183, 3.3.16.
const UART_PERIPH_ID: [usize; 2] = [0xfe0, 0xfe4];
const PART: u32 = 0x011;

/// Another device than a PL011, or none, is where the tree has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoPl011 {
    /// The part number that was found.
    pub part: u32,
}

impl core::fmt::Display for NoPl011 {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "its part number is {:#x}, a PL011's is {PART:#x}", self.part)
    }
}

/// Turns the UART at `base` on. Context: boot, registers mapped. No atomic but a plain store: a CPU that lacks them
/// comes here too.
///
/// Its FIFOs stay off, as they are after reset: to turn them on empties them, and a pipe does not wait for the boot. For
/// this reason the crate's `enable` is not used: what had come by then, one byte at most, would be lost.
/// Where the rate of its clock is not known, the line stays as fast as firmware left it.
pub fn init(base: usize, clock_hz: Option<u32>) -> Result<(), NoPl011> {
    // SAFETY: the PL011 that the device tree says is there, mapped as device memory; boot runs alone.
    let registers = unsafe { Registers::new(base) };
    let [low, high] = UART_PERIPH_ID.map(|id| registers.read(id));
    let part = low & 0xff | (high & 0xf) << 8;
    if part != PART {
        return Err(NoPl011 { part });
    }
    registers.write(UARTCR, 0);
    if let Some(clock_hz) = clock_hz {
        // The divisor counts 64ths of 16 samples per bit.
        let divisor = clock_hz.saturating_mul(4) / BAUD_RATE;
        registers.write(UARTIBRD, divisor >> 6);
        registers.write(UARTFBRD, divisor & 0x3f);
    }
    registers.write(UARTLCR_H, EIGHT_BITS);
    registers.write(UARTCR, RECEIVE_AND_SEND);
    BASE.store(base, Ordering::Relaxed);
    Ok(())
}

/// Whether the device tree has named it. Context: any.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn is_known() -> bool {
    BASE.load(Ordering::Relaxed) != 0
}

/// Writes bytes, waiting for room. Context: any; the console's lock keeps writers apart.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
pub fn write(bytes: &[u8]) {
    let Some(mut uart) = uart() else {
        for &byte in bytes {
            super::exit::say(byte);
        }
        return;
    };
    for &byte in bytes {
        while uart.is_tx_fifo_full() {
            super::relax::relax();
        }
        uart.write_word(byte);
    }
}

/// Masks the UART's interrupt: bytes wait outside. Context: any; `irq::serial` alone, under its lock.
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
    let mut uart = uart()?;
    loop {
        match uart.read_word() {
            Ok(byte) => return byte,
            Err(_) => uart.clear_interrupts(Interrupts::OEI | Interrupts::BEI | Interrupts::PEI | Interrupts::FEI),
        }
    }
}
