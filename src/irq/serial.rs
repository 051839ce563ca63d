//! Serial input: from the UART's interrupt into a bounded queue, and out of it to whoever reads.
//!
//! Nothing is dropped here: while the queue is full the UART's interrupt stays masked and the next byte waits in it, whose
//! sender (a pipe into QEMU, or a wire with flow control) waits in turn.

use crate::arch::uart;
use crate::sched::WaitQueue;
use crate::sync::lock::IrqLock;

static INPUT: IrqLock<heapless::Deque<u8, 1024>> = IrqLock::new(heapless::Deque::new());
static READABLE: WaitQueue = WaitQueue::new();

/// The UART's interrupt. Context: IRQ. Ordinary code: it may be traced, so it stays a function of its own.
#[inline(never)]
pub(super) fn on_receive() {
    {
        let mut input = INPUT.lock();
        while !input.is_full()
            && let Some(byte) = uart::read()
        {
            // There is room: asked just now.
            let _ = input.push_back(byte);
        }
        if input.is_full() {
            uart::disable_receive_interrupt();
        }
    }
    READABLE.wake_all();
}

/// The next byte; blocks until there is one. Context: task.
pub fn read() -> u8 {
    on_receive(); // what came before the interrupt was on; from here on each byte wakes
    let mut byte = None;
    READABLE.wait_until(|| {
        let mut input = INPUT.lock();
        if input.is_full() {
            // The interrupt is level-triggered: what waits raises it at once.
            uart::enable_receive_interrupt();
        }
        byte = input.pop_front();
        byte.is_some()
    });
    byte.unwrap_or_default()
}
