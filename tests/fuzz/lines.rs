//! Shell lines as bytes that mean nothing in particular, and as commands that are nearly right.

use holdout::platform::Hold;
use holdout::platform::shown::Shown;
use holdout::shell::line::{Event, LineInput, MAX_BYTES, Prompt};
use holdout::shell::read::{Running, read};
use holdout::shell::request::{Refusal, Request};
use holdout::shell::table::COMMANDS;
use holdout::shell::words::{WordsError, commands};

use crate::harness::{Dice, Taken, hold};

#[path = "../../src/shell/line/terminal.rs"]
pub(crate) mod terminal;
use terminal::{Terminal, WIDTH};

pub(crate) const BYTES_CASES: u64 = 100_000;
pub(crate) const COMMAND_CASES: u64 = 300_000;

pub(crate) const PROMPT: &str = "holdout> ";

/// Bytes of a session: text, keys, halves of keys and characters, noise.
fn bytes(dice: &mut Dice) -> Vec<u8> {
    const KEYS: &[&[u8]] = &[
        b"\x1b[A",
        b"\x1b[B",
        b"\x1b[C",
        b"\x1b[D",
        b"\x1b[3~",
        b"\x1b[H",
        b"\x1bOF",
        b"\x1bb",
        b"\x1bf",
        b"\x1b[1;5C",
        b"\x1b[",
        b"\x1b",
        b"\x01",
        b"\x04",
        b"\x05",
        b"\x0b",
        b"\x0c",
        b"\x0e",
        b"\x10",
        b"\x12",
        b"\x15",
        b"\x17",
        b"\x19",
        b"\x7f",
        b"\x08",
        b"\t",
        b"\t\t",
    ];
    let mut bytes = Vec::new();
    for _ in 0..dice.below(24) {
        match dice.below(14) {
            0..6 => bytes.extend_from_slice(dice.of(KEYS)),
            6 => bytes.extend_from_slice(dice.of(&[&b"\r"[..], b"\n", b"\r\n"])),
            7 if dice.one_in(3) => bytes.push(dice.below(256) as u8),
            7 => bytes.extend_from_slice(dice.of(&["\u{e9}", "\u{10348}", "\u{20ac}\u{2003}"]).as_bytes()),
            8 if dice.one_in(6) => bytes.extend(std::iter::repeat_n(b'x', dice.below(2 * MAX_BYTES))),
            8 if dice.one_in(6) => bytes.push(0x03),
            _ => bytes
                .extend_from_slice(dice.of(&["ps", "trace tick on", ";", " ", "a", "\"", "help stress"]).as_bytes()),
        }
    }
    bytes
}

/// Whether cells show a text, and nothing but blanks behind it. No text is built: each key that is tried asks for this.
fn show<'a>(mut cells: impl Iterator<Item = &'a char>, text: impl Iterator<Item = char>) -> bool {
    let mut text = text.fuse();
    cells.all(|cell| *cell == text.next().unwrap_or(' ')) && text.all(|c| c == ' ')
}

/// What a terminal must show of a line: in rows as it was typed, or in one row with a window around the cursor.
pub(crate) fn shows(terminal: &Terminal, first_row: usize, line: &LineInput) -> Result<(), String> {
    let (text, before) = (line.buffer().text(), line.buffer().before().chars().count());
    let cells = terminal.cells(terminal.row);
    if ["(search: ", "(not found: "].iter().any(|start| cells.iter().zip(start.chars()).all(|(cell, c)| *cell == c)) {
        let row = terminal.text(terminal.row);
        return if row.chars().count() < WIDTH { Ok(()) } else { Err(format!("a row is too long: {row:?}")) };
    }
    let prompt = PROMPT.chars().count();
    let len = text.chars().count();
    let end = prompt + len;
    let column = if end.is_multiple_of(WIDTH) { WIDTH - 1 } else { end % WIDTH };
    let is_flowing = before == len && column == terminal.column;
    let all_cells = (first_row..=terminal.row).flat_map(|row| terminal.cells(row));
    if is_flowing && show(all_cells, PROMPT.chars().chain(text.chars())) {
        return Ok(());
    }
    let first = terminal.column.checked_sub(prompt).and_then(|column| before.checked_sub(column));
    let window = |first| text.chars().skip(first).take(WIDTH - 1 - prompt);
    if first.is_some_and(|first| show(cells.iter(), PROMPT.chars().chain(window(first)))) {
        return Ok(());
    }
    let row = terminal.text(terminal.row);
    Err(format!(
        "the line is {text:?}, its cursor at {before}; shown is {row:?}, the cursor in column {}",
        terminal.column
    ))
}

