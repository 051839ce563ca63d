//! From bytes to keys: what a terminal sends, or a plain pipe. Pure; callable from any context.
//!
//! CR, LF and CRLF are one key. A key such as an arrow sends several bytes, of which the last one is the key; sequences
//! without a meaning here are skipped. A line's end and Ctrl-C are seen inside every sequence, so that no byte that went
//! missing can swallow a command. Bytes that are no UTF-8, and control bytes without a meaning, are [`Key::Bad`].

/// A key, or a character of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Text: never a control character.
    Char(char),
    /// What is neither text nor a key.
    Bad,
    /// The end of a line; `is_cut` if it came inside a character.
    Enter {
        /// The last character lacks bytes.
        is_cut: bool,
    },
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-D: the end of input at the start of a line, else as [`Key::Delete`].
    EndOfInput,
    /// Tab.
    Tab,
    /// Takes off the character before the cursor.
    Backspace,
    /// Takes off the character at the cursor.
    Delete,
    /// One character back; Ctrl-B.
    Left,
    /// One character on; Ctrl-F.
    Right,
    /// To the start of the word; Alt-B, Ctrl-left.
    WordLeft,
    /// To the end of the word; Alt-F, Ctrl-right.
    WordRight,
    /// To the start of the line; Ctrl-A.
    Home,
    /// To the end of the line; Ctrl-E.
    End,
    /// Ctrl-K.
    KillToEnd,
    /// Ctrl-U.
    KillToStart,
    /// Ctrl-W, Alt-Backspace.
    KillWord,
    /// Ctrl-Y.
    Yank,
    /// Ctrl-L.
    Redraw,
    /// The line before; up, Ctrl-P.
    Older,
    /// The line after; down, Ctrl-N.
    Newer,
    /// Ctrl-R.
    Search,
}

/// How far into the sequence of a key the input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sequence {
    Outside,
    /// Behind ESC.
    Begun,
    /// Behind `ESC [`: numbers with `;` between them, then a final byte.
    Numbers {
        /// The number before the last `;`, and the one that is being read.
        before: u8,
        last: u8,
    },
    /// Behind `ESC O`: one more byte.
    Last,
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ESCAPE: u8 = 0x1b;
const RUBOUT: u8 = 0x7f;

/// The second number of a sequence whose key was held together with Alt, or with Ctrl.
const ALT: u8 = 3;
const CTRL: u8 = 5;

/// The state between two bytes.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The first bytes of a character that is not complete.
    partial: heapless::Vec<u8, 4>,
    sequence: Sequence,
    /// The last byte was a CR: a LF is its other half.
    is_after_cr: bool,
}

impl Default for Keys {
    fn default() -> Self {
        Self::new()
    }
}

impl Keys {
    /// Outside of everything.
    pub const fn new() -> Self {
        Self { partial: heapless::Vec::new(), sequence: Sequence::Outside, is_after_cr: false }
    }

    /// Takes the next byte; gives the key that it completes, if any.
    pub fn push(&mut self, byte: u8) -> Option<Key> {
        let is_second_half = self.is_after_cr && byte == b'\n';
        self.is_after_cr = byte == b'\r';
        match byte {
            b'\n' if is_second_half => None,
            b'\r' | b'\n' => {
                let is_cut = !self.partial.is_empty();
                self.leave();
                Some(Key::Enter { is_cut })
            }
            CTRL_C => {
                self.leave();
                Some(Key::Interrupt)
            }
            _ if self.sequence != Sequence::Outside => self.go_on(byte),
            BACKSPACE | RUBOUT if !self.partial.is_empty() => {
                self.partial.clear(); // it takes back half a character
                None
            }
            ..0x20 | RUBOUT => {
                let is_cut = !self.partial.is_empty();
                self.leave();
                if byte == ESCAPE {
                    self.sequence = Sequence::Begun;
                }
                if is_cut { Some(Key::Bad) } else { control(byte) }
            }
            _ => self.take(byte),
        }
    }

    /// Forgets what is incomplete.
    fn leave(&mut self) {
        self.partial.clear();
        self.sequence = Sequence::Outside;
    }

    /// A byte inside a key's sequence.
    fn go_on(&mut self, byte: u8) -> Option<Key> {
        let sequence = core::mem::replace(&mut self.sequence, Sequence::Outside);
        match (sequence, byte) {
            (_, ESCAPE) => {
                self.sequence = Sequence::Begun;
                None
            }
            (Sequence::Begun, b'[') => {
                self.sequence = Sequence::Numbers { before: 0, last: 0 };
                None
            }
            (Sequence::Begun, b'O') => {
                self.sequence = Sequence::Last;
                None
            }
            (Sequence::Begun, b'b') => Some(Key::WordLeft),
            (Sequence::Begun, b'f') => Some(Key::WordRight),
            (Sequence::Begun, BACKSPACE | RUBOUT) => Some(Key::KillWord),
            (Sequence::Numbers { before, last }, 0x20..=0x3f) => {
                self.sequence = match byte {
                    b'0'..=b'9' => {
                        let digit = byte - b'0';
                        Sequence::Numbers { before, last: last.saturating_mul(10).saturating_add(digit) }
                    }
                    b';' => Sequence::Numbers { before: last, last: 0 },
                    _ => Sequence::Numbers { before, last },
                };
                None
            }
            (Sequence::Numbers { last, .. }, b'~') => match last {
                1 | 7 => Some(Key::Home),
                3 => Some(Key::Delete),
                4 | 8 => Some(Key::End),
                _ => None,
            },
            (Sequence::Numbers { last: ALT | CTRL, .. }, b'C') | (Sequence::Last, b'c') => Some(Key::WordRight),
            (Sequence::Numbers { last: ALT | CTRL, .. }, b'D') | (Sequence::Last, b'd') => Some(Key::WordLeft),
            (Sequence::Numbers { .. } | Sequence::Last, b'A') => Some(Key::Older),
            (Sequence::Numbers { .. } | Sequence::Last, b'B') => Some(Key::Newer),
            (Sequence::Numbers { .. } | Sequence::Last, b'C') => Some(Key::Right),
            (Sequence::Numbers { .. } | Sequence::Last, b'D') => Some(Key::Left),
            (Sequence::Numbers { .. } | Sequence::Last, b'F') => Some(Key::End),
            (Sequence::Numbers { .. } | Sequence::Last, b'H') => Some(Key::Home),
            _ => None,
        }
    }

