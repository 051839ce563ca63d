//! A guest: built once, booted by `scripts/boot`, fed, watched, and ended when its time is up.
//!
//! Each guest has CPUs of the host to itself, also beside other test runs in this tree, since time limits mean little
//! on CPUs that several emulators share: see [`host`]. A limit starts when the guest has them.
//! A kernel that does not boot at all is found out once, and every scenario says so at once.

mod handed;
mod host;
mod running;

pub(crate) use handed::{Handed, virt_tree};
pub(crate) use host::{Lent, alone, each, one_cpu};
pub(crate) use running::Running;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

/// Host seconds that a guest gets on top of what its boot arguments ask for: slow hosts are not failures.
const PATIENCE_SECS: u64 = 240;
/// Host seconds for the first boot of all, which only says its version.
const FIRST_BOOT_SECS: u64 = 90;

/// A machine that is not running yet.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guest {
    options: Vec<String>,
    cue: String,
    typed: Vec<u8>,
    extra_secs: u64,
    raw: bool,
    with_faults: bool,
}

/// A guest that ended by itself.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: i32,
    /// All that it printed, without carriage returns.
    pub(crate) console: String,
    /// What the emulator and the scripts said beside it.
    pub(crate) errors: String,
    /// Host time from its start to its end.
    pub(crate) seconds: f64,
    /// How to start it again, for messages.
    command: String,
}

impl Guest {
    /// A machine with so many CPUs.
    pub(crate) fn with_cpus(cpus: u32) -> Self {
        Self { options: vec![format!("--smp={cpus}")], ..Self::default() }
    }

    /// Adds an option of `scripts/boot`.
    pub(crate) fn option(mut self, option: &str) -> Self {
        self.options.push(option.to_owned());
        self
    }

    /// Adds arguments of QEMU's own.
    pub(crate) fn qemu(self, arguments: &[&str]) -> Self {
        arguments.iter().fold(self, |guest, argument| guest.option(&format!("--qemu-arg={argument}")))
    }

    /// Boots the raw Image instead of the ELF.
    pub(crate) fn raw_image(mut self) -> Self {
        self.raw = true;
        self
    }

    /// Boots the build that can be told to be wrong.
    pub(crate) fn with_faults(mut self) -> Self {
        self.with_faults = true;
        self
    }

    /// What stands in the guest's input, which then ends.
    pub(crate) fn typing(self, text: &str) -> Self {
        self.typing_bytes(text.into())
    }

    /// The same, of any bytes.
    pub(crate) fn typing_bytes(mut self, bytes: Vec<u8>) -> Self {
        self.typed = bytes;
        self
    }

    /// The same, typed when the guest has printed `cue`.
    pub(crate) fn typing_behind(mut self, cue: &str, text: &str) -> Self {
        cue.clone_into(&mut self.cue);
        self.typing(text)
    }

    /// Gives it so many host seconds more than other guests.
    pub(crate) fn patience(mut self, secs: u64) -> Self {
        self.extra_secs = secs;
        self
    }

    /// Boots it with these words as boot arguments, and waits for its end. Panics with the console's tail when it
    /// does not end in time.
    pub(crate) fn boot(&self, words: &[&str]) -> Ended {
        let (secs, typing) = (PATIENCE_SECS + self.extra_secs, (&*self.cue, &*self.typed));
        let arguments = self.arguments(words); // first: there may be an image to build and to try
        let lent = match (self.is_on_one_cpu(), is_load(words) || is_load(&[&String::from_utf8_lossy(&self.typed)])) {
            (true, _) => one_cpu(),
            (false, false) => one_cpu().roaming(),
            (false, true) => alone(),
        };
        let ended = run_cued(secs, lent, "scripts/boot", &arguments, typing);
        ended.unwrap_or_else(|error| panic!("{error}"))
    }

    /// Boots it, and watches it while it runs. The caller keeps other guests away: see [`alone`].
    pub(crate) fn start(&self, words: &[&str]) -> Running {
        Running::start(&self.arguments(words), PATIENCE_SECS + self.extra_secs)
    }

    /// Whether one CPU of the host is all that it could use.
    fn is_on_one_cpu(&self) -> bool {
        let by_turns = ["--exact", "--icount", "--one-thread", "--qemu-arg=-icount", "--smp=1"];
        self.options.iter().any(|option| by_turns.contains(&option.as_str()))
    }

