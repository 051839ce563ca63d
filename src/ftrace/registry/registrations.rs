//! What is registered: found by the address of the ops, and listed by age. Pure.

use super::index::{Index, Indexed};
use super::link::Link;
use super::registration::Registration;
use crate::ftrace::ops::Ops;
use alloc::boxed::Box;
use core::cell::Cell;
use core::mem;

#[derive(Debug)]
pub(super) struct Registrations<R> {
    by_ops: Index<Registration<R>>,
    oldest: Option<Link<Registration<R>>>,
    newest: Option<Link<Registration<R>>>,
    len: usize,
}

impl<R> Registrations<R> {
    pub(super) const fn new() -> Self {
        Self { by_ops: Index::new(), oldest: None, newest: None, len: 0 }
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn find(&self, ops: *const Ops) -> Option<Link<Registration<R>>> {
        self.by_ops.find(ops.addr())
    }

    /// The oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Registration<R>> {
        core::iter::successors(self.oldest, |it| it.beside[1].get()).map(Link::get)
    }

    /// Adds the newest.
    pub(super) fn push(&mut self, new: Box<Registration<R>>) {
        let new = Link::new(new);
        self.by_ops.insert(new);
        self.len += 1;
        self.join(self.newest, Some(new));
        self.join(Some(new), None);
    }

    /// Lists it no more.
    pub(super) fn remove(&mut self, ops: *const Ops) -> Option<Link<Registration<R>>> {
        let gone = self.by_ops.remove(ops.addr())?;
        self.len -= 1;
        let [older, newer] = gone.beside.each_ref().map(Cell::take);
        self.join(older, newer);
        Some(gone)
    }

    /// Lists `new` in the place of `old`, as old as that, with its callsites and sets. Returns the old one.
    pub(super) fn replace(&mut self, old: Link<Registration<R>>, new: Box<Registration<R>>) -> Box<Registration<R>> {
        let [older, newer] = old.beside.each_ref().map(Cell::take);
        self.by_ops.remove(old.key());
        // SAFETY: 1. It is listed no more. 2. No loan of it is used any more.
        let mut old = unsafe { old.take() };
        let mut new = new;
        (new.sites, new.sets) = (mem::take(&mut old.sites), mem::replace(&mut old.sets, Index::new()));
        let new = Link::new(new);
        self.by_ops.insert(new);
        self.join(older, Some(new));
        self.join(Some(new), newer);
        old
    }

    /// Makes two that come behind each other neighbours, or one the first or the last.
    fn join(&mut self, older: Option<Link<Registration<R>>>, newer: Option<Link<Registration<R>>>) {
        match older {
            Some(older) => older.beside[1].set(newer),
            None => self.oldest = newer,
        }
        match newer {
            Some(newer) => newer.beside[0].set(older),
            None => self.newest = older,
        }
    }
}