    /// A byte of a character.
    fn take(&mut self, byte: u8) -> Option<Key> {
        // The room is enough: four bytes are a character, or none.
        let is_kept = self.partial.push(byte).is_ok();
        let key = match core::str::from_utf8(&self.partial) {
            Ok(text) => text.chars().next().map(|c| if c.is_control() { Key::Bad } else { Key::Char(c) }),
            Err(error) if is_kept && error.error_len().is_none() => return None,
            Err(_) => Some(Key::Bad),
        };
        self.partial.clear();
        key
    }
}

/// The key of a control byte; the escape byte is none.
const fn control(byte: u8) -> Option<Key> {
    Some(match byte {
        0x01 => Key::Home,
        0x02 => Key::Left,
        CTRL_D => Key::EndOfInput,
        0x05 => Key::End,
        0x06 => Key::Right,
        BACKSPACE | RUBOUT => Key::Backspace,
        b'\t' => Key::Tab,
        0x0b => Key::KillToEnd,
        0x0c => Key::Redraw,
        0x0e => Key::Newer,
        0x10 => Key::Older,
        0x12 => Key::Search,
        0x15 => Key::KillToStart,
        0x17 => Key::KillWord,
        0x19 => Key::Yank,
        ESCAPE => return None,
        _ => Key::Bad,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<Key> {
        let mut keys = Keys::new();
        bytes.iter().filter_map(|&byte| keys.push(byte)).collect()
    }

    const ENTER: Key = Key::Enter { is_cut: false };

    #[test]
    fn every_kind_of_line_end_is_one_key() {
        assert_eq!(keys(b"\r\n\n\r\r\n"), [ENTER; 4]);
        assert_eq!(keys(b"\ra\n"), [ENTER, Key::Char('a'), ENTER]);
    }

    #[test]
    fn every_spelling_of_a_key_is_known() {
        for (key, spellings) in [
            (Key::Left, &[&b"\x02"[..], b"\x1b[D", b"\x1bOD"][..]),
            (Key::Right, &[b"\x06", b"\x1b[C", b"\x1bOC"]),
            (Key::WordLeft, &[b"\x1bb", b"\x1b[1;5D", b"\x1b[1;3D", b"\x1b[5D", b"\x1bOd"]),
            (Key::WordRight, &[b"\x1bf", b"\x1b[1;5C", b"\x1b[1;3C", b"\x1b[5C", b"\x1bOc"]),
            (Key::Home, &[b"\x01", b"\x1b[H", b"\x1bOH", b"\x1b[1~", b"\x1b[7~"]),
            (Key::End, &[b"\x05", b"\x1b[F", b"\x1bOF", b"\x1b[4~", b"\x1b[8~"]),
            (Key::Older, &[b"\x10", b"\x1b[A", b"\x1bOA"]),
            (Key::Newer, &[b"\x0e", b"\x1b[B", b"\x1bOB"]),
            (Key::Backspace, &[b"\x08", b"\x7f"]),
            (Key::Delete, &[b"\x1b[3~"]),
            (Key::KillToEnd, &[b"\x0b"]),
            (Key::KillToStart, &[b"\x15"]),
            (Key::KillWord, &[b"\x17", b"\x1b\x7f"]),
            (Key::Yank, &[b"\x19"]),
            (Key::Redraw, &[b"\x0c"]),
            (Key::Search, &[b"\x12"]),
            (Key::Tab, &[b"\t"]),
            (Key::EndOfInput, &[b"\x04"]),
            (Key::Interrupt, &[b"\x03", b"\x1b[\x03", b"\xc3\x03"]),
        ] {
            for spelling in spellings {
                assert_eq!(keys(spelling), [key], "{spelling:?}");
            }
        }
    }

    #[test]
    fn keys_without_a_meaning_are_skipped_and_a_line_end_inside_them_is_seen() {
        assert_eq!(keys(b"\x1b[15~\x1bOP\x1bx\x1b[2~\x1b[200~a"), [Key::Char('a')]);
        assert_eq!(keys(b"\x1b\r\x1b[\n\x1b[1;\r"), [ENTER; 3]);
        assert_eq!(keys(b"\x1b\x1b[D"), [Key::Left], "an escape begins anew");
        assert_eq!(keys(b"\x1b[99999999999;5Dx"), [Key::WordLeft, Key::Char('x')], "numbers of any length");
    }

    #[test]
    fn characters_come_whole_or_as_bad() {
        assert_eq!(keys("aé\u{10348}".as_bytes()), [Key::Char('a'), Key::Char('é'), Key::Char('\u{10348}')]);
        assert_eq!(keys(b"\xc3\x7fb"), [Key::Char('b')], "backspace takes back half a character");
        for bad in [&b"\xff"[..], b"\xc3a", b"\x80", b"\xc2\x9b", b"\0", b"\x1c", b"\xe2\x82\x01", b"\xc3\x1b"] {
            assert_eq!(keys(bad), [Key::Bad], "{bad:?}");
        }
        assert_eq!(keys(b"\xe2\x82\n"), [Key::Enter { is_cut: true }]);
    }
}
