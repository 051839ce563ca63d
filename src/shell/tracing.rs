//! The registry as the shell sees it: lists of ops and callsites, and patterns whose calls are counted.
//!
//! INVARIANT `own-ops`: an ops of [`Traced`] was registered here, and only [`Traced::switch_off`] unregisters it: while
//! its entry stands, the ops is alive.
//! Context: task; every function here may sleep.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

use super::line::MAX_BYTES;
use crate::arch::text::{self, PatchError};
use crate::console::epitaph::Place;
use crate::ftrace::fanout::fan_out;
use crate::ftrace::filter::Filter;
use crate::ftrace::live;
use crate::ftrace::near::{Near, near};
use crate::ftrace::ops::{MOST_OPS_PER_SITE, Ops};
use crate::ftrace::registry::RegisterError;
use crate::ftrace::table::Counts;
use crate::mm::fallible;
use crate::platform::shown::Shown;
use crate::sync::atomic::Ordering;
use crate::tracers::count;
use crate::{println, rcu, sched};

/// Patterns that can be on at the same time: all may match one function.
const MOST_PATTERNS: usize = MOST_OPS_PER_SITE;
const NS_PER_US: u64 = 1_000;

/// The patterns that are on.
#[derive(Debug)]
pub(super) struct Traced(Vec<Entry>);

#[derive(Debug)]
struct Entry {
    /// As it was typed.
    pattern: Box<[u8]>,
    ops: *const Ops,
}

/// Why a pattern was not switched. Nothing was done.
#[derive(Debug)]
pub(super) enum TraceError {
    /// It is on.
    AlreadyOn,
    /// It is not on.
    NotOn,
    /// No room for another one.
    Full,
    /// None matches; this may have been meant.
    NoMatch(Near),
    /// So many functions match, where one is wanted.
    NotOne {
        /// How many.
        matches: usize,
    },
    /// It cannot be stepped.
    Step(&'static str),
    /// The registry refused.
    Register(RegisterError<PatchError>),
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AlreadyOn => f.write_str("this pattern is on already"),
            Self::NotOn => f.write_str("this pattern is not on; `ops` lists those that are, as they were typed"),
            Self::Full => write!(f, "{MOST_PATTERNS} patterns are on: switch one off first"),
            Self::NoMatch(near) => near.fmt(f),
            Self::NotOne { matches } => {
                write!(f, "{matches} functions match, one is wanted; `callsites GLOB` lists them")
            }
            Self::Step(why) => f.write_str(why),
            Self::Register(error) => error.fmt(f),
        }
    }
}

impl Traced {
    /// Nothing is on.
    pub(super) const fn new() -> Self {
        Self(Vec::new())
    }

    /// Counts the calls of every function that `filter`, which is `pattern` taken apart, matches.
    pub(super) fn switch_on(&mut self, pattern: &str, filter: &Filter) -> Result<(), TraceError> {
        if self.0.iter().any(|entry| *entry.pattern == *pattern.as_bytes()) {
            return Err(TraceError::AlreadyOn);
        }
        if self.0.len() == MOST_PATTERNS {
            return Err(TraceError::Full);
        }
        let room = fallible::reserve(&mut self.0, 1).map_err(RegisterError::from);
        let ops = count::try_counter("trace").map_err(RegisterError::from);
        let kept = fallible::copied(pattern.as_bytes()).map_err(RegisterError::from);
        let registered = room.and(kept).and_then(|kept| Ok((kept, live::register(ops?, filter)?)));
        let (pattern_kept, ops) = registered.map_err(|error| match error {
            RegisterError::NoSite => TraceError::NoMatch(near_of(pattern, filter)),
            error => TraceError::Register(error),
        })?;
        self.0.push(Entry { pattern: pattern_kept, ops });
        println!("{} is on: {}", Shown(pattern), Functions(nr_callsites(ops)));
        Ok(())
    }

    /// Takes what `switch_on` registered off again, waits until nobody is inside it, frees it, and says what it saw.
    pub(super) fn switch_off(&mut self, pattern: &str) -> Result<(), TraceError> {
        let index = self.0.iter().position(|entry| *entry.pattern == *pattern.as_bytes());
        let index = index.ok_or(TraceError::NotOn)?;
        let entry = self.0.remove(index);
        let gone = live::unregister(entry.ops).expect("`own-ops`: nobody else takes it off");
        let began_ns = sched::now_ns();
        let elapsed = rcu::synchronize_for(&gone);
        let waited_ns = sched::now_ns() - began_ns;
        let registration = gone.reclaim(elapsed).expect("the proof is its own");
        let hits = registration.ops.hits.load(Ordering::Relaxed);
        let functions = Functions(registration.sites().len());
        drop(registration);
        println!("{} is off: {hits} hits on {functions}; freed after {} us", Shown(pattern), waited_ns / NS_PER_US);
        Ok(())
    }

    /// The pattern that `ops` counts for.
    fn pattern_of(&self, ops: *const Ops) -> Option<&str> {
        self.0.iter().find(|entry| entry.ops == ops).and_then(|entry| str::from_utf8(&entry.pattern).ok())
    }
}

