//! The registry at work on the kernel's own text: registering, swapping, unregistering, from any task.
//!
//! One mutex for all changes; hits take none. What a change unlinks comes back as [`Gone`]: hand it to `rcu`.

use super::fanout::fan_out;
use super::filter::Filter;
use super::ops::{LATE_ENTRY, Node as FanOut, Ops, OpsBox};
use super::registry::{CloseError, RegisterError, Registration, Registry, Text};
use super::table::{SiteId, Table, TableError};
use crate::arch::site::{CallSite, OpsHeader, Patch, Regs};
use crate::arch::text::{self, Needs, PatchError};
use crate::arch::trampoline::{self, Trampoline};
use crate::console::epitaph::symbols;
use crate::console::events::{self, Event};
use crate::fault::{self, Fault};
use crate::hook::Hook;
use crate::mm::{fallible, heap};
use crate::rcu::retired::Answer;
use crate::rcu::{self, MOST_MEMBERS, Named, NoSuchScheme, Node, OpsName, Reclaim, Retired, What, schemes};
use crate::sched::{self, Mutex};
use crate::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use crate::sync::irqs;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use core::ptr::NonNull;

/// What `rcu` keeps in a registration.
#[derive(Debug, Default)]
pub struct Grave {
    node: Node<Registration<Grave>>,
}

impl Reclaim for Registration<Grave> {
    fn node(&self) -> &Node<Self> {
        &self.reclaim.node
    }

    #[inline(always)]
    fn ask(&self, is_first: bool, look: u64) -> Answer {
        Registration::ask(self, is_first, look)
    }

    fn bytes(&self) -> usize {
        Registration::bytes(self)
    }
}

/// An ops that was taken off its callsites, with the fan-out nodes that named it: free it after a grace period.
pub type Gone = Retired<Registration<Grave>>;

static REGISTRY: Mutex<Option<Registry<Grave>>> = Mutex::new(None);

/// The header that callsites name which are off.
static NOP: AtomicPtr<OpsHeader> = AtomicPtr::new(core::ptr::null_mut());

/// Hears of a func entered through a freed ops: the ops and the hit's `ip`. Wired by `kernel` to `lab`.
pub static LATE: Hook<fn(ops: usize, ip: usize)> = Hook::new();

unsafe extern "C" {
    static __callsites_start: usize;
    static __callsites_end: usize;
    static __notrace_start: u8;
    static __notrace_end: u8;
}

/// Why the image cannot be traced.
#[derive(Debug)]
pub enum InitError {
    /// The records.
    Table(TableError),
    /// The text.
    Text(PatchError),
}

/// Reads the table of callsites and gives each its `mov x9, x30` and the no-op ops. Returns how many there are.
///
/// Context: boot, before the other CPUs start (O6).
pub fn init() -> Result<usize, InitError> {
    let start = &raw const __callsites_start;
    let count = ((&raw const __callsites_end).addr() - start.addr()) / size_of::<usize>();
    // SAFETY: linker.ld places the records there, aligned, in read-only data.
    let records = unsafe { core::slice::from_raw_parts(start, count) };
    let notrace = (&raw const __notrace_start).addr()..(&raw const __notrace_end).addr();
    let table = Table::new(records, &notrace, symbols()).map_err(InitError::Table)?;
    let nop: &OpsHeader = Box::leak(Box::new(OpsHeader::new(stale_hit)));
    text::prepare(table.all(), nop).map_err(InitError::Text)?;
    NOP.store(core::ptr::from_ref(nop).cast_mut(), Ordering::Relaxed);
    LATE_ENTRY.store(late_entry as *const () as usize, Ordering::Relaxed);
    let count = table.len();
    // Not `lock`: at boot nobody can sleep, and nobody has to.
    *REGISTRY.try_lock().expect("no other task is there yet") = Some(Registry::new(table, nop, fan_out));
    Ok(count)
}

/// The trampoline that callsites branch to now.
pub fn trampoline() -> Trampoline {
    match rcu::trampoline() {
        _ if fault::is(Fault::TrampolinePlain) => trampoline::plain(),
        schemes::Trampoline::Counted => trampoline::depth(),
        schemes::Trampoline::Unpreemptible => trampoline::nopreempt(),
        schemes::Trampoline::Plain => trampoline::plain(),
    }
}

/// Why the scheme stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemeError {
    /// There is none of that name.
    Unknown(NoSuchScheme),
    /// Ops are registered: their callsites branch to the running scheme's trampoline.
    Traced {
        /// So many.
        ops: usize,
    },
    /// Another change is under way.
    Changing,
}

