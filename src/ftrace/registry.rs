//! The registry: which ops each callsite has, and what its literal and branch must become. Pure.
//!
//! Callsites with the same ops share a *set*; a set of one is its ops itself, a larger one has a fan-out node. What a change costs
//! depends on the callsites that change and on their sets, whatever else is registered and whatever was; the memory, on what is
//! registered now.
//! INVARIANT `successor-ready`: each set with callsites holds a spare node for every smaller size down to 2, made at registration,
//! so unregistering allocates nothing.
//!
//! A change is planned, shown to [`Text`] as patches, and kept only if they were applied; what it unlinked comes
//! back as a [`Registration`], which the caller retires as one: its nodes are dropped before its ops.
//!
//! # Why a limit to the ops of a callsite
//! Nobody knows in which order they will go, so nodes of all smaller sizes wait: their memory grows with the square of the ops, and
//! is 30 KiB for 64. So does what the look of a grace period tells the members of nodes, when the oldest goes and each is held.

mod index;
mod leaving;
mod link;
mod refusal;
mod registration;
mod registrations;
mod set;

pub use refusal::{CloseError, RegisterError};
pub use registration::Registration;

use link::Link;
use registrations::Registrations;
use set::{Changing, Set};

use super::ops::{MOST_OPS_PER_SITE, Nodes, Ops, OpsBox};
use super::table::{SiteId, Table};
use crate::arch::site::{CallSite, Func, OpsHeader, Patch};
use crate::mm::fallible;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Whoever applies patches to text: all of them, or none.
pub trait Text {
    /// Why nothing was patched.
    type Error: core::fmt::Debug;
    /// Literals first, then branches; when it returns every CPU runs the new text.
    fn apply(&mut self, patches: impl Iterator<Item = Patch> + Clone) -> Result<(), Self::Error>;
}

/// Which ops each callsite has. What is registered when it is dropped leaks: the kernel's own lives as long as the kernel.
#[derive(Debug)]
pub struct Registry<R> {
    table: Table,
    of_site: Vec<Link<Set>>,
    registrations: Registrations<R>,
    fan_out: Func,
    /// Set from [`Registry::close`] to [`Registry::open`]: nothing is registered.
    is_closed: bool,
}

// SAFETY: 1. The links lead to what it owns, and nobody else follows them. 2. Ops are handed on, never followed here.
unsafe impl<R: Send> Send for Registry<R> {}

impl<R: Default> Registry<R> {
    /// No ops anywhere. `nop` is what the literal of a callsite that is off names: immortal; `fan_out` is the func of nodes.
    pub fn new(table: Table, nop: *const OpsHeader, fan_out: Func) -> Self {
        let off = Link::new(Box::new(Set::off(nop, table.len())));
        let of_site = alloc::vec![off; table.len()];
        Self { table, of_site, registrations: Registrations::new(), fan_out, is_closed: false }
    }

    /// The callsites.
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// What is registered, oldest first. What came in the place of another is as old as that.
    pub fn registrations(&self) -> impl Iterator<Item = &Registration<R>> {
        self.registrations.iter()
    }

    /// The registration of `ops`.
    pub fn registration(&self, ops: *const Ops) -> Option<&Registration<R>> {
        self.registrations.find(ops).map(Link::get)
    }

    /// How many ops a callsite has.
    pub fn nr_ops_of(&self, site: SiteId) -> usize {
        self.of_site[site as usize].nr_ops()
    }

    /// The ops of a callsite, the last that is called first.
    pub fn ops_of(&self, site: SiteId) -> impl Iterator<Item = *const Ops> {
        self.of_site[site as usize].ops()
    }

    /// Refuses registrations until [`Registry::open`]: every callsite is off, and stays so.
    pub fn close(&mut self) -> Result<(), CloseError> {
        if self.is_closed {
            return Err(CloseError::Closed);
        }
        match self.registrations.len() {
            0 => {
                self.is_closed = true;
                Ok(())
            }
            ops => Err(CloseError::Registered { ops }),
        }
    }

    /// Takes registrations again. Whoever has closed the registry calls it.
    pub fn open(&mut self) {
        self.is_closed = false;
    }

    /// Registers `ops` on `sites`, ascending. On an error nothing was done.
    pub fn register<T: Text>(
        &mut self,
        ops: OpsBox,
        sites: Vec<SiteId>,
        text: &mut T,
    ) -> Result<*const Ops, RegisterError<T::Error>> {
        if self.is_closed {
            return Err(RegisterError::Closed);
        }
        if sites.is_empty() {
            return Err(RegisterError::NoSite);
        }
        let address = ops.address();
        let registration = fallible::boxed(Registration::new(ops, sites, R::default()))?;
        let sets = self.sets_of(&registration.sites);
        let planned = match self.first_full(sets, &registration.sites) {
            Some(site) => Err(RegisterError::TooManyOps { site }),
            None => sets.iter().try_for_each(|set| Ok(set.plan_with(address, self.fan_out)?)),
        };
        self.keep(planned, sets, &registration.sites, text)?;
        self.move_sites(&registration.sites);
        sets.iter().filter_map(Link::move_on).for_each(|set| registration.sets.insert(set));
        self.registrations.push(registration);
        Ok(address)
    }

