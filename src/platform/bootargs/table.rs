//! The one table of boot arguments: which keys there are, whose they are, what they take and what they default to.
//!
//! Parser, help and refusals read it, so they cannot disagree: a key or a name that is added here is parsed, explained
//! and offered at once. Callable from any context.

use core::fmt;

use crate::fault::{self, Fault};
use crate::platform::names::{Bench, DEFAULT_SCHEME, Mode, Name, PreemptModel, SchemeName};

/// What kind of value a key takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A [`SchemeName`].
    Scheme,
    /// A [`PreemptModel`].
    Model,
    /// A number of seconds, bounds included.
    Seconds { min: u32, max: u32 },
    /// A number of CPUs of this machine.
    Cpus,
    /// A u64, decimal or with `0x`.
    Seed,
    /// Shell commands with `;` between them.
    Commands,
    /// Names of parts of the mode, with commas between them.
    Parts,
    /// A [`Fault`], where the build has them.
    Fault,
    /// `yes` or `no`.
    Choice,
    /// Options of `scripts/run` that make this machine.
    Machine,
}

/// A key of the table.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    /// The modes that take it.
    pub(super) modes: &'static [Mode],
    /// What its absence means, for people.
    default: &'static str,
    /// What it is for, for people.
    what: &'static str,
}

impl Key {
    /// Does `mode` take this key?
    pub(super) fn is_for(&self, mode: Mode) -> bool {
        self.modes.contains(&mode)
    }
}

/// Seconds of `stress` when none are named.
pub(super) const DEFAULT_SECS: u32 = 10;
/// The preemption model when none is named.
pub(super) const DEFAULT_PREEMPT: PreemptModel = PreemptModel::Full;

/// Every key, in the order in which boot arguments are printed.
pub(super) static KEYS: [Key; 10] = [
    Key {
        name: "tasks_rcu",
        kind: Kind::Scheme,
        modes: Mode::ALL,
        default: DEFAULT_SCHEME.as_str(),
        what: "when a retired ops may be freed; without it bench and windows run every scheme",
    },
    Key {
        name: "preempt",
        kind: Kind::Model,
        modes: Mode::ALL,
        default: DEFAULT_PREEMPT.as_str(),
        what: "when a task may be preempted",
    },
    Key {
        name: "secs",
        kind: Kind::Seconds { min: 1, max: 86_400 },
        modes: &[Mode::Stress],
        default: "10",
        what: "guest seconds under load",
    },
    Key { name: "cpus", kind: Kind::Cpus, modes: Mode::ALL, default: "all of the machine", what: "CPUs to start" },
    Key {
        name: "seed",
        kind: Kind::Seed,
        modes: Mode::ALL,
        default: "drawn from the counter, and printed",
        what: "every random choice follows from it",
    },
    Key {
        name: "cmds",
        kind: Kind::Commands,
        modes: &[Mode::Shell],
        default: "none: a prompt",
        what: "run these, then power off; status 1 at the first that fails",
    },
    Key {
        name: "only",
        kind: Kind::Parts,
        modes: &[Mode::Bench, Mode::Selftest, Mode::Windows],
        default: "all of them",
        what: "run only these parts",
    },
    Key {
        name: "fault",
        kind: Kind::Fault,
        modes: &[Mode::Stress, Mode::Selftest, Mode::Windows],
        default: "none",
        what: "what is wrong on purpose, and has to be caught",
    },
    Key {
        name: "progress",
        kind: Kind::Choice,
        modes: &[Mode::Stress, Mode::Demo, Mode::Selftest, Mode::Windows, Mode::Shell],
        default: "no; scripts/boot says yes where the console is a terminal",
        what: "show how far a run is, in a line that is overwritten; never on an exact machine",
    },
    Key {
        name: "machine",
        kind: Kind::Machine,
        modes: Mode::ALL,
        default: "none: runs differ from time to time",
        what: "said by scripts/run --exact, so that the replay line of a FAIL carries the whole command",
    },
];

