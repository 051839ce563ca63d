//! What a person may have meant by a pattern that matches no traceable function. Pure.

use super::filter::{Filter, MAX_CHARS};
use super::table::Table;
use crate::platform::symbols::Symbol;
use core::fmt;

/// Functions that are named at most.
const MOST: usize = 3;
/// A shorter word is part of too many names; what stands for any character counts for nothing.
const LEAST_CHARS: usize = 3;
/// A longer name is not offered: three of these and what is said around them are a line.
const LONGEST_NAME: usize = 56;

/// What there is instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Near {
    /// Nothing that looks like it.
    Nothing,
    /// A function of this name that has no callsite, or one that is never enabled.
    Untraceable(Symbol),
    /// Traceable functions whose name is alike; there may be more.
    Like(heapless::Vec<Symbol, MOST>),
}

/// Looks for what `pattern` may have meant, of which `filter` was made. Allocates nothing; costs a few walks over all symbols.
pub fn near(table: &Table, filter: &Filter, pattern: &str) -> Near {
    if let Some(symbol) = untraceable(table, filter) {
        return Near::Untraceable(symbol);
    }
    let last = pattern.rsplit("::").next().unwrap_or(pattern);
    if last.chars().filter(|c| !"*?[]\\".contains(*c)).count() < LEAST_CHARS {
        return Near::Nothing;
    }
    // All parts of the path, with modules between them; its last part, in whatever module; whatever has that in its name.
    let wider = with_modules_between(pattern);
    let patterns = [(wider.as_deref().unwrap_or(last), false), (last, false), (last, true)];
    patterns.into_iter().find_map(|(pattern, anywhere)| look(table, pattern, anywhere)).unwrap_or(Near::Nothing)
}

/// Whether the function is meant by the pattern, and can be named in a line. The linker's own labels are none.
fn is_match(filter: &Filter, symbol: &Symbol) -> bool {
    symbol.name.len() <= LONGEST_NAME && !symbol.name.starts_with("__") && filter.matches(symbol.name)
}

/// A function that matches, and has no callsite that can be enabled.
fn untraceable(table: &Table, filter: &Filter) -> Option<Symbol> {
    table.symbols().find(|symbol| is_match(filter, symbol) && table.find(symbol.start as usize).is_none())
}

/// What matches `pattern`, as it is or anywhere in a path. Not inlined: a filter takes kilobytes, of which the stack holds one at a time.
#[inline(never)]
fn look(table: &Table, pattern: &str, anywhere: bool) -> Option<Near> {
    let mut filter = Filter::parse(pattern).ok()?;
    if anywhere {
        filter.match_anywhere();
    }
    let symbols = table.traceable().filter_map(|(id, _)| table.symbol(id));
    let alike: heapless::Vec<Symbol, MOST> = symbols.filter(|it| is_match(&filter, it)).take(MOST).collect();
    if alike.is_empty() { untraceable(table, &filter).map(Near::Untraceable) } else { Some(Near::Like(alike)) }
}

/// The pattern for `a::b` that `a::c::b` matches as well, unless that is too long.
fn with_modules_between(pattern: &str) -> Option<heapless::String<MAX_CHARS>> {
    let mut wider = heapless::String::new();
    for (n, part) in pattern.split("::").enumerate() {
        wider.push_str(if n == 0 { "" } else { "*::" }).and_then(|()| wider.push_str(part)).ok()?;
    }
    Some(wider)
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("no traceable function matches; `callsites` lists them"),
            Self::Untraceable(symbol) => {
                write!(f, "no traceable function matches: {} is notrace, or not of this crate", symbol.name)
            }
            Self::Like(alike) => {
                f.write_str("no traceable function matches; is it ")?;
                for (n, symbol) in alike.iter().enumerate() {
                    write!(f, "{}{}", if n == 0 { "" } else { ", or " }, symbol.name)?;
                }
                f.write_str("?")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::symbols::SymbolTable;

    /// Two that can be traced, one without a callsite, one of another crate.
    const SYMBOLS: &[u8] = b"0000000040200008 holdout::sched::switch::sleep\n\
        0000000040200048 holdout::sched::wakes\n\
        0000000040200080 holdout::sched::schedule\n\
        0000000040200108 core::fmt::write\n\
        0000000040200188 <holdout::a::B<holdout::a::C, holdout::a::D> as holdout::e::F>::flatten\n\
        0000000040200200 __text_end_of_it\n";

    fn answer(pattern: &str) -> String {
        let records = [0x4020_0000, 0x4020_0040, 0x4020_0100, 0x4020_0180];
        let table = Table::new(&records, &(0..0), SymbolTable::new(SYMBOLS)).unwrap();
        near(&table, &Filter::parse(pattern).unwrap(), pattern).to_string()
    }

    #[test]
    fn the_same_name_in_another_module_is_offered_first_one_with_all_the_parts() {
        assert_eq!(answer("holdout::sleep"), "no traceable function matches; is it holdout::sched::switch::sleep?");
        assert_eq!(answer("other::sleep"), "no traceable function matches; is it holdout::sched::switch::sleep?");
        assert_eq!(answer("sched::sleep"), "no traceable function matches; is it holdout::sched::switch::sleep?");
    }

    #[test]
    fn a_part_of_a_name_is_offered_where_no_name_is_the_same() {
        assert_eq!(answer("wake"), "no traceable function matches; is it holdout::sched::wakes?");
    }

    #[test]
    fn what_has_no_callsite_or_is_of_another_crate_is_said_to_be_so() {
        let of = |name: &str| format!("no traceable function matches: {name} is notrace, or not of this crate");
        assert_eq!(answer("sched::schedule"), of("holdout::sched::schedule"));
        assert_eq!(answer("switch::schedule"), of("holdout::sched::schedule"));
        assert_eq!(answer("core::fmt::write"), of("core::fmt::write"));
    }

    #[test]
    fn nothing_is_offered_for_what_looks_like_nothing() {
        let long = "sched::".to_owned() + &"\u{e9}".repeat(100) + "::slip";
        for pattern in ["frobnicate", "zz", "x::*", "zzz::****", "[a-]", "flatten", "text_end", &long] {
            assert_eq!(answer(pattern), "no traceable function matches; `callsites` lists them", "{pattern}");
        }
    }
}