impl From<CloseError> for SchemeError {
    fn from(error: CloseError) -> Self {
        match error {
            CloseError::Registered { ops } => Self::Traced { ops },
            CloseError::Closed => Self::Changing,
        }
    }
}

impl fmt::Display for SchemeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown(error) => error.fmt(f),
            Self::Traced { ops } => {
                write!(f, "the scheme stays while {ops} ops are registered: switch tracing off first")
            }
            Self::Changing => f.write_str("the scheme is being changed already: try again"),
        }
    }
}

/// Selects a scheme while nothing is traced, and waits until nobody is inside the trampoline and nothing is retired.
/// Context: task, not inside a func: that would wait for itself, and is a panic (O9).
///
/// The registry is closed meanwhile ([`RegisterError::Closed`]), so nobody enters, and no callsite ever branches to a trampoline
/// that is not the scheme's. Its lock is free while this waits: whoever only looks does not wait.
pub fn set_scheme(name: &str) -> Result<(), SchemeError> {
    rcu::forbid_wait_in_func(sched::current());
    REGISTRY.lock().as_mut().expect("init ran").close()?;
    rcu::until_nobody_is_inside();
    let selected = rcu::set_scheme(name).map_err(SchemeError::Unknown);
    REGISTRY.lock().as_mut().expect("init ran").open();
    selected
}

/// The kernel's text, on all CPUs.
struct Live;

impl Text for Live {
    type Error = PatchError;
    fn apply(&mut self, patches: impl Iterator<Item = Patch> + Clone) -> Result<(), PatchError> {
        let target = trampoline().t0;
        let first = patches.clone().next().map_or(0, |patch| patch.site.entry());
        match text::apply(patches.clone(), target)? {
            Needs::Nothing => {}
            Needs::ContextSynchronisation => {
                // One round for the whole batch: each CPU takes an exception, which synchronises its context (O3).
                sched::synchronise_every_cpu();
                // An emulator may have kept the old instruction for another CPU all the same.
                if sched::nr_cpus() > 1 {
                    text::store_again(patches);
                    sched::synchronise_every_cpu();
                }
            }
        }
        irqs::with_masked(|irqs| events::record(irqs, Event::Patch, first, 0));
        Ok(())
    }
}

/// Registers `ops` on every traceable function that `filter` matches. When this returns every call of them on
/// every CPU calls the ops (P6). Context: task.
pub fn register(ops: OpsBox, filter: &Filter) -> Result<*const Ops, RegisterError<PatchError>> {
    check_room()?;
    let mut registry = REGISTRY.lock();
    let registry = registry.as_mut().expect("init ran");
    let sites = fallible::collected(matching(registry.table(), filter))?;
    registry.register(ops, sites, &mut Live)
}

/// Registers `ops` on these callsites, ascending. Context: task.
pub fn register_at(ops: OpsBox, sites: Vec<SiteId>) -> Result<*const Ops, RegisterError<PatchError>> {
    check_room()?;
    REGISTRY.lock().as_mut().expect("init ran").register(ops, sites, &mut Live)
}

/// Whether more may be registered.
pub fn check_room() -> Result<(), RegisterError<PatchError>> {
    match rcu::check_room() {
        None => Ok(()),
        Some(full) => Err(fallible::boxed(full).map_or(RegisterError::NoMemory, RegisterError::Full)),
    }
}

/// Takes `ops` off its callsites; `None` when it is not registered. Context: task.
pub fn unregister(ops: *const Ops) -> Option<Gone> {
    begin_too_early();
    let mut registry = REGISTRY.lock();
    registry.as_mut().expect("init ran").unregister(ops, &mut Live).map(retire)
}

/// Puts `new` in the place of `old`; `Ok(None)` when that is not registered. Refuses where nothing can be registered, whatever `old`
/// is. Context: task.
pub fn swap(old: *const Ops, new: OpsBox) -> Result<Option<Gone>, RegisterError<PatchError>> {
    check_room()?;
    begin_too_early();
    let mut registry = REGISTRY.lock();
    let gone = registry.as_mut().expect("init ran").swap(old, new, &mut Live)?;
    Ok(gone.map(retire))
}

/// A grace period that begins before anything is unlinked: a deliberate fault takes what is retired for one of its own.
fn begin_too_early() {
    if fault::is(Fault::CookieEarly) {
        let _ = rcu::start_poll();
    }
}

