//! The oracle: says whether P1 to P6 hold, by what happens, not by what a scheme believes.
//!
//! An *oracle ops* has a func of its own, if it is worth it: a copy of a few instructions in a text page that is unmapped
//! when the ops is reclaimed, so a late entry or epilogue faults by itself (P2, P3). It calls `hit` with the number
//! of its *slot*, which is immortal, and where each call is stamped. All accesses here are relaxed, so that the check
//! adds no ordering that could hide a bug.
//!
//! | property | seen by |
//! |---|---|
//! | P1 | func of a buried ops entered (its tombstone); poison read from an ops inside func; a fault with poison |
//! | P2 | `hit` for a slot that is buried; a fault at the entry of an unmapped func |
//! | P3 | calls that have not left when the ops is reclaimed; a fault behind the entry of an unmapped func |
//! | P4 | func called with an ops of another slot |
//! | P5 | a retired ops that is not reclaimed in time (the experiment looks) |
//! | P6 | passes of the tracees against calls and skips (the experiment adds up) |

mod hit;
mod violation;

pub use hit::{COVERAGE, Counters, sleep_in, stay};
pub use violation::{Contain, Late, Property, begin, claim_fault, contain, end, late_entry, late_write, violation};

use crate::arch::site::{Func, OpsHeader, Regs};
use crate::ftrace::live::{Gone, Grave};
use crate::ftrace::ops::OpsBox;
use crate::ftrace::registry::Registration;
use crate::mm::poison::is_poison;
use crate::mm::text_page::{OutOfMemory, TextPage};
use crate::rcu::Elapsed;
use crate::sched::{self, now_ns, progress_ns};
use crate::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use crate::sync::lock::IrqLock;
use alloc::boxed::Box;

/// Slots: more than ops that can be alive or freshly dead at once.
pub const SLOTS: usize = 2048;

/// Nobody has it.
const FREE: u32 = 0;
/// Its ops may be called.
const LIVE: u32 = 1;
/// Its grace period has ended; its ops and its text are going away.
const DYING: u32 = 2;
/// They are gone: the slot may be taken again.
const BURIED: u32 = 3;

/// What is known of one oracle ops, for ever.
#[derive(Debug)]
pub struct Slot {
    state: AtomicU32,
    /// Calls that entered and left func *as called for this ops*.
    pub entered: AtomicU64,
    left: AtomicU64,
    /// Where its ops is, or was.
    pub ops: AtomicUsize,
    retired_ns: AtomicU64,
    /// The progress by then.
    retired_at_ns: AtomicU64,
    retired_by: AtomicU32,
    buried_ns: AtomicU64,
    /// How long its calls sleep, where they may; 0 is not at all.
    sleep_ns: AtomicU64,
}

static TABLE: [Slot; SLOTS] = [const {
    Slot {
        state: AtomicU32::new(FREE),
        entered: AtomicU64::new(0),
        left: AtomicU64::new(0),
        ops: AtomicUsize::new(0),
        retired_ns: AtomicU64::new(0),
        retired_at_ns: AtomicU64::new(0),
        retired_by: AtomicU32::new(0),
        buried_ns: AtomicU64::new(0),
        sleep_ns: AtomicU64::new(0),
    }
}; SLOTS];
static PAGES: [IrqLock<Option<TextPage>>; SLOTS] = [const { IrqLock::new(None) }; SLOTS];
static NEXT: AtomicUsize = AtomicUsize::new(0);

core::arch::global_asm!(
    ".pushsection .rodata.oracle_func, \"a\", %progbits",
    ".balign 8",
    "oracle_func:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "ldr x4, 1f",
    "ldr x16, 2f",
    "blr x16",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".balign 8",
    "1: .quad 0", // the slot's number, filled in in each copy
    "2: .quad {hit}",
    "oracle_func_end:",
    ".popsection",
    hit = sym hit::hit,
);

// The same for ops without text of their own: they say themselves which slot is theirs.
core::arch::global_asm!(
    ".pushsection .text.notrace, \"ax\", %progbits",
    ".balign 8",
    ".global oracle_shared_func",
    ".type oracle_shared_func, %function",
    "oracle_shared_func:",
    "ldr x4, [x2, #{private}]",
    "b {hit}",
    ".size oracle_shared_func, . - oracle_shared_func",
    ".popsection",
    private = const core::mem::offset_of!(crate::ftrace::ops::Ops, private),
    hit = sym hit::hit,
);

unsafe extern "C" {
    static oracle_func: u8;
    static oracle_func_end: u8;
    fn oracle_shared_func(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs);
}

/// Where an oracle ops has its func.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Text {
    /// In a page of its own, which is unmapped when the ops is reclaimed. Nobody may publish the ops before every CPU has
    /// synchronised its context: see [`crate::sched::synchronise_every_cpu`].
    Own,
    /// In the kernel's text: costs less, and a late epilogue is seen by its stamp alone.
    Shared,
}

const FUNC_BYTES: usize = 48;
const SLOT_AT: usize = 32;

