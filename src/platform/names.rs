//! The names that a boot argument can choose: modes, grace-period schemes, preemption models, benches, scenarios.
//!
//! Each is an enum with one table behind it: parser, help, refusals, version line and verdict lines all print the same
//! word. Callable from any context.

use core::fmt;

/// A name of one of the tables of this file.
pub trait Name: Copy + PartialEq + fmt::Display + 'static {
    /// All of them, in the order in which they are listed and run.
    const ALL: &'static [Self];

    /// The word a person types and reads.
    fn as_str(self) -> &'static str;

    /// The name that `word` spells.
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|name| name.as_str() == word)
    }
}

/// Makes an enum and its table.
macro_rules! names {
    ($(#[$doc:meta])* $enum:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $enum { $($(#[$variant_doc])* $variant,)* }

        impl $enum {
            /// All words, in the order of the values.
            pub const WORDS: &'static [&'static str] = &[$($word,)*];

            /// The word a person types and reads.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl Name for $enum {
            const ALL: &'static [Self] = &[$(Self::$variant,)*];

            fn as_str(self) -> &'static str {
                self.as_str()
            }
        }

        impl fmt::Display for $enum {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }
    };
}

names! {
    /// What the kernel does once it is up.
    Mode {
        /// A prompt on the console, or the commands of `cmds=`.
        Shell = "shell",
        /// A short live demonstration, then the shell.
        Demo = "demo",
        /// Ops swaps under load, judged by the oracle.
        Stress = "stress",
        /// Every instruction boundary, judged by the oracle.
        Windows = "windows",
        /// Measurements.
        Bench = "bench",
        /// The kernel's own tests, inside the guest.
        Selftest = "selftest",
    }
}

names! {
    /// When a retired ops may be freed: the schemes, in the order of their table in the specification.
    SchemeName {
        /// At once: the control that must be caught.
        None = "none",
        /// After any context switch of every CPU.
        Sched = "sched",
        /// After a worker ran on every CPU.
        Rude = "rude",
        /// When no preempted task's interrupted PC is in the trampoline.
        Ip = "ip",
        /// When no preempted task carries the mark of an IRQ entry inside the trampoline.
        Flag = "flag",
        /// When every task switched voluntarily, slept or exited.
        Classic = "classic",
        /// `rude`, then `classic`.
        Linux = "linux",
        /// When preemption was enabled once on every CPU; the trampoline disables it.
        Nopreempt = "nopreempt",
        /// When every task's trampoline depth has been zero.
        Depth = "depth",
        /// When no frame of any context holds the retired ops.
        Scan = "scan",
    }
}

names! {
    /// When the scheduler may take the CPU from a task.
    PreemptModel {
        /// Only where the task gives it up.
        None = "none",
        /// Also where the task asks whether it should.
        Voluntary = "voluntary",
        /// At any IRQ exit or `preempt_enable`.
        Full = "full",
        /// As full, but first at the next tick.
        Lazy = "lazy",
    }
}

names! {
    /// How the shell's `hold` keeps a grace period waiting.
    Hold {
        /// A task is inside a func that spins.
        Spin = "spin",
        /// A task is inside a func that sleeps.
        Sleep = "sleep",
        /// The same, without the recursion guard.
        SleepUnguarded = "sleep-unguarded",
        /// As `spin`, on a CPU that other tasks want as well.
        Crowd = "crowd",
        /// A task is inside no func, and does not let go of its CPU.
        Hog = "hog",
        /// As `sleep`, and the task's frames do not lead to their base.
        Broken = "broken",
    }
}

names! {
    /// How somebody waits for a grace period.
    Urgency {
        /// As long as it takes.
        Normal = "normal",
        /// In a hurry: holdouts go before other tasks.
        Expedited = "expedited",
    }
}

names! {
    /// What the func of an explored call does: the parts of mode `windows`, together with scenarios and boundaries.
    WindowFunc {
        /// It reads its ops and returns.
        Plain = "plain",
        /// It calls a helper, which reads the ops.
        Callee = "callee",
        /// It tail-calls one, which lies beside it.
        Tail = "tail",
        /// Its helper disables preemption and enables it again.
        Enable = "enable",
        /// Its helper blocks, which most schemes forbid.
        Block = "block",
        /// It sends the trampoline on into its own text, which every scheme forbids.
        Redirect = "redirect",
        /// It calls a traced function, whose ops is another.
        Nest = "nest",
        /// It reads its ops and returns, in a call that another ops' func makes.
        Nested = "nested",
        /// It is the second of three on one callsite.
        FanOut = "fanout",
        /// It is a Rust function of the kernel's, with a frame and a helper, as its compiler made it.
        Compiled = "compiled",
    }
}

