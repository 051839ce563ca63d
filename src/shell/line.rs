//! A line of input, byte by byte: from a terminal, or from a plain pipe.
//!
//! A pure state machine: the shell feeds bytes and acts on events. CR, LF and CRLF end a line, so the same code serves
//! both. INVARIANT `whole-line`: a line is handed over only as it was typed. One that grew too long, or that held bytes
//! which are no text, is swallowed to its end and answered as a whole, so that half a command never runs. Control bytes
//! and bytes that are not UTF-8 are never echoed. Callable from any context.

/// The longest line, in bytes.
pub const MAX_BYTES: usize = 256;

/// What a byte led to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// Nothing to do: part of a character, of a CRLF, of a key's escape sequence, or of a line that is being swallowed.
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
}

/// The state between two bytes.
#[derive(Clone, Debug)]
pub struct LineInput {
    text: heapless::String<MAX_BYTES>,
    /// The first bytes of a character that is not complete.
    partial: heapless::Vec<u8, 4>,
    fate: Fate,
    /// How far into the escape sequence of a key the input is.
    escape: Escape,
    /// The last byte ended the line, which is kept until the next byte because it was lent out.
    is_ended: bool,
    /// The last byte was a CR: a LF is its other half.
    is_after_cr: bool,
}

/// What will be said of the line when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Good,
    Overlong,
    NotText,
}

/// A key such as an arrow sends several bytes. They are skipped: it means nothing here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Escape {
    Outside,
    /// Behind ESC.
    Begun,
    /// Behind `ESC [`: parameters, then a final byte.
    Parameters,
    /// Behind `ESC O`: one more byte.
    Last,
}

const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
const BACKSPACE: u8 = 0x08;
const ESCAPE: u8 = 0x1b;
const DELETE: u8 = 0x7f;

/// Back, blank, back: takes the last character off a terminal's line.
const RUB_OUT: &[u8] = b"\x08 \x08";

impl Default for LineInput {
    fn default() -> Self {
        Self::new()
    }
}

impl LineInput {
    /// At the start of a line.
    pub const fn new() -> Self {
        Self {
            text: heapless::String::new(),
            partial: heapless::Vec::new(),
            fate: Fate::Good,
            escape: Escape::Outside,
            is_ended: false,
            is_after_cr: false,
        }
    }

    /// Takes the next byte. After the end of a line, or an interrupt, the next byte starts a new line.
    pub fn push(&mut self, byte: u8) -> Event<'_> {
        let is_second_half = self.is_after_cr && byte == b'\n';
        if self.is_ended {
            *self = Self::new();
        }
        self.is_after_cr = byte == b'\r';
        match byte {
            b'\n' if is_second_half => Event::Nothing,
            b'\r' | b'\n' => self.end_line(),
            CTRL_C => {
                self.is_ended = true;
                Event::Interrupt
            }
            ESCAPE => {
                self.escape = Escape::Begun;
                Event::Nothing
            }
            _ if self.escape != Escape::Outside => self.skip(byte),
            CTRL_D if self.text.is_empty() && self.partial.is_empty() && self.fate == Fate::Good => Event::EndOfInput,
            BACKSPACE | DELETE => self.rub_out(),
            b'\t' => self.take_char(' '),
            0..0x20 => self.spoil(Fate::NotText),
            _ => self.take_byte(byte),
        }
    }

    fn end_line(&mut self) -> Event<'_> {
        self.is_ended = true;
        match self.fate {
            Fate::Overlong => Event::Overlong,
            Fate::Good if self.partial.is_empty() => Event::Line(&self.text),
            Fate::Good | Fate::NotText => Event::NotText,
        }
    }

    fn skip(&mut self, byte: u8) -> Event<'_> {
        self.escape = match (self.escape, byte) {
            (Escape::Begun, b'[') => Escape::Parameters,
            (Escape::Begun, b'O') => Escape::Last,
            (Escape::Parameters, 0x20..0x40) => Escape::Parameters,
            _ => Escape::Outside,
        };
        Event::Nothing
    }

    fn rub_out(&mut self) -> Event<'_> {
        let is_partial = !self.partial.is_empty();
        self.partial.clear();
        if is_partial || self.fate != Fate::Good || self.text.pop().is_none() {
            return Event::Nothing;
        }
        Event::Echo(RUB_OUT)
    }

    fn take_byte(&mut self, byte: u8) -> Event<'_> {
        // The room is enough: four bytes are a character, or none.
        let is_kept = self.partial.push(byte).is_ok();
        match core::str::from_utf8(&self.partial) {
            Ok(text) => {
                let c = text.chars().next();
                self.partial.clear();
                c.map_or(Event::Nothing, |c| self.take_char(c))
            }
            Err(error) if is_kept && error.error_len().is_none() => Event::Nothing,
            Err(_) => self.spoil(Fate::NotText),
        }
    }

    fn take_char(&mut self, c: char) -> Event<'_> {
        if self.fate != Fate::Good {
            return Event::Nothing;
        }
        if c.is_control() || !self.partial.is_empty() {
            return self.spoil(Fate::NotText);
        }
        let start = self.text.len();
        if self.text.push(c).is_err() {
            return self.spoil(Fate::Overlong);
        }
        Event::Echo(&self.text.as_bytes()[start..])
    }

    /// The line is lost; its first fault is what will be said of it.
    fn spoil(&mut self, fate: Fate) -> Event<'_> {
        if self.fate == Fate::Good {
            self.fate = fate;
        }
        self.partial.clear();
        Event::Nothing
    }
}

