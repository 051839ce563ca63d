//! The one table of commands: their names, what they take, what they are for, and who reads their words.
//!
//! Reader, help and refusals look here, so they cannot disagree: a row that is added is known, explained and offered at
//! once. Pure; callable from any context.

use core::fmt;
use core::ops::RangeInclusive;

use super::read::{self, Typed};
use super::request::{Refusal, Request};
use super::words::MAX_WORDS;

/// A row of the table.
pub struct Command {
    /// The word that a person types.
    pub name: &'static str,
    /// What stands behind it, for people; empty if nothing does.
    pub arguments: &'static str,
    /// What it is for: the end of a line of `help`.
    pub what: &'static str,
    /// What else to know, in whole lines; empty if that is all.
    pub details: &'static str,
    /// How many words may stand behind the name.
    pub(super) counts: RangeInclusive<usize>,
    /// Reads the words, as many as `counts` allows.
    pub(super) read: for<'a> fn(&Typed<'a>) -> Result<Request<'a>, Refusal<'a>>,
}

impl fmt::Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every command, in the order of `help`.
pub static COMMANDS: [Command; 15] = [
    Command {
        name: "help",
        arguments: "[command|boot]",
        what: "this list, or more on a command, or on boot arguments",
        details: "",
        counts: 0..=1,
        read: read::help,
    },
    Command {
        name: "version",
        arguments: "",
        what: "the first line of the boot, again",
        details: "",
        counts: 0..=0,
        read: |_| Ok(Request::Version),
    },
    Command {
        name: "ps",
        arguments: "",
        what: "tasks: class, state, CPU, switches, migrations",
        details: "VOLUNTARY and INVOLUNTARY count switches away from the task, MIGRATIONS how\n\
            often it went on on another CPU. Scheme classic waits for a voluntary switch.\n",
        counts: 0..=0,
        read: |_| Ok(Request::Tasks),
    },
    Command {
        name: "irqs",
        arguments: "",
        what: "interrupts and ticks so far",
        details: "",
        counts: 0..=0,
        read: |_| Ok(Request::Irqs),
    },
    Command {
        name: "mem",
        arguments: "",
        what: "how the heap stands",
        details: "",
        counts: 0..=0,
        read: |_| Ok(Request::Memory),
    },
    Command {
        name: "rcu",
        arguments: "",
        what: "the scheme, its grace periods, what waits for one",
        details: "",
        counts: 0..=0,
        read: |_| Ok(Request::Rcu),
    },
    Command {
        name: "ops",
        arguments: "",
        what: "registered ops: func, callsites, hits",
        details: "SKIPPED counts hits that came while func ran in the same context already.\n",
        counts: 0..=0,
        read: |_| Ok(Request::Ops),
    },
    Command {
        name: "callsites",
        arguments: "[glob]",
        what: "functions that can be traced, and what they call",
        details: "Each line: the function's address, whether its branch is on, how many ops it\n\
            calls, its name. Behind one that is on: its branch, the ops that its literal\n\
            names, and the func of that.\n",
        counts: 0..=1,
        read: read::callsites,
    },
    Command {
        name: "trace",
        arguments: "NAME|GLOB on|off",
        what: "count the calls of all that match, until `off`",
        details: "A name or glob (* ? [a-f] [!a-f]) means each function whose path it matches,\n\
            whole or from behind some `::` on: `tick`, `sched::*`. `off` takes the pattern\n\
            as it was typed, waits for a grace period, frees the ops, and prints its hits.\n",
        counts: 2..=2,
        read: read::trace,
    },
    Command {
        name: "stress",
        arguments: "[key=value ...]",
        what: "swap ops under load; ends with a verdict",
        details: "Takes the boot arguments of mode stress (`help boot`) but `cpus` and `preempt`.\n",
        counts: 0..=MAX_WORDS,
        read: read::stress,
    },
    Command {
        name: "echo",
        arguments: "[word ...]",
        what: "print the words",
        details: "",
        counts: 0..=MAX_WORDS,
        read: |typed| Ok(Request::Echo(typed.words.arguments())),
    },
    Command {
        name: "sleep",
        arguments: "MS",
        what: "do nothing for so many milliseconds",
        details: "",
        counts: 1..=1,
        read: read::sleep,
    },
    Command {
        name: "panic",
        arguments: "yes",
        what: "panic, to see the epitaph",
        details: "",
        counts: 0..=1,
        read: read::panic,
    },
    Command {
        name: "fault",
        arguments: "KIND yes",
        what: "do what a broken kernel does, to see it caught",
        details: "Kinds: text-store, null, undefined, stack-overflow, jump-to-data, double-free,\n\
            double-free-late, write-after-free, bad-free, middle-free, heap-exhausted.\n",
        counts: 1..=2,
        read: read::fault,
    },
    Command {
        name: "poweroff",
        arguments: "",
        what: "end, with status 0; so does Ctrl-D",
        details: "",
        counts: 0..=0,
        read: |_| Ok(Request::PowerOff),
    },
];

