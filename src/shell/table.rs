//! The one table of commands: their names, what they take, what they are for, and who reads their words.
//!
//! Reader, help and refusals look here, so they cannot disagree: a row that is added is known, explained and offered at
//! once. Pure; callable from any context.

use core::fmt;
use core::ops::RangeInclusive;

use super::kinds::FaultKind;
use super::read::{self, Typed};
use super::request::{Refusal, Request};
use super::words::MAX_WORDS;
use crate::platform::{Hold, Urgency};
use crate::rcu::schemes::NAMES;

/// What belongs together: the headings of `help`, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// What only looks.
    Look,
    /// Functions and who is called by them.
    Trace,
    /// What puts the kernel to the test.
    Try,
    /// The shell itself.
    Session,
}

impl Group {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Look, Self::Trace, Self::Try, Self::Session];

    /// Its line.
    pub const fn heading(self) -> &'static str {
        match self {
            Self::Look => "Look at the running kernel:",
            Self::Trace => "Trace functions:",
            Self::Try => "Put the kernel to the test:",
            Self::Session => "The shell itself:",
        }
    }
}

/// What a word of a command can be completed by.
#[derive(Clone, Copy, Debug)]
pub enum Argument {
    /// A function that can be traced.
    Function,
    /// What `help` explains.
    Topic,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Behind the first word of a pair one of the second's.
    Behind(&'static str, &'static [&'static str]),
}

/// What may stand behind `hold`.
pub(super) const HOLDS: &[&str] = Hold::WORDS;

/// How a grace period can be waited for.
pub(super) const URGENCIES: &[&str] = Urgency::WORDS;

/// What may stand behind `rcu`.
pub(super) const RCU_WORDS: &[&str] = &["scheme", "stall", "synchronize"];

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
    /// The heading that it stands under in `help`.
    pub group: Group,
    /// What its arguments are completed by, in their order.
    pub completes: &'static [Argument],
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
pub static COMMANDS: [Command; 19] = [
    Command {
        name: "help",
        arguments: "[command|boot]",
        what: "this list, or more on a command or boot arguments",
        details: "",
        group: Group::Session,
        completes: &[Argument::Topic],
        counts: 0..=1,
        read: read::help,
    },
    Command {
        name: "version",
        arguments: "",
        what: "the first line of the boot, again",
        details: "",
        group: Group::Session,
        completes: &[],
        counts: 0..=0,
        read: |_| Ok(Request::Version),
    },
    Command {
        name: "ps",
        arguments: "",
        what: "tasks: class, state, CPU, switches, migrations",
        details: "VOLUNTARY and INVOLUNTARY count switches away from the task, MIGRATIONS how\n\
            often it went on on another CPU. Scheme classic waits for a voluntary switch.\n",
        group: Group::Look,
        completes: &[],
        counts: 0..=0,
        read: |_| Ok(Request::Tasks),
    },
    Command {
        name: "cpus",
        arguments: "",
        what: "CPUs: what each runs and where, how busy it was",
        details: "PLACE is where a task was when it was looked at; IDLE is the share of all ticks\n\
            that found nothing to do. MPIDR is what firmware and GIC call the CPU.\n",
        group: Group::Look,
        completes: &[],
        counts: 0..=0,
        read: |_| Ok(Request::Cpus),
    },
    Command {
        name: "irqs",
        arguments: "",
        what: "interrupts by source and CPU",
        details: "A row counts what CPUs acknowledged of one source. `other` is what nobody asked\n\
            for. One entry can acknowledge several, or find none.\n",
        group: Group::Look,
        completes: &[],
        counts: 0..=0,
        read: |_| Ok(Request::Irqs),
    },
    Command {
        name: "mem",
        arguments: "",
        what: "heap, stacks, page tables and image, in KiB",
        details: "",
        group: Group::Look,
        completes: &[],
        counts: 0..=0,
        read: |_| Ok(Request::Memory),
    },
    Command {
        name: "log",
        arguments: "[N]",
        what: "the last N events of all CPUs, 32 if not said",
        details: "In the order of time, in seconds since reset. Each CPU keeps its last 32.\n",
        group: Group::Look,
        completes: &[],
        counts: 0..=1,
        read: read::log,
    },
    Command {
        name: "rcu",
        arguments: "[ACTION [VALUE]]",
        what: "the schemes and their grace periods; selects one",
        details: "Alone it lists each scheme that has run, the selected one marked: grace periods,\n\
            their times in us, stall reports, rounds of visits, objects freed, and WAITED,\n\
            the tasks and CPUs that had not left when they were asked. `scheme NAME` selects\n\
            one while nothing is traced, `stall MS` says when a report is due, `synchronize`\n\
            waits for a grace period that starts now, `synchronize expedited` in a hurry.\n",
        group: Group::Look,
        completes: &[Argument::OneOf(RCU_WORDS), Argument::Behind("scheme", &NAMES)],
        counts: 0..=2,
        read: read::rcu,
    },
    Command {
        name: "ops",
        arguments: "",
        what: "registered ops: func, callsites, hits",
        details: "SKIPPED counts hits that came while func ran in the same context already.\n",
        group: Group::Trace,
        completes: &[],
        counts: 0..=0,
        read: |_| Ok(Request::Ops),
    },
    Command {
        name: "callsites",
        arguments: "[glob]",
        what: "functions that can be traced, and what they call",
        details: "Each line: the function's address, whether its branch is on, how many ops it\n\
            calls, its name. Behind one that is on: its branch, the ops that its literal\n\
            names, and the func of that. The last line accounts for the version line's\n\
            number: generics of other crates have callsites too, in code that may not be\n\
            traced; where a hit or a switch runs through, methods are notrace.\n",
        group: Group::Trace,
        completes: &[Argument::Function],
        counts: 0..=1,
        read: read::callsites,
    },
    Command {
        name: "trace",
        arguments: "NAME|GLOB on|off",
        what: "count the calls of all that match, until `off`",
        details: "A name or glob (* ? [a-f] [!a-f]) means each function whose path it matches,\n\
            whole or from behind some `::` on: `tick`, `sched::*`. `off` takes the pattern\n\
            as it was typed, waits for a grace period, frees the ops, and prints its hits.\n\
            A callsite has room for 64 ops, one for each pattern that matches.\n",
        group: Group::Trace,
        completes: &[Argument::Function, Argument::OneOf(&["on", "off"])],
        counts: 2..=2,
        read: read::trace,
    },
    Command {
        name: "step",
        arguments: "NAME",
        what: "step one hit: each instruction, and what it holds",
        details: "A thread calls the function through its callsite and is stepped through\n\
            trampoline and func; the body is not run. HOLDS is what must not be freed while\n\
            a task stands there: from behind T2, which loads the ops, to func's `ret`.\n",
        group: Group::Trace,
        completes: &[Argument::Function],
        counts: 1..=1,
        read: read::step,
    },
    Command {
        name: "stress",
        arguments: "[key=value ...]",
        what: "swap ops under load; ends with a verdict",
        details: "Takes boot arguments of its mode (`help boot`) but cpus, preempt, machine.\n",
        group: Group::Try,
        completes: &[],
        counts: 0..=MAX_WORDS,
        read: read::stress,
    },
    Command {
        name: "hold",
        arguments: "HOW MS [URGENCY] [yes]",
        what: "keep a grace period waiting, and say for how long",
        details: "A task is inside a func that spins, or sleeps, while its ops is taken off and\n\
            freed; `crowd` spins on a CPU that others want too; `hog` is inside no func, and\n\
            does not let go of its CPU; `broken` sleeps, and its frames lead nowhere. What\n\
            takes long is reported (`rcu stall`). Who is waited for `expedited` goes before\n\
            other tasks. Where the scheme forbids a func to sleep, `yes` confirms it: that\n\
            ends the kernel, but for `sleep-unguarded`, which a checked build alone notices.\n",
        group: Group::Try,
        completes: &[Argument::OneOf(HOLDS), Argument::OneOf(&[]), Argument::OneOf(URGENCIES)],
        counts: 2..=4,
        read: read::hold,
    },
    Command {
        name: "echo",
        arguments: "[word ...]",
        what: "print the words",
        details: "",
        group: Group::Session,
        completes: &[],
        counts: 0..=MAX_WORDS,
        read: read::echo,
    },
    Command {
        name: "sleep",
        arguments: "MS",
        what: "do nothing for so many milliseconds",
        details: "",
        group: Group::Session,
        completes: &[],
        counts: 1..=1,
        read: read::sleep,
    },
    Command {
        name: "panic",
        arguments: "[yes]",
        what: "panic, to see the epitaph",
        details: "At the prompt it asks first, unless `yes` stands behind it; in `cmds=` it must.\n",
        group: Group::Try,
        completes: &[], // what ends the kernel is typed by a person
        counts: 0..=1,
        read: read::panic,
    },
    Command {
        name: "fault",
        arguments: "KIND [yes]",
        what: "do what a broken kernel does, to see it caught",
        details: "At the prompt it asks first, unless `yes` stands behind it; in `cmds=` it must.\n",
        group: Group::Try,
        completes: &[Argument::OneOf(&FaultKind::WORDS)],
        counts: 1..=2,
        read: read::fault,
    },
    Command {
        name: "poweroff",
        arguments: "",
        what: "end, with status 0; so does Ctrl-D",
        details: "",
        group: Group::Session,
        completes: &[],
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

#[cfg(test)]
mod tests {
    use super::*;

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
}
