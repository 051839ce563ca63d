//! From a line to its words, and from `cmds` to its commands.
//!
//! Words stand between spaces; double quotes around a whole word keep spaces in it. Commands stand between `;` outside
//! double quotes. Nothing allocates: words are parts of the line. Callable from any context.

use core::fmt;

use crate::platform::shown::Shown;

/// The most words of a command.
pub const MAX_WORDS: usize = 16;

/// The words of one command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words<'a>(heapless::Vec<&'a str, MAX_WORDS>);

/// What stands behind the command's name, without quotes, a space between two words.
impl fmt::Display for Words<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut behind = self.0.iter().skip(1).enumerate();
        behind.try_for_each(|(n, word)| write!(f, "{}{word}", if n == 0 { "" } else { " " }))
    }
}

/// A line that cannot be split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WordsError<'a> {
    /// More than [`MAX_WORDS`]; this is the first too many.
    TooMany(&'a str),
    /// A double quote without its partner, and what follows it.
    OpenQuote(&'a str),
    /// A double quote inside this word.
    StrayQuote(&'a str),
}

impl fmt::Display for WordsError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooMany(word) => write!(f, "{} is one word too many; at most {MAX_WORDS} are allowed", Shown(word)),
            Self::OpenQuote(word) => write!(f, "{} lacks a closing double quote", Shown(word)),
            Self::StrayQuote(word) => {
                write!(f, "{} has a double quote inside; quotes stand around a word", Shown(word))
            }
        }
    }
}

impl core::error::Error for WordsError<'_> {}

impl<'a> Words<'a> {
    /// Splits a line. An empty one has no words.
    pub fn split(line: &'a str) -> Result<Self, WordsError<'a>> {
        let mut words = heapless::Vec::new();
        let mut rest = line.trim_ascii();
        while !rest.is_empty() {
            let (typed, word) = first_word(rest)?;
            words.push(word).map_err(|_| WordsError::TooMany(word))?;
            rest = rest[typed.len()..].trim_ascii_start();
        }
        Ok(Self(words))
    }

    /// The words without their quotes, the command's name first.
    pub fn as_slice(&self) -> &[&'a str] {
        &self.0
    }
}

/// The word that `rest` starts with, as typed and without quotes. In `key="a value"`, for commands that parse their
/// own line, the quotes stay.
fn first_word(rest: &str) -> Result<(&str, &str), WordsError<'_>> {
    if rest.starts_with('"') {
        return closed(rest, 1);
    }
    let typed = &rest[..rest.find(|c: char| c.is_ascii_whitespace()).unwrap_or(rest.len())];
    match typed.find('"') {
        None => Ok((typed, typed)),
        Some(quote) if typed[..quote].ends_with('=') => closed(rest, quote + 1).map(|(typed, _)| (typed, typed)),
        Some(_) => Err(WordsError::StrayQuote(typed)),
    }
}

/// The word whose quoted part begins at `value_at`: as typed, and what the quotes hold.
fn closed(rest: &str, value_at: usize) -> Result<(&str, &str), WordsError<'_>> {
    let value_bytes = rest[value_at..].find('"').ok_or(WordsError::OpenQuote(rest))?;
    let end = value_at + value_bytes + 1;
    let after = &rest[end..];
    let stray = after.find(|c: char| c.is_ascii_whitespace()).unwrap_or(after.len());
    if stray > 0 {
        return Err(WordsError::StrayQuote(&rest[..end + stray]));
    }
    Ok((&rest[..end], &rest[value_at..end - 1]))
}

/// The commands of a text with `;` between them, without the empty ones.
pub fn commands(text: &str) -> impl Iterator<Item = &str> {
    let mut is_quoted = false;
    text.split(move |c| {
        is_quoted ^= c == '"';
        c == ';' && !is_quoted
    })
    .map(str::trim_ascii)
    .filter(|command| !command.is_empty())
}