/// The command of this name.
pub fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The one command that shares the longest start with `word`, if that is all of the word or at least two characters.
pub fn nearest(word: &str) -> Option<&'static Command> {
    let shared = |command: &Command| command.name.bytes().zip(word.bytes()).take_while(|(a, b)| a == b).count();
    let longest = COMMANDS.iter().map(shared).max().filter(|&longest| longest >= 2 || longest == word.len())?;
    let mut nearest = COMMANDS.iter().filter(|command| shared(command) == longest);
    nearest.next().filter(|_| nearest.next().is_none())
}

/// Prints how a command is typed.
#[derive(Clone, Copy, Debug)]
pub struct Usage(pub &'static Command);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Command { name, arguments, .. } = self.0;
        let space = if arguments.is_empty() { "" } else { " " };
        write!(f, "usage: {name}{space}{arguments}")
    }
}

/// Prints all commands, a line each.
#[derive(Clone, Copy, Debug)]
pub struct List;

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |command: &Command| command.name.len() + 1 + command.arguments.len();
        let column = COMMANDS.iter().map(width).max().unwrap_or(0) + 2;
        for command in &COMMANDS {
            let rest = column - command.name.len() - 1;
            writeln!(f, "  {} {:<rest$}{}", command.name, command.arguments, command.what)?;
        }
        writeln!(
            f,
            "A line may hold several commands, with `;` between them; a word with spaces in\nit stands in double quotes."
        )
    }
}

/// Prints all there is to know of one command.
#[derive(Clone, Copy, Debug)]
pub struct Entry(pub &'static Command);

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Usage(self.0))?;
        writeln!(f, "{}", self.0.what)?;
        f.write_str(self.0.details)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::kinds::FaultKind;

    #[test]
    fn names_are_unique_single_lower_case_words_and_none_is_the_topic_boot() {
        for (index, command) in COMMANDS.iter().enumerate() {
            assert!(!command.name.is_empty() && command.name.bytes().all(|b| b.is_ascii_lowercase()), "{command:?}");
            assert!(COMMANDS[index + 1..].iter().all(|other| other.name != command.name), "{command:?} stands twice");
            assert_ne!(command.name, "boot");
            assert!(core::ptr::eq(find(command.name).unwrap(), command));
        }
    }

    #[test]
    fn help_is_aligned_and_fits_a_terminal() {
        let list = List.to_string();
        let lines: Vec<&str> = list.lines().collect();
        let column = lines[0].find("this list").unwrap();
        for (line, command) in lines.iter().zip(&COMMANDS) {
            assert!(line.starts_with(&format!("  {} {}", command.name, command.arguments)), "{line}");
            assert_eq!(&line[column..], command.what, "aligned");
            assert!(line[..column].ends_with("  "), "{line}");
            assert!(line.len() <= 80, "{} columns: {line}", line.len());
        }
        assert!(lines.len() > COMMANDS.len() && lines.iter().all(|line| line.len() <= 80));
    }

    #[test]
    fn the_entry_of_a_command_ends_its_lines_and_keeps_them_short() {
        for command in &COMMANDS {
            let entry = Entry(command).to_string();
            assert!(entry.ends_with('\n') && entry.starts_with(&format!("usage: {}", command.name)), "{entry}");
            for line in entry.lines() {
                assert!(line.len() <= 80 && line == line.trim(), "{} columns: {line}", line.len());
            }
        }
        let faults = Entry(find("fault").unwrap()).to_string();
        assert!(FaultKind::WORDS.iter().all(|word| faults.contains(word)), "{faults}");
    }

    #[test]
    fn the_nearest_command_shares_a_start_that_no_other_does() {
        let near = |word| nearest(word).map(|command| command.name);
        assert_eq!(near("tr"), Some("trace"));
        assert_eq!(near("traces"), Some("trace"));
        assert_eq!(near("call"), Some("callsites"));
        assert_eq!(near("pow"), Some("poweroff"));
        assert_eq!(near("v"), Some("version"));
        assert_eq!(near("p"), None, "ps, panic and poweroff");
        assert_eq!(near("frobnicate"), None, "one character in common is not near");
        assert_eq!(near(""), None);
        assert_eq!(near("HELP"), None);
        assert_eq!(near("\u{10ffff}"), None);
    }

    #[test]
    fn usage_has_no_stray_space() {
        assert_eq!(Usage(find("ps").unwrap()).to_string(), "usage: ps");
        assert_eq!(Usage(find("trace").unwrap()).to_string(), "usage: trace NAME|GLOB on|off");
    }
}
