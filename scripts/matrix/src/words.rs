//! What funcs and scenarios are, for a reader. A name that is not here is shown as it is: a kernel may have more of them.

/// What a func of this kind does.
const FUNCS: [(&str, &str); 10] = [
    ("plain", "reads its ops and returns"),
    ("callee", "calls a helper, which reads the ops"),
    ("tail", "tail-calls a helper"),
    ("enable", "disables preemption and enables it again"),
    ("block", "blocks"),
    ("redirect", "sends the call elsewhere"),
    ("nest", "calls a function that is traced for another ops"),
    ("nested", "is that other: called inside the call of another ops"),
    ("fanout", "is the second of three on one callsite"),
    ("compiled", "is a Rust function, as its compiler made it"),
];

/// A way to stand at a boundary: its name, a few words, and what happens.
const SCENARIOS: [(&str, &str, &str); 24] = [
    ("preempted", "preempted there", "An interrupt comes there, and when it ends another task gets the CPU."),
    (
        "preempted-here",
        "preempted, and the updater on its CPU",
        "An interrupt comes there. The task that gets the CPU when it ends is the one that frees.",
    ),
    (
        "preempted-nop",
        "preempted, and nothing in the ops' place",
        "An interrupt comes there, and another task gets the CPU. The ops is taken off with no successor: the callsite is a NOP \
         again.",
    ),
    (
        "preempted-migrated",
        "preempted on another CPU",
        "The task was moved to another CPU one instruction before. There an interrupt comes, and it is preempted again.",
    ),
    (
        "preempted-exits-next",
        "preempted in its last call",
        "It is the task's last call: it has left the list of tasks already. An interrupt comes there, and it is preempted.",
    ),
    (
        "irq",
        "preempted under a traced softirq",
        "An interrupt comes there. On top of it runs a softirq that is traced itself, and interrupted; then the task is \
         preempted.",
    ),
    (
        "irq-elsewhere",
        "preempted under another softirq",
        "An interrupt comes there. On top of it runs a softirq that is not traced, and is interrupted; then the task is \
         preempted.",
    ),
    (
        "wished",
        "preempted on the long way out",
        "Somebody waits for it to leave its func, so the trampoline has more to do on its way out. There an interrupt comes, and \
         it is preempted.",
    ),
    ("running", "running there", "Nothing interrupts it: it stands there on its CPU while the others look for it."),
    ("inside", "func lets go by itself", "No interrupt comes: func itself lets go of the CPU."),
    (
        "softirq-on-idle",
        "a softirq on top of idle",
        "The call is not a task's: a softirq makes it, on top of the idle task, and is stopped in it.",
    ),
    (
        "irq-on-idle",
        "an interrupt handler on top of idle",
        "The call is not a task's: an interrupt handler makes it, on top of the idle task, and is stopped in it.",
    ),
    (
        "softirq-on-gp",
        "a softirq on top of the grace-period task",
        "The call is not a task's: a softirq makes it, on top of the very task that waits for the grace period.",
    ),
    (
        "irq-on-gp",
        "an interrupt handler on top of the grace-period task",
        "The call is not a task's: an interrupt handler makes it, on top of the very task that waits for the grace period.",
    ),
    (
        "other-first",
        "preempted, another ops retired before",
        "An interrupt comes there and the task is preempted. Two ops are retired, the explored one last; the verdict is the \
         worse of both.",
    ),
    (
        "other-next",
        "preempted, another ops retired after",
        "An interrupt comes there and the task is preempted. Two ops are retired, the explored one first; the verdict is the \
         worse of both.",
    ),
    ("preempted-high", "preempted, of the high class", "A task of the high class is preempted there."),
    ("preempted-boosted", "preempted and boosted", "The task is preempted there, and boosted while it is off its CPU."),
    ("preempted-deep", "preempted on a deep stack", "The task is preempted there; 200 frames lie below the call."),
    (
        "preempt-off",
        "running with preemption disabled",
        "The task has disabled preemption, and stands there on its CPU while the others look for it.",
    ),
    (
        "irqs-off",
        "running with IRQs masked",
        "The task has masked IRQs, and stands there on its CPU, which answers nobody.",
    ),
    (
        "exits-inside",
        "func's task exits there",
        "func itself lets go of the CPU; when its task has it back, that exits.",
    ),
    (
        "pair",
        "two tasks",
        "Two tasks make the call; each is stopped at a boundary of its own. It is done twice: each of them goes on first once.",
    ),
    (
        "pair-on-top",
        "a softirq on top of a task",
        "An interrupt comes at the task's boundary. On top of it runs a softirq that makes the call too, and is stopped in it. The softirq goes on first, then the task.",
    ),
];

/// What a func of this kind does; nothing for one that is not known.
pub fn func(name: &str) -> &'static str {
    FUNCS.iter().find(|(known, _)| *known == name).map_or("", |(_, words)| words)
}

/// A scenario in a few words and in a sentence: its own name, and nothing, for one that is not known.
pub fn scenario(name: &str) -> (&str, &'static str) {
    SCENARIOS.iter().find(|(known, ..)| *known == name).map_or((name, ""), |(_, title, words)| (title, words))
}
