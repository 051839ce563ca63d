//! The image's own symbols: a sorted text, searched in place.
//!
//! The linker wrapper writes one line per function, `<16 hex digits> <name>`, in address order, and pads the room with
//! NULs. A name is as Rust spells it, with generics, without hashes: it is demangled when the image is linked, since a
//! demangler recurses as deep as a name's types nest, which is deeper than a task's stack has room for. The text is used
//! as it lies there: nothing is copied or allocated, so the panic path, the unwinder and the registry may all look up
//! names in any context.
//!
//! INVARIANT `symbols-sorted`: lines are in ascending order of address. A text that breaks it, or that is no such text
//! at all, gives wrong names or none; it never gives a panic.

/// Hex digits of an address.
const DIGITS: usize = 16;

/// Where the text of the kernel ends: an address from here on belongs to no function.
const END_OF_TEXT: &str = "__text_end";

/// The symbol table of the image.
#[derive(Clone, Copy, Debug)]
pub struct SymbolTable {
    /// The lines, without the padding.
    text: &'static [u8],
}

/// A function, and how far into it an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// The name, as Rust spells it.
    pub name: &'static str,
    /// The address of its first instruction.
    pub start: u64,
    /// The bytes from there to the address that was looked up.
    pub offset: u64,
}

impl SymbolTable {
    /// The table in `bytes`, which may be padded with NULs, or hold nothing.
    ///
    /// Costs a binary search for the padding, however large it is.
    pub fn new(bytes: &'static [u8]) -> Self {
        Self { text: &bytes[..bytes.partition_point(|&byte| byte != 0)] }
    }

    /// The function that `address` lies in. Of several names of one address, the last one.
    pub fn lookup(&self, address: u64) -> Option<Symbol> {
        // Every line that starts below `low` has an address that is not above the wanted one; at `high` and after,
        // they all have.
        let (mut low, mut high) = (0, self.text.len());
        let mut found = None;
        while low < high {
            let start = self.line_start(low + (high - low) / 2, low);
            let line = self.line_at(start);
            match parse_line(line) {
                Some((line_address, _)) if line_address > address => high = start,
                Some(parsed) => {
                    found = Some(parsed);
                    low = start + line.len() + 1;
                }
                // Not a line of ours, such as the empty one of an unfilled table.
                None => low = start + line.len() + 1,
            }
        }
        let (start, name) = found.filter(|&(_, name)| name != END_OF_TEXT)?;
        Some(Symbol { name, start, offset: address - start })
    }

    /// Every function in address order, each at its first instruction.
    pub fn iter(&self) -> impl Iterator<Item = Symbol> + use<> {
        let lines = self.text.split(|&byte| byte == b'\n');
        lines.filter_map(parse_line).map(|(start, name)| Symbol { name, start, offset: 0 })
    }

    /// The start of the line that holds byte `at`, not before `low`.
    fn line_start(&self, at: usize, low: usize) -> usize {
        self.text[low..at].iter().rposition(|&byte| byte == b'\n').map_or(low, |newline| low + newline + 1)
    }

    /// The line that starts at `start`, without its end.
    fn line_at(&self, start: usize) -> &'static [u8] {
        let rest = &self.text[start..];
        &rest[..rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len())]
    }
}

/// May callsites of the function of this name be enabled?
///
/// Only functions of this kernel: their path starts with `holdout::`, or with `<holdout::` in the method of a trait or
/// of a type. Generics of other crates that were instantiated in ours have callsites too, in code whose context nobody
/// here has checked.
pub fn is_traceable(name: &str) -> bool {
    name.strip_prefix('<').unwrap_or(name).starts_with("holdout::")
}

/// Address and name of a line.
fn parse_line(line: &[u8]) -> Option<(u64, &str)> {
    let (digits, rest) = line.split_at_checked(DIGITS)?;
    let name = core::str::from_utf8(rest.strip_prefix(b" ")?).ok()?;
    let mut address = 0;
    for &digit in digits {
        address = address << 4 | u64::from(char::from(digit).to_digit(16)?);
    }
    Some((address, name))
}

#[cfg(test)]
mod tests {
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    const TICK: &str = "holdout::sched::tick";
    const DROP: &str = "<holdout::sched::Task as core::ops::drop::Drop>::drop";
    const CORE: &str = "core::ptr::drop_in_place::<holdout::sched::Task>";

    fn table(text: &str) -> SymbolTable {
        SymbolTable::new(text.to_owned().leak().as_bytes())
    }

    fn lines(symbols: &[(u64, &str)]) -> String {
        symbols.iter().map(|(address, name)| format!("{address:016x} {name}\n")).collect()
    }