    /// What `scripts/boot` is called with.
    fn arguments(&self, words: &[&str]) -> Vec<String> {
        let image = match (self.raw, self.with_faults) {
            (false, false) => image(),
            (true, false) => raw_image(),
            (_, true) => image_with_faults(),
        };
        let mut arguments = self.options.clone();
        arguments.extend([image.display().to_string(), "--".into()]);
        arguments.extend(words.iter().map(|&word| word.to_owned()));
        arguments
    }
}

/// Whether these boot arguments ask for what keeps each CPU of the guest busy.
fn is_load(words: &[&str]) -> bool {
    let modes = ["stress", "selftest", "windows", "bench", "demo"];
    words.first().is_some_and(|mode| modes.contains(mode)) || words.iter().any(|word| word.contains("stress"))
}

impl Ended {
    /// Itself, if it ended with `status`.
    #[track_caller]
    pub(crate) fn expect_status(self, status: i32) -> Self {
        assert_eq!(self.status, status, "the exit status of {}", self.story());
        self
    }

    /// Both as if one guest had printed it all: the statuses are judged by then.
    pub(crate) fn followed_by(mut self, next: Self) -> Self {
        self.console += &next.console;
        self.errors += &next.errors;
        self.seconds += next.seconds;
        Self { status: next.status, command: format!("{}` and `{}", self.command, next.command), ..self }
    }

    /// Lines that are not blank.
    pub(crate) fn lines(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.console.lines().map(str::trim_end).filter(|line| !line.is_empty())
    }

    /// The line that holds all of `parts`.
    #[track_caller]
    pub(crate) fn line_with(&self, parts: &[&str]) -> &str {
        let found = self.lines().find(|line| parts.iter().all(|part| line.contains(part)));
        found.unwrap_or_else(|| panic!("no line holds {parts:?} in {}", self.story()))
    }

    /// The one line by which the kernel refuses. Before there is a console QEMU prints it, beside the guest's output.
    #[track_caller]
    pub(crate) fn refusal(&self) -> &str {
        let all = self.console.lines().chain(self.errors.lines());
        let lines: Vec<&str> = all.filter_map(|line| line.trim_end().strip_prefix("holdout: ")).collect();
        let [line] = lines[..] else { panic!("{} refusals in {}", lines.len(), self.story()) };
        line
    }

    /// What was started and how the console ended, for a failing assertion.
    pub(crate) fn story(&self) -> String {
        format!("`{}`, whose console ended:\n{}\n{}", self.command, tail(&self.console), tail(&self.errors))
    }
}

/// The emulator, as the scripts pick it.
pub(crate) fn emulator() -> String {
    std::env::var("QEMU").unwrap_or_else(|_| "qemu-system-aarch64".into())
}

/// The root of the tree.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The number of the first line of a source file, from the one that holds `after` on, that holds `what`.
#[track_caller]
pub(crate) fn line_of(file: &str, after: &str, what: &str) -> u32 {
    let source = std::fs::read_to_string(root().join(file)).expect("the source");
    let start = source.lines().position(|line| line.contains(after)).expect("where to begin");
    let offset = source.lines().skip(start).position(|line| line.contains(what)).expect("the line");
    (start + offset + 1) as u32
}

/// Runs a script of this tree that boots a guest, for at most `secs` host seconds.
pub(crate) fn run(secs: u64, script: &str, arguments: &[String], typed: &str) -> Result<Ended, String> {
    run_cued(secs, one_cpu().roaming(), script, arguments, ("", typed.as_bytes()))
}

/// The same, if the guest runs on one CPU of the host: its CPUs take turns.
pub(crate) fn run_on_one_cpu(secs: u64, script: &str, arguments: &[String]) -> Result<Ended, String> {
    run_cued(secs, one_cpu(), script, arguments, ("", &[]))
}

