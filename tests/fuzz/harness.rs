//! Draws inputs, tries a property on each, and makes the one that breaks it small.

use std::cell::Cell;
use std::env;
use std::fmt::Debug;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const DEFAULT_SEED: u64 = 0x5eed_f022_2026;
/// Sets the cases of one seed apart (2^64 by the golden ratio).
const CASE_STRIDE: u64 = 0x9e37_79b9_7f4a_7c15;
/// Attempts to make a failing input smaller.
const MOST_ATTEMPTS: usize = 20_000;

/// Where choices come from.
pub(crate) struct Dice(Xoshiro256PlusPlus);

impl Dice {
    /// A number below `n`, which is not 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        (self.0.next_u64() >> 11) as usize % n
    }

    /// Whether something happens that does so once in `n` times.
    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn of<'a, T: ?Sized>(&mut self, choices: &[&'a T]) -> &'a T {
        choices[self.below(choices.len())]
    }

    /// Any character, most often a plain one.
    pub(crate) fn char(&mut self) -> char {
        match self.below(12) {
            0 => char::from_u32(self.below(0x11_0000) as u32).unwrap_or('\u{fffd}'),
            1 => *self.of(&[&'\u{e9}', &'\u{1b}', &'\0', &'\u{2028}', &'\u{10348}', &'\t', &'\u{7f}']),
            _ => (b' ' + self.below(95) as u8) as char,
        }
    }
}

/// What can be made smaller: each part of it left out.
pub(crate) trait Input: Clone + Debug {
    fn len(&self) -> usize;
    fn without(&self, start: usize, count: usize) -> Self;
}

impl Input for String {
    fn len(&self) -> usize {
        self.chars().count()
    }

    fn without(&self, start: usize, count: usize) -> Self {
        self.chars().take(start).chain(self.chars().skip(start + count)).collect()
    }
}

impl<T: Clone + Debug> Input for Vec<T> {
    fn len(&self) -> usize {
        Vec::len(self)
    }

    fn without(&self, start: usize, count: usize) -> Self {
        let end = (start + count).min(self.len());
        [&self[..start], &self[end..]].concat()
    }
}

/// How the code under test took an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Taken {
    Accepted,
    Refused,
}

thread_local! {
    /// Panics of this thread say nothing: the input that causes one is being made smaller.
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

fn let_panics_be_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !IS_QUIET.get() {
                usual(info);
            }
        }));
    });
}

fn number(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    let number = text.strip_prefix("0x").map_or_else(|| text.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok());
    Some(number.unwrap_or_else(|| panic!("{name}={text} is not a number")))
}

/// One try: what is wrong, if anything is; a panic is.
fn attempt<I>(property: impl Fn(&I) -> Result<Taken, String>, input: &I) -> Result<Taken, String> {
    catch_unwind(AssertUnwindSafe(|| property(input))).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        Err(format!("panic: {}", text.or(panic.downcast_ref::<&str>().map(|&text| text.into())).unwrap_or_default()))
    })
}

/// Tries `property` on so many inputs that `make` draws. Each of the two ways to be taken must make up at least
/// a twentieth: else the inputs are too alike. What a failing input needs not to fail is left out before it is shown.
pub(crate) fn hold<I: Input>(
    name: &str,
    usual_cases: u64,
    make: impl Fn(&mut Dice) -> I,
    property: impl Fn(&I) -> Result<Taken, String>,
) {
    let_panics_be_quiet();
    let seed = number("HOLDOUT_FUZZ_SEED").unwrap_or(DEFAULT_SEED);
    let single = number("HOLDOUT_FUZZ_CASE");
    let cases = number("HOLDOUT_FUZZ_CASES").unwrap_or(usual_cases);
    let range = single.map_or(0..cases, |case| case..case + 1);
    let wanted = range.end - range.start;
    let (mut accepted, mut refused) = (0, 0);
    IS_QUIET.set(true);
    for case in range {
        let mut dice = Dice(Xoshiro256PlusPlus::seed_from_u64(seed ^ case.wrapping_mul(CASE_STRIDE)));
        let input = make(&mut dice);
        match attempt(&property, &input) {
            Ok(Taken::Accepted) => accepted += 1,
            Ok(Taken::Refused) => refused += 1,
            Err(_) => {
                let (small, why) = shrink(input, &property);
                IS_QUIET.set(false);
                panic!("HOLDOUT_FUZZ_SEED={seed:#x} HOLDOUT_FUZZ_CASE={case} {name}: {why}\ninput: {small:?}");
            }
        }
    }
    IS_QUIET.set(false);
    // Not by `println!`: a count that only failures show is none.
    let line =
        format!("fuzz: {name} cases={} accepted={accepted} refused={refused} seed={seed:#x}\n", accepted + refused);
    std::io::stderr().write_all(line.as_bytes()).expect("standard error");
    assert_eq!(accepted + refused, wanted, "cases that were tried");
    assert!(single.is_some() || accepted.min(refused) * 20 >= wanted, "the inputs are too alike: {line}");
}

/// Leaves out parts, large ones first, for as long as the property stays broken.
fn shrink<I: Input>(mut input: I, property: impl Fn(&I) -> Result<Taken, String>) -> (I, String) {
    let mut why = attempt(&property, &input).expect_err("the same input fails again");
    let mut attempts = 0;
    let mut count = input.len().div_ceil(2).max(1);
    loop {
        let mut start = 0;
        let mut is_smaller = false;
        while start < input.len() && attempts < MOST_ATTEMPTS {
            attempts += 1;
            let candidate = input.without(start, count);
            match attempt(&property, &candidate) {
                Err(found) => (input, why, is_smaller) = (candidate, found, true),
                Ok(_) => start += count,
            }
        }
        if attempts >= MOST_ATTEMPTS || count == 1 && !is_smaller {
            return (input, why);
        }
        count = (count / 2).max(1);
    }
}

#[test]
fn a_broken_property_is_found_and_shown_small() {
    let make = |dice: &mut Dice| (0..dice.below(60)).map(|_| dice.char()).collect::<String>();
    let property =
        |text: &String| if text.contains('q') && text.contains('7') { Err("both".into()) } else { Ok(Taken::Accepted) };
    let found = catch_unwind(|| {
        IS_QUIET.set(true);
        hold("self-test", 100_000, make, property);
    });
    IS_QUIET.set(false);
    let found = found.expect_err("it is broken");
    let text = found.downcast_ref::<String>().expect("a text");
    assert!(text.contains("HOLDOUT_FUZZ_CASE=") && text.contains("self-test: both"), "{text}");
    assert!(text.ends_with("input: \"q7\"") || text.ends_with("input: \"7q\""), "{text}");
}
