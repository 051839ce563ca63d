//! Serial input: from the UART's interrupt into a bounded queue, and out of it to whoever reads.
//!
//! Nothing is dropped here: while the queue is full the UART's interrupt stays masked and the next byte waits in it, whose
//! sender (a pipe into QEMU, or a wire with flow control) waits in turn.

use crate::arch::uart;
use crate::sched::{WaitQueue, now_ns};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;

/// So much may be typed ahead of what runs: a Ctrl-C that comes behind as much is not seen before there is room. No more, since
/// one interrupt takes all that comes, and a sender may be as fast as its receiver.
const MOST_TYPED_AHEAD: usize = 1024;
type Queue = heapless::Deque<u8, MOST_TYPED_AHEAD>;
static INPUT: IrqLock<Queue> = IrqLock::new(heapless::Deque::new());
static READABLE: WaitQueue = WaitQueue::new();
/// Those in the queue that are Ctrl-C; changed with the queue's lock held.
static NR_INTERRUPTS: AtomicUsize = AtomicUsize::new(0);
const INTERRUPT: u8 = 0x03;

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
            NR_INTERRUPTS.fetch_add(usize::from(byte == INTERRUPT), Ordering::Relaxed);
        }
        if input.is_full() {
            uart::disable_receive_interrupt();
        }
    }
    READABLE.wake_all();
}

/// Takes the next byte out; what waits in the UART finds room. Context: the queue's lock is held.
fn pop(input: &mut Queue) -> Option<u8> {
    if input.is_full() {
        // The interrupt is level-triggered: what waits raises it at once.
        uart::enable_receive_interrupt();
    }
    let byte = input.pop_front();
    NR_INTERRUPTS.fetch_sub(usize::from(byte == Some(INTERRUPT)), Ordering::Relaxed);
    byte
}

/// The next byte; blocks until there is one. Context: task.
pub fn read() -> u8 {
    on_receive(); // what came before the interrupt was on; from here on each byte wakes
    let mut byte = None;
    READABLE.wait_until(|| {
        byte = pop(&mut INPUT.lock());
        byte.is_some()
    });
    byte.unwrap_or_default()
}

/// Whether Ctrl-C was typed and not read: what runs for long looks here, and ends. What runs for a moment leaves it to whoever
/// reads next. Context: any, in funcs too.
#[inline(always)]
pub fn is_interrupted() -> bool {
    NR_INTERRUPTS.load(Ordering::Relaxed) > 0
}

/// Sleeps for so long, or until Ctrl-C. Context: task.
pub fn sleep(ns: u64) {
    READABLE.wait_until_deadline(is_interrupted, now_ns() + ns);
}

/// Forgets what was typed up to the last Ctrl-C, which has ended what ran. Context: task.
pub fn take_interrupts() {
    let mut input = INPUT.lock();
    while is_interrupted() {
        let _ = pop(&mut input);
    }
}
