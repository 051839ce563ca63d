//! Serial input: from the UART's interrupt into a bounded queue, and out of it to whoever reads.
//!
//! What does not fit is lost and counted: a person types slower, a pipe is read by lines.

use crate::arch::uart;
use crate::sched::WaitQueue;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::lock::IrqLock;

static INPUT: IrqLock<heapless::Deque<u8, 1024>> = IrqLock::new(heapless::Deque::new());
static READABLE: WaitQueue = WaitQueue::new();
static LOST: AtomicU64 = AtomicU64::new(0);

/// The UART's interrupt. Context: IRQ.
pub(super) fn on_receive() {
    {
        let mut input = INPUT.lock();
        while let Some(byte) = uart::read() {
            if input.push_back(byte).is_err() {
                LOST.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    READABLE.wake_all();
}

/// The next byte; blocks until there is one. Context: task.
pub fn read() -> u8 {
    let mut byte = None;
    READABLE.wait_until(|| {
        byte = INPUT.lock().pop_front();
        byte.is_some()
    });
    byte.unwrap_or_default()
}

/// Bytes that were lost because nobody read them.
pub fn lost() -> u64 {
    LOST.load(Ordering::Relaxed)
}
