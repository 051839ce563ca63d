//! The text of a line that is being edited: what stands in it, where the cursor is, what was killed. Pure.
//!
//! INVARIANT `cursor-inside`: the cursor stands at the start of a character of the text, or at its end. Everything that
//! changes the text goes through one function, which keeps that. Positions are bytes, columns are characters.
//! Callable from any context.

use core::ops::Range;

/// The longest line, in bytes.
pub const MAX_BYTES: usize = 256;

/// A line and its cursor.
#[derive(Clone, Debug, Default)]
pub struct Buffer {
    text: heapless::String<MAX_BYTES>,
    cursor: usize,
    killed: heapless::String<MAX_BYTES>,
}

/// Whether a character belongs to a word, for moves by words: paths are moved over by their parts.
fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

impl Buffer {
    /// An empty line; nothing was killed.
    pub const fn new() -> Self {
        Self { text: heapless::String::new(), cursor: 0, killed: heapless::String::new() }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        &self.text[..self.cursor]
    }

    /// The text from the cursor on.
    pub fn after(&self) -> &str {
        &self.text[self.cursor..]
    }

    /// Whether the cursor stands behind the last character.
    pub fn is_at_end(&self) -> bool {
        self.cursor == self.text.len()
    }

    /// Puts `with` in the place of `range`, and the cursor behind it. What does not fit changes nothing: `false`.
    fn replace(&mut self, range: Range<usize>, with: &str) -> bool {
        let mut fresh = heapless::String::new();
        let parts = [&self.text[..range.start], with, &self.text[range.end..]];
        if parts.iter().any(|part| fresh.push_str(part).is_err()) {
            return false;
        }
        self.text = fresh;
        self.cursor = range.start + with.len();
        true
    }

    /// Another text, the cursor at its end. What is too long changes nothing.
    pub fn set(&mut self, text: &str) -> bool {
        self.replace(0..self.text.len(), text)
    }

    /// Types `text` at the cursor; `false` if there is no room for it.
    pub fn insert(&mut self, text: &str) -> bool {
        self.replace(self.cursor..self.cursor, text)
    }

    /// Takes off the character before the cursor.
    pub fn backspace(&mut self) -> bool {
        let range = self.cursor - self.before().chars().next_back().map_or(0, char::len_utf8)..self.cursor;
        !range.is_empty() && self.replace(range, "")
    }

    /// Takes off the character at the cursor.
    pub fn delete(&mut self) -> bool {
        let range = self.cursor..self.cursor + self.after().chars().next().map_or(0, char::len_utf8);
        !range.is_empty() && self.replace(range, "")
    }

    /// Moves the cursor to the byte `to`.
    fn go(&mut self, to: usize) -> bool {
        core::mem::replace(&mut self.cursor, to) != to
    }

    /// One character back.
    pub fn left(&mut self) -> bool {
        self.go(self.cursor - self.before().chars().next_back().map_or(0, char::len_utf8))
    }

    /// One character on.
    pub fn right(&mut self) -> bool {
        self.go(self.cursor + self.after().chars().next().map_or(0, char::len_utf8))
    }

    /// To the start of the word that the cursor is in or behind.
    pub fn word_left(&mut self) -> bool {
        let word = self.before().trim_end_matches(|c| !is_word(c));
        self.go(word.trim_end_matches(is_word).len())
    }

    /// To the end of the word that the cursor is in or before.
    pub fn word_right(&mut self) -> bool {
        let word = self.after().trim_start_matches(|c| !is_word(c));
        self.go(self.text.len() - word.trim_start_matches(is_word).len())
    }

    /// To the start of the line.
    pub fn home(&mut self) -> bool {
        self.go(0)
    }

    /// To the end of the line.
    pub fn end(&mut self) -> bool {
        self.go(self.text.len())
    }

    /// Takes `range` off and keeps it for [`Buffer::yank`].
    fn kill(&mut self, range: Range<usize>) -> bool {
        if range.is_empty() {
            return false;
        }
        self.killed.clear();
        // Fits: a part of a text of the same bound.
        let _ = self.killed.push_str(&self.text[range.clone()]);
        self.replace(range, "")
    }

    /// Kills from the cursor to the end.
    pub fn kill_to_end(&mut self) -> bool {
        self.kill(self.cursor..self.text.len())
    }

    /// Kills from the start to the cursor.
    pub fn kill_to_start(&mut self) -> bool {
        self.kill(0..self.cursor)
    }

