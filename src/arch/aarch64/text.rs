//! The text patcher: literals and branches of callsites, while other CPUs run through them.
//!
//! INVARIANT `nop-bl-only`: once the other CPUs run, the only instruction that changes is a callsite's
//! branch, between NOP and BL (O6); Arm allows just these to be changed under another CPU's feet.
//! Every patch reads the old instruction back and refuses what it does not know. The writable alias is
//! mapped for one batch (`w-xor-x`). Context: task; one batch at a time.
//!
//! The caller makes every CPU synchronise its context after a batch: see [`Needs`].

#[cfg(feature = "faults")]
pub mod misorder;

use super::cpu;
use super::insn::{BranchError, Insn};
use super::mmu::{self, Access, PAGE_SIZE};
use super::relax::SpinMutex;
use super::site::{Branch, CallSite, OpsHeader, Patch};
use crate::fault::{self, Fault};
use core::arch::asm;
use core::ops::Range;
use core::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// What the caller owes after a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "other CPUs may still run the old instruction"]
pub enum Needs {
    /// Only literals changed: a barrier was enough.
    Nothing,
    /// Instructions changed: every CPU must take a context-synchronising event (O3).
    ContextSynchronisation,
}

/// Why nothing was patched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PatchError {
    /// The branch is not what the change starts from.
    Unexpected {
        /// The callsite.
        site: CallSite,
        /// What lies there.
        found: Insn,
    },
    /// The trampoline is too far away.
    Branch(BranchError),
    /// No page-table page is left for the alias.
    OutOfTables,
}

impl core::fmt::Display for PatchError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Unexpected { site, found } => {
                write!(f, "{:#x} holds {found:?}, not a callsite's NOP or BL", site.branch())
            }
            Self::Branch(error) => write!(f, "cannot branch to the trampoline: {error:?}"),
            Self::OutOfTables => f.write_str("no page-table page left for the writable alias"),
        }
    }
}

/// One batch at a time: the alias window is one.
static PATCHER: SpinMutex<()> = SpinMutex::new(());
/// More callsites than this and the whole instruction cache is invalidated at once.
const INVALIDATE_ALL_FROM: usize = 32;

/// Applies `patches`, which come in the order of addresses, all or none; branches that go on lead to `trampoline`.
/// In O3's order: literal, barrier, branch, clean; then, once for all, barrier, invalidate, barrier.
pub fn apply<P: Iterator<Item = Patch> + Clone>(patches: P, trampoline: usize) -> Result<Needs, PatchError> {
    let Some(first) = patches.clone().next() else { return Ok(Needs::Nothing) };
    let (lowest, mut highest, mut changed) = (first.site.literal(), 0, 0);
    for patch in patches.clone() {
        validate(&patch, trampoline)?;
        debug_assert!(patch.site.body() > highest, "patches come in the order of addresses");
        highest = patch.site.body();
        changed += usize::from(patch.branch != Branch::Keep);
    }
    // What both ends of the span reach, all between them reach.
    for end in [lowest, highest] {
        Insn::bl(end, trampoline).map_err(PatchError::Branch)?;
    }
    with_alias(lowest..highest, |alias| {
        for patch in patches.clone() {
            let is_left_out = match patch.branch {
                Branch::Keep => fault::is(Fault::LiteralStale),
                Branch::On => fault::is(Fault::BranchFirst),
                Branch::Off => false,
            };
            if !is_left_out {
                write_literal(alias, &patch);
            }
            let word = match patch.branch {
                Branch::Keep => continue,
                // In reach: looked at above, for the whole span.
                Branch::On => Insn::bl(patch.site.branch(), trampoline).unwrap_or(Insn::NOP),
                Branch::Off => Insn::NOP,
            };
            // O3 enable, litmus O3-enable-dmbst: a CPU that fetches the new BL loads the new literal.
            cpu::dmb_ishst();
            // SAFETY: as above; `nop-bl-only`: `validate` has seen that the old word is NOP or BL.
            unsafe { write_insn(alias, patch.site.branch(), word) };
        }
        // O3 disable: the literals are visible before anybody asks for a grace period.
        cpu::dsb_ish();
        if changed > 0 {
            invalidate(patches.clone().map(|patch| patch.site.branch()), changed);
        }
        if fault::is(Fault::BranchFirst) {
            let gone_on = || patches.clone().filter(|patch| patch.branch == Branch::On);
            fault::keep_window_open();
            // Else an emulator's CPU may not see the branch before all is over: see `store_again`.
            store_as_they_are(alias, gone_on().map(|patch| patch.site.branch()));
            fault::keep_window_open();
            gone_on().for_each(|patch| write_literal(alias, &patch));
        }
    })?;
    Ok(if changed == 0 { Needs::Nothing } else { Needs::ContextSynchronisation })
}

