//! Editing keys, against an editor that is too simple to be wrong: a vector of characters, a number, a list of lines.

use holdout::shell::history::MOST_LINES;
use holdout::shell::line::{Event, LineInput, MAX_BYTES, Prompt};

use crate::harness::{Dice, Taken, hold};
use crate::lines::terminal::Terminal;
use crate::lines::{PROMPT, shows};

pub(crate) const CASES: u64 = 150_000;

/// What a person does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    Type(char),
    Left,
    Right,
    WordLeft,
    WordRight,
    Home,
    End,
    Backspace,
    Delete,
    KillToEnd,
    KillToStart,
    KillWord,
    Yank,
    Older,
    Newer,
    Enter,
}

impl Act {
    fn bytes(self) -> Vec<u8> {
        let keys: &[u8] = match self {
            Self::Type(c) => return c.to_string().into_bytes(),
            Self::Left => b"\x1b[D",
            Self::Right => b"\x06",
            Self::WordLeft => b"\x1bb",
            Self::WordRight => b"\x1b[1;5C",
            Self::Home => b"\x01",
            Self::End => b"\x1b[F",
            Self::Backspace => b"\x7f",
            Self::Delete => b"\x1b[3~",
            Self::KillToEnd => b"\x0b",
            Self::KillToStart => b"\x15",
            Self::KillWord => b"\x17",
            Self::Yank => b"\x19",
            Self::Older => b"\x1b[A",
            Self::Newer => b"\x0e",
            Self::Enter => b"\r",
        };
        keys.to_vec()
    }
}

/// The simple editor.
#[derive(Default)]
struct Model {
    text: Vec<char>,
    cursor: usize,
    killed: Vec<char>,
    lines: Vec<Vec<char>>,
    up: usize,
    draft: Vec<char>,
    is_overlong: bool,
}

fn bytes_of(text: &[char]) -> usize {
    text.iter().map(|c| c.len_utf8()).sum()
}

impl Model {
    fn kill(&mut self, start: usize, end: usize) {
        if start < end {
            self.killed = self.text.drain(start..end).collect();
            self.cursor = start;
        }
    }

    fn show(&mut self, up: usize) {
        self.up = up;
        self.text = if up == 0 { self.draft.clone() } else { self.lines[self.lines.len() - up].clone() };
        self.cursor = self.text.len();
    }

    /// The start of the word before the cursor, and the end of the one behind it.
    fn word_bounds(&self) -> (usize, usize) {
        let is_word = |index: usize| self.text[index].is_alphanumeric() || self.text[index] == '_';
        let (mut start, mut end) = (self.cursor, self.cursor);
        while start > 0 && !is_word(start - 1) {
            start -= 1;
        }
        while start > 0 && is_word(start - 1) {
            start -= 1;
        }
        while end < self.text.len() && !is_word(end) {
            end += 1;
        }
        while end < self.text.len() && is_word(end) {
            end += 1;
        }
        (start, end)
    }

    /// Does it; gives the line that ended, or nothing where it was too long.
    fn act(&mut self, act: Act) -> Option<Option<String>> {
        if act == Act::Enter {
            let text = std::mem::take(&mut self.text);
            let line = (!self.is_overlong).then(|| text.iter().collect::<String>());
            if !self.is_overlong && text.iter().any(|&c| c != ' ') && self.lines.last() != Some(&text) {
                self.lines.push(text);
                self.lines.drain(..self.lines.len().saturating_sub(MOST_LINES));
            }
            (self.cursor, self.up, self.is_overlong) = (0, 0, false);
            return Some(line);
        }
        if self.is_overlong {
            return None;
        }
        let (start, end) = self.word_bounds();
        match act {
            Act::Type(c) if bytes_of(&self.text) + c.len_utf8() > MAX_BYTES => self.is_overlong = true,
            Act::Type(c) => {
                self.text.insert(self.cursor, c);
                self.cursor += 1;
            }
            Act::Left => self.cursor = self.cursor.saturating_sub(1),
            Act::Right => self.cursor = (self.cursor + 1).min(self.text.len()),
            Act::WordLeft => self.cursor = start,
            Act::WordRight => self.cursor = end,
            Act::Home => self.cursor = 0,
            Act::End => self.cursor = self.text.len(),
            Act::Backspace if self.cursor > 0 => {
                self.cursor -= 1;
                self.text.remove(self.cursor);
            }
            Act::Delete if self.cursor < self.text.len() => drop(self.text.remove(self.cursor)),
            Act::KillToEnd => self.kill(self.cursor, self.text.len()),
            Act::KillToStart => self.kill(0, self.cursor),
            Act::KillWord => {
                let mut start = self.cursor;
                while start > 0 && self.text[start - 1] == ' ' {
                    start -= 1;
                }
                while start > 0 && self.text[start - 1] != ' ' {
                    start -= 1;
                }
                self.kill(start, self.cursor);
            }
            Act::Yank if bytes_of(&self.text) + bytes_of(&self.killed) <= MAX_BYTES => {
                self.text.splice(self.cursor..self.cursor, self.killed.iter().copied());
                self.cursor += self.killed.len();
            }
            Act::Older if self.up < self.lines.len() => {
                if self.up == 0 {
                    self.draft = self.text.clone();
                }
                self.show(self.up + 1);
            }
            Act::Newer if self.up > 0 => self.show(self.up - 1),
            _ => {}
        }
        None
    }
}