    /// Takes `ops` off all its callsites. Allocates nothing. What comes back is unlinked: retire it.
    ///
    /// `None` when no such ops is registered.
    ///
    /// # Panics
    /// When the text is not as this registry left it.
    pub fn unregister<T: Text>(&mut self, ops: *const Ops, text: &mut T) -> Option<Box<Registration<R>>> {
        let gone = self.registrations.remove(ops)?;
        let (sets, nodes) = leaving::plan(ops, self.sets_of(&gone.sites), &self.registrations, self.fan_out);
        self.patch(&gone.sites, text).expect("registered callsites hold what was patched into them");
        self.move_sites(&gone.sites);
        leaving::finish(sets);
        // SAFETY: 1. It is listed no more. 2. No loan of it is used any more.
        let mut gone = unsafe { gone.take() };
        gone.nodes = nodes;
        Some(gone)
    }

    /// Puts `new` in the place of `old`, on the same callsites, with no moment at which neither is called.
    ///
    /// `None`, and `new` is dropped unpublished, when `old` is not registered. On an error nothing was done.
    pub fn swap<T: Text>(
        &mut self,
        old: *const Ops,
        new: OpsBox,
        text: &mut T,
    ) -> Result<Option<Box<Registration<R>>>, RegisterError<T::Error>> {
        let Some(gone) = self.registrations.find(old) else { return Ok(None) };
        let both = [old, new.address()];
        let successor = fallible::boxed(Registration::new(new, Vec::new(), R::default()))?;
        let sets = self.sets_of(&gone.sites);
        let planned = sets.iter().try_for_each(|set| Ok(set.plan_instead(both, self.fan_out)?));
        self.keep(planned, sets, &gone.sites, text)?;
        let mut nodes = Nodes::default();
        sets.iter().for_each(|set| set.replace(both, &mut nodes));
        let mut gone = self.registrations.replace(gone, successor);
        gone.nodes = nodes;
        Ok(Some(gone))
    }

    /// The sets of `sites`.
    fn sets_of(&self, sites: &[SiteId]) -> Changing {
        Changing::of(sites.iter().map(|&site| self.of_site[site as usize]))
    }

    /// The first of `sites`, whose sets are `sets`, that has as many ops as it can have.
    fn first_full(&self, sets: Changing, sites: &[SiteId]) -> Option<SiteId> {
        let is_full = |set: Link<Set>| set.nr_ops() == MOST_OPS_PER_SITE;
        // By sets first: they are fewer.
        sets.iter().find(|&set| is_full(set))?;
        sites.iter().copied().find(|&site| is_full(self.of_site[site as usize]))
    }

    /// Shows what was planned to `text`; drops it where that does not apply it, or the plan is none.
    fn keep<T: Text>(
        &self,
        planned: Result<(), RegisterError<T::Error>>,
        sets: Changing,
        sites: &[SiteId],
        text: &mut T,
    ) -> Result<(), RegisterError<T::Error>> {
        let applied = planned.and_then(|()| self.patch(sites, text).map_err(RegisterError::Text));
        applied.inspect_err(|_| sets.iter().for_each(Link::abandon))
    }

    /// Patches `sites` as their sets say.
    fn patch<T: Text>(&self, sites: &[SiteId], text: &mut T) -> Result<(), T::Error> {
        let patches = sites.iter().map(|&site| {
            let change = &self.of_site[site as usize].get().change;
            Patch { site: self.table.site(site), ops: change.target.get(), branch: change.branch.get() }
        });
        text.apply(patches)
    }

    /// Gives `sites` the sets that they move to.
    fn move_sites(&mut self, sites: &[SiteId]) {
        for &site in sites {
            let set = &mut self.of_site[site as usize];
            *set = set.change.next.get().unwrap_or(*set);
        }
    }
}

/// A callsite's literal as the registry wants it: for checks against the text itself.
impl<R: Default> Registry<R> {
    /// What the literal of `site` should name, and whether its branch should be on.
    pub fn expected(&self, site: SiteId) -> (CallSite, *const OpsHeader, bool) {
        let set = self.of_site[site as usize];
        (self.table.site(site), set.target(), set.nr_ops() > 0)
    }
}

#[cfg(test)]
mod tests;
