//! Words of other systems that people type, and what does the same here. Pure.

/// Words, and the answer to each of them.
const KNOWN: [(&[&str], &str); 15] = [
    (&["exit", "quit", "logout", "halt", "shutdown", "reboot", "q"], "`poweroff` ends the kernel; so does Ctrl-D"),
    (&["man", "info", "?"], "`help NAME` explains a command, `help` lists them"),
    (&["dmesg", "journalctl"], "`log` prints the last events"),
    (&["uname", "hostname"], "`version` prints what the boot said first"),
    (&["top", "htop", "uptime", "pgrep", "threads"], "`ps` lists the tasks, `cpus` says what each CPU does"),
    (&["lscpu", "nproc"], "`cpus` says what each CPU does"),
    (&["free", "vmstat", "slabtop", "meminfo"], "`mem` says whose memory is whose"),
    (&["interrupts"], "`irqs` counts them"),
    (&["available_filter_functions", "kallsyms"], "`callsites` lists what can be traced"),
    (
        &[
            "ftrace",
            "trace-cmd",
            "perf",
            "bpftrace",
            "strace",
            "current_tracer",
            "set_ftrace_filter",
            "tracing_on",
            "trace_pipe",
        ],
        "`trace PATTERN on` counts calls, `trace PATTERN off` says what it saw",
    ),
    (&["kprobe", "kretprobe", "break", "gdb"], "`step NAME` walks through a call; scripts/gdb opens a debugger"),
    (
        &["windows", "bench", "selftest", "demo"],
        "that is a mode, which the boot line names: `help boot`; `stress` runs in the shell too",
    ),
    (&["history", "fc", "!!"], "the arrow keys and Ctrl-R go through what was typed; `help` lists the commands"),
    (&["clear", "cls"], "Ctrl-L clears the screen"),
    (
        &["ls", "dir", "cat", "cd", "pwd", "mount", "grep", "less", "more", "tail", "head", "vi", "sh", "bash", "sudo"],
        NO_FILES,
    ),
];

/// What is said of anything that is about files.
pub const NO_FILES: &str = "there are no files here; `help` lists what there is, `trace PATTERN on` traces";

/// What to type in the place of a word of another system, if it is one that is known.
pub fn answer(word: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(words, _)| words.contains(&word)).map(|(_, answer)| *answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::table;

    #[test]
    fn no_word_is_a_command_or_stands_twice_and_each_answer_names_one_that_is() {
        let words: Vec<&str> = KNOWN.iter().flat_map(|(words, _)| words.iter().copied()).collect();
        for (n, word) in words.iter().enumerate() {
            assert!(table::find(word).is_none(), "{word} is a command");
            assert!(!words[..n].contains(word), "{word} stands twice");
        }
        for (_, answer) in KNOWN {
            let quoted = answer.split('`').skip(1).step_by(2).map(|it| it.split(' ').next().unwrap());
            let named: Vec<&str> = quoted.collect();
            assert!(named.iter().all(|name| table::find(name).is_some()), "{answer}");
            assert!(!named.is_empty() || answer.starts_with("Ctrl-L"), "{answer}");
        }
    }

    #[test]
    fn a_word_that_nobody_knows_has_no_answer() {
        assert_eq!(
            [answer("dmesg").is_some(), answer("frobnicate").is_some(), answer("").is_some()],
            [true, false, false]
        );
    }
}