    #[test]
    fn an_address_is_found_in_the_function_around_it() {
        let table = table(&lines(&[(0x4020_0000, "first"), (0x4020_0040, "second"), (0x4020_0100, "third")]));
        let at = |address| table.lookup(address).map(|symbol| (symbol.name, symbol.start, symbol.offset));
        assert_eq!(at(0x401f_ffff), None);
        assert_eq!(at(0x4020_0000), Some(("first", 0x4020_0000, 0)));
        assert_eq!(at(0x4020_003f), Some(("first", 0x4020_0000, 0x3f)));
        assert_eq!(at(0x4020_0040), Some(("second", 0x4020_0040, 0)));
        assert_eq!(at(0x4020_0104), Some(("third", 0x4020_0100, 4)));
    }

    #[test]
    fn the_last_of_several_names_of_one_address_is_taken() {
        let table = table(&lines(&[(0x1000, "__text_start"), (0x1000, "_start"), (0x2000, "next")]));
        assert_eq!(table.lookup(0x1000).unwrap().name, "_start");
        assert_eq!(table.lookup(0x1fff).unwrap().name, "_start");
    }

    #[test]
    fn an_address_behind_the_text_has_no_name() {
        let table = table(&lines(&[(0x1000, "last"), (0x2000, "__text_end")]));
        assert_eq!(table.lookup(0x1fff).unwrap().name, "last");
        assert_eq!(table.lookup(0x2000), None);
        assert_eq!(table.lookup(u64::MAX), None);
    }

    #[test]
    fn padding_and_emptiness_are_no_symbols() {
        for empty in ["", "\n", "\0\0\0\0", "\n\0\0\0\0\0", "\n\n\n"] {
            assert_eq!(table(empty).lookup(0x4020_0000), None, "{empty:?}");
            assert_eq!(table(empty).iter().count(), 0, "{empty:?}");
        }
        let padded = table(&(lines(&[(0x10, "only")]) + &"\0".repeat(5_000)));
        assert_eq!(padded.lookup(0x12), Some(Symbol { name: "only", start: 0x10, offset: 2 }));
        assert_eq!(padded.lookup(0xf), None);
        assert_eq!(padded.iter().count(), 1);
    }

    #[test]
    fn the_search_agrees_with_a_walk_over_any_table() {
        const SEED: u64 = 0x5eed_0002;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        for case in 0..500 {
            let mut symbols = Vec::new();
            for index in 0..random.next_u64() % 40 {
                let name: String = ["f", "a_longer_name", "_Rx"][(index % 3) as usize].repeat(1 + index as usize % 5);
                symbols.push((random.next_u64() % 200, name));
            }
            symbols.sort_by_key(|(address, _)| *address);
            let borrowed: Vec<_> = symbols.iter().map(|(address, name)| (*address, name.as_str())).collect();
            let table = table(&(lines(&borrowed) + &"\0".repeat(case % 70)));
            assert_eq!(table.iter().count(), symbols.len());
            for address in 0..210 {
                let expected = borrowed.iter().rfind(|(start, _)| *start <= address).copied();
                let found = table.lookup(address).map(|symbol| (symbol.start, symbol.name));
                assert_eq!(found, expected, "seed {SEED:#x} case {case} address {address}");
            }
        }
    }

    #[test]
    fn no_bytes_at_all_make_a_lookup_panic() {
        const SEED: u64 = 0x5eed_0003;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let good = lines(&[(0x10, "a"), (0x20, TICK), (0x30, "c"), (0x40, DROP)]).into_bytes();
        for _ in 0..20_000 {
            let mut bytes = good.clone();
            for _ in 0..1 + random.next_u64() % 6 {
                let at = (random.next_u64() % bytes.len() as u64) as usize;
                bytes[at] = b"\n\0 0fg\xff\x80"[(random.next_u64() % 8) as usize];
            }
            let table = SymbolTable { text: Box::leak(bytes.into_boxed_slice()) };
            for address in [0, 0x10, 0x25, 0x40, u64::MAX] {
                if let Some(symbol) = table.lookup(address) {
                    assert!(symbol.start <= address && !symbol.name.contains('\n'));
                }
            }
        }
    }

    #[test]
    fn only_functions_of_this_kernel_are_traceable() {
        assert!(is_traceable(TICK));
        assert!(is_traceable(DROP));
        assert!(!is_traceable(CORE), "an instance of another crate's generic");
        for foreign in ["", "memcpy", "holdout", "holdou", "<", "<<holdout::a::B as C>::d as E>::f"] {
            assert!(!is_traceable(foreign), "{foreign}");
        }
        assert!(!is_traceable("holdouts::sched::tick"), "another crate whose name starts alike");
    }
}