/// Stores the branches of `patches` once more, as they are now. Context: as [`apply`], which applied them; every CPU has
/// synchronised its context since, and does so again before the change is counted on.
///
/// The architecture does not ask for this; QEMU with a host thread for each CPU does (seen with 7.2: 1903 of
/// 2000 times that a callsite went on under three callers, they passed it by). A store to a word that it has translated drops that translation
/// first and then changes the word (`notdirty_write` of its accel/tcg/cputlb.c): a CPU that translates in between, or began
/// to before, keeps the old instruction for ever. Now no such translation is under way any more: each CPU has taken an
/// exception. This store drops those that were made, and what is made of the word from now on is new.
///
/// # Panics
/// When the span cannot be mapped, as it was for `apply`.
pub fn store_again<P: Iterator<Item = Patch> + Clone>(patches: P) {
    let changed = || patches.clone().filter(|patch| patch.branch != Branch::Keep).map(|patch| patch.site.branch());
    let (Some(first), Some(last)) = (changed().next(), changed().last()) else { return };
    let stored = with_alias(first..last + 4, |alias| store_as_they_are(alias, changed()));
    stored.expect("the alias has tables of its own");
}

fn store_as_they_are(alias: Alias, branches: impl Iterator<Item = usize>) {
    for branch in branches {
        // SAFETY: the callers' alias maps the branches that they have changed. The word is the one that lies there: a NOP or
        // BL of that batch, since whoever changes the next one has to wait for this to end.
        unsafe { write_insn(alias, branch, read_insn(branch)) };
    }
    cpu::dsb_ish();
}

/// Refuses what the change does not start from.
#[inline(always)]
fn validate(patch: &Patch, trampoline: usize) -> Result<(), PatchError> {
    let branch = patch.site.branch();
    let found = read_insn(branch);
    // A branch that is on may still lead to the trampoline of another variant.
    let is_ours = |target: usize| target == trampoline || super::trampoline::contains(target);
    let is_on = || found.bl_target(branch).is_some_and(is_ours);
    let is_expected = match patch.branch {
        Branch::On => found == Insn::NOP,
        Branch::Off | Branch::Keep => is_on(),
    };
    if is_expected { Ok(()) } else { Err(PatchError::Unexpected { site: patch.site, found }) }
}

/// Gives every callsite its `mov x9, x30` and `ops` as literal. Context: boot, before the other CPUs start:
/// the one time that an instruction other than the branch changes (O6).
pub fn prepare(sites: impl Iterator<Item = CallSite> + Clone, ops: &'static OpsHeader) -> Result<(), PatchError> {
    for site in sites.clone() {
        for address in [site.literal(), site.literal() + 4, site.entry(), site.branch()] {
            let found = read_insn(address);
            if found != Insn::NOP {
                return Err(PatchError::Unexpected { site, found });
            }
        }
    }
    with_alias(mmu::text(), |alias| {
        for site in sites.clone() {
            // SAFETY: the alias maps all of text, no other CPU runs, and the two NOPs were just seen.
            unsafe {
                alias.at::<*const OpsHeader>(site.literal()).write_volatile(ops);
                write_insn(alias, site.entry(), Insn::MOV_X9_LR);
            }
        }
        invalidate(sites.clone().map(CallSite::entry), INVALIDATE_ALL_FROM);
    })
}

/// The instruction at `address` of kernel text. Context: any.
pub fn read_insn(address: usize) -> Insn {
    // SAFETY: kernel text is mapped readable, and callers pass aligned addresses in it.
    Insn(unsafe { AtomicU32::from_ptr(core::ptr::with_exposed_provenance_mut(address)) }.load(Ordering::Relaxed))
}