#[cfg(test)]
mod tests {
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    fn words(line: &str) -> Vec<&str> {
        Words::split(line).unwrap().as_slice().to_vec()
    }

    #[test]
    fn words_stand_between_spaces() {
        assert_eq!(words("  trace\tsched::*  on "), ["trace", "sched::*", "on"]);
        assert!(words("").is_empty() && words(" \t ").is_empty());
    }

    #[test]
    fn double_quotes_keep_spaces_and_may_hold_nothing() {
        assert_eq!(words("trace \"<A as B>::c d\" \"\" on"), ["trace", "<A as B>::c d", "", "on"]);
        assert_eq!(words("stress seed=1 key=\"a b\" x"), ["stress", "seed=1", "key=\"a b\"", "x"]);
    }

    #[test]
    fn what_stands_behind_the_name_is_shown_without_quotes() {
        let shown = |line: &str| Words::split(line).unwrap().to_string();
        assert_eq!(shown("echo \"a\"  \"b  c\" d "), "a b  c d");
        assert_eq!(shown("echo \"\" x"), " x");
        assert_eq!([shown("ps"), shown("\"a b\" c"), shown("")], ["", "c", ""]);
    }

    #[test]
    fn a_line_that_cannot_be_split_is_refused_by_its_word() {
        let refusal = |line: &str| Words::split(line).unwrap_err().to_string();
        assert_eq!(refusal("trace \"a b"), "`\"a b` lacks a closing double quote");
        assert_eq!(refusal("x key=\"a b"), "`key=\"a b` lacks a closing double quote");
        let stray = "has a double quote inside; quotes stand around a word";
        assert_eq!(refusal("a\"b c"), format!("`a\"b` {stray}"));
        assert_eq!(refusal("\"a\"b c"), format!("`\"a\"b` {stray}"));
        assert_eq!(refusal("k=\"a\"b c"), format!("`k=\"a\"b` {stray}"));
        let many = "w ".repeat(MAX_WORDS) + "last";
        assert_eq!(refusal(&many), "`last` is one word too many; at most 16 are allowed");
        assert_eq!(words(&"w ".repeat(MAX_WORDS)).len(), MAX_WORDS);
    }

    #[test]
    fn commands_stand_between_semicolons_outside_quotes() {
        let of = |text| commands(text).collect::<Vec<_>>();
        assert_eq!(of("ps; trace a* on ;rcu"), ["ps", "trace a* on", "rcu"]);
        assert_eq!(of("a \"b;c\"; d"), ["a \"b;c\"", "d"]);
        assert!(of(" ;; ; ").is_empty() && of("").is_empty());
    }

    #[test]
    fn any_line_is_split_into_its_own_parts_or_refused_in_one_line() {
        const SEED: u64 = 0x5eed_0a0d;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
        let (mut split, mut refused) = (0, 0);
        for case in 0..100_000 {
            let pieces = ["a", "bc", " ", " ", " ", "\"", "=\"", "\t", ";", "é", "\u{1b}", "\u{2003}", "=\"v w\" "];
            let line: String = (0..below(24)).map(|_| pieces[below(pieces.len())]).collect();
            match Words::split(&line) {
                Ok(words) => {
                    split += 1;
                    // Quotes and spaces aside, nothing is lost and nothing is added.
                    let kept = |text: &str| text.chars().filter(|c| !" \t\"".contains(*c)).collect::<String>();
                    let of_words: String = words.as_slice().iter().map(|word| kept(word)).collect();
                    assert_eq!(of_words, kept(&line), "seed {SEED:#x} case {case}: {line:?}");
                }
                Err(error) => {
                    refused += 1;
                    let text = error.to_string();
                    let is_safe = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
                    assert!(is_safe && text.len() < 200, "seed {SEED:#x} case {case}: {line:?}: {text:?}");
                }
            }
        }
        assert!(split > 10_000 && refused > 10_000, "the lines are too alike: {split} split, {refused} refused");
    }
}
