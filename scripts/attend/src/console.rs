//! What the guest prints, on its way out. Pure.

use crate::prompts;

/// What has been printed so far.
#[derive(Debug)]
pub(crate) struct Console {
    /// A line ends with a line feed alone: nobody draws what goes into a pipe.
    is_plain: bool,
    /// A carriage return came last: the next byte says what it was.
    is_returning: bool,
    has_printed: bool,
    /// The line that is being printed, as far as a prompt is long.
    line: Vec<u8>,
    nr_lines: u64,
}

/// Where a guest waits for a line: the number of its console's line. No two prompts have the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) line: u64,
    /// Nothing is typed behind it yet.
    pub(crate) is_bare: bool,
}

impl Console {
    /// Nothing was printed yet.
    pub(crate) const fn new(is_plain: bool) -> Self {
        Self { is_plain, is_returning: false, has_printed: false, line: Vec::new(), nr_lines: 0 }
    }

    /// Takes what was printed, and adds to `out` what is to be shown of it.
    pub(crate) fn print(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        self.has_printed |= !bytes.is_empty();
        for &byte in bytes {
            match byte {
                b'\n' => {
                    self.line.clear();
                    self.nr_lines += 1;
                }
                b'\r' => self.line.clear(),
                _ if self.line.len() <= prompts::SURE.len() => self.line.push(byte),
                _ => {}
            }
            if self.is_plain {
                if std::mem::replace(&mut self.is_returning, byte == b'\r') && byte != b'\n' {
                    out.push(b'\r');
                }
                if byte == b'\r' {
                    continue;
                }
            }
            out.push(byte);
        }
    }

    /// Nothing comes any more.
    pub(crate) fn end(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.is_returning) {
            out.push(b'\r');
        }
    }

    /// Whether there was anything.
    pub(crate) fn has_printed(&self) -> bool {
        self.has_printed
    }

    /// Whether a terminal shows a line that has not ended.
    pub(crate) fn is_in_line(&self) -> bool {
        !self.is_plain && !self.line.is_empty()
    }

    /// The prompt that the guest waits behind.
    pub(crate) fn prompt(&self) -> Option<Prompt> {
        let prompt = [prompts::COMMAND, prompts::SURE].into_iter().find(|p| self.line.starts_with(p.as_bytes()))?;
        Some(Prompt { line: self.nr_lines, is_bare: self.line.len() == prompt.len() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(console: &mut Console, chunks: &[&str]) -> String {
        let mut out = Vec::new();
        chunks.iter().for_each(|chunk| console.print(chunk.as_bytes(), &mut out));
        console.end(&mut out);
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn a_pipe_gets_line_feeds_wherever_the_chunks_end_and_keeps_a_return_that_ends_no_line() {
        for chunks in [&["a\r\nb\r\n"][..], &["a\r", "\nb", "\r", "\n"], &["a", "\r\n", "b\r", "\n"]] {
            assert_eq!(printed(&mut Console::new(true), chunks), "a\nb\n", "{chunks:?}");
        }
        assert_eq!(printed(&mut Console::new(true), &["a\rb", "\r", "c\r"]), "a\rb\rc\r");
        assert_eq!(printed(&mut Console::new(true), &["a\r\r\n"]), "a\r\n");
    }

    #[test]
    fn a_terminal_gets_each_byte() {
        assert_eq!(printed(&mut Console::new(false), &["a\r\nb\r", "\rc"]), "a\r\nb\r\rc");
    }

    #[test]
    fn a_line_is_unended_only_on_a_terminal() {
        for (is_plain, text, is_in_line) in [(false, "a\nb", true), (false, "a\r\n", false), (true, "a\nb", false)] {
            let mut console = Console::new(is_plain);
            console.print(text.as_bytes(), &mut Vec::new());
            assert_eq!(console.is_in_line(), is_in_line, "{text:?}");
        }
    }

    #[test]
    fn a_prompt_is_one_at_the_start_of_the_last_line_alone() {
        let mut console = Console::new(true);
        let mut after = |text: &str| {
            console.print(text.as_bytes(), &mut Vec::new());
            console.prompt().map(|prompt| (prompt.line, prompt.is_bare))
        };
        assert_eq!(after("holdout 0.1.0\r\nhold"), None);
        assert_eq!(after("out>"), None);
        assert_eq!(after(" "), Some((1, true)));
        assert_eq!(after("ps"), Some((1, false)));
        assert_eq!(after("\r\n"), None);
        assert_eq!(after("say holdout> "), None);
        assert_eq!(after("\r\nthis ends the kernel; type yes to go on: "), Some((3, true)));
        assert_eq!(after(&"x".repeat(1_000)), Some((3, false)));
    }
}
