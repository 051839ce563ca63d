//! What `help` prints, out of the table of commands: the list by groups, and the entry of one command. Pure.

use alloc::format;
use core::fmt;

use super::screen::COLUMNS;
use super::table::{Argument, COMMANDS, Command, Group};

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

/// Prints all commands, a line each, under the headings of their groups.
#[derive(Clone, Copy, Debug)]
pub struct List;

const CLOSING: &str = "\
A line may hold several commands, with `;` between them; a word with spaces in
it stands in double quotes. Keys are those of a shell: arrows, Home, End, Tab,
Ctrl-A E B F K U W Y L R, Alt-B F, Ctrl-C to drop the line, Ctrl-D to leave.
";

impl fmt::Display for List {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |command: &Command| command.name.len() + 1 + command.arguments.len();
        let column = COMMANDS.iter().map(width).max().unwrap_or(0) + 2;
        for group in Group::ALL {
            writeln!(f, "{}", group.heading())?;
            for command in COMMANDS.iter().filter(|command| command.group == group) {
                let rest = column - command.name.len() - 1;
                writeln!(f, "  {} {:<rest$}{}", command.name, command.arguments, command.what)?;
            }
        }
        f.write_str(CLOSING)
    }
}

/// Prints all there is to know of one command.
#[derive(Clone, Copy, Debug)]
pub struct Entry(pub &'static Command);

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", Usage(self.0))?;
        writeln!(f, "{}", self.0.what)?;
        f.write_str(self.0.details)?;
        // A choice of two stands in the usage.
        for argument in self.0.completes {
            match argument {
                Argument::OneOf(words @ [_, _, _, ..]) => choice(f, "One of:", words)?,
                Argument::Behind(first, words) => choice(f, &format!("Behind `{first}`:"), words)?,
                Argument::OneOf(_) | Argument::Function | Argument::Topic => {}
            }
        }
        Ok(())
    }
}

/// Prints what a word can be, in as many lines as that takes.
fn choice(f: &mut fmt::Formatter<'_>, introduction: &str, words: &[&str]) -> fmt::Result {
    f.write_str(introduction)?;
    let mut column = introduction.len();
    for word in words {
        let is_first = column + 1 + word.len() > COLUMNS;
        column = if is_first { word.len() } else { column + 1 + word.len() };
        write!(f, "{}{word}", if is_first { "\n" } else { " " })?;
    }
    writeln!(f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::kinds::FaultKind;
    use crate::shell::table::find;

    #[test]
    fn help_is_grouped_aligned_and_fits_a_terminal() {
        let list = List.to_string();
        let lines: Vec<&str> = list.lines().collect();
        assert!(lines.iter().all(|line| line.len() <= 80), "{list}");
        let (mut rows, mut columns) = (Vec::new(), Vec::new());
        for group in Group::ALL {
            let heading = lines.iter().position(|line| *line == group.heading()).expect("a heading for each group");
            for command in COMMANDS.iter().filter(|command| command.group == group) {
                let start = format!("  {} {}", command.name, command.arguments);
                let of_group = lines[heading + 1..].iter().take_while(|line| line.starts_with("  "));
                let line = of_group.clone().find(|line| line.starts_with(&(start.trim_end().to_owned() + "  ")));
                let line = line.unwrap_or_else(|| panic!("{command:?} is not under its heading: {list}"));
                assert!(line.ends_with(&format!("  {}", command.what)), "{line}");
                columns.push(line.len() - command.what.len());
                rows.push(command.name);
            }
        }
        assert_eq!(rows.len(), COMMANDS.len());
        assert!(columns.iter().all(|column| *column == columns[0]), "aligned: {columns:?}");
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
    fn usage_has_no_stray_space() {
        assert_eq!(Usage(find("ps").unwrap()).to_string(), "usage: ps");
        assert_eq!(Usage(find("trace").unwrap()).to_string(), "usage: trace NAME|GLOB on|off");
        let schemes = Entry(find("rcu").unwrap()).to_string();
        assert!(schemes.contains("\nBehind `scheme`: none sched "), "{schemes}");
    }
}
