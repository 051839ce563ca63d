//! What is typed, on its way to the guest: which keys end it, and what its input's end means. Pure.
//!
//! - Ctrl-A X ends the emulator. (The emulator knows the other keys behind Ctrl-A, and Ctrl-A twice is one for the guest.)
//! - Ctrl-C goes to the guest, whose command or mode ends by it. A second one in a row ends a guest that is not back at a
//!   prompt by then, a third one a guest that answers not even there: it may read nothing any more.
//! - Where input ends, the guest gets what ends a shell, Ctrl-D, at each prompt that it comes to. A guest that asks for
//!   nothing gets nothing: a run without input is the same each time.

use crate::console::Prompt;

const START: u8 = 0x01;
const INTERRUPT: u8 = 0x03;
const END: u8 = 0x04;

/// Why the emulator is ended from here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leave {
    /// Ctrl-A X.
    Key,
    /// Ctrl-C twice.
    Interrupts,
    /// This signal.
    Signal(i32),
    /// Whoever read the console is gone.
    NobodyListens,
    /// The console cannot be written: an error of the system.
    CannotPrint(i32),
}

/// What was typed so far.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    typed: Vec<u8>,
    is_behind_start: bool,
    /// Ctrl-C came last, so often, and the first of them behind this prompt's line.
    nr_interrupts: u32,
    interrupted_at: Option<u64>,
    is_in_line: bool,
    has_ended: bool,
    /// The prompt's line that has been answered with the end of input.
    answered: Option<u64>,
}

impl Keys {
    /// Whether there is more to come.
    pub(crate) fn is_open(&self) -> bool {
        !self.has_ended
    }

    /// Takes what was typed; no bytes are the end of input.
    pub(crate) fn push(&mut self, bytes: &[u8], prompt: Option<Prompt>) -> Option<Leave> {
        if bytes.is_empty() {
            self.has_ended = true;
            // Behind Ctrl-A the emulator would keep what comes next; twice it is one for the guest.
            if std::mem::take(&mut self.is_behind_start) {
                self.typed.push(START);
            }
            // Half a line is a line.
            if self.is_in_line {
                self.typed.push(b'\n');
            }
            return None;
        }
        bytes.iter().find_map(|&byte| self.push_one(byte, prompt))
    }

    fn push_one(&mut self, byte: u8, prompt: Option<Prompt>) -> Option<Leave> {
        let was_behind_start = self.is_behind_start;
        self.is_behind_start = byte == START && !was_behind_start;
        if was_behind_start && byte == b'x' {
            return Some(Leave::Key);
        }
        if byte == INTERRUPT {
            return self.interrupt(prompt);
        }
        self.nr_interrupts = 0;
        self.is_in_line = !matches!(byte, b'\r' | b'\n');
        self.typed.push(byte);
        None
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&mut self, prompt: Option<Prompt>) -> Option<Leave> {
        self.is_in_line = false;
        self.typed.push(INTERRUPT);
        let line = prompt.map(|prompt| prompt.line);
        if self.nr_interrupts == 0 || line.is_some() && line != self.interrupted_at {
            // The first; or the guest has come to another prompt since.
            (self.nr_interrupts, self.interrupted_at) = (0, line);
        }
        self.nr_interrupts += 1;
        let most = if line.is_some() { 2 } else { 1 };
        (self.nr_interrupts > most).then_some(Leave::Interrupts)
    }

