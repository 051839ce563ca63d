//! The names, and what each breaks.

/// Makes the enum and its table.
macro_rules! faults {
    ($($(#[$doc:meta])* $variant:ident = $word:literal, $what:literal;)*) => {
        /// A rule that can be broken on purpose.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Fault { $(#[doc = $what] $variant,)* }

        impl Fault {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word a person types and reads.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }

            /// What is wrong then.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }
        }
    };
}

faults! {
    BracketsMissing = "brackets-missing", "a plain grace period ends without asking any CPU";
    HoldoutsMissing = "holdouts-missing", "the holdout list is left out";
    ExitingMissed = "exiting-missed", "the lister is not shown tasks that have begun to exit";
    AwayStays = "away-stays", "a task that goes on still counts as off its CPU by a voluntary switch";
    PreemptedIsVoluntary = "preempted-is-voluntary", "a preempted task is said to have left by itself";
    SoftirqOverlooked = "softirq-overlooked", "an SGI that interrupts a softirq takes its CPU for quiescent";
    AcknowledgementStale = "acknowledgement-stale", "a visit takes the acknowledgement of the round before for its own";
    CpuForgotten = "cpu-forgotten", "a plain grace period does not wait for the last CPU";
    CookieEarly = "cookie-early", "a grace period that began before the ops was unlinked frees it";
    CookieOfRunning = "cookie-of-running", "a caller is served by the grace period that runs already";
    LiteralStale = "literal-stale", "a swap leaves the old ops in the literals";
    BranchFirst = "branch-first", "callsites are enabled branch first, literal second";
    NodeAfterOps = "node-after-ops", "a fan-out node stays published, and is freed after the ops that it names";
    FanOutTorn = "fan-out-torn", "the fan-out calls a func with the ops of another";
    SkipUncounted = "skip-uncounted", "the fan-out does not count the hits that recursion skips";
    CallbackCut = "callback-cut", "the second of two callbacks that expired together is lost";
    BarrierShort = "barrier-short", "a barrier counts one callback too few";
    QuarantineSkipped = "quarantine-skipped", "freed memory is handed out again at once";
    TrampolinePlain = "trampoline-plain", "callsites branch to the plain trampoline, whatever the scheme needs";
    MarkUndoneEarly = "mark-undone-early", "an IRQ's exit undoes its mark before the preemption point";
    MarkClearedInside = "mark-cleared-inside", "an inner IRQ clears the mark that an outer one has set";
    RoundMissing = "round-missing", "nobody asks the CPUs: who runs is not looked at";
    ListReadEarly = "list-read-early", "the lists of who is off its CPU are emptied before the CPUs have answered";
    DelistedAtSwitchIn = "delisted-at-switch-in", "a task that goes on while a look is under way is not looked at";
    NumberMissing = "number-missing", "what looks have left in an ops is not asked for";
    InnermostRecordOnly = "innermost-record-only", "a scan looks at the innermost frame record of a context alone";
    RegisterOverlooked = "register-overlooked", "a scan does not look for an ops that is still in its register";
    OuterContextsOverlooked = "outer-contexts-overlooked", "an answer does not look under the context that it interrupted";
    TextKept = "text-kept", "the text of a freed ops stays mapped: who is inside is not seen to be";
    CountedLate = "counted-late", "the trampoline counts its depth after it has loaded the ops";
}