/// Makes an oracle ops. Context: task.
pub fn new_ops(name: &'static str, text: Text) -> Result<OpsBox, OutOfMemory> {
    let number = loop {
        let number = NEXT.fetch_add(1, Ordering::Relaxed) % SLOTS;
        // Free ones, and those that have been buried for longest.
        let state = TABLE[number].state.load(Ordering::Relaxed);
        if matches!(state, FREE | BURIED)
            && TABLE[number].state.compare_exchange(state, LIVE, Ordering::Acquire, Ordering::Relaxed).is_ok()
        {
            break number;
        }
    };
    let slot = &TABLE[number];
    slot.entered.store(0, Ordering::Relaxed);
    slot.left.store(0, Ordering::Relaxed);
    slot.retired_ns.store(0, Ordering::Relaxed);
    slot.sleep_ns.store(0, Ordering::Relaxed);
    let func = match text {
        Text::Own => own_func(number).inspect_err(|_| slot.state.store(FREE, Ordering::Relaxed))?,
        Text::Shared => oracle_shared_func,
    };
    let ops = OpsBox::new(name, func, number);
    slot.ops.store(ops.address().addr(), Ordering::Relaxed);
    Ok(ops)
}

/// The func of slot `number`, in a page of its own.
fn own_func(number: usize) -> Result<Func, OutOfMemory> {
    let start = &raw const oracle_func;
    let mut code = [0; FUNC_BYTES];
    let size = (&raw const oracle_func_end).addr() - start.addr();
    assert!(size == FUNC_BYTES, "oracle_func has {size} bytes");
    // SAFETY: these bytes are the template's.
    code.copy_from_slice(unsafe { core::slice::from_raw_parts(start, FUNC_BYTES) });
    code[SLOT_AT..SLOT_AT + 8].copy_from_slice(&(number as u64).to_le_bytes());
    let page = TextPage::new(number, &code)?;
    // SAFETY: the page holds a function of this signature.
    let func: Func = unsafe { core::mem::transmute::<usize, Func>(page.address()) };
    *PAGES[number].lock() = Some(page);
    Ok(func)
}

/// The slot of an ops made here.
pub fn slot(number: usize) -> &'static Slot {
    &TABLE[number % SLOTS]
}

/// Notes that the ops of slot `number` was unlinked: from now on somebody waits for it.
pub fn note_retired(number: usize) {
    slot(number).retired_at_ns.store(progress_ns(), Ordering::Relaxed);
    slot(number).retired_ns.store(now_ns(), Ordering::Relaxed);
    slot(number).retired_by.store(sched::current().id, Ordering::Relaxed);
}

/// How much progress the guest has made since the ops of slot `number` was retired, if it is not buried yet.
pub fn waits_for_ns(number: usize) -> Option<u64> {
    let slot = slot(number);
    let waits = slot.state.load(Ordering::Relaxed) == LIVE && slot.retired_ns.load(Ordering::Relaxed) != 0;
    waits.then(|| progress_ns().saturating_sub(slot.retired_at_ns.load(Ordering::Relaxed)))
}

/// What a dead ops has counted.
#[derive(Clone, Copy, Debug)]
pub struct Epilogue {
    /// Calls.
    pub calls: u64,
    /// Hits that recursion skipped.
    pub skipped: u64,
}

/// Judges the end of a grace period, and buries: the ops' memory and its func's text are gone afterwards.
/// Context: the task that reclaims.
pub fn bury(gone: Box<Registration<Grave>>) -> Epilogue {
    let number = gone.ops.private;
    let slot = slot(number);
    let (left, entered) = (slot.left.load(Ordering::Relaxed), slot.entered.load(Ordering::Relaxed));
    if left != entered {
        violation(Property::FuncLeft, Some(number), 0, "reclaimed while calls of it have not left");
    }
    slot.buried_ns.store(now_ns(), Ordering::Relaxed);
    slot.state.store(DYING, Ordering::Relaxed);
    hit::stay_no_more(number);
    let skipped = gone.ops.skipped.load(Ordering::Relaxed);
    drop(gone);
    let page = PAGES[number].lock().take();
    drop(page);
    // Order: Release; whoever takes the slot again finds its place in the window unmapped.
    slot.state.store(BURIED, Ordering::Release);
    Epilogue { calls: entered, skipped }
}

/// [`bury`], for one whose grace period has been waited for.
///
/// # Panics
/// When `elapsed` is not about it.
pub fn bury_elapsed(gone: Gone, elapsed: Elapsed) -> Epilogue {
    bury(gone.reclaim(elapsed).expect("the grace period of this ops has ended"))
}

/// Whether what was read from an ops is what its slot's number should be. P1 and P4.
#[inline(always)]
fn check_identity(ops: *const OpsHeader, number: usize, ip: usize, when: &'static str) {
    // SAFETY: func was called with it; where it was freed, its memory is still mapped heap.
    let private = unsafe { (&raw const (*ops.cast::<crate::ftrace::ops::Ops>()).private).read_volatile() };
    if private != number {
        let property = if is_poison(private as u64) { Property::NoUaf } else { Property::NoTornPair };
        violation(property, Some(number), ip, when);
    }
}

/// The signature of [`hit::hit`]: a func's, and the slot that the page's code adds.
type Hit = unsafe extern "C" fn(usize, usize, *const OpsHeader, *mut Regs, usize);
const _: Hit = hit::hit;
