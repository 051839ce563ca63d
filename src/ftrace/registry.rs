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
use crate::mm::fallible::{self, NoMemory};
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
        let sites = fallible::copied(&sites)?;
        fallible::reserve(&mut self.registrations, 1)?;
        let mut registration = fallible::boxed(Registration { nodes: Vec::new(), ops, sites, reclaim: R::default() })?;
        self.plan(&registration.sites, |members| {
            let mut members = members.clone();
            members.push(address).ok()?;
            Some(members)
        })?;
        self.reserve_exits(&mut registration)?;
        self.commit(&registration.sites, text).map_err(RegisterError::Text)?;
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
    /// `None`, and `new` is dropped unpublished, when `old` is not registered. On an error nothing was done.
    pub fn swap<T: Text>(
        &mut self,
        old: *const Ops,
        new: OpsBox,
        text: &mut T,
    ) -> Result<Option<Box<Registration<R>>>, RegisterError<T::Error>> {
        let Some(index) = self.registrations.iter().position(|registration| registration.ops.address() == old) else {
            return Ok(None);
        };
        let address = new.address();
        let sites = fallible::copied(&self.registrations[index].sites)?;
        let mut successor =
            fallible::boxed(Registration { nodes: Vec::new(), ops: new, sites, reclaim: R::default() })?;
        let replaced =
            |members: &Members| members.iter().map(|&member| if member == old { address } else { member }).collect();
        self.plan(&successor.sites, |members| Some(replaced(members)))?;
        self.reserve_exits(&mut successor)?;
        self.commit(&successor.sites, text).map_err(RegisterError::Text)?;
        let mut gone = core::mem::replace(&mut self.registrations[index], successor);
        // There is room: each is of a set that the old ops was in.
        gone.nodes.extend(self.retire_unused_nodes(old));
        Ok(Some(gone))
    }

    /// Gives each set of `sites` a successor with the members that `change` says, made now if it must be. Fails,
    /// and plans nothing, at the first callsite for whose set there is none, or no memory.
    fn plan<E>(
        &mut self,
        sites: &[SiteId],
        change: impl Fn(&Members) -> Option<Members>,
    ) -> Result<(), RegisterError<E>> {
        for &site in sites {
            let from = self.of_site[site as usize] as usize;
            if self.sets[from].next.is_none() {
                let to = match change(&self.sets[from].members) {
                    Some(members) => self.find_or_make_set(members).map_err(RegisterError::from),
                    None => Err(RegisterError::TooManyOps { site }),
                };
                let to = to.inspect_err(|_| self.finish(false))?;
                self.sets[to].is_wanted = true;
                self.sets[from].next = Some(SetId::try_from(to).expect("fewer sets than 65536"));
                self.sets[from].next_target = self.sets[to].target;
            }
            self.sets[from].moving += 1;
        }
        Ok(())
    }

    fn find_or_make_set(&mut self, members: Members) -> Result<usize, NoMemory> {
        match self.sets.iter().position(|set| set.members == members) {
            Some(existing) => Ok(existing),
            None => self.make_set(members),
        }
    }

    fn make_set(&mut self, members: Members) -> Result<usize, NoMemory> {
        let mut set = Set::new(members, self.nop);
        set.target = match set.members[..] {
            [] => self.nop,
            [only] => only.cast(),
            _ => {
                let mut node = NodeBox::with_capacity(set.members.len())?;
                node.fill(self.fan_out, set.members.iter().copied());
                set.node.insert(node).address().cast()
            }
        };
        set.is_new = true;
        let spares = 2..set.members.len();
        set.spares = fallible::with_capacity(spares.len())?;
        for spare in spares.map(NodeBox::with_capacity) {
            set.spares.push(spare?);
        }
        // A set without callsites may still have a node that readers hold: only one without is used again.
        let is_free = |set: &Set| set.sites == 0 && set.node.is_none() && !set.is_wanted && set.next.is_none();
        match (EMPTY as usize + 1..self.sets.len()).find(|&place| is_free(&self.sets[place])) {
            Some(place) => {
                self.sets[place] = set;
                Ok(place)
            }
            None => {
                fallible::reserve(&mut self.sets, 1)?;
                self.sets.push(set);
                Ok(self.sets.len() - 1)
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

    /// Ends a plan: counts the callsites that moved, if they did; else what was made for it goes again.
    fn finish(&mut self, did_move: bool) {
        for place in 0..self.sets.len() {
            let moved = if did_move { self.sets[place].moving } else { 0 };
            if let Some(next) = self.sets[place].next.take() {
                self.sets[place].sites -= moved;
                self.sets[next as usize].sites += moved;
            }
            let set = &mut self.sets[place];
            set.moving = 0;
            set.is_wanted = false;
            if core::mem::take(&mut set.is_new) && !did_move {
                // No literal ever named its node.
                set.node = None;
                set.spares.clear();
                set.members.clear();
            }
        }
    }

    /// The nodes of sets with `ops` that no callsite has any more: unlinked by the change just committed, or by an earlier one.
    fn retire_unused_nodes(&mut self, ops: *const Ops) -> impl Iterator<Item = NodeBox> {
        let is_unused = move |set: &&mut Set| set.sites == 0 && set.members.contains(&ops);
        self.sets.iter_mut().skip(1).filter(is_unused).filter_map(|set| {
            set.members.clear();
            set.spares.clear();
            set.node.take()
        })
    }

    /// Room in every registration, and in a `new` one, for the nodes that its going can unlink once the planned change is made:
    /// one for each set that it is in. Fails, and drops the plan, where there is no memory.
    fn reserve_exits(&mut self, new: &mut Registration<R>) -> Result<(), NoMemory> {
        let sets = &self.sets;
        let reserve = |of: &mut Registration<R>| {
            let is_in = |set: &&Set| set.members.contains(&of.ops.address());
            fallible::reserve(&mut of.nodes, sets.iter().filter(is_in).count())
        };
        let reserved = self.registrations.iter_mut().try_for_each(|of| reserve(of)).and_then(|()| reserve(new));
        reserved.inspect_err(|_| self.finish(false))
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
