//! The registry: which ops each callsite has, and what its literal and branch must become. Pure.
//!
//! Callsites with the same ops share a *set*; a set of one is its ops itself, a larger one is a fan-out node.
//! INVARIANT `successor-ready`: each set holds a spare node for every size down to 2, made at registration, so
//! unregistering allocates nothing that can fail.
//!
//! A change is planned, shown to [`Text`] as patches, and kept only if they were applied; what it unlinked comes
//! back as a [`Registration`], which the caller retires as one: its nodes are dropped before its ops.

mod refusal;
mod registration;
mod set;

pub use refusal::{CloseError, RegisterError};
pub use registration::Registration;

use set::{EMPTY, Members, Set, SetId};

use super::ops::{NodeBox, Ops, OpsBox};
use super::table::{SiteId, Table};
use crate::arch::site::{Branch, CallSite, Func, OpsHeader, Patch};
use crate::fault::{self, Fault};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// Whoever applies patches to text: all of them, or none.
pub trait Text {
    /// Why nothing was patched.
    type Error: core::fmt::Debug;
    /// Literals first, then branches; when it returns every CPU runs the new text.
    fn apply(&mut self, patches: impl Iterator<Item = Patch> + Clone) -> Result<(), Self::Error>;
}

/// Which ops each callsite has.
#[derive(Debug)]
pub struct Registry<R> {
    table: Table,
    of_site: Vec<SetId>,
    sets: Vec<Set>,
    registrations: Vec<Box<Registration<R>>>,
    /// What the literal of a callsite that is off names: immortal.
    nop: *const OpsHeader,
    fan_out: Func,
    /// Set from [`Registry::close`] to [`Registry::open`]: nothing is registered.
    is_closed: bool,
}

// SAFETY: the raw pointers name ops that the registrations own; they are handed on, never followed here.
unsafe impl<R: Send> Send for Registry<R> {}

impl<R: Default> Registry<R> {
    /// No ops anywhere. `nop` is immortal; `fan_out` is the func of nodes.
    pub fn new(table: Table, nop: *const OpsHeader, fan_out: Func) -> Self {
        let of_site = alloc::vec![EMPTY; table.len()];
        let mut empty = Set::new(Members::new(), nop);
        empty.sites = table.len() as u32;
        Self { table, of_site, sets: alloc::vec![empty], registrations: Vec::new(), nop, fan_out, is_closed: false }
    }

    /// The callsites.
    pub const fn table(&self) -> &Table {
        &self.table
    }

    /// What is registered, oldest first.
    pub fn registrations(&self) -> impl Iterator<Item = &Registration<R>> {
        self.registrations.iter().map(|registration| &**registration)
    }

    /// The ops of a callsite.
    pub fn ops_of(&self, site: SiteId) -> &[*const Ops] {
        &self.sets[self.of_site[site as usize] as usize].members
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
        self.plan(&sites, |members| {
            let mut members = members.clone();
            members.push(address).ok()?;
            Some(members)
        })
        .map_err(|site| RegisterError::TooManyOps { site })?;
        self.commit(&sites, text).map_err(RegisterError::Text)?;
        // Each set that this ops can be in leaves at most one node at its going; sets cannot outnumber sites.
        let nodes = Vec::with_capacity(self.sets.len().min(sites.len()) + 1);
        let registration = Registration { nodes, ops, sites: sites.into_boxed_slice(), reclaim: R::default() };
        self.registrations.push(Box::new(registration));
        self.reserve_exits();
        Ok(address)
    }

