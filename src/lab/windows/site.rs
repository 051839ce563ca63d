//! What is registered while a func is explored: its ops, what stands beside it, and how they are taken off.
//! Context: the director.

use super::funcs::{self, Made};
use super::{order, own};
use crate::arch::site::CallSite;
use crate::arch::text::read_literal;
use crate::ftrace::live::{self, Gone};
use crate::ftrace::ops::{Ops, OpsBox};
use crate::ftrace::table::SiteId;
use crate::lab::report::Cell;
use crate::lab::scenario::{Other, Scenario};
use crate::lab::tracees;
use crate::mm::text_page::TextPage;
use crate::platform::WindowFunc;
use crate::rcu::{self, Elapsed};
use crate::sync::atomic::Ordering;
use crate::tracers::count;
use alloc::vec::Vec;

/// An ops that is registered, with the text of its func.
struct Registered {
    ops: *const Ops,
    page: Option<TextPage>,
    sites: Vec<SiteId>,
}

/// The explored ops, on its callsite, and what is beside it.
pub(super) struct Site {
    func: WindowFunc,
    explored: Registered,
    /// Another, which may be retired as well: in the same node, behind the explored one; on the other callsite of a call in a call;
    /// or where only a softirq on top calls it.
    other: Registered,
    /// In the same node, before the explored one.
    first: Option<*const Ops>,
    /// What a softirq on top calls, where that is not `other`.
    elsewhere: Option<*const Ops>,
    /// What is to be registered next, where the explored one was taken off with nothing in its place.
    next: Option<OpsBox>,
}

/// What a change unlinked, until it is freed.
pub(super) struct TakenOff {
    /// The ops, and what the literal named: a node, if the ops was not alone. Whoever holds one of them holds the ops.
    pub(super) names: [usize; 2],
    /// The number that it was retired under.
    pub(super) number: u64,
    parts: Option<(Gone, Option<TextPage>)>,
    /// What the scheme made of it so far.
    pub(super) cell: Cell,
}

impl TakenOff {
    /// Whether it has not been freed.
    pub(super) const fn is_there(&self) -> bool {
        self.parts.is_some()
    }

    /// The page of its func's text, if that goes with it.
    pub(super) fn text(&self) -> Option<usize> {
        self.parts.as_ref().and_then(|(_, page)| page.as_ref()).map(TextPage::address)
    }

    /// The proof that its grace period has ended, if it has.
    pub(super) fn poll(&self) -> Option<Elapsed> {
        self.parts.as_ref().and_then(|(gone, _)| gone.poll())
    }

    /// Frees the ops, then the text of its func, unless that has been done. Says whether a grace period has ended for that.
    pub(super) fn free(&mut self, elapsed: Option<Elapsed>) -> bool {
        if let Some(elapsed) = elapsed
            && let Some((gone, page)) = self.parts.take()
        {
            assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
            drop(page);
        }
        !self.is_there()
    }
}

fn register(ops: OpsBox, sites: Vec<SiteId>) -> *const Ops {
    live::register_at(ops, sites).unwrap_or_else(|error| panic!("windows: {error}"))
}

fn end(ops: *const Ops) {
    let gone = live::unregister(ops).expect("registered here, and taken off once");
    let elapsed = rcu::synchronize_for(&gone);
    assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
}

impl Registered {
    fn new((ops, page): Made, sites: Vec<SiteId>) -> Self {
        Self { ops: register(ops, sites.clone()), page, sites }
    }

    /// Puts `new` in its place; gives what was there, whose callsite named `literal`.
    fn swap(&mut self, (ops, page): Made, literal: usize) -> TakenOff {
        let old = core::mem::replace(&mut self.ops, ops.address());
        let page = core::mem::replace(&mut self.page, page);
        let gone = live::swap(old, ops).unwrap_or_else(|error| panic!("windows: {error}"));
        taken_off(old, literal, gone.expect("it is registered"), page)
    }
}

fn taken_off(ops: *const Ops, literal: usize, gone: Gone, page: Option<TextPage>) -> TakenOff {
    TakenOff { names: [ops.addr(), literal], number: gone.number(), parts: Some((gone, page)), cell: Cell::Right }
}

