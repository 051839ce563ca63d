//! How a line stands on the terminal, and which bytes make it stand as it should. Pure; callable from any context.
//!
//! While a line is only typed, its characters are written one after the other and the terminal breaks rows as it likes:
//! a pipe reads back what it sent. From the first editing key on, the line stands in one row, of which a long line shows
//! a window around the cursor: bytes of this file alone (`ESC [K`, `ESC [nC`, CR) draw it, and all of it, each time.
//! A line that had outgrown its row by then is drawn anew on the next one.
//!
//! Limits: the terminal has at least 80 columns, and every character takes one (wide and combining ones shift the
//! cursor's place on the screen, not in the line). Text of other CPUs may come between: Ctrl-L draws the line again.
//!
//! # Why not follow the terminal's own wrapping
//! A cursor that goes back over the edge of a row needs the terminal's width, which a serial line does not tell, and
//! asking for it would put escape sequences into pipes.

use core::fmt::Write;

use super::edit::Buffer;

/// Columns that are used: the last one of a terminal stays free, where each terminal wraps in its own way.
pub const COLUMNS: usize = 79;
/// How far the window moves beyond the cursor that left it.
const STRIDE: usize = 20;
/// The longest prompt, in characters.
pub const MAX_PROMPT: usize = 48;

/// What is to be written; has room for a row of the longest characters and the bytes around it.
#[derive(Clone, Debug, Default)]
pub struct Out(heapless::String<{ 4 * COLUMNS + 64 }>);

impl Out {
    /// Nothing.
    pub const fn new() -> Self {
        Self(heapless::String::new())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Adds `text`.
    pub fn put(&mut self, text: &str) {
        let is_whole = self.0.push_str(text).is_ok();
        debug_assert!(is_whole, "more than a row");
    }
}

/// Where the line stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    /// Written as it was typed, the cursor at its end.
    Flowing,
    /// In one row, from this character on.
    Window(usize),
}

impl Screen {
    /// Writes `typed`, which was just added at the end of `buffer`: as it is, if it stays in the row.
    pub fn append(&mut self, out: &mut Out, prompt: &[&str], buffer: &Buffer, typed: &str) {
        let first = match *self {
            Self::Flowing => return out.put(typed),
            Self::Window(first) => first,
        };
        if columns(prompt) + buffer.text().chars().count() - first <= COLUMNS {
            out.put(typed);
        } else {
            self.draw(out, prompt, buffer);
        }
    }

    /// Takes off the character that was just taken off the end of `buffer`.
    pub fn rub_out(&mut self, out: &mut Out, prompt: &[&str], buffer: &Buffer) {
        let (prompt_columns, left) = (columns(prompt), buffer.text().chars().count());
        let is_simple = match *self {
            Self::Flowing => prompt_columns + left < COLUMNS,
            Self::Window(first) => (left > first || first == 0) && left - first + prompt_columns < COLUMNS,
        };
        if is_simple {
            out.put("\x08 \x08");
        } else {
            self.draw(out, prompt, buffer);
        }
    }

    /// Draws the row, and puts the cursor where it is in `buffer`.
    pub fn draw(&mut self, out: &mut Out, prompt: &[&str], buffer: &Buffer) {
        let prompt_columns = columns(prompt);
        let room = COLUMNS - prompt_columns;
        let (cursor, len) = (buffer.before().chars().count(), buffer.text().chars().count());
        let mut first = match *self {
            Self::Flowing => 0,
            Self::Window(first) => first,
        };
        if len <= room {
            first = 0;
        } else if cursor <= first {
            first = cursor.saturating_sub(STRIDE);
        } else if cursor > first + room {
            first = cursor + STRIDE - room;
        }
        *self = Self::Window(first);
        out.put("\r");
        prompt.iter().for_each(|part| out.put(part));
        let shown = |c: char| out.put(c.encode_utf8(&mut [0; 4]));
        buffer.text().chars().skip(first).take(room).for_each(shown);
        out.put("\x1b[K\r");
        let column = prompt_columns + cursor - first;
        if column > 0 {
            // Fits: see `Out`.
            let _ = write!(out.0, "\x1b[{column}C");
        }
    }

    /// Leaves the rows that a flowing line of so many characters, prompt included, has taken if they are several: what
    /// is drawn next stands on a row of its own.
    pub fn leave_rows(self, out: &mut Out, written: usize) {
        if self == Self::Flowing && written > COLUMNS {
            out.put("\r\n");
        }
    }
}

/// The columns of a prompt.
pub fn columns(prompt: &[&str]) -> usize {
    let columns = prompt.iter().map(|part| part.chars().count()).sum();
    debug_assert!(columns <= MAX_PROMPT, "{prompt:?} leaves no room for a line");
    columns
}