names! {
    /// What happens to an explored call at its boundary.
    WindowScenario {
        /// An IRQ comes, at whose exit the task is preempted.
        Preempted = "preempted",
        /// The same, and the updater then runs on the CPU that the task was preempted on.
        PreemptedHere = "preempted-here",
        /// As the first; the ops is unregistered, and nothing comes in its place.
        PreemptedNop = "preempted-nop",
        /// The same, after the task was preempted one instruction before and moved to another CPU.
        Migrated = "preempted-migrated",
        /// As the first; the call is a task's last, made when it is off the task list.
        Exiting = "preempted-exits-next",
        /// An IRQ comes, and a softirq on top that is traced itself and interrupted; then the task is preempted.
        Irq = "irq",
        /// The same, and the softirq is interrupted in what is not traced.
        IrqElsewhere = "irq-elsewhere",
        /// The first; and another task, in a call of the same ops, at another boundary or the same.
        Pair = "pair",
        /// An IRQ comes, and a softirq on top, in a call of the same ops, stands at a boundary of its own.
        PairOnTop = "pair-on-top",
        /// As the first, on the trampoline's way out, where that is a longer one: somebody waits for it to be left.
        Wished = "wished",
        /// Nothing: the task stands there on its CPU while it is looked for.
        Running = "running",
        /// Its func lets go of the CPU by itself, with no IRQ.
        Inside = "inside",
        /// The call is a softirq's, on top of the idle task.
        SoftirqOnIdle = "softirq-on-idle",
        /// The call is an IRQ handler's, on top of the idle task.
        IrqOnIdle = "irq-on-idle",
        /// The call is a softirq's, on top of the grace-period task.
        SoftirqOnGp = "softirq-on-gp",
        /// The call is an IRQ handler's, on top of the grace-period task.
        IrqOnGp = "irq-on-gp",
        /// As the first; another ops is retired before the explored one: of the same node, of a call in the call, or that nobody calls.
        OtherFirst = "other-first",
        /// The same, after it.
        OtherNext = "other-next",
        /// As the first; the task is of the high class.
        High = "preempted-high",
        /// As the first; the task is boosted.
        Boosted = "preempted-boosted",
        /// As the first; the task's stack is deep.
        Deep = "preempted-deep",
        /// The task has disabled preemption, and stands there on its CPU.
        PreemptOff = "preempt-off",
        /// The task has masked IRQs, and stands there on its CPU.
        IrqsOff = "irqs-off",
        /// Its func lets go of the CPU by itself; then it exits there.
        ExitsInside = "exits-inside",
    }
}

names! {
    /// The measurements of mode `bench`.
    Bench {
        /// A traced call, by number of ops on its callsite and elsewhere.
        Percall = "percall",
        /// A grace period, from request to end.
        Gp = "gp",
        /// A swap of the ops of one callsite.
        Swap = "swap",
        /// The changes of one ops, beside others and after a history.
        Registry = "registry",
        /// A switch from one task to another, by the depth of the stack.
        Switch = "switch",
        /// Freeing an ops that nobody holds, beside holders of others.
        Overlap = "overlap",
        /// How long a normal task waits for the CPU beside holders that want it too.
        Bystander = "bystander",
        /// Taking a mutex and giving it back, by the number of tasks that want it.
        Mutex = "mutex",
        /// How long an interrupt waits while a grace period looks.
        Masked = "masked",
        /// Enabling every callsite, per callsite.
        EnableAll = "enable_all",
        /// Disabling every callsite, per callsite.
        DisableAll = "disable_all",
        /// From reset to the start of the mode.
        Boot = "boot",
        /// RAM in use at the start of the mode.
        Memory = "memory",
    }
}

names! {
    /// The scenarios of mode `selftest`, in the order in which they run. `lab::selftest` says what each one shows.
    Selftest {
        /// Time never goes back, on whatever CPU it is read.
        Clock = "clock",
        /// A visit runs once on every CPU.
        Visits = "visits",
        /// Every callsite is what the patcher counts on.
        Callsites = "callsites",
        /// No address is writable and executable.
        WriteXorExecute = "w-xor-x",
        /// Memory that was cut into small blocks comes back as large ones.
        HeapWhole = "heap-whole",
        /// The hit path is stepped, preempted and moved at each of its boundaries.
        StepHitPath = "step-hit-path",
        /// Software step belongs to one thread, whatever that does.
        DebugPrivate = "debug-private",
        /// Breakpoints and watchpoints stop the debugged thread.
        DebugPoints = "debug-points",
        /// Ten thousand tasks at once.
        Tasks = "tasks-10000",
        /// A million switches, with migration.
        Switches = "switches",
        /// A million timers.
        Timers = "timers",
        /// Softirqs that are interrupted by what raises them.
        SoftirqStorm = "softirq-storm",
        /// Each class and each task gets its share.
        Fairness = "fairness",
        /// One holder at a time, and everybody gets it.
        MutexTorture = "mutex-torture",
        /// No wake-up is lost, whatever context it comes from.
        WaitTorture = "wait-torture",
        /// Grace periods that overlap.
        Overlaps = "overlaps",
        /// Normal tasks beside boosted ones.
        Bystanders = "bystanders",
        /// A runnable task without a CPU.
        Starved = "starved-task",
    }
}

/// The scheme of a kernel whose boot arguments name none.
pub const DEFAULT_SCHEME: SchemeName = SchemeName::Scan;

#[cfg(test)]
mod tests {
    use super::*;

    fn every_word_spells_its_name<N: Name + fmt::Debug>() {
        for &name in N::ALL {
            assert_eq!(N::from_word(name.as_str()), Some(name));
            assert_eq!(N::from_word(&name.as_str().to_uppercase()), None, "words are lower case");
        }
        assert_eq!(N::from_word(""), None);
    }

    #[test]
    fn words_and_names_are_one_to_one() {
        every_word_spells_its_name::<Mode>();
        every_word_spells_its_name::<SchemeName>();
        every_word_spells_its_name::<PreemptModel>();
        every_word_spells_its_name::<Bench>();
        every_word_spells_its_name::<WindowFunc>();
        every_word_spells_its_name::<WindowScenario>();
        every_word_spells_its_name::<Selftest>();
    }

    #[test]
    fn the_schemes_are_listed_in_the_order_of_the_specification() {
        let words: Vec<_> = SchemeName::ALL.iter().map(|name| name.as_str()).collect();
        assert_eq!(words.join(" "), "none sched rude ip flag classic linux nopreempt depth scan");
    }
}