/// Prints a number of functions.
struct Functions(usize);

impl fmt::Display for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} function{}", self.0, if self.0 == 1 { "" } else { "s" })
    }
}

/// How many callsites `ops` has.
fn nr_callsites(ops: *const Ops) -> usize {
    live::with_registry(|registry| registry.registration(ops).map_or(0, |registration| registration.sites().len()))
}

/// What `pattern`, which matches nothing, may have meant.
fn near_of(pattern: &str, filter: &Filter) -> Near {
    live::with_registry(|registry| near(registry.table(), filter, pattern))
}

/// The entry of the one traceable function that `filter`, which is `pattern` taken apart, matches.
pub(super) fn only_match(pattern: &str, filter: &Filter) -> Result<usize, TraceError> {
    live::with_registry(|registry| {
        let table = registry.table();
        let mut matching = live::matching(table, filter).map(|id| table.site(id).entry());
        match (matching.next(), matching.count()) {
            (Some(entry), 0) => Ok(entry),
            (None, _) => Err(TraceError::NoMatch(near(table, filter, pattern))),
            (first, more) => Err(TraceError::NotOne { matches: more + usize::from(first.is_some()) }),
        }
    })
}

/// What `ops` says of an ops.
struct OpsRow {
    address: *const Ops,
    name: &'static str,
    func: usize,
    callsites: usize,
    hits: u64,
    skipped: u64,
}

/// Prints every registered ops.
pub(super) fn list_ops(traced: &Traced) {
    let rows: Vec<OpsRow> = live::with_registry(|registry| {
        let row = |ops: &Ops, callsites| OpsRow {
            address: ops,
            name: ops.name,
            func: ops.func(),
            callsites,
            hits: ops.hits.load(Ordering::Relaxed),
            skipped: ops.skipped.load(Ordering::Relaxed),
        };
        registry.registrations().map(|registration| row(&registration.ops, registration.sites().len())).collect()
    });
    if !rows.is_empty() {
        println!("{:<12} {:<10} {:>9} {:>12} {:>8}  FUNC", "OPS", "NAME", "CALLSITES", "HITS", "SKIPPED");
    }
    for OpsRow { address, name, func, callsites, hits, skipped } in &rows {
        print_ops(
            *address,
            format_args!("{name:<10} {callsites:>9} {hits:>12} {skipped:>8}  {}", Place(*func)),
            traced,
        );
    }
    println!("{} ops registered", rows.len());
}

fn print_ops(address: *const Ops, columns: fmt::Arguments<'_>, traced: &Traced) {
    match traced.pattern_of(address) {
        Some(pattern) => println!("{:#012x} {columns} for {}", address.addr(), Shown(pattern)),
        None => println!("{:#012x} {columns}", address.addr()),
    }
}

/// Calls `visit` with the path of every function that can be traced. One that is too long to be typed is left out.
pub(super) fn for_each_function(visit: &mut dyn FnMut(&str)) {
    live::with_registry(|registry| {
        let table = registry.table();
        let symbols = table.traceable().filter_map(|(id, _)| table.symbol(id));
        symbols.filter(|symbol| symbol.name.len() <= MAX_BYTES).for_each(|symbol| visit(symbol.name));
    });
}

/// Prints every traceable callsite that `filter` matches, in the order of addresses, how many there are, and what the
/// others are that the version line counts.
pub(super) fn list_callsites(filter: &Filter) {
    // Changes wait while this prints: what a line says of the text is what the registry meant.
    let (nr_listed, nr_on, counts) = live::with_registry(|registry| {
        let table = registry.table();
        let (mut nr_listed, mut nr_on) = (0, 0);
        for id in live::matching(table, filter) {
            let (site, nr_ops) = (table.site(id), registry.nr_ops_of(id));
            // A callsite that matches has a symbol, by which it matched.
            let Some(symbol) = table.symbol(id) else { continue };
            let (entry, name) = (site.entry(), symbol.name);
            nr_listed += 1;
            match text::read_insn(site.branch()).bl_target(site.branch()) {
                None => println!("{entry:#012x} off {nr_ops:>2} {name}"),
                Some(target) => {
                    nr_on += 1;
                    let only =
                        registry.ops_of(id).next().filter(|_| nr_ops == 1).and_then(|ops| registry.registration(ops));
                    let func = only.map_or(fan_out as *const () as usize, |only| only.ops.func());
                    let literal = text::read_literal(site);
                    println!(
                        "{entry:#012x} on  {nr_ops:>2} {name} bl {}\tops: {literal:p} ({})",
                        Place(target),
                        Place(func)
                    );
                }
            }
            sched::cond_resched();
        }
        (nr_listed, nr_on, table.counts())
    });
    let Counts { traceable, foreign, notrace } = counts;
    println!("{nr_listed} of {traceable} traceable callsites, {nr_on} of them on");
    let all = traceable + foreign;
    println!(
        "the image has {all} callsites: {traceable} traceable; {foreign} of functions whose path is not `holdout::`, \
         never enabled; {notrace} more are notrace, and reserved"
    );
}
