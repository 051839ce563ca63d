//! What one guest printed in mode `windows`, read back: its lines, its story, how it ended.

use crate::pairs::{self, Pairs};
use std::path::Path;

/// What a scheme made of a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Its rules forbid what was done there.
    Forbidden,
    /// It let free while nothing was held.
    Right,
    /// It waited while something was held.
    Waits,
    /// It neither ended nor came to rest.
    Undecided,
    /// It waited though it had looked, and nothing was held.
    Late,
    /// It let free what was held.
    Unsafe,
    /// The executed instructions and the oracle say different things of what was held: the kernel is wrong about one.
    Disputed,
}

impl Verdict {
    /// All of them, in the order in which a legend explains them.
    pub const ALL: [Self; 7] =
        [Self::Right, Self::Waits, Self::Late, Self::Unsafe, Self::Forbidden, Self::Undecided, Self::Disputed];

    /// The word of the kernel's lines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Right => "right",
            Self::Waits => "waits",
            Self::Late => "late",
            Self::Unsafe => "unsafe",
            Self::Forbidden => "forbidden",
            Self::Undecided => "undecided",
            Self::Disputed => "disputed",
        }
    }

    /// The letter of tables, JSON and page.
    pub fn letter(self) -> char {
        match self {
            Self::Right => '.',
            Self::Waits => 'W',
            Self::Late => 'L',
            Self::Unsafe => 'U',
            Self::Forbidden => 'F',
            Self::Undecided => '?',
            Self::Disputed => '!',
        }
    }

    /// What it means, for a reader.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Right => "right: nothing is held here, and it frees",
            Self::Waits => "waits, as it must: something is held here",
            Self::Late => "waits needlessly: it looked here, nothing was held, and it went on waiting",
            Self::Unsafe => "frees early: something is held here, and it is freed",
            Self::Forbidden => "forbidden: its rules say that a func must not do this",
            Self::Undecided => "undecided: it neither ended nor came to rest",
            Self::Disputed => "disputed: what was executed and what was used late do not agree",
        }
    }
}

/// One `window:` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub func: String,
    pub n: usize,
    pub pc: u64,
    pub insn: u32,
    pub step: String,
    pub place: String,
    pub phase: String,
    pub scenario: String,
    /// `ops`, `text` or `none`.
    pub held: String,
    pub verdict: Verdict,
}

/// All that one guest said: one scheme under one preemption model.
#[derive(Clone, Debug, Default)]
pub struct Run {
    pub scheme: String,
    pub preempt: String,
    /// How it ended; what a guest says that ends by itself.
    pub status: i32,
    /// Its first line: which kernel, which machine.
    pub banner: String,
    pub records: Vec<Record>,
    pub pairs: Vec<Pairs>,
    /// The first counterexample in words, and the boot arguments that do it again.
    pub story: Vec<String>,
    pub replay: Option<String>,
    /// The verdict line as it was printed.
    pub verdict: Option<String>,
    /// What it said at its end, for a guest that ended without a verdict.
    pub tail: Vec<String>,
}

impl Run {
    /// What it says of each stop, of one and of two at once.
    pub fn verdicts(&self) -> impl Iterator<Item = Verdict> + '_ {
        let pairs = self.pairs.iter().flat_map(|line| line.verdicts());
        self.records.iter().map(|record| record.verdict).chain(pairs)
    }

    /// How many of its stops say `verdict`.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.verdicts().filter(|said| *said == verdict).count()
    }

    /// The number behind `key=` in its verdict line.
    pub fn figure(&self, key: &str) -> Option<u64> {
        let line = self.verdict.as_deref()?;
        line.split_whitespace().find_map(|word| word.strip_prefix(key)?.strip_prefix('=')?.parse().ok())
    }
}

/// The keys of a `window:` line, in their order. `place` may hold spaces.
const KEYS: [&str; 12] =
    ["scheme", "preempt", "func", "n", "pc", "insn", "step", "place", "phase", "scenario", "held", "verdict"];

/// The values of a line that begins with `prefix` and has these keys, in this order.
pub fn values<'a, const N: usize>(line: &'a str, prefix: &str, keys: &[&str; N]) -> Option<[&'a str; N]> {
    let mut values = [""; N];
    let mut rest = line.strip_prefix(prefix)?;
    for (index, key) in keys.iter().enumerate() {
        rest = rest.strip_prefix(&format!(" {key}="))?;
        let end = match keys.get(index + 1) {
            Some(next) => rest.find(&format!(" {next}="))?,
            None => rest.find(' ').unwrap_or(rest.len()),
        };
        (values[index], rest) = rest.split_at(end);
    }
    Some(values)
}

/// Lines that are kept of how a guest ended.
const MOST_LINES: usize = 12;

pub fn hex(word: &str) -> Option<u64> {
    u64::from_str_radix(word.strip_prefix("0x")?, 16).ok()
}

/// Reads a `window:` line.
pub fn record(line: &str) -> Option<Record> {
    let [_, _, func, n, pc, insn, step, place, phase, scenario, held, verdict] = values(line, "window:", &KEYS)?;
    Some(Record {
        func: func.into(),
        n: n.parse().ok()?,
        pc: hex(pc)?,
        insn: u32::try_from(hex(insn)?).ok()?,
        step: step.into(),
        place: place.into(),
        phase: phase.into(),
        scenario: scenario.into(),
        held: held.into(),
        verdict: Verdict::ALL.into_iter().find(|known| known.word() == verdict)?,
    })
}

