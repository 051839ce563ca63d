//! Funcs to be explored: a few instructions each, in a text page of their own that is unmapped when the ops is freed.
//!
//! Each reads its ops once, as its last use of it, and leaves what it read in `READ`: poison there is a late load (P1). What
//! comes behind that needs the text alone. A page that is gone faults at the next fetch (P2, P3).
//! Context: whatever calls the traced function. The helpers take no recursion guard: they call nothing that is explored.

use super::thread;
use crate::arch::site::{Func, OpsHeader, Regs};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::lab::tracees;
use crate::mm::text_page::{PLACES, TextPage};
use crate::platform::WindowFunc;
use crate::sched::preemption::{model, preempts};
use crate::sched::{self};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::preempt;
use core::arch::global_asm;
use core::hint::black_box;
use core::mem::offset_of;

/// What the last func read from its ops.
pub(super) static READ: AtomicU64 = AtomicU64::new(0);

global_asm!(
    ".pushsection .rodata.window_funcs, \"a\", %progbits",
    ".balign 8",
    "window_plain:",
    "ldr x5, 1f",
    "ldr x4, [x2, #{private}]",
    "str x4, [x5]",
    "ret",
    ".balign 8",
    "1: .quad {read}",
    "window_plain_end:",
    ".macro window_helper name, helper",
    ".balign 8",
    "\\name:",
    "stp x29, x30, [sp, #-16]!",
    "mov x29, sp",
    "ldr x16, 1f",
    "blr x16",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".balign 8",
    "1: .quad \\helper",
    "\\name\\()_end:",
    ".endm",
    "window_helper window_callee, {note}",
    "window_helper window_enable, {enable}",
    "window_helper window_block, {block}",
    "window_helper window_nest, {nest}",
    ".balign 8",
    "window_tail:",
    "adr x16, 2f",
    "br x16",
    "2: stp x29, x30, [sp, #-16]!", // the helper: text that goes with the ops, as a module's would
    "mov x29, sp",
    "ldr x5, 1f",
    "ldr x4, [x2, #{private}]",
    "str x4, [x5]",
    "ldp x29, x30, [sp], #16",
    "ret",
    ".balign 8",
    "1: .quad {read}",
    "window_tail_end:",
    ".balign 8",
    "window_redirect:",
    "ldr x5, 1f",
    "ldr x4, [x2, #{private}]",
    "str x4, [x5]",
    "adr x4, 2f",
    "str x4, [x3, #{pc}]",
    "ret",
    "2: mvn x0, x0", // stands in for the traced function
    "ret",
    ".balign 8",
    "1: .quad {read}",
    "window_redirect_end:",
    ".popsection",
    private = const offset_of!(Ops, private),
    pc = const offset_of!(Regs, pc),
    read = sym READ,
    note = sym note,
    enable = sym enable,
    block = sym block,
    nest = sym nest,
);

unsafe extern "C" {
    static window_plain: u8;
    static window_plain_end: u8;
    static window_callee: u8;
    static window_callee_end: u8;
    static window_enable: u8;
    static window_enable_end: u8;
    static window_block: u8;
    static window_block_end: u8;
    static window_nest: u8;
    static window_nest_end: u8;
    static window_tail: u8;
    static window_tail_end: u8;
    static window_redirect: u8;
    static window_redirect_end: u8;
}

/// Where the helper begins that a func of this kind lets go of the CPU in.
pub(super) fn helper(func: WindowFunc) -> usize {
    match func {
        WindowFunc::Enable => enable as *const () as usize,
        WindowFunc::Block => block as *const () as usize,
        _ => 0,
    }
}

fn code(func: WindowFunc) -> &'static [u8] {
    let (start, end) = match func {
        WindowFunc::Plain | WindowFunc::FanOut | WindowFunc::Nested => {
            (&raw const window_plain, &raw const window_plain_end)
        }
        WindowFunc::Callee => (&raw const window_callee, &raw const window_callee_end),
        WindowFunc::Enable => (&raw const window_enable, &raw const window_enable_end),
        WindowFunc::Block => (&raw const window_block, &raw const window_block_end),
        WindowFunc::Nest => (&raw const window_nest, &raw const window_nest_end),
        WindowFunc::Tail => (&raw const window_tail, &raw const window_tail_end),
        WindowFunc::Redirect => (&raw const window_redirect, &raw const window_redirect_end),
    };
    // SAFETY: the bytes between the two labels, read-only data.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// An ops with a func of this kind, and the page of its text, which goes when the ops is freed. Context: task.
pub(super) fn make(func: WindowFunc) -> (OpsBox, TextPage) {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let page = TextPage::new(number % PLACES, code(func)).expect("memory for one page");
    // SAFETY: the page holds a function of this signature.
    let entry: Func = unsafe { core::mem::transmute::<usize, Func>(page.address()) };
    sched::synchronise_every_cpu(); // before anybody can branch there
    (OpsBox::new("explored", entry, number), page)
}

/// An ops that stays, whose func calls a function that is traced for another. Context: task.
pub(super) fn outer_ops() -> OpsBox {
    OpsBox::new("outer", outer, 0)
}

/// The funcs' last use of their ops.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn note(_: usize, _: usize, ops: *const OpsHeader, _: *mut Regs) {
    // SAFETY: called with an ops of `make`; where that was freed too early its memory is mapped heap, with poison in it.
    let private = unsafe { (&raw const (*ops.cast::<Ops>()).private).read_volatile() };
    READ.store(private as u64, Ordering::Relaxed);
}

/// Disables preemption and enables it again, with a reschedule pending if that is what is explored.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn enable(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs) {
    let is_preempted = preempts(model()) && preempt::count() == 0;
    let disabled = preempt::disable();
    let is_explored = thread::stands_inside(is_preempted);
    drop(disabled); // here it is switched out, if anywhere
    if is_explored {
        thread::stay();
    }
    // SAFETY: our caller's.
    unsafe { note(ip, parent_ip, ops, regs) };
}

/// Blocks, if that is what is explored: whatever the scheme, and its trampoline, forbid.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn block(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs) {
    if thread::blocks_inside() {
        let levels = preempt::count();
        preempt::sub(levels);
        thread::block();
        preempt::add(levels);
    }
    // SAFETY: our caller's.
    unsafe { note(ip, parent_ip, ops, regs) };
}

/// Calls a traced function, whose ops is another.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn nest(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs) {
    tracees::call(thread::INNER_TRACEE, 0);
    // SAFETY: our caller's.
    unsafe { note(ip, parent_ip, ops, regs) };
}

/// The same, of an ops that stays: what is explored is the call in it.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn outer(_: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    black_box(tracees::call(thread::INNER_TRACEE, 0)); // with a frame of its own around it
}
