//! Filters: which functions a person means by a name or a glob.
//!
//! `*` is any run of characters, `?` any one, `[a-f_]` one of a set, `[!a-f_]` one outside it; a backslash takes the
//! next character as it is. A pattern matches a function if it matches its whole path, or all of it that follows some
//! `::`: `tick` and `sched::tick` both find `holdout::sched::tick`. A `::` inside angle brackets belongs to a type and
//! starts nothing.
//!
//! INVARIANT `filter-linear`: matching costs at most the length of the path times the length of the pattern, whatever
//! they are, and keeps no text. Callable from any context.
//!
//! # Why not the usual glob with backtracking
//! It needs the whole path at hand, and a new start after every `::`. The set of positions that the pattern can be in
//! is one word of bits; each character moves all of them at once, and a new start is one more bit.

use core::fmt;

/// The longest pattern, in characters.
pub const MAX_CHARS: usize = 120;

/// A pattern, checked and taken apart.
#[derive(Clone, Debug)]
pub struct Filter {
    elements: heapless::Vec<Element, MAX_CHARS>,
    /// Bit `i` is set if a `*` stands before element `i` (at the end: behind the last).
    runs: u128,
    /// The ranges of all sets, each as its first and its last character.
    ranges: heapless::Vec<(char, char), MAX_CHARS>,
}

/// What takes exactly one character of the path.
#[derive(Clone, Copy, Debug)]
enum Element {
    /// This one.
    Char(char),
    /// Any.
    Any,
    /// One that lies in one of these ranges, or in none of them.
    Set { first: u8, end: u8, is_negated: bool },
}

/// A pattern that makes no sense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilterError {
    /// Nothing there.
    Empty,
    /// More than [`MAX_CHARS`].
    TooLong,
    /// A `[` without its `]`.
    OpenSet,
    /// A range whose end comes before its start.
    BackwardRange(char, char),
    /// A backslash at the end.
    NothingEscaped,
    /// A control character.
    ControlCharacter,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("the pattern is empty"),
            Self::TooLong => write!(f, "the pattern is longer than {MAX_CHARS} characters"),
            Self::OpenSet => {
                f.write_str("the pattern has a `[` without its `]`; a backslash before it takes it as it is")
            }
            Self::BackwardRange(first, last) => {
                let (first, last) = (first.escape_default(), last.escape_default());
                write!(f, "the range {first}-{last} in the pattern ends before it starts")
            }
            Self::NothingEscaped => f.write_str("the pattern ends in a backslash with nothing behind it"),
            Self::ControlCharacter => f.write_str("the pattern holds a control character"),
        }
    }
}

impl core::error::Error for FilterError {}

impl Filter {
    /// Takes a pattern apart.
    pub fn parse(pattern: &str) -> Result<Self, FilterError> {
        let mut filter = Self { elements: heapless::Vec::new(), runs: 0, ranges: heapless::Vec::new() };
        if pattern.is_empty() {
            return Err(FilterError::Empty);
        }
        if pattern.chars().count() > MAX_CHARS {
            return Err(FilterError::TooLong);
        }
        if pattern.contains(char::is_control) {
            return Err(FilterError::ControlCharacter);
        }
        let mut rest = pattern.chars();
        while let Some(c) = rest.next() {
            let element = match c {
                '*' => {
                    filter.runs |= 1 << filter.elements.len();
                    continue;
                }
                '?' => Element::Any,
                '[' => filter.parse_set(&mut rest)?,
                '\\' => Element::Char(rest.next().ok_or(FilterError::NothingEscaped)?),
                other => Element::Char(other),
            };
            // At most one element for each character: it always fits.
            filter.elements.push(element).map_err(|_| FilterError::TooLong)?;
        }
        Ok(filter)
    }

    /// From now on anything may stand before it and behind it.
    pub fn match_anywhere(&mut self) {
        self.runs |= 1 | 1 << self.elements.len();
    }