    /// Takes `ops` off all its callsites. Allocates nothing. What comes back is unlinked: retire it.
    ///
    /// `None` when no such ops is registered.
    ///
    /// # Panics
    /// When the text is not as this registry left it.
    pub fn unregister<T: Text>(&mut self, ops: *const Ops, text: &mut T) -> Option<Box<Registration<R>>> {
        let index = self.registrations.iter().position(|registration| registration.ops.address() == ops)?;
        // Every set with this ops loses it where it stands, unless another one is what it becomes: then its
        // callsites move there, the set of those that are off included.
        let mut registration = self.registrations.swap_remove(index);
        for place in EMPTY as usize + 1..self.sets.len() {
            let Some(member) = self.sets[place].members.iter().position(|&member| member == ops) else { continue };
            self.sets[place].members.remove(member);
            let members = &self.sets[place].members;
            let twin = (0..self.sets.len()).find(|&other| other != place && self.sets[other].members == *members);
            let twin_target = twin.map(|twin| self.sets[twin].target);
            let set = &mut self.sets[place];
            if fault::is(Fault::NodeAfterOps) && set.members.len() >= 2 {
                set.next_target = set.target;
                continue;
            }
            registration.nodes.extend(set.node.take());
            if set.sites == 0 || twin.is_some() {
                set.next = twin.filter(|_| set.sites > 0).map(|twin| twin as SetId);
                set.spares.clear();
            } else if let [only] = set.members[..] {
                set.target = only.cast();
            } else {
                let mut node = set.spares.pop().expect("successor-ready");
                node.fill(self.fan_out, set.members.iter().copied());
                set.target = set.node.insert(node).address().cast();
            }
            set.next_target = twin_target.unwrap_or(set.target);
        }
        let (sets, of_site, table) = (&self.sets, &self.of_site, &self.table);
        let patches = registration.sites.iter().map(|&site| {
            let set = &sets[of_site[site as usize] as usize];
            let branch = if set.next == Some(EMPTY) { Branch::Off } else { Branch::Keep };
            Patch { site: table.site(site), ops: set.next_target, branch }
        });
        text.apply(patches).expect("registered callsites hold what was patched into them");
        let sets = &self.sets;
        for &site in &registration.sites {
            let set = &mut self.of_site[site as usize];
            if let Some(next) = sets[*set as usize].next {
                *set = next;
            }
        }
        for place in EMPTY as usize + 1..self.sets.len() {
            if let Some(next) = self.sets[place].next.take() {
                self.sets[next as usize].sites += core::mem::take(&mut self.sets[place].sites);
            }
        }
        for set in self.sets[EMPTY as usize + 1..].iter_mut().filter(|set| set.sites == 0 && set.node.is_none()) {
            set.members.clear();
        }
        Some(registration)
    }

    /// Puts `new` in the place of `old`, on the same callsites, with no moment at which neither is called.
    ///
    /// `None`, and `new` is dropped unpublished, when `old` is not registered.
    pub fn swap<T: Text>(
        &mut self,
        old: *const Ops,
        new: OpsBox,
        text: &mut T,
    ) -> Result<Option<Box<Registration<R>>>, T::Error> {
        let Some(index) = self.registrations.iter().position(|registration| registration.ops.address() == old) else {
            return Ok(None);
        };
        let address = new.address();
        let sites = self.registrations[index].sites.clone();
        let replaced =
            |members: &Members| members.iter().map(|&member| if member == old { address } else { member }).collect();
        let Ok(()) = self.plan(&sites, |members| Some(replaced(members))) else {
            unreachable!("as many ops as before fit");
        };
        self.commit(&sites, text)?;
        let nodes = Vec::with_capacity(self.registrations[index].nodes.capacity());
        let successor = Box::new(Registration { nodes, ops: new, sites, reclaim: R::default() });
        self.registrations.push(successor);
        let mut gone = self.registrations.swap_remove(index);
        gone.nodes.extend(self.retire_unused_nodes());
        self.reserve_exits();
        Ok(Some(gone))
    }