#[test]
fn any_bytes_leave_the_line_whole_and_the_terminal_right() {
    hold("line-bytes", BYTES_CASES, bytes, |bytes| {
        let mut line = LineInput::new(Prompt::Command(PROMPT));
        let mut terminal = Terminal::new();
        terminal.feed(PROMPT.as_bytes());
        let (mut first_row, mut is_refused) = (0, false);
        for &byte in bytes {
            let is_ended = match line.push(byte) {
                Event::Nothing => false,
                Event::Echo(bytes) => {
                    terminal.feed(bytes);
                    false
                }
                Event::Complete { before, is_again } => {
                    if before.contains(char::is_control) {
                        return Err(format!("to be completed: {before:?}"));
                    }
                    if is_again {
                        terminal.feed(b"\r\n");
                        first_row = terminal.row;
                    }
                    if let Event::Echo(bytes) = if is_again { line.show_again() } else { line.complete("zz ") } {
                        terminal.feed(bytes);
                    }
                    false
                }
                Event::Line(text) if text.contains(char::is_control) || text.len() > MAX_BYTES => {
                    return Err(format!("handed over: {text:?}"));
                }
                Event::Line(_) | Event::Interrupt | Event::EndOfInput => true,
                Event::Overlong | Event::NotText => {
                    is_refused = true;
                    true
                }
            };
            if is_ended {
                // What was typed is lent out until the next byte.
                line.begin(Prompt::Command(PROMPT));
                terminal.feed(b"\r\n");
                terminal.feed(PROMPT.as_bytes());
                first_row = terminal.row;
            }
            first_row = first_row.min(terminal.row);
            shows(&terminal, first_row, &line).map_err(|error| format!("behind {byte:#04x}: {error}"))?;
        }
        let is_key = |byte: &u8| *byte < 0x20 && !b"\r\n\x03\x04".contains(byte) || *byte == 0x7f;
        if terminal.is_steered && !bytes.iter().any(is_key) {
            return Err("an escape sequence without an editing key".into());
        }
        Ok(if is_refused { Taken::Refused } else { Taken::Accepted })
    });
}

/// A line of commands whose words are good, nearly good, or none.
fn command_line(dice: &mut Dice) -> String {
    const WORDS: &[&str] = &[
        "on",
        "off",
        "yes",
        "no",
        "boot",
        "sched::*",
        "[",
        "*",
        "12",
        "3600001",
        "-1",
        "seed=1",
        "cpus=1",
        "secs=0",
        "null",
        "double-free",
        "\"",
        "\"a b\"",
        "key=\"a;b\"",
        "\u{e9}\u{1b}",
        "",
        "trace",
        "\u{202e}",
        "x\\",
    ];
    let mut line = String::new();
    for _ in 0..1 + dice.below(2) {
        let name = COMMANDS[dice.below(COMMANDS.len())].name;
        line.push_str(&name[..name.len() - usize::from(dice.one_in(8))]);
        for _ in 0..dice.below(4) {
            line.push_str(dice.of(&[" ", " ", " ", "  ", "\t", ""]));
            line.push_str(dice.of(WORDS));
        }
        line.push_str(dice.of(&["", "", " ; ", ";;"]));
    }
    if dice.one_in(5) {
        line.push(dice.char());
    }
    line
}

/// The word that a refusal is about, if it is about one.
fn word_of<'a>(refusal: &Refusal<'a>) -> Option<&'a str> {
    match *refusal {
        Refusal::Words(WordsError::TooMany(word) | WordsError::OpenQuote(word) | WordsError::StrayQuote(word))
        | Refusal::UnknownCommand { word, .. }
        | Refusal::Foreign { word, .. }
        | Refusal::NotOneOf { word, .. }
        | Refusal::NotWithin { word, .. }
        | Refusal::NoSuchFault(word)
        | Refusal::ChosenAtBoot(word) => Some(word),
        Refusal::Stress(error) => Some(error.word()),
        Refusal::Count(_) | Refusal::Pattern(_) | Refusal::Unconfirmed(_) | Refusal::Redirected => None,
    }
}

#[test]
fn any_command_is_read_whole_or_refused_by_its_word() {
    hold("commands", COMMAND_CASES, command_line, |line| {
        let mut taken = Taken::Refused;
        for command in commands(line) {
            if !line.contains(command) || command.is_empty() {
                return Err(format!("{command:?} does not stand in the line"));
            }
            match read(command, Running { nr_cpus: 4, lets_funcs_block: false }) {
                Ok(
                    Request::Panic
                    | Request::Fault(_)
                    | Request::Hold { how: Hold::Sleep | Hold::SleepUnguarded | Hold::Broken, .. },
                ) if !command.ends_with("yes") && !command.ends_with("\"yes\"") => {
                    return Err(format!("{command:?} would end the kernel"));
                }
                Ok(request) => {
                    if let Request::TraceOn { pattern, .. }
                    | Request::TraceOff { pattern }
                    | Request::Step { pattern, .. } = request
                        && !command.contains(pattern)
                    {
                        return Err(format!("{pattern:?} does not stand in {command:?}"));
                    }
                    taken = Taken::Accepted;
                }
                Err(refusal) => {
                    let text = refusal.to_string();
                    let is_plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
                    if !is_plain || text.is_empty() || text.len() > 200 {
                        return Err(format!("not one plain line: {text:?}"));
                    }
                    let word = word_of(&refusal);
                    let is_named = |word: &str| command.contains(word) && text.contains(&Shown(word).to_string());
                    if !word.is_none_or(is_named) {
                        return Err(format!("{word:?} of {command:?} is not what {text:?} names"));
                    }
                }
            }
        }
        Ok(taken)
    });
}
