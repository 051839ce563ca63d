//! What a broken kernel does, and this one does on request: the kinds of command `fault`. Pure.
//!
//! A kind is one line here and one in `faults::provoke`; reader, help and refusals know it then.

/// Makes the enum, the list of all, and the list of their words, in one order.
macro_rules! kinds {
    ($($(#[$what:meta])* $kind:ident = $word:literal,)+) => {
        /// What a broken kernel does: each ends in an epitaph.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum FaultKind {
            $($(#[$what])* $kind,)+
        }

        impl FaultKind {
            /// All of them, and the words for them, in the same order.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$kind),+];
            /// See [`FaultKind::ALL`].
            pub const WORDS: [&str; Self::ALL.len()] = [$($word),+];
        }
    };
}

kinds! {
    /// Stores to kernel text.
    TextStore = "text-store",
    /// Stores to a constant.
    RodataStore = "rodata-store",
    /// Loads from address 0.
    Null = "null",
    /// Loads a field of an object that is not there.
    NearNull = "near-null",
    /// Loads from address 0 in an interrupt.
    NullIrq = "null-irq",
    /// Loads through a pointer that was read from freed memory.
    Poison = "poison",
    /// Stores to the guard below its stack.
    GuardStore = "guard-store",
    /// Executes an undefined instruction.
    Undefined = "undefined",
    /// Executes a variable.
    JumpToData = "jump-to-data",
    /// Loads a word of a device's register that is not aligned.
    UnalignedDevice = "unaligned-device",
    /// Loads from where neither RAM nor a device is.
    ExternalAbort = "external-abort",
    /// Calls itself until the stack meets its guard.
    StackOverflow = "stack-overflow",
    /// The same in an interrupt.
    StackOverflowIrq = "stack-overflow-irq",
    /// The same while a panic is told.
    StackOverflowPanic = "stack-overflow-panic",
    /// The same on the stack that overflows are handled on.
    StackOverflowTwice = "stack-overflow-twice",
    /// Pushes with a stack pointer that points to no stack.
    BadSp = "bad-sp",
    /// Pushes with a stack pointer that is not aligned.
    MisalignedSp = "misaligned-sp",
    /// Faults while a panic is told.
    NestedException = "nested-exception",
    /// Panics while a panic is told.
    SecondPanic = "second-panic",
    /// Panics on two CPUs at once.
    PanicOnTwoCpus = "panic-on-two-cpus",
    /// Panics while another CPU prints.
    PanicWhilePrinting = "panic-while-printing",
    /// Frees a block again while it is in quarantine.
    DoubleFree = "double-free",
    /// Frees a block again when it has long left the quarantine.
    DoubleFreeLate = "double-free-late",
    /// Writes to a freed block.
    WriteAfterFree = "write-after-free",
    /// Frees a variable.
    BadFree = "bad-free",
    /// Frees the middle of a block.
    MiddleFree = "middle-free",
    /// Allocates until there is nothing left.
    HeapExhausted = "heap-exhausted",
    /// Takes a lock that it holds.
    LockTwice = "lock-twice",
    /// Takes two locks in both orders.
    LockOrder = "lock-order",
    /// Sleeps with a lock held.
    SleepInAtomic = "sleep-in-atomic",
    /// Takes a lock that may sleep with preemption disabled.
    MutexInAtomic = "mutex-in-atomic",
    /// Waits for a grace period inside of a func.
    WaitInFunc = "wait-in-func",
    /// Changes schemes inside of a func.
    ChangeInFunc = "change-in-func",
    /// Masks interrupts for ever.
    IrqsMasked = "irqs-masked",
    /// Holds a lock for ever, which another CPU wants.
    LockHeld = "lock-held",
    /// Never answers a visit.
    DeafCpu = "deaf-cpu",
    /// Makes a condition true and wakes nobody.
    LostWakeUp = "lost-wakeup",
}

impl FaultKind {
    /// The fault that `word` spells.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().position(|&known| known == word).map(|index| Self::ALL[index])
    }
}