#[cfg(test)]
mod tests {
    use rand_core::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    use super::*;

    /// Ends of lines and the like, as text, and all that was echoed.
    fn feed(input: &[u8]) -> (Vec<String>, Vec<u8>) {
        let mut line = LineInput::new();
        let (mut ends, mut echoed) = (Vec::new(), Vec::new());
        for &byte in input {
            match line.push(byte) {
                Event::Nothing => {}
                Event::Echo(bytes) => echoed.extend_from_slice(bytes),
                Event::Line(text) => ends.push(text.to_owned()),
                other => ends.push(format!("{other:?}")),
            }
        }
        (ends, echoed)
    }

    fn ends(input: &[u8]) -> Vec<String> {
        feed(input).0
    }

    #[test]
    fn every_kind_of_line_end_ends_one_line() {
        assert_eq!(ends(b"ps\rops\nrcu\r\nhelp\n"), ["ps", "ops", "rcu", "help"]);
        assert_eq!(ends(b"\r\n\r\n\n\r\r"), ["", "", "", "", ""]);
    }

    #[test]
    fn what_is_typed_is_echoed_and_backspace_rubs_it_out() {
        assert_eq!(feed("tré".as_bytes()).1, "tré".as_bytes());
        let (lines, echoed) = feed(b"px\x7fs\x08\x08\x08\x08ok\r");
        assert_eq!(lines, ["ok"]);
        assert_eq!(echoed, b"px\x08 \x08s\x08 \x08\x08 \x08ok");
        assert_eq!(ends("aé\u{10348}\x7f\x7fb\n".as_bytes()), ["ab"]);
    }

    #[test]
    fn backspace_also_takes_back_half_a_character() {
        assert_eq!(feed(b"a\xc3\x7fb\n"), (vec!["ab".to_owned()], b"ab".to_vec()));
    }

    #[test]
    fn a_tab_is_a_space() {
        assert_eq!(ends(b"trace\ttick\n"), ["trace tick"]);
    }

    #[test]
    fn a_line_of_the_limit_passes_and_a_longer_one_is_answered_as_a_whole() {
        let limit = "x".repeat(MAX_BYTES);
        assert_eq!(ends(format!("{limit}\nps\n").as_bytes()), [limit.as_str(), "ps"]);
        let (lines, echoed) = feed(format!("{limit}y; poweroff\x7f\x7f\rps\r").as_bytes());
        assert_eq!(lines, ["Overlong", "ps"]);
        assert_eq!(echoed.len(), MAX_BYTES + 2);
    }

    #[test]
    fn bytes_that_are_no_text_spoil_the_line_and_are_not_echoed() {
        for bad in [&b"tr\xfface"[..], b"tr\xc3ace", b"a\x01", b"\0", b"\x80", b"\xc2\x9b2J", b"cut \xe2\x82", b"a\x04"]
        {
            let (lines, echoed) = feed(&[bad, b"\nps\n"].concat());
            assert_eq!(lines, ["NotText", "ps"], "{bad:?}");
            assert!(echoed.iter().all(|byte| (0x20..0x7f).contains(byte)), "{bad:?}: {echoed:?}");
        }
    }

    #[test]
    fn keys_without_a_meaning_are_skipped() {
        let (lines, echoed) = feed(b"p\x1b[A\x1b[1;5Cs\x1bOP\x1bx\r");
        assert_eq!((lines, echoed), (vec!["ps".to_owned()], b"ps".to_vec()));
        assert_eq!(ends(b"\x1b\r\x1b[\nps\n"), ["", "", "ps"], "the end of a line is always seen");
    }

    #[test]
    fn ctrl_c_forgets_the_line_and_ctrl_d_ends_the_input_at_its_start() {
        assert_eq!(ends(b"powero\x03ps\n"), ["Interrupt", "ps"]);
        assert_eq!(ends(b"\xff\x03\x04\x1b[\x03ps\n"), ["Interrupt", "EndOfInput", "Interrupt", "ps"]);
    }

    #[test]
    fn no_input_breaks_the_machine() {
        const SEED: u64 = 0x5eed_11e0;
        let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
        let mut line = LineInput::new();
        let mut lines = 0;
        for step in 0..2_000_000 {
            let drawn = random.next_u64();
            let byte = match drawn % 16 {
                0 => b"\r\n\x03\x04\x08\x7f\x1b\t"[(drawn >> 8) as usize % 8],
                1..6 if drawn >> 40 & 0xff != 0 => b'a' + (drawn >> 8) as u8 % 26,
                6 if drawn >> 40 & 0x3f == 0 => (drawn >> 8) as u8,
                _ => b' ' + (drawn >> 8) as u8 % 90,
            };
            match line.push(byte) {
                Event::Echo(bytes) => assert!(
                    bytes == RUB_OUT || core::str::from_utf8(bytes).is_ok_and(|text| !text.contains(char::is_control)),
                    "seed {SEED:#x} step {step}: {bytes:?}"
                ),
                Event::Line(text) => {
                    lines += 1;
                    assert!(!text.contains(char::is_control), "seed {SEED:#x} step {step}: {text:?}");
                }
                _ => {}
            }
        }
        assert!(lines > 1_000, "only {lines} lines");
    }
}