    /// Gives each set of `sites` a successor with the members that `change` says, made now if it must be. Fails,
    /// and plans nothing, at the first callsite for whose set there is none.
    fn plan(&mut self, sites: &[SiteId], change: impl Fn(&Members) -> Option<Members>) -> Result<(), SiteId> {
        for &site in sites {
            let from = self.of_site[site as usize] as usize;
            if self.sets[from].next.is_none() {
                let Some(members) = change(&self.sets[from].members) else {
                    self.finish(false);
                    return Err(site);
                };
                let existing = self.sets.iter().position(|set| set.members == members);
                let to = existing.unwrap_or_else(|| self.make_set(members));
                self.sets[to].is_wanted = true;
                self.sets[from].next = Some(SetId::try_from(to).expect("fewer sets than 65536"));
                self.sets[from].next_target = self.sets[to].target;
            }
            self.sets[from].moving += 1;
        }
        Ok(())
    }

    fn make_set(&mut self, members: Members) -> usize {
        let mut set = Set::new(members, self.nop);
        set.target = match set.members[..] {
            [] => self.nop,
            [only] => only.cast(),
            _ => {
                let mut node = NodeBox::with_capacity(set.members.len());
                node.fill(self.fan_out, set.members.iter().copied());
                set.node.insert(node).address().cast()
            }
        };
        set.spares = (2..set.members.len()).map(NodeBox::with_capacity).collect();
        // A set without callsites may still have a node that readers hold: only one without is used again.
        let is_free = |set: &Set| set.sites == 0 && set.node.is_none() && !set.is_wanted && set.next.is_none();
        match (EMPTY as usize + 1..self.sets.len()).find(|&place| is_free(&self.sets[place])) {
            Some(place) => {
                self.sets[place] = set;
                place
            }
            None => {
                self.sets.push(set);
                self.sets.len() - 1
            }
        }
    }

    /// Shows the planned change to `text`; keeps it if it was applied.
    fn commit<T: Text>(&mut self, sites: &[SiteId], text: &mut T) -> Result<(), T::Error> {
        let (sets, of_site, table) = (&self.sets, &self.of_site, &self.table);
        let patches = sites.iter().map(|&site| {
            let from = of_site[site as usize];
            let branch = if from == EMPTY { Branch::On } else { Branch::Keep };
            Patch { site: table.site(site), ops: sets[from as usize].next_target, branch }
        });
        let applied = text.apply(patches);
        if applied.is_ok() {
            for &site in sites {
                let from = self.of_site[site as usize];
                self.of_site[site as usize] = self.sets[from as usize].next.unwrap_or(from);
            }
        }
        self.finish(applied.is_ok());
        applied
    }

    /// Ends a plan: counts the callsites that moved, if they did.
    fn finish(&mut self, did_move: bool) {
        for place in 0..self.sets.len() {
            let moved = if did_move { self.sets[place].moving } else { 0 };
            if let Some(next) = self.sets[place].next.take() {
                self.sets[place].sites -= moved;
                self.sets[next as usize].sites += moved;
            }
            self.sets[place].moving = 0;
            self.sets[place].is_wanted = false;
        }
    }

    /// The nodes of sets that no callsite has any more, unlinked by the change just committed.
    fn retire_unused_nodes(&mut self) -> impl Iterator<Item = NodeBox> {
        self.sets.iter_mut().skip(1).filter(|set| set.sites == 0).filter_map(|set| {
            set.members.clear();
            set.spares.clear();
            set.node.take()
        })
    }

    /// Room in every registration for the nodes that its going can unlink: one per set that it is in.
    fn reserve_exits(&mut self) {
        for registration in &mut self.registrations {
            let address = registration.ops.address();
            let sets = self.sets.iter().filter(|set| set.members.contains(&address)).count();
            registration.nodes.reserve(sets);
        }
    }
}

/// A callsite's literal as the registry wants it: for checks against the text itself.
impl<R: Default> Registry<R> {
    /// What the literal of `site` should name, and whether its branch should be on.
    pub fn expected(&self, site: SiteId) -> (CallSite, *const OpsHeader, bool) {
        let set = &self.sets[self.of_site[site as usize] as usize];
        (self.table.site(site), set.target, !set.members.is_empty())
    }
}

#[cfg(test)]
mod tests;