fn entry(site: SiteId) -> usize {
    live::with_registry(|registry| registry.table().site(site).entry())
}

/// What the literal of the callsite at `entry` names.
fn literal_at(entry: usize) -> usize {
    read_literal(CallSite::from_return_address(entry + 8)).addr()
}

impl Site {
    /// Registers an ops of this kind, and what is beside it: on a tracee, or on the last call that a task makes.
    pub(super) fn open(func: WindowFunc, is_last_call: bool) -> Self {
        let tracee = |number: usize| tracees::sites(number..=number);
        let called = if is_last_call { own::sites_of_last_words() } else { tracee(order::TRACEE) };
        let elsewhere = || tracee(order::OTHER_TRACEE);
        let (of_explored, of_other) = match func {
            WindowFunc::Nest => (called.clone(), tracee(order::INNER_TRACEE)),
            WindowFunc::Nested => (tracee(order::INNER_TRACEE), called.clone()),
            WindowFunc::FanOut => (called.clone(), called.clone()),
            _ => (called.clone(), elsewhere()),
        };
        order::ENTRY.store(entry(called[0]), Ordering::Relaxed);
        order::SITE.store(entry(of_explored[0]), Ordering::Relaxed);
        let is_elsewhere = of_other == elsewhere();
        let first = (func == WindowFunc::FanOut).then(|| register(count::counter("first"), called));
        let explored = Registered::new(funcs::make(func), of_explored);
        let other = Registered::new(funcs::make_other(func), of_other);
        let elsewhere = (!is_elsewhere).then(|| register(count::counter("elsewhere"), elsewhere()));
        Self { func, explored, other, first, elsewhere, next: None }
    }

    /// Takes all of them off again.
    pub(super) fn close(self) {
        let beside = [self.first, self.elsewhere].into_iter().flatten();
        beside.chain([self.other.ops, self.explored.ops]).for_each(end);
    }

    /// The explored ops.
    pub(super) fn ops(&self) -> usize {
        self.explored.ops.addr()
    }

    /// What the explored ops' literal names.
    pub(super) fn literal(&self) -> usize {
        literal_at(order::SITE.load(Ordering::Relaxed))
    }

    /// What is to come in the place of what [`Self::take_off`] takes: made before anybody stands.
    pub(super) fn successors(&self, scenario: &Scenario) -> (Made, Option<Made>) {
        let needs_other = !matches!(scenario.other, Other::Never);
        (funcs::make(self.func), needs_other.then(|| funcs::make_other(self.func)))
    }

    /// Takes the explored ops off, and puts the new one in its place, now or in [`Self::restore`]; and the other, if there is a new
    /// one of that. Gives the explored one first.
    pub(super) fn take_off(
        &mut self,
        (new, other): (Made, Option<Made>),
        scenario: &Scenario,
    ) -> heapless::Vec<TakenOff, 2> {
        // Who stands has loaded what is named now, whatever is taken off first.
        let literal = self.literal();
        let literal_of_other = literal_at(entry(self.other.sites[0]));
        let is_other_first = matches!(scenario.other, Other::First);
        let mut other = other;
        let mut take_other = |site: &mut Self| other.take().map(|new| site.other.swap(new, literal_of_other));
        let before = if is_other_first { take_other(self) } else { None };
        let explored = if scenario.leaves_nop {
            let (ops, page) = new;
            self.next = Some(ops);
            let page = core::mem::replace(&mut self.explored.page, page);
            let gone = live::unregister(self.explored.ops).expect("it is registered");
            taken_off(self.explored.ops, literal, gone, page)
        } else {
            self.explored.swap(new, literal)
        };
        let other = before.or_else(|| take_other(self));
        core::iter::once(explored).chain(other).collect()
    }

    /// Registers what was to come next, in the place that the one before it had. Everybody has gone on.
    pub(super) fn restore(&mut self) {
        let Some(ops) = self.next.take() else { return };
        let is_behind = self.func == WindowFunc::FanOut;
        if is_behind {
            end(self.other.ops);
        }
        self.explored.ops = register(ops, self.explored.sites.clone());
        if is_behind {
            self.other = Registered::new(funcs::make_other(self.func), self.other.sites.clone());
        }
    }
}
