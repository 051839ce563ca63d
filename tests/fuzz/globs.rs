//! Globs: the matcher of one pass, against one that tries everything.

use holdout::ftrace::filter::{Filter, FilterError, MAX_CHARS};

use crate::harness::{Dice, Taken, hold};

pub(crate) const CASES: u64 = 300_000;

/// A pattern as its definition reads.
enum Token {
    Run,
    Any,
    One(char),
    Set(bool, Vec<(char, char)>),
}

/// The tokens of a pattern; `None` if it makes no sense.
fn tokens(pattern: &[char]) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut rest = pattern;
    while let [first, after @ ..] = rest {
        rest = after;
        tokens.push(match first {
            '*' => Token::Run,
            '?' => Token::Any,
            '\\' => {
                let (escaped, after) = rest.split_first()?;
                rest = after;
                Token::One(*escaped)
            }
            '[' => {
                let is_negated = rest.first() == Some(&'!');
                rest = if is_negated { &rest[1..] } else { rest };
                let mut ranges = Vec::new();
                loop {
                    match rest {
                        [] => return None,
                        [']', after @ ..] if !ranges.is_empty() => {
                            rest = after;
                            break Token::Set(is_negated, ranges);
                        }
                        [a, '-', b, after @ ..] if *b != ']' => {
                            if a > b {
                                return None;
                            }
                            ranges.push((*a, *b));
                            rest = after;
                        }
                        [a, after @ ..] => {
                            ranges.push((*a, *a));
                            rest = after;
                        }
                    }
                }
            }
            other => Token::One(*other),
        });
    }
    Some(tokens)
}

/// By trying every way.
fn matches(tokens: &[Token], text: &[char]) -> bool {
    let Some((token, rest)) = tokens.split_first() else { return text.is_empty() };
    if let Token::Run = token {
        return (0..=text.len()).any(|taken| matches(rest, &text[taken..]));
    }
    let Some((c, after)) = text.split_first() else { return false };
    let takes = match token {
        Token::Run | Token::Any => true,
        Token::One(wanted) => wanted == c,
        Token::Set(is_negated, ranges) => ranges.iter().any(|(a, b)| a <= c && c <= b) != *is_negated,
    };
    takes && matches(rest, after)
}

/// Where a match may start: at the path's start, and behind each `::` outside of angle brackets.
fn starts(path: &[char]) -> Vec<usize> {
    let depth_before = |at: usize| {
        let mut depth = 0_usize;
        for (index, c) in path[..at].iter().enumerate() {
            match c {
                '<' => depth += 1,
                '>' if index == 0 || path[index - 1] != '-' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        depth
    };
    let begins = |at: &usize| path[..*at].ends_with(&[':', ':']) && path[*at] != ':' && depth_before(*at) == 0;
    [0].into_iter().chain((1..path.len()).filter(begins)).collect()
}

const PIECES: &[&str] =
    &["a", "b", "ab", "::", ":", "<", ">", "->", " ", "sched", "tick", "\u{e9}", "[u8; 4]", "{closure#0}", "-", "]"];
const SPECIAL: &[&str] =
    &["*", "*", "?", "?", "[a-c]", "[!b]", "[]x]", "[a-]", "[!]a]", "\\*", "\\[", "[", "\\", "[c-a]", "**", "[!", "]"];

/// A pattern and a path, which are often alike, with a line's end between them.
fn pair(dice: &mut Dice) -> String {
    let path: Vec<&str> = (0..dice.below(8)).map(|_| dice.of(PIECES)).collect();
    let mut pattern = String::new();
    let is_alike = !dice.one_in(4);
    let skipped = if is_alike { dice.below(path.len() + 1) } else { 0 };
    for piece in path.iter().skip(skipped) {
        match dice.below(6) {
            0 => pattern.push_str(dice.of(SPECIAL)),
            1 => pattern.push('*'),
            2 => pattern.push_str(dice.of(PIECES)),
            // Escaped, all of it means itself.
            3 => piece.chars().for_each(|c| pattern.extend(['\\', c])),
            _ => pattern.push_str(piece),
        }
    }
    match dice.below(40) {
        0 => pattern.push_str(&"?".repeat(MAX_CHARS - dice.below(6))),
        1 => pattern.push(dice.char()),
        2 => pattern.clear(),
        _ => {}
    }
    format!("{pattern}\n{}", path.concat())
}

#[test]
fn globs_match_what_their_definition_says() {
    hold("globs", CASES, pair, |pair| {
        let (pattern, path) = pair.split_once('\n').unwrap_or((pair, ""));
        let (chars, path_chars): (Vec<char>, Vec<char>) = (pattern.chars().collect(), path.chars().collect());
        let is_fit = !chars.is_empty() && chars.len() <= MAX_CHARS && !chars.iter().any(|c| c.is_control());
        let expected = if is_fit { tokens(&chars) } else { None };
        // Escaped character by character, a path matches itself.
        let escaped: String = path_chars.iter().flat_map(|&c| ['\\', c]).collect();
        if let Ok(filter) = Filter::parse(&escaped)
            && !filter.matches(path)
        {
            return Err(format!("{escaped:?} does not match {path:?}"));
        }
        match (Filter::parse(pattern), expected) {
            (Ok(filter), Some(tokens)) => {
                let wanted = starts(&path_chars).iter().any(|&start| matches(&tokens, &path_chars[start..]));
                let found = filter.matches(path);
                if found != wanted {
                    return Err(format!("{pattern:?} on {path:?}: {found}, should be {wanted}"));
                }
                Ok(if wanted { Taken::Accepted } else { Taken::Refused })
            }
            (Err(error), None) => {
                let text = error.to_string();
                let is_size = matches!(error, FilterError::Empty | FilterError::TooLong);
                let is_right = match error {
                    FilterError::Empty => chars.is_empty(),
                    FilterError::TooLong => chars.len() > MAX_CHARS,
                    _ => !is_size,
                };
                let is_plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
                if is_right && is_plain { Ok(Taken::Refused) } else { Err(format!("{pattern:?}: {text:?}")) }
            }
            (parsed, _) => Err(format!("{pattern:?} is {parsed:?}, against its definition")),
        }
    });
}
