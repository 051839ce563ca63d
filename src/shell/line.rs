//! A line of input: from a terminal, with its editing keys, or from a plain pipe.
//!
//! A pure state machine: the shell feeds bytes and acts on events. Keys are recognised by [`super::keys`], edit a
//! [`super::edit`] buffer, and are shown by [`super::screen`]; older lines come from [`super::history`].
//! INVARIANT `whole-line`: a line is handed over only as it was typed. One that grew too long, or that held bytes
//! which are no text, is swallowed to its end and answered as a whole, so that half a command never runs. Control bytes
//! and bytes that are not UTF-8 are never echoed, and who sends no editing key gets no escape sequence.
//! Context: any that may allocate (a line is kept at its end).
//!
//! # Why not embedded-cli
//! It has history and moves left and right, but no other editing key, completes names of commands alone and from types
//! of the build, not functions out of a symbol table; it always answers with escape sequences, and what it cannot read it
//! drops, where `whole-line` must refuse. Its last release is older than two years.

use super::edit::Buffer;
use super::history::History;
use super::keys::{Key, Keys};
use super::screen::{Out, Screen, columns};

pub use super::edit::MAX_BYTES;

/// What a line is asked for with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// A command: kept in the history, and completed.
    Command(&'static str),
    /// An answer: neither.
    Question(&'static str),
}

impl Prompt {
    /// Its text.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Command(text) | Self::Question(text) => text,
        }
    }
}

/// What a byte led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing to do: part of a character or of a key, a key that changes nothing, or a line that is being swallowed.
    Nothing,
    /// Write these bytes to the terminal.
    Echo(&'a [u8]),
    /// A line, without its end.
    Line(&'a str),
    /// A line ended that was longer than [`MAX_BYTES`].
    Overlong,
    /// A line ended that held control bytes, or bytes that are not UTF-8.
    NotText,
    /// Ctrl-C: what was typed is forgotten.
    Interrupt,
    /// Ctrl-D at the start of a line.
    EndOfInput,
    /// Tab: [`LineInput::complete`] takes what this text can go on with.
    Complete {
        /// The line up to the cursor.
        before: &'a str,
        /// The key came twice in a row: show what there is, then [`LineInput::show_again`].
        is_again: bool,
    },
}

/// The state between two bytes.
#[derive(Clone, Debug)]
pub struct LineInput {
    prompt: Prompt,
    keys: Keys,
    buffer: Buffer,
    history: History,
    screen: Screen,
    search: Option<Search>,
    fate: Fate,
    /// The last byte ended the line, which is kept until the next byte because it was lent out.
    is_ended: bool,
    is_after_tab: bool,
    out: Out,
}

/// What will be said of the line when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Good,
    Overlong,
    NotText,
}

/// A search backwards through the history, begun by Ctrl-R.
#[derive(Clone, Debug, Default)]
struct Search {
    part: heapless::String<24>,
    /// Newer lines that hold the part and were passed over.
    skipped: usize,
}

impl LineInput {
    /// At the start of the first line.
    pub const fn new(prompt: Prompt) -> Self {
        Self {
            prompt,
            keys: Keys::new(),
            buffer: Buffer::new(),
            history: History::new(),
            screen: Screen::Flowing,
            search: None,
            fate: Fate::Good,
            is_ended: false,
            is_after_tab: false,
            out: Out::new(),
        }
    }

    /// Starts a new line behind `prompt`, which the caller prints.
    pub fn begin(&mut self, prompt: Prompt) {
        self.prompt = prompt;
        self.buffer.clear();
        self.history.leave();
        self.screen = Screen::Flowing;
        self.search = None;
        self.fate = Fate::Good;
        self.is_ended = false;
        self.is_after_tab = false;
    }

    /// What has been typed, and the cursor in it.
    pub const fn buffer(&self) -> &Buffer {
        &self.buffer
    }