/// The ops that the literal of `site` names. Context: any.
pub fn read_literal(site: CallSite) -> *const OpsHeader {
    // SAFETY: kernel text is mapped readable; `site-aligned`.
    unsafe { AtomicPtr::<OpsHeader>::from_ptr(core::ptr::with_exposed_provenance_mut(site.literal())) }
        .load(Ordering::Acquire)
}

/// A writable view of text, alive for one batch.
#[derive(Clone, Copy)]
struct Alias {
    distance: usize,
}

impl Alias {
    #[inline(always)]
    fn at<T>(self, text_address: usize) -> *mut T {
        core::ptr::with_exposed_provenance_mut(text_address + self.distance)
    }
}

/// Up to this much text is mapped by pages, just what the batch touches; more is mapped by blocks.
const MOST_PAGED: usize = 16 * PAGE_SIZE;

/// Maps the pages of `span` writable at the alias window, runs `work`, unmaps them.
fn with_alias(span: Range<usize>, work: impl FnOnce(Alias)) -> Result<(), PatchError> {
    cpu::without_irqs(|| {
        let _one_batch = PATCHER.lock();
        let (unit, base) = if span.len() > MOST_PAGED {
            (mmu::BLOCK_SIZE, mmu::ALIAS_BLOCK_WINDOW.start)
        } else {
            (PAGE_SIZE, mmu::ALIAS_WINDOW.start)
        };
        let start = span.start & !(unit - 1);
        let size = span.end.next_multiple_of(unit) - start;
        let window = base..base + size;
        // The alias has the memory attributes of the text mapping: normal, write-back, inner shareable (O2).
        mmu::map(window.clone(), start, Access::ReadWrite).map_err(|_| PatchError::OutOfTables)?;
        work(Alias { distance: base - start });
        mmu::unmap(window);
        Ok(())
    })
}

/// Makes the literal name what the patch says.
#[inline(always)]
fn write_literal(alias: Alias, patch: &Patch) {
    // SAFETY:
    // 1. The alias maps the literal's page: the span of the batch. The literal is aligned (`site-aligned`).
    // 2. One writer: `PATCHER`. Readers see the old or the new ops, both live: `literal-live`.
    let literal = unsafe { AtomicPtr::from_ptr(alias.at::<*mut OpsHeader>(patch.site.literal())) };
    // Order: Release pairs with the address dependency of `[swap]` in trampoline.S (O1); one 64-bit store (O2).
    literal.store(patch.ops.cast_mut(), Ordering::Release);
}

/// # Safety
/// The alias maps `address`, and the old word there may be replaced under running CPUs, or none runs.
unsafe fn write_insn(alias: Alias, address: usize, word: Insn) {
    let place: *mut u32 = alias.at(address);
    // SAFETY: the caller; the word is one aligned store. The clean makes it visible to instruction fetch.
    unsafe {
        AtomicU32::from_ptr(place).store(word.0, Ordering::Relaxed);
        asm!("dc cvau, {}", in(reg) place, options(nostack, preserves_flags));
    }
}

/// Makes every CPU's next fetch of `addresses` see what was cleaned, once it synchronises its context (O3).
fn invalidate(addresses: impl Iterator<Item = usize>, count: usize) {
    cpu::dsb_ish();
    if count >= INVALIDATE_ALL_FROM {
        // SAFETY: cache maintenance loses no data.
        unsafe { asm!("ic ialluis", options(nostack, preserves_flags)) };
    } else {
        for address in addresses {
            // SAFETY: as above; the address is mapped text.
            unsafe { asm!("ic ivau, {}", in(reg) address, options(nostack, preserves_flags)) };
        }
    }
    cpu::dsb_ish();
    cpu::isb();
}

/// Copies `code` to `page` (writable, never executable) and makes it visible to instruction fetch at the
/// address where it is mapped executable afterwards. The caller synchronises every CPU's context (O3).
pub fn publish_code(page: &mut [u8; PAGE_SIZE], code: &[u8]) {
    page[..code.len()].copy_from_slice(code);
    for line in page[..code.len()].chunks(cpu::smallest_data_line()) {
        // SAFETY: cleans a line of memory that is ours.
        unsafe { asm!("dc cvau, {}", in(reg) line.as_ptr(), options(nostack, preserves_flags)) };
    }
    invalidate(core::iter::empty(), INVALIDATE_ALL_FROM);
}
