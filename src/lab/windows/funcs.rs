//! Funcs to be explored: a few instructions each, in a text page of their own that is unmapped when the ops is freed.
//!
//! Each reads its ops once, as its last use of it, and leaves what it read in `READ`: poison there is a late load (P1). What
//! comes behind that needs the text alone. A page that is gone faults at the next fetch (P2, P3).
//! Context: whatever calls the traced function. The helpers take no recursion guard: they call nothing that is explored.

use super::{order, stance};
use crate::arch::site::{Func, OpsHeader, Regs};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::lab::tracees;
use crate::mm::text_page::{PLACES, TextPage, place_of};
use crate::platform::WindowFunc;
use crate::sched::preemption::{model, preempts};
use crate::sched::{self};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use crate::sync::preempt;
use core::arch::global_asm;
use core::hint::black_box;
use core::mem::offset_of;

/// What the last func read from its ops.
static READ: AtomicU64 = AtomicU64::new(0);
/// The same, of the ops that is registered beside the explored one.
static READ_OF_OTHER: AtomicU64 = AtomicU64::new(0);

/// Nothing has been read. Context: the director, before a call.
pub(super) fn forget_reads() {
    [&READ, &READ_OF_OTHER].into_iter().for_each(|read| read.store(0, Ordering::Relaxed));
}

/// What the last funcs read from their ops. Context: the director.
pub(super) fn reads() -> [u64; 2] {
    [&READ, &READ_OF_OTHER].map(|read| read.load(Ordering::Relaxed))
}

global_asm!(
    ".pushsection .rodata.window_funcs, \"a\", %progbits",
    ".macro window_leaf name, read",
    ".balign 8",
    "\\name:",
    "ldr x5, 1f",
    "ldr x4, [x2, #{private}]",
    "str x4, [x5]",
    "ret",
    ".balign 8",
    "1: .quad \\read",
    "\\name\\()_end:",
    ".endm",
    "window_leaf window_plain, {read}",
    "window_leaf window_other, {read_of_other}",
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
    "window_helper window_outer, {outer}",
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
    read_of_other = sym READ_OF_OTHER,
    note = sym note,
    enable = sym enable,
    block = sym block,
    nest = sym nest,
    outer = sym outer,
);

unsafe extern "C" {
    static window_plain: u8;
    static window_plain_end: u8;
    static window_other: u8;
    static window_other_end: u8;
    static window_outer: u8;
    static window_outer_end: u8;
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

/// The text of a func, which is copied into a page; `None` if it lies in the kernel.
fn code(func: WindowFunc) -> Option<&'static [u8]> {
    Some(match func {
        WindowFunc::Plain | WindowFunc::FanOut | WindowFunc::Nested => {
            between(&raw const window_plain, &raw const window_plain_end)
        }
        WindowFunc::Compiled => return None,
        WindowFunc::Callee => between(&raw const window_callee, &raw const window_callee_end),
        WindowFunc::Enable => between(&raw const window_enable, &raw const window_enable_end),
        WindowFunc::Block => between(&raw const window_block, &raw const window_block_end),
        WindowFunc::Nest => between(&raw const window_nest, &raw const window_nest_end),
        WindowFunc::Tail => between(&raw const window_tail, &raw const window_tail_end),
        WindowFunc::Redirect => between(&raw const window_redirect, &raw const window_redirect_end),
    })
}

/// The text from one label to the other.
fn between(start: *const u8, end: *const u8) -> &'static [u8] {
    // SAFETY: whoever calls this names two labels of one piece of read-only data, in their order.
    unsafe { core::slice::from_raw_parts(start, end.addr() - start.addr()) }
}

/// An ops, and the page of its func's text, which goes when the ops is freed. The text of a compiled func stays.
pub(super) type Made = (OpsBox, Option<TextPage>);

/// An ops with a func of this kind. Context: task.
pub(super) fn make(func: WindowFunc) -> Made {
    code(func).map_or_else(|| (OpsBox::new("explored", compiled, 0), None), |code| in_page("explored", code, EXPLORED))
}

