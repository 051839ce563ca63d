//! Who stands at a boundary: a task, or a softirq on top of one. Two may stand at once.
//!
//! Each goes through these phases, by its director's orders and its own doing:
//!
//! ```text
//! IDLE -> CALL -> (MOVING -> CALL | WISHING -> GO -> WISHED) -> ASKED -> (NESTING) -> (AGAIN) -> OFF_CPU | ON_CPU -> GO -> DONE -> IDLE
//! IDLE -> CALL_ELSEWHERE -> CALLING -> ON_CPU -> GO -> DONE -> IDLE        a call out of an interrupt
//! ```
//! INVARIANT `one-director`: one task gives the orders, and reads a party's words only while that stands, or after.

use super::order;
use crate::arch::{cpu, gic};
use crate::lab::stepper::{NO_MARKS, Stepper};
use crate::sched::ipi::SGI_RESCHED;
use crate::sched::{self, Task, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
use crate::sync::irqs;
use crate::sync::lock::IrqLock;

/// No boundary: the call is only recorded.
pub(super) const NOWHERE: usize = usize::MAX;

pub(super) const IDLE: u32 = 0;
/// It is to make its call.
pub(super) const CALL: u32 = 1;
/// It has sent itself the SGI of its boundary; or the one that moves it.
pub(super) const ASKED: u32 = 2;
pub(super) const MOVING: u32 = 3;
/// A softirq on top of it waits to be interrupted, or makes a call of its own.
pub(super) const NESTING: u32 = 4;
/// That call is over, and the next interrupt is on its way.
pub(super) const AGAIN: u32 = 5;
/// It stands at its boundary: it leaves its CPU, and does not come back by itself.
pub(super) const OFF_CPU: u32 = 6;
/// The same, on its CPU.
pub(super) const ON_CPU: u32 = 7;
/// It may go on.
pub(super) const GO: u32 = 8;
/// The call is over.
pub(super) const DONE: u32 = 9;
pub(super) const QUIT: u32 = 10;
/// Somebody else is to make the call: a task that exits, or an interrupt.
pub(super) const CALL_ELSEWHERE: u32 = 11;
/// An interrupt makes it.
pub(super) const CALLING: u32 = 12;
/// It is in its func, and stays there until a grace period for something else waits for it.
pub(super) const WISHING: u32 = 13;
/// Such a grace period does.
pub(super) const WISHED: u32 = 14;

/// One that stands.
pub(super) struct Party {
    /// Who it is: the task, or the one that it is on top of.
    task: AtomicPtr<Task>,
    phase: AtomicU32,
    phases: WaitQueue,
    /// The order: the boundary to stand at, and the CPU to call on.
    pub(super) at: AtomicUsize,
    pub(super) home: AtomicUsize,
    /// What it stands at, its stack pointer there, and on which CPU.
    pub(super) pc: AtomicUsize,
    pub(super) sp: AtomicUsize,
    pub(super) cpu: AtomicUsize,
    /// Where its traced call returns to.
    pub(super) return_to: AtomicUsize,
    /// What func must leave as it was at T2, for T7: in the call of the explored ops, and in that of another, where a call is in
    /// a call.
    pub(super) at_t2: [AtT2; 2],
    /// It makes its call on top of the other.
    is_on_top: AtomicBool,
    /// Its call, as far as it has been stepped: up to where it stands, if it does.
    pub(super) stepper: IrqLock<Stepper>,
}

/// The one whose call is explored; and the other, where two stand.
pub(super) static FIRST: Party = Party::new();
pub(super) static SECOND: Party = Party::new();

/// What was so at T2 of one trampoline.
pub(super) struct AtT2 {
    /// x19 to x28.
    pub(super) registers: [AtomicUsize; 10],
    /// Where the trampoline's frame is; 0 before T2.
    pub(super) sp: AtomicUsize,
    pub(super) recursion: AtomicU32,
}

const fn word() -> AtomicUsize {
    AtomicUsize::new(0)
}

impl Party {
    const fn new() -> Self {
        Self {
            task: AtomicPtr::new(core::ptr::null_mut()),
            phase: AtomicU32::new(IDLE),
            phases: WaitQueue::new(),
            at: AtomicUsize::new(NOWHERE),
            home: word(),
            pc: word(),
            sp: word(),
            cpu: word(),
            return_to: word(),
            at_t2: [const { AtT2 { registers: [const { word() }; 10], sp: word(), recursion: AtomicU32::new(0) } }; 2],
            is_on_top: AtomicBool::new(false),
            stepper: IrqLock::new(Stepper::new(NO_MARKS)),
        }
    }

    /// Whose context this is, if it is one of the two's. Context: any.
    #[inline(always)]
    pub(super) fn current() -> Option<&'static Self> {
        let is_it = |party: &&Self| core::ptr::eq(party.task.load(Ordering::Relaxed), sched::current());
        if SECOND.is_on_top.load(Ordering::Relaxed) && is_it(&&FIRST) {
            return Some(&SECOND);
        }
        [&FIRST, &SECOND].into_iter().find(is_it)
    }

    /// This context is the party from now on, and is about to call. Context: that of the call.
    pub(super) fn begin(&self, task: &Task) {
        self.task.store(core::ptr::from_ref(task).cast_mut(), Ordering::Release);
        self.at_t2.iter().for_each(|it| it.sp.store(0, Ordering::Relaxed));
        *self.stepper.lock() = Stepper::new(order::marks());
    }

    /// The same, on top of the other: from here to [`Party::leave_top`]. Context: softirq.
    pub(super) fn begin_on_top(&self) {
        self.begin(sched::current());
        self.is_on_top.store(true, Ordering::Relaxed);
    }

    pub(super) fn leave_top(&self) {
        self.is_on_top.store(false, Ordering::Relaxed);
    }

    /// Who it is, or is on top of. Context: the director, from the party's first order to its end.
    pub(super) fn task(&self) -> &'static Task {
        // SAFETY: the party says who it is before it comes to stand. An explored task is joined after the last stage, one that
        // exits after its call, by the director itself; idle and the grace-period task never end.
        unsafe { self.task.load(Ordering::Acquire).as_ref() }.expect("the party has begun")
    }

    /// Whether the party, which stands, holds one of these, by the instructions that it executed. Context: the director.
    pub(super) fn holds_one_of(&self, names: &[usize]) -> bool {
        self.stepper.lock().held().holds_one_of(names)
    }

    #[inline(always)]
    pub(super) fn phase(&self) -> u32 {
        self.phase.load(Ordering::Acquire)
    }

    #[inline(always)]
    pub(super) fn enter(&self, phase: u32) {
        self.phase.store(phase, Ordering::Release);
    }

    /// Gives the next order. Context: task.
    pub(super) fn order(&self, phase: u32) {
        self.enter(phase);
        self.tell();
    }

    /// Gives leave to go on, unless it has gone on by itself and is done. Context: task.
    ///
    /// Order: Release, here and in [`Party::enter`], pairs with the Acquire of [`Party::phase`]: who sees the phase sees the
    /// words that go with it.
    pub(super) fn let_go(&self) {
        let _ = self.phase.fetch_update(Ordering::Release, Ordering::Relaxed, |phase| (phase != DONE).then_some(GO));
        self.tell();
    }

    fn tell(&self) {
        self.phases.wake_all();
        gic::send_sgi(SGI_RESCHED, self.cpu.load(Ordering::Relaxed));
    }

    /// Blocks until the phase is one of these. Context: task.
    pub(super) fn block_until(&self, phases: &[u32]) -> u32 {
        self.phases.wait_until(|| phases.contains(&self.phase()));
        self.phase()
    }

    /// Stays on its CPU, IRQs open, until it may go on: [`Party::order`] sends the SGI that ends the wait.
    #[inline(always)]
    pub(super) fn wait_for_go(&self) {
        while self.phase() != GO {
            irqs::with_masked(|_| {
                if self.phase() != GO {
                    cpu::wait_for_interrupt();
                }
            });
        }
    }
}