/// What was unlinked, handed over to its grace period. Context: the registry is still locked: what unlinks a node is retired
/// before any other member of that node is.
fn retire(gone: Box<Registration<Grave>>) -> Gone {
    gone.note_retired();
    // SAFETY:
    // 1. From `Box::into_raw`; the registry has let go of it.
    // 2. The literals that named it were overwritten and `text::apply` ended that with DSB ISH, before this (O3 disable).
    unsafe { rcu::retire(NonNull::from(Box::leak(gone))) }
}

/// The callsite of the function at `entry`, if that can be traced. Context: task.
pub fn site_at(entry: usize) -> Option<SiteId> {
    with_registry(|registry| registry.table().find(entry))
}

/// Looks at the registry. Context: task; changes wait meanwhile.
pub fn with_registry<R>(look: impl FnOnce(&Registry<Grave>) -> R) -> R {
    look(REGISTRY.lock().as_ref().expect("init ran"))
}

/// The traceable callsites that `filter` matches, in the order of addresses.
pub fn matching(table: &Table, filter: &Filter) -> impl Iterator<Item = SiteId> + Clone {
    table.traceable().map(|(id, _)| id).filter(|&id| table.symbol(id).is_some_and(|symbol| filter.matches(symbol.name)))
}

/// The branch of the callsite that somebody watches, and its hits that found the no-op ops.
static WATCHED: AtomicUsize = AtomicUsize::new(0);
static STALE_HITS: AtomicU64 = AtomicU64::new(0);

/// From now on [`stale_hits`] counts those of `site`, from 0. One callsite at a time. Context: any.
pub fn watch_stale_hits(site: CallSite) {
    WATCHED.store(site.branch(), Ordering::Relaxed);
    STALE_HITS.store(0, Ordering::Relaxed);
}

/// How many hits came by a branch whose callsite had no ops any more: it is still on where another CPU disables it. None
/// comes while one is enabled, since the branch goes on after the literal (O3 enable). Context: any.
pub fn stale_hits() -> u64 {
    STALE_HITS.load(Ordering::Relaxed)
}

/// The func of the no-op ops.
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn stale_hit(ip: usize, _: usize, _: *const OpsHeader, _: *mut Regs) {
    if ip == WATCHED.load(Ordering::Relaxed) {
        STALE_HITS.fetch_add(1, Ordering::Relaxed);
    }
}

/// Says what a frame names. Wired to `rcu::OPS`, which says in what context.
#[expect(clippy::not_unsafe_ptr_arg_deref, reason = "any address may come: what is not alive in the heap is not read")]
pub fn describe(ops: *const OpsHeader) -> Named {
    let mut named =
        Named { address: ops.addr(), what: What::Nothing, names: heapless::Vec::new(), nr_more: 0, is_retired: false };
    if !heap::holds(ops.addr()) || !ops.addr().is_multiple_of(align_of::<Ops>()) {
        return named;
    }
    // SAFETY: aligned words of the heap. Where the scheme is sound the frame holds the ops; where it is not they may be a
    // grave's, which tells by its generation.
    let header = unsafe { &*ops };
    named.is_retired = header.holds.is_retired();
    named.what = if header.generation.load(Ordering::Relaxed) % 2 == 0 {
        What::Freed
    } else if ops == NOP.load(Ordering::Relaxed) {
        What::NoOp
    } else if header.func.load(Ordering::Relaxed) == fan_out as *const () as usize {
        // SAFETY: alive by its generation, and this func is a node's; its members live as long.
        let members = unsafe { &*ops.cast::<FanOut>() }.members();
        // SAFETY: as above.
        named.names.extend(members.iter().take(MOST_MEMBERS).map(|&member| name_of(unsafe { &*member })));
        named.nr_more = members.len() - named.names.len();
        What::FanOut
    } else {
        // SAFETY: alive by its generation, and no node: an `Ops`.
        named.names.extend([name_of(unsafe { &*ops.cast::<Ops>() })]);
        What::Ops
    };
    named
}

fn name_of(ops: &Ops) -> OpsName {
    OpsName { address: core::ptr::from_ref(ops).addr(), name: ops.name, func: ops.func() }
}

/// The func of a dead ops: a hit came through after its grace period (P2), or read it after the free (P1).
#[patchable_function_entry(prefix_nops = 0, entry_nops = 0)]
unsafe extern "C" fn late_entry(ip: usize, _: usize, ops: *const OpsHeader, _: *mut Regs) {
    match LATE.get() {
        Some(report) => report(ops.addr(), ip),
        None => panic!("func of the freed ops {:#x} entered from {ip:#x}", ops.addr()),
    }
}