/// Prints `items` with `, ` between them.
fn list<T: fmt::Display>(f: &mut fmt::Formatter<'_>, items: impl Iterator<Item = T>) -> fmt::Result {
    for (index, item) in items.enumerate() {
        let separator = if index == 0 { "" } else { ", " };
        write!(f, "{separator}{item}")?;
    }
    Ok(())
}

/// Prints all names of a table.
pub(super) struct NamesOf<N>(core::marker::PhantomData<N>);

impl<N: Name> NamesOf<N> {
    /// The names of table `N`.
    pub(super) const fn table() -> Self {
        Self(core::marker::PhantomData)
    }
}

impl<N: Name> fmt::Display for NamesOf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, N::ALL.iter())
    }
}

/// Prints the keys that a mode takes in this build.
pub(super) struct KeysOf(pub(super) Mode);

impl fmt::Display for KeysOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has = |key: &&Key| key.is_for(self.0) && (key.kind != Kind::Fault || fault::ARE_BUILT);
        list(f, KEYS.iter().filter(has).map(|key| key.name))
    }
}

/// Prints the modes that take a key.
pub(super) struct ModesOf(pub(super) &'static Key);

impl fmt::Display for ModesOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        list(f, self.0.modes.iter())
    }
}

/// Prints what a key takes, on a machine with so many CPUs.
pub(super) struct Allowed {
    pub(super) kind: Kind,
    pub(super) machine_cpus: usize,
    /// The mode whose line it is, if there is one.
    pub(super) mode: Option<Mode>,
}

impl fmt::Display for Allowed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Kind::Scheme => NamesOf::<SchemeName>::table().fmt(f),
            Kind::Model => NamesOf::<PreemptModel>::table().fmt(f),
            Kind::Seconds { min, max } => write!(f, "{min} to {max}"),
            Kind::Cpus => write!(f, "1 to {}", self.machine_cpus),
            Kind::Seed => f.write_str("0 to 2^64-1, decimal or with 0x"),
            Kind::Commands => f.write_str("commands with `;` between them, in double quotes"),
            Kind::Parts if self.mode == Some(Mode::Selftest) => {
                f.write_str("names that `selftest list` shows, with commas between them")
            }
            Kind::Parts if self.mode == Some(Mode::Windows) => {
                f.write_str("funcs, scenarios and numbers as in its `window:` lines, with commas between them")
            }
            Kind::Parts => write!(f, "any of {}, with commas between them", NamesOf::<Bench>::table()),
            Kind::Fault if fault::ARE_BUILT => f.write_str("a name that `help boot` shows"),
            Kind::Fault => f.write_str("a name, in a build with deliberate faults (scripts/build --profile faults)"),
            Kind::Choice => f.write_str("yes, no"),
            Kind::Machine => f.write_str("options of scripts/run, in double quotes, at the end of the line"),
        }
    }
}

/// The whole table for a reader: what `help boot` prints.
#[derive(Clone, Copy, Debug)]
pub struct Help {
    machine_cpus: usize,
}

/// The help on boot arguments, for a machine with so many CPUs.
pub const fn help(machine_cpus: usize) -> Help {
    Help { machine_cpus }
}

impl fmt::Display for Help {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "boot arguments: [mode] [key=value ...]; a value in double quotes may hold spaces")?;
        writeln!(f, "  {:<10} {} (default: {})", "mode", NamesOf::<Mode>::table(), Mode::Shell)?;
        for key in &KEYS {
            let allowed = Allowed { kind: key.kind, machine_cpus: self.machine_cpus, mode: None };
            write!(f, "  {:<10} {allowed}", key.name)?;
            if key.kind == Kind::Parts {
                f.write_str("; in selftest: names that `selftest list` shows")?;
                f.write_str("; in windows: funcs, scenarios and numbers of its lines")?;
            }
            write!(f, " (default: {})\n  {:<10} {}", key.default, "", key.what)?;
            if key.modes != Mode::ALL {
                write!(f, "; only in mode {}", ModesOf(key))?;
            }
            writeln!(f)?;
        }
        for fault in Fault::ALL.iter().filter(|_| fault::ARE_BUILT) {
            writeln!(f, "  {:<10}   {:<24} {}", "", fault.as_str(), fault.what())?;
        }
        Ok(())
    }
}