fn acts(dice: &mut Dice) -> Vec<Act> {
    const KEYS: &[&Act] = &[
        &Act::Left,
        &Act::Left,
        &Act::Right,
        &Act::WordLeft,
        &Act::WordRight,
        &Act::Home,
        &Act::End,
        &Act::Backspace,
        &Act::Delete,
        &Act::KillToEnd,
        &Act::KillToStart,
        &Act::KillWord,
        &Act::Yank,
        &Act::Yank,
        &Act::Older,
        &Act::Newer,
    ];
    let mut acts = Vec::new();
    // Now and then a line that outgrows its row, or its limit.
    for _ in 0..if dice.one_in(6) { 60 + dice.below(220) } else { 0 } {
        acts.push(Act::Type(*dice.of(&[&'x', &'y', &' ', &'\u{e9}'])));
    }
    for _ in 0..dice.below(40) {
        acts.push(match dice.below(8) {
            0..3 => *dice.of(KEYS),
            3 if dice.one_in(2) => Act::Enter,
            _ => Act::Type(*dice.of(&[&'a', &'b', &' ', &':', &'_', &'\u{e9}', &'\u{10348}'])),
        });
    }
    acts.push(Act::Enter);
    acts
}

#[test]
fn editing_keys_do_what_a_simple_editor_does() {
    hold("line-keys", CASES, acts, |acts| {
        let mut model = Model::default();
        let mut line = LineInput::new(Prompt::Command(PROMPT));
        let mut terminal = Terminal::new();
        terminal.feed(PROMPT.as_bytes());
        let mut first_row = 0;
        let mut taken = Taken::Accepted;
        for (step, &act) in acts.iter().enumerate() {
            let expected = model.act(act);
            let mut ended = None;
            for byte in act.bytes() {
                match line.push(byte) {
                    Event::Nothing => {}
                    Event::Echo(bytes) => terminal.feed(bytes),
                    Event::Line(text) => ended = Some(Some(text.to_owned())),
                    Event::Overlong => ended = Some(None),
                    other => return Err(format!("step {step}, {act:?}: {other:?}")),
                }
            }
            if ended != expected {
                return Err(format!("step {step}, {act:?}: {ended:?}, should be {expected:?}"));
            }
            if let Some(line_text) = ended {
                if line_text.is_none() {
                    taken = Taken::Refused;
                }
                line.begin(Prompt::Command(PROMPT));
                terminal.feed(b"\r\n");
                terminal.feed(PROMPT.as_bytes());
                first_row = terminal.row;
            }
            let (text, before): (String, String) =
                (model.text.iter().collect(), model.text[..model.cursor].iter().collect());
            if !model.is_overlong && (line.buffer().text(), line.buffer().before()) != (text.as_str(), before.as_str())
            {
                return Err(format!("step {step}, {act:?}: {:?}, should be {text:?} behind {before:?}", line.buffer()));
            }
            shows(&terminal, first_row, &line).map_err(|error| format!("step {step}, {act:?}: {error}"))?;
        }
        Ok(taken)
    });
}