    /// Takes the next byte. After the end of a line, or an interrupt, the next byte starts a new line.
    pub fn push(&mut self, byte: u8) -> Event<'_> {
        if self.is_ended {
            self.begin(self.prompt);
        }
        let Some(key) = self.keys.push(byte) else { return Event::Nothing };
        let is_again = core::mem::replace(&mut self.is_after_tab, key == Key::Tab);
        let is_command = matches!(self.prompt, Prompt::Command(_));
        self.out.clear();
        match key {
            Key::Enter { is_cut } => self.end_line(is_cut),
            Key::Interrupt => {
                self.is_ended = true;
                Event::Interrupt
            }
            _ if self.fate != Fate::Good => Event::Nothing,
            Key::Bad => self.spoil(Fate::NotText),
            Key::EndOfInput if self.buffer.text().is_empty() => Event::EndOfInput,
            Key::Tab | Key::Older | Key::Newer | Key::Search if !is_command => Event::Nothing,
            Key::Search => self.search_older(),
            Key::Char(c) if self.search.is_some() => self.search_for(c),
            _ => {
                let was_searching = self.search.take().is_some();
                self.edit(key, is_again, was_searching)
            }
        }
    }

    fn end_line(&mut self, is_cut: bool) -> Event<'_> {
        self.is_ended = true;
        match self.fate {
            Fate::Overlong => Event::Overlong,
            Fate::Good if !is_cut => {
                if let Prompt::Command(_) = self.prompt {
                    self.history.push(self.buffer.text());
                }
                Event::Line(self.buffer.text())
            }
            Fate::Good | Fate::NotText => Event::NotText,
        }
    }

    /// The line is lost; this is what will be said of it.
    fn spoil(&mut self, fate: Fate) -> Event<'_> {
        self.fate = fate;
        Event::Nothing
    }

    fn edit(&mut self, key: Key, is_again: bool, was_searching: bool) -> Event<'_> {
        let written = columns(&[self.prompt.text()]) + self.buffer.text().chars().count();
        let was_at_end = self.buffer.is_at_end() && !was_searching;
        let is_changed = match key {
            Key::Char(c) => {
                let mut bytes = [0; 4];
                let typed = c.encode_utf8(&mut bytes);
                if !self.buffer.insert(typed) {
                    return self.spoil(Fate::Overlong);
                }
                if was_at_end {
                    self.screen.append(&mut self.out, &[self.prompt.text()], &self.buffer, typed);
                    return self.echo();
                }
                true
            }
            Key::Backspace if self.buffer.backspace() => {
                if was_at_end {
                    self.screen.leave_rows(&mut self.out, written);
                    self.screen.rub_out(&mut self.out, &[self.prompt.text()], &self.buffer);
                    return self.echo();
                }
                true
            }
            Key::Tab if !was_searching => return Event::Complete { before: self.buffer.before(), is_again },
            Key::EndOfInput | Key::Delete => self.buffer.delete(),
            Key::Left => self.buffer.left(),
            Key::Right => self.buffer.right(),
            Key::WordLeft => self.buffer.word_left(),
            Key::WordRight => self.buffer.word_right(),
            Key::Home => self.buffer.home(),
            Key::End => self.buffer.end(),
            Key::KillToEnd => self.buffer.kill_to_end(),
            Key::KillToStart => self.buffer.kill_to_start(),
            Key::KillWord => self.buffer.kill_word(),
            Key::Yank => self.buffer.yank(),
            Key::Older => self.history.older(self.buffer.text()).is_some_and(|line| self.buffer.set(line)),
            Key::Newer => self.history.newer().is_some_and(|line| self.buffer.set(line)),
            Key::Redraw => {
                self.out.put("\x1b[H\x1b[2J");
                self.screen = Screen::Window(0);
                true
            }
            Key::Backspace | Key::Tab | Key::Search | Key::Bad | Key::Enter { .. } | Key::Interrupt => false,
        };
        if is_changed || was_searching {
            self.screen.leave_rows(&mut self.out, written);
            self.screen.draw(&mut self.out, &[self.prompt.text()], &self.buffer);
        }
        self.echo()
    }

    fn echo(&self) -> Event<'_> {
        if self.out.as_bytes().is_empty() { Event::Nothing } else { Event::Echo(self.out.as_bytes()) }
    }

    /// Ctrl-R: begins a search, or goes on to the next older line that is found.
    fn search_older(&mut self) -> Event<'_> {
        let written = columns(&[self.prompt.text()]) + self.buffer.text().chars().count();
        self.screen.leave_rows(&mut self.out, written);
        match &mut self.search {
            Some(search) if self.history.find(&search.part, search.skipped + 1).is_some() => search.skipped += 1,
            Some(_) => {}
            none => *none = Some(Search::default()),
        }
        self.show_found()
    }

    /// Searches for one character more. One that does not fit is left out.
    fn search_for(&mut self, c: char) -> Event<'_> {
        if let Some(search) = &mut self.search {
            // What is not found any more stays on the screen, with what was searched for.
            let _full = search.part.push(c);
            search.skipped = 0;
        }
        self.show_found()
    }

    /// Shows the line that the search stands at, in place of the prompt what it is for. Any other key takes it over.
    fn show_found(&mut self) -> Event<'_> {
        let Some(search) = &self.search else { return Event::Nothing };
        let found = if search.part.is_empty() { None } else { self.history.find(&search.part, search.skipped) };
        if let Some(line) = found {
            self.buffer.set(line);
        }
        let say = if found.is_some() || search.part.is_empty() { "(search: " } else { "(not found: " };
        self.screen.draw(&mut self.out, &[say, &search.part, ") "], &self.buffer);
        self.echo()
    }

    /// Types what the text before the cursor can go on with; nothing if there is no room for it.
    pub fn complete(&mut self, text: &str) -> Event<'_> {
        let was_at_end = self.buffer.is_at_end();
        self.out.clear();
        if text.is_empty() || text.contains(char::is_control) || !self.buffer.insert(text) {
            return Event::Nothing;
        }
        if was_at_end && text.chars().count() < super::screen::COLUMNS {
            self.screen.append(&mut self.out, &[self.prompt.text()], &self.buffer, text);
        } else {
            self.screen.draw(&mut self.out, &[self.prompt.text()], &self.buffer);
        }
        self.echo()
    }

    /// The prompt and the line again, on a new row: without escape sequences if they fit and the cursor is at the end.
    pub fn show_again(&mut self) -> Event<'_> {
        let prompt = self.prompt.text();
        self.out.clear();
        if self.buffer.is_at_end() && columns(&[prompt]) + self.buffer.text().chars().count() <= super::screen::COLUMNS
        {
            self.screen = Screen::Flowing;
            self.out.put(prompt);
            self.out.put(self.buffer.text());
        } else {
            self.screen = Screen::Window(0);
            self.screen.draw(&mut self.out, &[prompt], &self.buffer);
        }
        self.echo()
    }
}

#[cfg(test)]
mod tests;