/// An ops to stand beside one of this kind: where that is called in a call, the one whose func makes it. Context: task.
pub(super) fn make_other(func: WindowFunc) -> Made {
    let code = match func {
        WindowFunc::Nested => between(&raw const window_outer, &raw const window_outer_end),
        _ => between(&raw const window_other, &raw const window_other_end),
    };
    in_page("other", code, OTHER)
}

/// Explored funcs have the even places of the window, others the odd ones.
const EXPLORED: usize = 0;
const OTHER: usize = 1;

/// Whose func's page an address lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PageOf {
    Explored,
    Other,
}

/// Whose func's page `pc` lies in, if it lies in one. Context: any.
pub(super) fn page_of(pc: usize) -> Option<PageOf> {
    place_of(pc).map(|place| if place % 2 == EXPLORED { PageOf::Explored } else { PageOf::Other })
}

fn in_page(name: &'static str, code: &[u8], parity: usize) -> Made {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let number = 2 * NEXT.fetch_add(1, Ordering::Relaxed) + parity;
    let page = TextPage::new(number % PLACES, code).expect("memory for one page");
    // SAFETY: the page holds a function of this signature.
    let entry: Func = unsafe { core::mem::transmute::<usize, Func>(page.address()) };
    sched::synchronise_every_cpu(); // before anybody can branch there
    (OpsBox::new(name, entry, number), Some(page))
}

/// The funcs' last use of their ops.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn note(_: usize, _: usize, ops: *const OpsHeader, _: *mut Regs) {
    // SAFETY: our caller's.
    READ.store(unsafe { private_of(ops) }, Ordering::Relaxed);
}

/// # Safety
/// `ops` is of this module; where it was freed too early its memory is mapped heap, with poison in it.
#[inline(always)]
unsafe fn private_of(ops: *const OpsHeader) -> u64 {
    // SAFETY: the caller's.
    unsafe { (&raw const (*ops.cast::<Ops>()).private).read_volatile() as u64 }
}

/// As a compiler makes a func: with frames of its own, and more on the stack.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn compiled(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs) {
    let words = black_box([ip, parent_ip, regs.addr()]);
    mix(&words);
    // SAFETY: our caller's.
    unsafe { note(ip, parent_ip, ops, regs) };
    black_box(words);
}

#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
fn mix(words: &[usize; 3]) {
    black_box(words[0] ^ words[1] ^ words[2]);
}

/// Disables preemption and enables it again, with a reschedule pending if that is what is explored.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn enable(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs) {
    let is_preempted = preempts(model()) && preempt::count() == 0;
    let disabled = preempt::disable();
    let is_explored = stance::stands_inside(is_preempted);
    drop(disabled); // here it is switched out, if anywhere
    if is_explored {
        stance::wait_inside();
    }
    // SAFETY: our caller's.
    unsafe { note(ip, parent_ip, ops, regs) };
}

/// Blocks, and maybe exits, if that is what is explored: whatever the scheme, and its trampoline, forbid.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn block(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs) {
    if stance::lets_go() {
        let levels = preempt::count();
        preempt::sub(levels);
        stance::block();
        if stance::exits() {
            sched::exit();
        }
        preempt::add(levels);
    }
    // SAFETY: our caller's.
    unsafe { note(ip, parent_ip, ops, regs) };
}

/// Calls a traced function, whose ops is another.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn nest(ip: usize, parent_ip: usize, ops: *const OpsHeader, regs: *mut Regs) {
    tracees::call(order::INNER_TRACEE, 0);
    // SAFETY: our caller's.
    unsafe { note(ip, parent_ip, ops, regs) };
}

/// The same, of the ops beside the explored one, whose call is in this.
#[inline(never)]
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn outer(_: usize, _: usize, ops: *const OpsHeader, _: *mut Regs) {
    tracees::call(order::INNER_TRACEE, 0);
    // SAFETY: our caller's.
    READ_OF_OTHER.store(unsafe { private_of(ops) }, Ordering::Relaxed);
}