    /// Takes a set apart, from behind its `[` to its `]`. A `]` that stands first is one of the set.
    fn parse_set(&mut self, rest: &mut core::str::Chars<'_>) -> Result<Element, FilterError> {
        let mut after_mark = rest.clone();
        let is_negated = after_mark.next() == Some('!');
        if is_negated {
            *rest = after_mark;
        }
        let first_range = self.ranges.len();
        loop {
            let first = rest.next().ok_or(FilterError::OpenSet)?;
            if first == ']' && self.ranges.len() > first_range {
                break;
            }
            let mut last = first;
            let mut ahead = rest.clone();
            if let (Some('-'), Some(end)) = (ahead.next(), ahead.next())
                && end != ']'
            {
                *rest = ahead;
                last = end;
            }
            if last < first {
                return Err(FilterError::BackwardRange(first, last));
            }
            self.ranges.push((first, last)).map_err(|_| FilterError::TooLong)?;
        }
        // Both fit: there are at most MAX_CHARS ranges.
        Ok(Element::Set { first: first_range as u8, end: self.ranges.len() as u8, is_negated })
    }

    /// Does the pattern mean the function with this path?
    pub fn matches(&self, path: &str) -> bool {
        let mut matcher = Matcher::new(self);
        path.chars().for_each(|c| matcher.read(c));
        matcher.is_match()
    }

    fn takes(&self, element: usize, c: char) -> bool {
        match self.elements[element] {
            Element::Char(wanted) => wanted == c,
            Element::Any => true,
            Element::Set { first, end, is_negated } => {
                let ranges = &self.ranges[usize::from(first)..usize::from(end)];
                ranges.iter().any(|(first, last)| (*first..=*last).contains(&c)) != is_negated
            }
        }
    }
}

/// Where the pattern can be in a path that is being read.
struct Matcher<'a> {
    filter: &'a Filter,
    /// Bit `i` is set if the elements before `i` can have taken all that was read since some start.
    positions: u128,
    /// Angle brackets that are open.
    depth: u32,
    /// The last two characters.
    last: [char; 2],
}

impl<'a> Matcher<'a> {
    fn new(filter: &'a Filter) -> Self {
        Self { filter, positions: 1, depth: 0, last: ['\0'; 2] }
    }

    fn read(&mut self, c: char) {
        if self.depth == 0 && self.last == [':', ':'] && c != ':' {
            self.positions |= 1;
        }
        // A run keeps its position; an element that takes the character moves it on.
        let mut next = self.positions & self.filter.runs;
        let mut waiting = self.positions & !(1 << self.filter.elements.len());
        while waiting != 0 {
            let position = waiting.trailing_zeros();
            if self.filter.takes(position as usize, c) {
                next |= 1 << (position + 1);
            }
            waiting &= waiting - 1;
        }
        self.positions = next;
        match c {
            '<' => self.depth += 1,
            // The arrow of a function type closes nothing.
            '>' if self.last[1] != '-' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        self.last = [self.last[1], c];
    }

    fn is_match(&self) -> bool {
        self.positions >> self.filter.elements.len() & 1 == 1
    }
}

#[cfg(test)]
mod tests {
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn finds(pattern: &str, path: &str) -> bool {
        Filter::parse(pattern).unwrap().matches(path)
    }

    #[test]
    fn a_name_finds_the_path_and_every_end_of_it_after_a_separator() {
        let path = "holdout::sched::tick";
        for pattern in ["tick", "sched::tick", "holdout::sched::tick"] {
            assert!(finds(pattern, path), "{pattern}");
        }
        for pattern in ["ick", "tic", "ched::tick", "sched", "holdout", "::tick", "holdout::tick", "tick::", "TICK"] {
            assert!(!finds(pattern, path), "{pattern}");
        }
    }

    #[test]
    fn globs_work_as_in_ftrace() {
        let path = "holdout::sched::runqueue::pick_next";
        for pattern in ["*", "pick_*", "*next", "*k_n*", "p?ck_next", "[n-q]ick_next", "[!a-o]ick*", "holdout::*::p*"] {
            assert!(finds(pattern, path), "{pattern}");
        }
        for pattern in ["pick_", "*pick", "p??ck_next", "[!n-q]ick_next", "[a-o]ick*", "holdout::*::q*", "?"] {
            assert!(!finds(pattern, path), "{pattern}");
        }
        assert!(finds("holdout::sched*", path) && finds("s*t", path) && finds("**p**t**", path));
        assert!(finds("[]a]x", "]x") && finds("[a-]x", "-x") && finds("[!]]", "a") && !finds("[!]]", "]"));
    }