/// Reads what the guest of `scheme` under `preempt` printed. Says which line it does not understand.
pub fn run(scheme: &str, preempt: &str, status: i32, console: &str) -> Result<Run, String> {
    let mut run = Run { scheme: scheme.into(), preempt: preempt.into(), status, ..Run::default() };
    let lines: Vec<&str> = console.lines().map(|line| line.trim_end_matches('\r')).collect();
    let mut in_story = false;
    for &line in &lines {
        if line.starts_with("window:") {
            run.records.push(record(line).ok_or_else(|| format!("this is no line of `windows`: {line}"))?);
        } else if line.starts_with("pairs:") {
            run.pairs.push(pairs::line(line).ok_or_else(|| format!("this is no line of two stops: {line}"))?);
        } else if let Some(told) = line.strip_prefix("story: ") {
            in_story = told == "begin" || in_story && told != "end";
            if in_story && told != "begin" {
                run.story.push(told.into());
            }
        } else if let Some(replay) = line.strip_prefix("replay: ") {
            run.replay.get_or_insert(replay.into());
        } else if line.starts_with("windows: ") {
            run.verdict = Some(line.into());
        } else if line.starts_with("holdout ") && run.banner.is_empty() {
            run.banner = line.into();
        }
    }
    if let Some(index) = run.story.iter().position(|told| told.starts_with("replay: ")) {
        run.replay = run.story.remove(index).strip_prefix("replay: ").map(str::to_owned);
    }
    let is_end = |line: &&str| ["panic: ", "watchdog: ", "violation of "].iter().any(|start| line.starts_with(start));
    let from = lines.iter().position(is_end).unwrap_or(lines.len().saturating_sub(MOST_LINES));
    run.tail = lines[from..].iter().take(MOST_LINES).map(|&line| line.to_owned()).collect();
    Ok(run)
}

/// Reads every log of a folder: `SCHEME.MODEL.log` with the guest's status in `SCHEME.MODEL.status`.
pub fn read_folder(folder: &Path) -> Result<Vec<Run>, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut runs = Vec::new();
    for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let Some((scheme, preempt)) = name.strip_suffix(".log").and_then(|name| name.split_once('.')) else { continue };
        let console = std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let status = std::fs::read_to_string(path.with_extension("status")).unwrap_or_default();
        let status = status.trim().parse().map_err(|_| format!("{name}: the guest's status is not known"))?;
        runs.push(run(scheme, preempt, status, &String::from_utf8_lossy(&console))?);
    }
    Ok(runs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = "window: scheme=ip preempt=full func=plain n=17 pc=0x40203290 insn=0xf85f0162 step=T2 \
                        place=<a as b>::c+0x4c phase=1b scenario=preempted held=none verdict=late";

    #[test]
    fn a_line_is_read_back_key_by_key() {
        let read = record(LINE).expect("a line of the format");
        assert_eq!((read.func.as_str(), read.n, read.pc, read.insn), ("plain", 17, 0x4020_3290, 0xf85f_0162));
        assert_eq!((read.step.as_str(), read.place.as_str()), ("T2", "<a as b>::c+0x4c"), "a place may hold spaces");
        assert_eq!((read.phase.as_str(), read.scenario.as_str(), read.held.as_str()), ("1b", "preempted", "none"));
        assert_eq!(read.verdict, Verdict::Late);
    }

    #[test]
    fn a_line_that_lacks_a_key_or_says_an_unknown_verdict_is_refused() {
        for broken in [LINE.replace(" step=T2", ""), LINE.replace("=late", "=fine"), LINE.replace("pc=0x", "pc=")] {
            assert_eq!(record(&broken), None, "{broken}");
            assert!(run("ip", "full", 0, &broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_story_is_kept_with_its_replay_line_and_nothing_of_what_stands_around_it() {
        let console = "holdout 0.1.0 (x)\r\nstory: begin\r\nstory: once\r\nstory: replay: windows only=tail\r\n\
                       story: end\r\nstory: not this\r\nwindows: FAIL scheme=ip unsafe=3 late=40\r\n";
        let run = run("ip", "full", 1, console).expect("no line of it is unknown");
        assert_eq!((run.story, run.replay.as_deref()), (vec!["once".to_owned()], Some("windows only=tail")));
        let figures = run.verdict.as_ref().map(|_| ());
        assert_eq!((figures, run.banner.as_str()), (Some(()), "holdout 0.1.0 (x)"));
    }

    #[test]
    fn of_a_guest_that_died_is_kept_why() {
        let console = format!("{LINE}\npanic: here\nbacktrace:\n{}", "an event\n".repeat(40));
        let run = run("ip", "full", 101, &console).expect("no line of it is unknown");
        assert_eq!((run.tail[0].as_str(), run.tail.len()), ("panic: here", MOST_LINES));
    }

    #[test]
    fn figures_are_those_of_the_verdict_line() {
        let run = Run { verdict: Some("windows: FAIL scheme=ip unsafe=3 late=40".into()), ..Run::default() };
        assert_eq!((run.figure("unsafe"), run.figure("late"), run.figure("ended")), (Some(3), Some(40), None));
    }

    #[test]
    fn the_worst_verdict_is_the_greatest() {
        assert_eq!(Verdict::ALL.into_iter().max(), Some(Verdict::Disputed));
        assert!(
            Verdict::Unsafe > Verdict::Late && Verdict::Late > Verdict::Waits && Verdict::Right > Verdict::Forbidden
        );
    }
}
