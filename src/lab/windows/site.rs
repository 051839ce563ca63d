//! What is registered while a func is explored: its ops, what stands beside it, and how it is taken off.
//! Context: the director.

use super::funcs;
use super::{exiting, thread};
use crate::arch::site::CallSite;
use crate::arch::text::read_literal;
use crate::ftrace::live::{self, Gone};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::ftrace::table::SiteId;
use crate::lab::tracees;
use crate::mm::text_page::TextPage;
use crate::platform::{WindowFunc, WindowScenario};
use crate::rcu;
use crate::sync::atomic::Ordering;
use crate::tracers::count;
use alloc::vec::Vec;

/// The explored ops, on its callsite.
pub(super) struct Site {
    func: WindowFunc,
    sites: Vec<SiteId>,
    ops: *const Ops,
    page: TextPage,
    /// What is to be registered next, where the last one was taken off with nothing in its place.
    next: Option<OpsBox>,
    /// On the callsite, called before it and after it; on the other callsite of a call in a call; and what a softirq on top
    /// calls.
    first: Option<*const Ops>,
    third: Option<*const Ops>,
    other: Option<*const Ops>,
    elsewhere: *const Ops,
}

/// What a change unlinked.
pub(super) struct TakenOff {
    /// The ops, and what the literal named: a node, if the ops was not alone.
    pub(super) ops: usize,
    pub(super) literal: usize,
    pub(super) gone: Gone,
    pub(super) page: TextPage,
}

fn register(ops: OpsBox, sites: Vec<SiteId>) -> *const Ops {
    live::register_at(ops, sites).unwrap_or_else(|error| panic!("windows: {error}"))
}

fn end(ops: *const Ops) {
    let gone = live::unregister(ops).expect("registered here, and taken off once");
    let elapsed = rcu::synchronize_for(&gone);
    assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
}

impl Site {
    /// Registers an ops of this kind, and what is beside it: on a tracee, or on the last call that a task makes.
    pub(super) fn open(func: WindowFunc, is_last_call: bool) -> Self {
        let (ops, page) = funcs::make(func);
        let tracee = |number: usize| tracees::sites(number..=number);
        let called = if is_last_call { exiting::sites() } else { tracee(thread::TRACEE) };
        let (sites, other) = match func {
            WindowFunc::Nest => (called.clone(), Some((count::counter("inner"), tracee(thread::INNER_TRACEE)))),
            WindowFunc::Nested => (tracee(thread::INNER_TRACEE), Some((funcs::outer_ops(), called.clone()))),
            _ => (called.clone(), None),
        };
        let entry = |site: SiteId| live::with_registry(|registry| registry.table().site(site).entry());
        thread::ENTRY.store(entry(called[0]), Ordering::Relaxed);
        thread::SITE.store(entry(sites[0]), Ordering::Relaxed);
        let other = other.map(|(ops, sites)| register(ops, sites));
        let elsewhere = register(count::counter("elsewhere"), tracee(thread::OTHER_TRACEE));
        let is_fan_out = func == WindowFunc::FanOut;
        let first = is_fan_out.then(|| register(count::counter("first"), sites.clone()));
        let ops = register(ops, sites.clone());
        let third = is_fan_out.then(|| register(count::counter("third"), sites.clone()));
        Self { func, sites, ops, page, next: None, first, third, other, elsewhere }
    }

    /// Takes all of them off again.
    pub(super) fn close(self) {
        [self.first, self.third, self.other].into_iter().flatten().chain([self.ops, self.elsewhere]).for_each(end);
    }

    /// The explored ops.
    pub(super) fn ops(&self) -> usize {
        self.ops.addr()
    }

    /// What the literal names.
    pub(super) fn literal(&self) -> usize {
        read_literal(CallSite::from_return_address(thread::SITE.load(Ordering::Relaxed) + 8)).addr()
    }

    /// Another ops of this kind, for [`Self::take_off`].
    pub(super) fn successor(&self) -> (OpsBox, TextPage) {
        funcs::make(self.func)
    }

    /// Takes the explored ops off, and puts `new` in its place, now or in [`Self::restore`].
    pub(super) fn take_off(&mut self, (new, page): (OpsBox, TextPage), scenario: WindowScenario) -> TakenOff {
        let literal = self.literal();
        let (ops, page) = (self.ops, core::mem::replace(&mut self.page, page));
        let gone = if scenario == WindowScenario::PreemptedNop {
            self.next = Some(new);
            live::unregister(ops)
        } else {
            self.ops = new.address();
            live::swap(ops, new).unwrap_or_else(|error| panic!("windows: {error}"))
        };
        TakenOff { ops: ops.addr(), literal, gone: gone.expect("it is registered"), page }
    }

    /// Registers what was to come next, in the place that the one before it had. Everybody has gone on.
    pub(super) fn restore(&mut self) {
        let Some(ops) = self.next.take() else { return };
        let third = self.third.take().map(end);
        self.ops = register(ops, self.sites.clone());
        self.third = third.map(|()| register(count::counter("third"), self.sites.clone()));
    }
}