/// With what is `lent`, until it ends.
fn run_cued(secs: u64, lent: Lent, script: &str, arguments: &[String], typing: (&str, &[u8])) -> Result<Ended, String> {
    let mut command = Command::new("timeout");
    if let Some(cpu) = lent.cpu {
        command = Command::new("taskset");
        command.args(["-c", &cpu.to_string(), "timeout"]);
    }
    command.arg("--kill-after=10").arg(secs.to_string()).arg(script).args(arguments).current_dir(root());
    let shown = format!("{script} {}", arguments.join(" "));
    let start = Instant::now();
    let output = feed(&mut command, typing).map_err(|error| format!("cannot run `{shown}`: {error}"))?;
    let console = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        // What timeout(1) says when it had to end the command, by TERM and by KILL.
        Some(124 | 137) | None => {
            Err(format!("no end within {secs} s: `{shown}`\n{}\n{}", tail(&console), tail(&errors)))
        }
        Some(status) => Ok(Ended { status, console, errors, seconds: start.elapsed().as_secs_f64(), command: shown }),
    }
}

/// Types `text` when the command has printed `cue`, and then ends its input.
fn feed(command: &mut Command, (cue, text): (&str, &[u8])) -> std::io::Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut input = child.stdin.take().expect("a piped input");
    let mut console = child.stdout.take().expect("a piped output");
    let (cue, text) = (cue.to_owned(), text.to_owned());
    // The cue is that the reader drops its end.
    let (end, until_cue) = channel::<()>();
    let reader = thread::spawn(move || {
        let (mut end, mut seen, mut chunk) = (Some(end), Vec::new(), [0; 4096]);
        loop {
            if end.is_some() && String::from_utf8_lossy(&seen).contains(&cue) {
                end = None;
            }
            match console.read(&mut chunk) {
                Ok(0) | Err(_) => return seen,
                Ok(len) => seen.extend_from_slice(&chunk[..len]),
            }
        }
    });
    // A guest may end before it has read all of its input: a broken pipe is its right.
    let writer = thread::spawn(move || {
        let _ = until_cue.recv();
        drop(input.write_all(&text));
    });
    let output = child.wait_with_output()?;
    writer.join().expect("the thread that types");
    Ok(Output { stdout: reader.join().expect("the thread that reads"), ..output })
}

fn tail(console: &str) -> String {
    let lines: Vec<&str> = console.lines().collect();
    lines[lines.len().saturating_sub(60)..].join("\n")
}

/// The kernel, built and seen to boot. When there is none, the first scenario that asks says why in full.
pub(crate) fn image() -> &'static Path {
    static IMAGE: OnceLock<Option<PathBuf>> = OnceLock::new();
    let mut why = "see the first scenario that failed".to_owned();
    let image = IMAGE.get_or_init(|| build_and_try().map_err(|error| why = error).ok());
    image.as_ref().unwrap_or_else(|| panic!("there is no kernel to test: {why}"))
}

/// The same kernel as a raw Image.
pub(crate) fn raw_image() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    image(); // seen to boot
    IMAGE.get_or_init(|| build(&["--profile", "checked", "--image"]).unwrap_or_else(|error| panic!("{error}")))
}

/// The build with deliberate faults.
pub(crate) fn image_with_faults() -> &'static Path {
    static IMAGE: OnceLock<PathBuf> = OnceLock::new();
    image(); // the tree boots
    IMAGE.get_or_init(|| build(&["--profile", "faults"]).unwrap_or_else(|error| panic!("{error}")))
}

/// What `scripts/build` prints the path of.
fn build(options: &[&str]) -> Result<PathBuf, String> {
    let build = Command::new("scripts/build").args(options).current_dir(root()).output();
    let build = build.map_err(|error| format!("scripts/build: {error}"))?;
    if !build.status.success() {
        return Err(format!("scripts/build failed:\n{}", tail(&String::from_utf8_lossy(&build.stderr))));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&build.stdout).trim()))
}

fn build_and_try() -> Result<PathBuf, String> {
    let image = build(&["--profile", "checked"])?;
    let arguments = [image.display().to_string(), "--".into(), "shell".into(), "cmds=version".into()];
    let first =
        run(FIRST_BOOT_SECS, "scripts/boot", &arguments, "").map_err(|why| format!("it does not boot: {why}"))?;
    if first.status == 0 && first.console.starts_with("holdout ") {
        Ok(image)
    } else {
        Err(format!("it does not boot: status {} of {}", first.status, first.story()))
    }
}