    /// Kills back to the space before the word, which is a whole argument.
    pub fn kill_word(&mut self) -> bool {
        let start = self.before().trim_end().trim_end_matches(|c: char| !c.is_whitespace()).len();
        self.kill(start..self.cursor)
    }

    /// Types what was killed last; nothing if there is no room for it.
    pub fn yank(&mut self) -> bool {
        let killed = self.killed.clone();
        !killed.is_empty() && self.insert(&killed)
    }

    /// Empties the line. What was killed stays.
    pub fn clear(&mut self) {
        self.text.clear();
        self.cursor = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line with `|` where the cursor is.
    fn line(shown: &str) -> Buffer {
        let mut buffer = Buffer::new();
        let (before, after) = shown.split_once('|').unwrap();
        assert!(buffer.set(after) && (buffer.home() || after.is_empty()) && buffer.insert(before));
        buffer
    }

    fn shown(buffer: &Buffer) -> String {
        format!("{}|{}", buffer.before(), buffer.after())
    }

    #[track_caller]
    fn becomes(from: &str, edit: fn(&mut Buffer) -> bool, to: &str) {
        let mut buffer = line(from);
        assert_eq!(edit(&mut buffer), from != to, "tells whether anything changed");
        assert_eq!(shown(&buffer), to, "from {from}");
    }

    #[test]
    fn text_is_typed_and_taken_off_at_the_cursor() {
        becomes("tr|e", |buffer| buffer.insert("ac"), "trac|e");
        becomes("trac|e", Buffer::backspace, "tra|e");
        becomes("|e", Buffer::backspace, "|e");
        becomes("tr|ace", Buffer::delete, "tr|ce");
        becomes("trace|", Buffer::delete, "trace|");
        becomes("aé|\u{10348}b", Buffer::backspace, "a|\u{10348}b");
        becomes("aé|\u{10348}b", Buffer::delete, "aé|b");
    }

    #[test]
    fn the_cursor_moves_by_characters_and_by_words() {
        becomes("aé|b", Buffer::left, "a|éb");
        becomes("a|éb", Buffer::right, "aé|b");
        becomes("|a", Buffer::left, "|a");
        becomes("a|", Buffer::right, "a|");
        becomes("trace sched::on_tick|", Buffer::word_left, "trace sched::|on_tick");
        becomes("trace sched::|on_tick", Buffer::word_left, "trace |sched::on_tick");
        becomes("  |", Buffer::word_left, "|  ");
        becomes("|trace sched::tick", Buffer::word_right, "trace| sched::tick");
        becomes("trace| sched::tick", Buffer::word_right, "trace sched|::tick");
        becomes("a| ", Buffer::word_right, "a |");
        becomes("a|b", Buffer::home, "|ab");
        becomes("a|b", Buffer::end, "ab|");
    }

    #[test]
    fn what_was_killed_is_typed_again_anywhere() {
        becomes("trace |tick on", Buffer::kill_to_end, "trace |");
        becomes("trace |tick on", Buffer::kill_to_start, "|tick on");
        becomes("trace sched::tick|", Buffer::kill_word, "trace |");
        becomes("trace tick  |on", Buffer::kill_word, "trace |on");
        becomes("|x", Buffer::kill_word, "|x");
        becomes("x|", Buffer::kill_to_end, "x|");
        becomes("x|", Buffer::yank, "x|");
        let mut buffer = line("trace é|x on");
        assert!(buffer.kill_word() && buffer.end() && buffer.yank() && buffer.yank());
        assert_eq!(shown(&buffer), "trace x onéé|");
        buffer.clear();
        assert!(buffer.yank(), "what was killed outlives its line");
        assert_eq!(shown(&buffer), "é|");
    }

    #[test]
    fn what_does_not_fit_changes_nothing() {
        let full = "x".repeat(MAX_BYTES - 1);
        let mut buffer = line(&format!("{full}|"));
        assert!(buffer.home() && !buffer.insert("é"));
        assert_eq!(shown(&buffer), format!("|{full}"));
        assert!(buffer.kill_to_end() && buffer.insert("yy") && !buffer.yank());
        assert_eq!(shown(&buffer), "yy|");
        assert!(!buffer.set(&"z".repeat(MAX_BYTES + 1)));
        assert_eq!(shown(&buffer), "yy|");
    }
}
