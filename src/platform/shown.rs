//! Words of a stranger, fit to be shown: what a person typed, as far as a one-line answer may repeat it.
//!
//! INVARIANT `echo-safe`: what is printed is ASCII without control characters, and at most [`WIDTH`] of them plus the
//! mark of a cut. A terminal cannot be steered by what we repeat, and no answer grows with the question.
//! Callable from any context.

use core::fmt;

/// How many characters of a word are repeated.
pub const WIDTH: usize = 32;

/// Prints a word in backquotes: escaped where it is not plain ASCII, and cut, with `...`, where it is overlong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("`")?;
        let mut room = WIDTH;
        for c in self.0.chars() {
            let is_plain = c.is_ascii_graphic() || c == ' ';
            let width = if is_plain { 1 } else { c.escape_unicode().len() };
            if width > room {
                return f.write_str("...`");
            }
            room -= width;
            if is_plain {
                write!(f, "{c}")?;
            } else {
                write!(f, "{}", c.escape_unicode())?;
            }
        }
        f.write_str("`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_word_is_shown_as_it_is() {
        assert_eq!(Shown("secs=10").to_string(), "`secs=10`");
        assert_eq!(Shown("").to_string(), "``");
    }

    #[test]
    fn an_overlong_word_is_shown_cut() {
        let exact = "x".repeat(WIDTH);
        assert_eq!(Shown(&exact).to_string(), format!("`{exact}`"));
        assert_eq!(Shown(&"x".repeat(WIDTH + 1)).to_string(), format!("`{exact}...`"));
    }

    #[test]
    fn what_could_steer_a_terminal_is_escaped() {
        assert_eq!(Shown("a\x1b[2Jb").to_string(), "`a\\u{1b}[2Jb`");
        assert_eq!(Shown("\u{202e}é").to_string(), "`\\u{202e}\\u{e9}`");
        assert_eq!(Shown("\u{10ffff}\u{10ffff}\u{10ffff}\u{10ffff}").to_string().len(), 2 + 30 + 3);
    }
}
