//! A guest that is watched while it runs, and that its host can stop: its emulator is stopped, and time goes on.

use super::{Ended, root};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long what the emulator has written may take to arrive here once it is stopped.
const ON_ITS_WAY: Duration = Duration::from_millis(200);

/// A guest that runs, or is stopped; it is ended when this is dropped.
pub(crate) struct Running {
    child: Child,
    lines: Receiver<String>,
    errors: Option<JoinHandle<String>>,
    /// Its lines so far.
    console: String,
    command: String,
    started: Instant,
    limit: Duration,
}

impl Running {
    pub(super) fn start(arguments: &[String], limit_secs: u64) -> Self {
        let mut command = Command::new("scripts/boot");
        command.args(arguments).current_dir(root());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("scripts/boot can be run");
        let (stdout, mut stderr) = (child.stdout.take().expect("a pipe"), child.stderr.take().expect("a pipe"));
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            let all = BufReader::new(stdout).split(b'\n').map_while(Result::ok);
            // Nobody may be listening any more.
            all.for_each(|line| drop(sender.send(String::from_utf8_lossy(&line).replace('\r', ""))));
        });
        let errors = std::thread::spawn(move || {
            let mut all = Vec::new();
            let _ = stderr.read_to_end(&mut all);
            String::from_utf8_lossy(&all).into_owned()
        });
        Self {
            child,
            lines,
            errors: Some(errors),
            console: String::new(),
            command: format!("scripts/boot {}", arguments.join(" ")),
            started: Instant::now(),
            limit: Duration::from_secs(limit_secs),
        }
    }

    /// What is left of its time; stopped time counts.
    fn left(&self) -> Duration {
        self.limit.saturating_sub(self.started.elapsed())
    }

    fn take(&mut self, within: Duration) -> Option<String> {
        let line = self.lines.recv_timeout(within).ok()?;
        self.console += &line;
        self.console.push('\n');
        Some(line)
    }

    /// Waits for a line that begins so.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, start: &str) {
        while let Some(line) = self.take(self.left()) {
            if line.starts_with(start) {
                return;
            }
        }
        panic!("no line began with `{start}` in `{}`:\n{}", self.command, self.console);
    }

    /// The emulator, which `scripts/boot` attends: its only child.
    fn emulator(&self) -> String {
        let attends = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{attends}/task/{attends}/children"));
        let children = children.expect("a process that runs");
        let [emulator] = children.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("not one child, but `{children}`, of `{}`", self.command)
        };
        emulator.to_owned()
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.emulator()]).status();
        assert!(sent.expect("kill can be run").success(), "no signal {name} for `{}`", self.command);
    }

    /// Stops it, and returns what it had printed by then.
    pub(crate) fn stop(&mut self) -> &str {
        self.signal("STOP");
        while self.take(ON_ITS_WAY).is_some() {}
        &self.console
    }

    /// Lets it go on.
    pub(crate) fn go_on(&self) {
        self.signal("CONT");
    }

    /// Waits for its end.
    #[track_caller]
    pub(crate) fn end(mut self) -> Ended {
        while self.take(self.left()).is_some() {}
        assert!(!self.left().is_zero(), "no end within {:?}: `{}`:\n{}", self.limit, self.command, self.console);
        let status = self.child.wait().expect("a child can be waited for").code();
        let errors = self.errors.take().map(|errors| errors.join().expect("the thread that reads"));
        Ended {
            status: status.unwrap_or(-1),
            console: core::mem::take(&mut self.console),
            errors: errors.unwrap_or_default(),
            seconds: self.started.elapsed().as_secs_f64(),
            command: self.command.clone(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already: so be it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