    /// What is to be handed to the guest by now, which waits behind `prompt`.
    pub(crate) fn take(&mut self, prompt: Option<Prompt>) -> Vec<u8> {
        if let Some(prompt) = prompt
            && self.has_ended
            && prompt.is_bare
            && self.answered.replace(prompt.line) != Some(prompt.line)
        {
            self.typed.push(END);
        }
        std::mem::take(&mut self.typed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BARE: Option<Prompt> = Some(Prompt { line: 1, is_bare: true });

    fn typed(keys: &mut Keys, bytes: &[u8], prompt: Option<Prompt>) -> (Vec<u8>, Option<Leave>) {
        let leave = keys.push(bytes, prompt);
        (keys.take(prompt), leave)
    }

    #[test]
    fn keys_go_to_the_guest_as_they_are() {
        let mut keys = Keys::default();
        for bytes in [&b"ps\r"[..], b"\x01\x01", b"\x01c", b"x", b"\x1b[A", b"\x03ab\x03"] {
            assert_eq!(typed(&mut keys, bytes, None), (bytes.to_vec(), None));
        }
    }

    #[test]
    fn ctrl_a_x_ends_and_what_only_looks_like_it_does_not() {
        assert_eq!(typed(&mut Keys::default(), b"ab\x01x", None).1, Some(Leave::Key));
        let mut halves = Keys::default();
        assert_eq!(typed(&mut halves, b"\x01", BARE).1, None);
        assert_eq!(typed(&mut halves, b"x", BARE).1, Some(Leave::Key));
        assert_eq!(typed(&mut Keys::default(), b"\x01\x01x", None).1, None, "one Ctrl-A for the guest");
        assert_eq!(typed(&mut Keys::default(), b"\x01hx", None).1, None);
    }

    #[test]
    fn two_interrupts_in_a_row_end_a_guest_that_is_at_no_prompt() {
        let mut keys = Keys::default();
        assert_eq!(typed(&mut keys, b"\x03", None), (b"\x03".to_vec(), None));
        assert_eq!(typed(&mut keys, b"\x03", BARE).1, None, "it is back at its prompt");
        assert_eq!(typed(&mut keys, b"a\x03", None).1, None, "another key came between");
        assert_eq!(typed(&mut keys, b"\x03", None).1, Some(Leave::Interrupts));
        let mut signals = Keys::default();
        assert_eq!(signals.interrupt(None), None);
        assert_eq!(signals.take(None), b"\x03");
        assert_eq!(signals.interrupt(None), Some(Leave::Interrupts));
    }

    #[test]
    fn three_interrupts_end_a_guest_that_answers_none_at_its_prompt_and_no_number_one_that_does() {
        let mut dead = Keys::default();
        assert_eq!([BARE; 3].map(|prompt| dead.interrupt(prompt)), [None, None, Some(Leave::Interrupts)]);
        let mut alive = Keys::default();
        for line in 0..9 {
            assert_eq!(alive.interrupt(Some(Prompt { line, is_bare: true })), None);
        }
    }

    #[test]
    fn where_input_ends_behind_ctrl_a_the_emulator_keeps_nothing() {
        let mut keys = Keys::default();
        typed(&mut keys, b"ps\x01", None);
        assert_eq!(typed(&mut keys, b"", None).0, b"\x01\n");
    }

    #[test]
    fn the_end_of_input_is_told_at_each_prompt_once_and_nowhere_else() {
        let mut keys = Keys::default();
        assert_eq!(typed(&mut keys, b"", None), (vec![], None));
        assert!(!keys.is_open());
        assert_eq!(keys.take(Some(Prompt { line: 1, is_bare: false })), b"");
        assert_eq!(keys.take(BARE), b"\x04");
        assert_eq!(keys.take(BARE), b"");
        assert_eq!(keys.take(None), b"");
        assert_eq!(keys.take(Some(Prompt { line: 2, is_bare: true })), b"\x04", "it asks again");
    }

    #[test]
    fn half_a_line_is_ended_where_input_ends() {
        for (bytes, then) in [(&b"ps"[..], &b"\n"[..]), (b"ps\n", b""), (b"ps\r", b""), (b"ps\x03", b"")] {
            let mut keys = Keys::default();
            typed(&mut keys, bytes, BARE);
            assert_eq!(typed(&mut keys, b"", None).0, then, "{bytes:?}");
        }
    }
}
