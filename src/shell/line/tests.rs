//! Lines as they come from pipes and from fingers, and what a terminal then shows.

use super::*;

#[path = "terminal.rs"]
mod terminal;
use terminal::Terminal;

const PROMPT: Prompt = Prompt::Command("> ");

/// Ends of lines and the like, as text, and all that was echoed.
fn feed(input: &[u8]) -> (Vec<String>, Vec<u8>) {
    let mut line = LineInput::new(PROMPT);
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

/// A terminal behind the prompt on which `input` was typed, and the line it is about.
fn type_on_terminal(input: &[u8]) -> (Terminal, LineInput) {
    let mut terminal = Terminal::new();
    let mut line = LineInput::new(PROMPT);
    terminal.feed(b"> ");
    for &byte in input {
        match line.push(byte) {
            Event::Nothing => {}
            Event::Echo(bytes) => terminal.feed(bytes),
            Event::Line(_) => terminal.feed(b"\r\n> "),
            other => panic!("{other:?}"),
        }
    }
    (terminal, line)
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
fn a_line_of_the_limit_passes_and_a_longer_one_is_answered_as_a_whole() {
    let limit = "x".repeat(MAX_BYTES);
    assert_eq!(ends(format!("{limit}\nps\n").as_bytes()), [limit.as_str(), "ps"]);
    let (lines, echoed) = feed(format!("{limit}y; poweroff\x7f\x7f\x15\x1b[A\rps\r").as_bytes());
    assert_eq!(lines, ["Overlong", "ps"]);
    assert_eq!(echoed.len(), MAX_BYTES + 2);
    assert_eq!(ends(format!("{limit}\x01y\n").as_bytes()), ["Overlong"], "also in the middle");
}

#[test]
fn bytes_that_are_no_text_spoil_the_line_and_are_not_echoed() {
    for bad in [&b"tr\xfface"[..], b"tr\xc3ace", b"a\x1c", b"\0", b"\x80", b"\xc2\x9b2J", b"cut \xe2\x82"] {
        let (lines, echoed) = feed(&[bad, b"\x15\nps\n"].concat());
        assert_eq!(lines, ["NotText", "ps"], "{bad:?}");
        assert!(echoed.iter().all(|byte| (0x20..0x7f).contains(byte)), "{bad:?}: {echoed:?}");
    }
}

#[test]
fn keys_that_change_nothing_say_nothing() {
    let (lines, echoed) = feed(b"\x1b[A\x1b[B\x1b[D\x7f\x04p\x1b[C\x05\x0b\x19\x1b[3~\x1bfs\x1bOP\x1bx\r");
    assert_eq!((lines, echoed), (vec!["EndOfInput".to_owned(), "ps".to_owned()], b"ps".to_vec()));
}

#[test]
fn ctrl_c_forgets_the_line_and_ctrl_d_ends_the_input_at_its_start() {
    assert_eq!(ends(b"powero\x03ps\n"), ["Interrupt", "ps"]);
    assert_eq!(ends(b"\xff\x03\x04\x1b[\x03ps\n"), ["Interrupt", "EndOfInput", "Interrupt", "ps"]);
    assert_eq!(ends(b"pss\x01\x05\x02\x04\n"), ["ps"], "in a line it takes off a character");
}

#[test]
fn editing_keys_give_the_line_that_a_person_means() {
    for (typed, line) in [
        (&b"tace\x1b[D\x1b[D\x1b[Dr\n"[..], "trace"),
        (b"race\x01t\x05 on\n", "trace on"),
        (b"trace tick off\x1bbon \x0b\n", "trace tick on "),
        (b"mem; rcu\x17\x17ps\n", "ps"),
        (b"tick\x15trace \x19 on\n", "trace tick on"),
        (b"ab\x1b[H\x1b[3~\x1b[F!\n", "b!"),
        (b"x y\x1b[1;5D\x1b[1;5Da \n", "a x y"),
    ] {
        assert_eq!(ends(typed), [line], "{typed:?}");
    }
}

#[test]
fn history_recalls_lines_and_keeps_the_half_typed_one() {
    assert_eq!(ends(b"ps\nrcu\n\x1b[A\x1b[A\n"), ["ps", "rcu", "ps"]);
    assert_eq!(ends(b"ps\nhal\x10\x0ef\n"), ["ps", "half"]);
    assert_eq!(ends(b"ps\n\x1b[A\x03\x1b[A\n"), ["ps", "Interrupt", "ps"]);
    assert_eq!(ends(b"\xffx\nps\n\x10\x10\n"), ["NotText", "ps", "ps"], "a refused line is not kept");
}

#[test]
fn a_question_is_answered_without_history() {
    let mut line = LineInput::new(PROMPT);
    for &byte in b"ps\n" {
        line.push(byte);
    }
    line.begin(Prompt::Question("sure? "));
    for &byte in b"\x1b[A\x12\tye" {
        assert!(matches!(line.push(byte), Event::Nothing | Event::Echo(b"y" | b"e")));
    }
    line.push(b's');
    assert_eq!(line.push(b'\n'), Event::Line("yes"));
    line.begin(PROMPT);
    line.push(0x10);
    assert_eq!(line.push(b'\n'), Event::Line("ps"), "the answer was not kept");
}

#[test]
fn a_search_finds_older_lines() {
    assert_eq!(ends(b"trace a on\nps\ntrace b on\n\x12trace\n"), ["trace a on", "ps", "trace b on", "trace b on"]);
    assert_eq!(ends(b"trace a on\nps\ntrace b on\n\x12trace\x12\n")[3], "trace a on");
    assert_eq!(ends(b"ps\nrcu\n\x12p\x01e; \n")[2], "e; ps", "any other key takes it over");
    let (terminal, _) = type_on_terminal(b"ps\nrcu\n\x12p");
    assert_eq!(terminal.text(2), "(search: p) ps");
    let (terminal, _) = type_on_terminal(b"ps\nrcu\n\x12pq\x05");
    assert_eq!(terminal.text(2), "> ps", "what was found last");
}

#[test]
fn a_short_line_is_shown_with_its_cursor() {
    let (terminal, _) = type_on_terminal("trace é\x1b[D\x1b[Dx".as_bytes());
    assert_eq!((terminal.text(0).as_str(), terminal.column), ("> tracex é", 8));
    let (terminal, _) = type_on_terminal(b"abc\x01\x0b");
    assert_eq!((terminal.text(0).as_str(), terminal.column), (">", 2));
}

#[test]
fn a_line_that_outgrew_its_row_is_edited_in_a_window_of_one_row() {
    let typed = "0123456789".repeat(12);
    let (terminal, _) = type_on_terminal(typed.as_bytes());
    assert_eq!((terminal.text(1).len(), terminal.is_steered), (42, false), "wrapped by the terminal");
    let (terminal, line) = type_on_terminal(format!("{typed}\x01").as_bytes());
    assert_eq!((terminal.text(2), terminal.row, terminal.column), (format!("> {}", &typed[..77]), 2, 2));
    assert_eq!(line.buffer().text(), typed);
    let (terminal, _) = type_on_terminal(format!("{typed}\x01\x05").as_bytes());
    assert!(terminal.text(2).ends_with("789") && terminal.text(2).len() < 80, "{}", terminal.text(2));
    assert_eq!(terminal.column, terminal.text(2).len());
    let (terminal, _) = type_on_terminal(format!("{typed}\x7fy").as_bytes());
    assert!(terminal.text(2).ends_with("78y"), "{}", terminal.text(2));
}

#[test]
fn a_completion_is_typed_where_the_cursor_is() {
    let (mut terminal, mut line) = type_on_terminal(b"tra");
    assert_eq!(line.push(b'\t'), Event::Complete { before: "tra", is_again: false });
    assert_eq!(line.push(b'\t'), Event::Complete { before: "tra", is_again: true });
    assert_eq!(line.complete("ce "), Event::Echo(b"ce "), "plain at the end");
    line.push(b'x');
    assert_eq!(line.push(b'\t'), Event::Complete { before: "trace x", is_again: false });
    assert_eq!(line.show_again(), Event::Echo(b"> trace x"), "plain at the end");
    line.push(0x01);
    terminal.feed(b"\r");
    let Event::Echo(bytes) = line.complete("e\u{e9}") else { panic!("nothing shown") };
    terminal.feed(bytes);
    assert_eq!((terminal.text(0).as_str(), terminal.column), ("> eétrace x", 4));
    let before = line.buffer().text().to_owned();
    assert_eq!(line.complete(&"y".repeat(MAX_BYTES)), Event::Nothing, "no room");
    assert_eq!(line.complete("\x1b["), Event::Nothing, "not text");
    assert_eq!(line.buffer().text(), before);
}
