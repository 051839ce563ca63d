//! An epitaph, taken apart: what every test of an end by panic or fault judges.

use crate::guest::{Ended, Guest};

/// Entries that a CPU's event log keeps.
const DEPTH: usize = 32;

/// One whole epitaph, the last thing that a guest printed.
#[derive(Debug)]
pub(crate) struct Epitaph {
    /// Lines from `panic: ` up to who it was.
    pub(crate) message: String,
    /// `CPU N, task NAME, CONTEXT`.
    pub(crate) who: String,
    /// The line of the pc, empty where no exception interrupted anything.
    pub(crate) pc: String,
    /// Lines of the backtrace, innermost first.
    pub(crate) frames: Vec<String>,
    /// The CPU's last events, oldest first.
    pub(crate) events: Vec<String>,
    /// What stands behind the events of the other CPUs.
    pub(crate) last_words: Vec<String>,
}

/// Boots on `cpus` CPUs, lets the log fill, and provokes a fault of this kind.
#[track_caller]
pub(crate) fn provoked(cpus: u32, kind: &str) -> Epitaph {
    let command = format!("cmds=sleep 250; fault {kind} yes; echo went on");
    let ended = Guest::with_cpus(cpus).boot(&["shell", &command]).expect_status(101);
    assert!(!ended.lines().any(|line| line == "went on"), "it went on: {}", ended.story());
    Epitaph::of(&ended)
}

impl Epitaph {
    /// The one epitaph of a guest; everything is where it belongs, and nothing follows.
    #[track_caller]
    pub(crate) fn of(ended: &Ended) -> Self {
        let lines: Vec<&str> = ended.lines().collect();
        let starts = |start: &str| lines.iter().filter(|line| line.starts_with(start)).count();
        for part in ["panic: ", "backtrace:", "last events of CPU "] {
            assert_eq!(starts(part), 1, "`{part}` in {}", ended.story());
        }
        let at = |start: &str| lines.iter().position(|line| line.starts_with(start));
        let find = |start| at(start).unwrap_or_else(|| panic!("no `{start}` in {}", ended.story()));
        let (begin, backtrace, log) = (find("panic: "), find("backtrace:"), find("last events of CPU "));
        let who = begin + lines[begin..].iter().position(|line| line.starts_with("CPU ")).expect("who it was");
        assert!(begin < who && who < backtrace && backtrace < log, "out of order: {}", ended.story());
        let is_event = |line: &&&str| {
            let mut words = line.split_whitespace();
            let time = words.next().and_then(|time| time.split_once('.'));
            let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            time.is_some_and(|(s, us)| is_number(s) && us.len() == 6 && is_number(us)) && words.next() == Some("CPU")
        };
        let of_this = lines[log + 1..].iter().take_while(is_event).count();
        let events = &lines[log + 1..log + 1 + of_this];
        let cpu = lines[log].trim_start_matches("last events of CPU ").trim_end_matches(':');
        assert!(lines[who].starts_with(&format!("CPU {cpu}, ")), "the log of another CPU in {}", ended.story());
        assert!(events.iter().all(|line| line.contains(&format!("  CPU {cpu}  "))), "{events:?}");
        let time = |line: &&str| line.split_whitespace().next().and_then(|time| time.parse::<f64>().ok());
        assert!(events.iter().all(|line| time(line).is_some()) && events.is_sorted_by_key(time), "{events:?}");
        let mut rest = &lines[log + 1 + of_this..];
        if let Some((&"last events of the other CPUs:", others)) = rest.split_first() {
            let nr_others = others.iter().take_while(is_event).count();
            assert!(others[..nr_others].iter().all(|line| !line.contains(&format!("  CPU {cpu}  "))), "{others:?}");
            assert!(nr_others > 0, "no events of other CPUs in {}", ended.story());
            rest = &others[nr_others..];
        }
        let own = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect();
        let pc = lines[who..backtrace].iter().find(|line| line.starts_with("pc "));
        assert!(pc.is_none() || lines[who..backtrace].iter().any(|line| line.contains("x29 0x")), "{}", ended.story());
        Self {
            message: lines[begin..who].join("\n"),
            who: lines[who].to_owned(),
            pc: pc.map(|&line| line.to_owned()).unwrap_or_default(),
            frames: own(&lines[backtrace + 1..log]),
            events: own(events),
            last_words: own(rest),
        }
    }

    /// Asserts that the message holds all of `parts`.
    #[track_caller]
    pub(crate) fn says(self, parts: &[&str]) -> Self {
        assert!(parts.iter().all(|part| self.message.contains(part)), "not all of {parts:?} in {}", self.message);
        self
    }

    /// Asserts on the line of who it was: this task's, and all of `parts`.
    #[track_caller]
    pub(crate) fn of_task(self, task: &str, parts: &[&str]) -> Self {
        let is_it = self.who.contains(&format!(", task {task}")) && parts.iter().all(|part| self.who.contains(part));
        assert!(is_it, "not task {task}, {parts:?}: {}", self.who);
        self
    }

    /// Asserts that the pc is in this function of the shell's faults.
    #[track_caller]
    pub(crate) fn at(self, function: &str) -> Self {
        assert!(
            self.pc.contains(&format!("holdout::shell::faults::{function}+0x")),
            "pc not in {function}: {}",
            self.pc
        );
        self
    }

    /// Asserts that the backtrace names these functions, innermost first.
    #[track_caller]
    pub(crate) fn called_by(self, functions: &[&str]) -> Self {
        let mut frames = self.frames.iter();
        for function in functions {
            assert!(frames.any(|frame| frame.contains(function)), "no {function} in its place in {:#?}", self.frames);
        }
        self
    }

    /// Asserts that the log was full, in words, and that nothing stands behind the epitaph.
    #[track_caller]
    pub(crate) fn with_full_log(self) -> Self {
        assert_eq!(self.events.len(), DEPTH, "{:#?}", self.events);
        assert!(self.last_words.is_empty(), "{:?}", self.last_words);
        self
    }
}
