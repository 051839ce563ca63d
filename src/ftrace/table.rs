//! The table of callsites: every place in the image that can be traced, in the order of addresses. Pure.
//!
//! A record names a literal's address; the linker has sorted them. [`Counts`] says what becomes of them: only
//! functions of this crate are traceable.

use crate::arch::site::CallSite;
use crate::platform::symbols::{Symbol, SymbolTable, is_traceable};
use alloc::vec::Vec;
use core::ops::Range;

/// The number of a callsite: its place in the table.
pub type SiteId = u32;

/// All callsites.
#[derive(Debug)]
pub struct Table {
    sites: Vec<(CallSite, bool)>,
    symbols: SymbolTable,
    nr_notrace: usize,
}

/// The records of the image, by what becomes of their callsites; the first two together are those of the table, and of
/// the version line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts {
    /// Callsites of functions of this crate, which can be enabled.
    pub traceable: usize,
    /// Callsites of functions whose path is another: generics of other crates that were instantiated here, glue of the
    /// compiler's, functions that have a C name. `notrace` cannot be put on most of them, so none is ever enabled.
    pub foreign: usize,
    /// Records of methods that must not be traced (`.text.notrace`): no callsites are made of them.
    pub notrace: usize,
}

/// Why the image cannot be traced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableError {
    /// Two records are not in ascending order.
    Unsorted {
        /// The later one.
        literal: usize,
    },
}

impl Table {
    /// Reads the records, but for those in `notrace`. One pass over records and symbols, since both are sorted.
    pub fn new(records: &[usize], notrace: &Range<usize>, symbols: SymbolTable) -> Result<Self, TableError> {
        let mut names = symbols.iter().peekable();
        let mut sites: Vec<(CallSite, bool)> = Vec::with_capacity(records.len());
        for &literal in records.iter().filter(|literal| !notrace.contains(literal)) {
            let site = CallSite::from_record(literal);
            if sites.last().is_some_and(|&(last, _)| last >= site) {
                return Err(TableError::Unsorted { literal });
            }
            while names.next_if(|symbol| symbol.start < site.entry() as u64).is_some() {}
            let named = names.peek().filter(|symbol| symbol.start == site.entry() as u64);
            sites.push((site, named.is_some_and(|symbol| is_traceable(symbol.name))));
        }
        let nr_notrace = records.len() - sites.len();
        Ok(Self { sites, symbols, nr_notrace })
    }

    /// How many callsites there are.
    pub const fn len(&self) -> usize {
        self.sites.len()
    }

    /// What the image's records are.
    pub fn counts(&self) -> Counts {
        let traceable = self.traceable().count();
        Counts { traceable, foreign: self.len() - traceable, notrace: self.nr_notrace }
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.sites.is_empty()
    }

    /// The callsite of number `id`.
    pub fn site(&self, id: SiteId) -> CallSite {
        self.sites[id as usize].0
    }

    /// Every callsite, traceable or not.
    pub fn all(&self) -> impl Iterator<Item = CallSite> + Clone {
        self.sites.iter().map(|&(site, _)| site)
    }

    /// The traceable ones.
    pub fn traceable(&self) -> impl Iterator<Item = (SiteId, CallSite)> + Clone {
        self.sites
            .iter()
            .enumerate()
            .filter(|(_, (_, traceable))| *traceable)
            .map(|(id, &(site, _))| (id as SiteId, site))
    }

    /// The traceable callsite of the function at `entry`.
    pub fn find(&self, entry: usize) -> Option<SiteId> {
        let id = self.sites.binary_search_by_key(&entry, |(site, _)| site.entry()).ok()?;
        self.sites[id].1.then_some(id as SiteId)
    }

    /// Whether `address` is a callsite's F+8, which only its BL leaves in a return address.
    pub fn is_body(&self, address: usize) -> bool {
        self.sites.binary_search_by_key(&address, |(site, _)| site.body()).is_ok()
    }

    /// Every function of the image, traceable or not.
    pub fn symbols(&self) -> impl Iterator<Item = Symbol> + use<> {
        self.symbols.iter()
    }

    /// The function's symbol.
    pub fn symbol(&self, id: SiteId) -> Option<Symbol> {
        self.symbols.lookup(self.site(id).entry() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Table, TableError};
    use crate::platform::symbols::SymbolTable;

    const SYMBOLS: &[u8] = b"0000000040200008 holdout::foo\n\
        0000000040200048 core::bar\n\
        0000000040200088 holdout::baz\n\0\0\0";

    #[test]
    fn only_this_crates_functions_are_traceable() {
        let table = Table::new(&[0x4020_0000, 0x4020_0040, 0x4020_0080], &(0..0), SymbolTable::new(SYMBOLS)).unwrap();
        assert_eq!(table.len(), 3);
        assert_eq!(table.traceable().map(|(id, _)| id).collect::<Vec<_>>(), [0, 2]);
        assert_eq!(table.find(0x4020_0088), Some(2));
        assert_eq!(table.find(0x4020_0048), None, "not ours");
        assert!(table.is_body(0x4020_0010) && !table.is_body(0x4020_0014));
        assert_eq!(table.counts(), Counts { traceable: 2, foreign: 1, notrace: 0 });
    }

    #[test]
    fn what_is_notrace_is_not_in_the_table_however_it_is_aligned() {
        let notrace = 0x4020_0000..0x4020_0040;
        let table = Table::new(&[0x4020_0004, 0x4020_0040], &notrace, SymbolTable::new(SYMBOLS)).unwrap();
        assert_eq!(table.len(), 1);
        assert_eq!(table.find(0x4020_000c), None);
        assert_eq!(table.counts(), Counts { traceable: 0, foreign: 1, notrace: 1 });
    }

    #[test]
    fn records_out_of_order_are_refused() {
        let error = Table::new(&[0x4020_0040, 0x4020_0000], &(0..0), SymbolTable::new(SYMBOLS)).unwrap_err();
        assert_eq!(error, TableError::Unsorted { literal: 0x4020_0000 });
    }
}