    #[test]
    fn a_separator_inside_angle_brackets_starts_nothing() {
        let method = "<holdout::sched::Task as core::fmt::Display>::fmt";
        assert!(finds("fmt", method) && finds("<holdout::*", method) && !finds("Display*", method));
        assert!(!finds("sched::*", method) && !finds("Task*", method));
        let generic = "holdout::lab::run::<fn(u8) -> core::A>::body";
        assert!(finds("body", generic) && finds("run::*", generic) && !finds("A>*", generic));
    }

    #[test]
    fn special_characters_can_be_escaped() {
        assert!(finds("tick::{closure#?}", "holdout::sched::tick::{closure#0}"));
        assert!(finds("fill::<\\[u8; 4]>", "holdout::fill::<[u8; 4]>") && finds("a\\*", "a*") && !finds("a\\*", "ab"));
    }

    #[test]
    fn a_pattern_that_makes_no_sense_is_refused() {
        let refusal = |pattern: &str| Filter::parse(pattern).unwrap_err();
        assert_eq!(refusal(""), FilterError::Empty);
        assert_eq!(refusal(&"x".repeat(MAX_CHARS + 1)), FilterError::TooLong);
        assert_eq!(
            (refusal("a[bc"), refusal("[]"), refusal("[!]")),
            (FilterError::OpenSet, FilterError::OpenSet, FilterError::OpenSet)
        );
        assert_eq!(refusal("[z-a]"), FilterError::BackwardRange('z', 'a'));
        assert_eq!(refusal("a\\"), FilterError::NothingEscaped);
        assert_eq!(refusal("a\x1b"), FilterError::ControlCharacter);
        assert!(finds(&"x".repeat(MAX_CHARS), &"x".repeat(MAX_CHARS)));
        assert!(finds(&"*".repeat(MAX_CHARS), "x") && finds(&"[a]".repeat(MAX_CHARS / 3), &"a".repeat(MAX_CHARS / 3)));
    }

    #[test]
    fn the_worst_pattern_costs_no_more_than_the_product_of_the_lengths() {
        // A matcher that tries every way to split the path would not come back from this.
        let filter = Filter::parse(&("a*".repeat(MAX_CHARS / 2 - 1) + "x")).unwrap();
        assert!(!filter.matches(&("a".repeat(20_000) + "b::c")));
        let filter = Filter::parse(&("*a".repeat(MAX_CHARS / 2 - 1) + "x")).unwrap();
        assert!(!filter.matches(&"a".repeat(20_000)));
    }

    /// The definition, by trying every way.
    fn naive(pattern: &[char], path: &[char]) -> bool {
        match (pattern, path) {
            ([], []) => true,
            (['*', rest @ ..], _) => (0..=path.len()).any(|taken| naive(rest, &path[taken..])),
            (['?', rest @ ..], [_, after @ ..]) => naive(rest, after),
            (['[', '!', c, ']', rest @ ..], [first, after @ ..]) => first != c && naive(rest, after),
            (['[', c, '-', d, ']', rest @ ..], [first, after @ ..]) => (c..=d).contains(&first) && naive(rest, after),
            ([c, rest @ ..], [first, after @ ..]) => c == first && naive(rest, after),
            _ => false,
        }
    }

    #[test]
    fn the_matcher_agrees_with_the_definition() {
        const SEED: u64 = 0x5eed_f117_e400;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
        let mut matches = 0;
        for case in 0..200_000 {
            let pattern: String =
                (0..1 + below(7)).map(|_| ["a", "b", "::", "*", "?", "[!a]", "[a-b]", "c"][below(8)]).collect();
            let path: String = (0..below(9)).map(|_| ["a", "b", "::", "c", "d"][below(5)]).collect();
            let chars: Vec<char> = pattern.chars().collect();
            // Of several separators in a row only the last one starts something.
            let starts = path.match_indices("::").map(|(at, _)| at + 2).filter(|at| !path[*at..].starts_with(':'));
            let expected = core::iter::once(0)
                .chain(starts.filter(|at| *at < path.len()))
                .any(|at| naive(&chars, &path[at..].chars().collect::<Vec<_>>()));
            matches += usize::from(expected);
            assert_eq!(finds(&pattern, &path), expected, "seed {SEED:#x} case {case}: {pattern:?} on {path:?}");
        }
        assert!(matches > 10_000, "only {matches} of the cases match");
    }
}
