//! `attend COMMAND...`: runs the emulator of `scripts/boot`, and stands between it and the terminal.
//!
//! The emulator takes keys only as fast as its guest reads them, ends with 1 both when it refuses its own arguments and when
//! the guest's verdict is FAIL, and with 0 when somebody ends it. So its input, output and status go through here: what
//! [`keys`] says ends a guest that reads nothing any more, [`console`] leaves no carriage return in a pipe, and [`status`]
//! says what the end means.

mod console;
mod keys;
#[path = "../../../src/shell/prompts.rs"]
mod prompts;
mod signals;
mod status;
mod terminal;

use console::Console;
use keys::{Keys, Leave};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpid, getppid, kill_process_group, set_parent_process_death_signal, setpgid};
use signals::Signals;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use terminal::Terminal;

/// Bytes that wait for the emulator beyond which no more are read: a pipe's writer waits in turn.
const MOST_WAITING: usize = 1 << 16;
/// What a pipe takes at once where it is ready for any. Source: POSIX, the least that it may be on Linux.
const PIPE_BUF: usize = 4096;
/// Bytes of complaint that are held back.
const MOST_HELD_BACK: usize = 1 << 12;

fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("attend: which command? usage: attend COMMAND [ARGUMENT ...]");
        return ExitCode::from(status::REFUSED);
    };
    let mut command = Command::new(&program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    // SAFETY: 1. Between fork and exec only system calls are made; nothing is allocated and no lock is taken.
    // 2. A group of its own: the signals of the terminal's keys go to this process alone.
    // 3. The emulator never outlives this process, however that ends: who has ended before the signal was asked for is no
    // parent any more.
    let attends = getpid();
    unsafe {
        command.pre_exec(move || {
            setpgid(None, None)?;
            set_parent_process_death_signal(Some(Signal::KILL))?;
            if getppid() == Some(attends) { Ok(()) } else { Err(Errno::SRCH.into()) }
        });
    }
    let status = command.spawn().and_then(|child| Attended::new(child)?.until_the_end());
    ExitCode::from(status.unwrap_or_else(|error| {
        eprintln!("scripts/boot: {}: {error}", program.to_string_lossy());
        status::REFUSED
    }))
}

/// An emulator that runs, and what was said to it and by it.
struct Attended {
    child: Child,
    /// Each is there until its other end is closed.
    input: Option<ChildStdin>,
    output: Option<ChildStdout>,
    errors: Option<ChildStderr>,
    /// Typed, and not taken by the emulator yet.
    waiting: Vec<u8>,
    keys: Keys,
    console: Console,
    /// Printed, and not taken by whoever reads the console yet: meanwhile no more is read from the emulator.
    shown: Vec<u8>,
    /// What the emulator has said of itself.
    complaint: Vec<u8>,
    /// As much of that was handed on.
    nr_told: usize,
    left: Option<Leave>,
    terminal: Terminal,
    signals: Signals,
}

impl Attended {
    fn new(mut child: Child) -> io::Result<Self> {
        let input = child.stdin.take();
        if let Some(input) = &input {
            rustix::io::ioctl_fionbio(input, true)?;
        }
        Ok(Self {
            input,
            output: child.stdout.take(),
            errors: child.stderr.take(),
            child,
            waiting: Vec::new(),
            keys: Keys::default(),
            console: Console::new(!rustix::termios::isatty(io::stdout())),
            shown: Vec::new(),
            complaint: Vec::new(),
            nr_told: 0,
            left: None,
            terminal: Terminal::of_stdin()?,
            signals: Signals::new()?,
        })
    }

    /// Hands on what comes, until the emulator has closed both of its outputs; returns the status that its end means.
    fn until_the_end(mut self) -> io::Result<u8> {
        while self.output.is_some() || self.errors.is_some() || !self.shown.is_empty() {
            self.hand_on()?;
        }
        let ended = self.child.wait()?;
        self.terminal.restore();
        let end = status::End { code: ended.code(), signal: ended.signal(), left: self.left };
        let outcome = end.means(self.console.has_printed(), &String::from_utf8_lossy(&self.complaint));
        if !outcome.retells {
            self.complain();
        }
        if let Some(said) = outcome.said {
            eprintln!("{}scripts/boot: {said}", if self.console.is_in_line() { "\n" } else { "" });
        }
        Ok(outcome.status)
    }

    /// Waits for something to do, and does it.
    fn hand_on(&mut self) -> io::Result<()> {
        if !self.terminal.is_ours() {
            self.terminal = Terminal::of_stdin()?;
        }
        // A person's keys are read in any case: one of them may end the guest that takes none.
        let has_room = self.terminal.is_terminal() || self.waiting.len() < MOST_WAITING;
        let reads_keys = self.keys.is_open() && self.terminal.is_ours() && has_room;
        let (stdin, stdout) = (io::stdin(), io::stdout());
        let mut polled = Vec::new();
        let mut what = Vec::new();
        let mut look = |fd, flags, thing| {
            polled.push(PollFd::from_borrowed_fd(fd, flags));
            what.push(thing);
        };
        use std::os::fd::AsFd;
        look(self.signals.as_fd(), PollFlags::IN, Ready::Signal);
        if !self.shown.is_empty() {
            look(stdout.as_fd(), PollFlags::OUT, Ready::Console);
        } else if let Some(output) = &self.output {
            look(output.as_fd(), PollFlags::IN, Ready::Output);
        }
        if let Some(errors) = &self.errors {
            look(errors.as_fd(), PollFlags::IN, Ready::Errors);
        }
        if let Some(input) = self.input.as_ref().filter(|_| !self.waiting.is_empty()) {
            look(input.as_fd(), PollFlags::OUT, Ready::Input);
        }
        if reads_keys {
            look(stdin.as_fd(), PollFlags::IN, Ready::Keys);
        }
        // Whose turn at the terminal it is nobody tells.
        let until = Timespec { tv_sec: 0, tv_nsec: 500_000_000 };
        match poll(&mut polled, if self.terminal.is_ours() { None } else { Some(&until) }) {
            Ok(_) => {}
            Err(Errno::INTR) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        let ready: Vec<Ready> =
            polled.iter().zip(what).filter(|(fd, _)| !fd.revents().is_empty()).map(|(_, what)| what).collect();
        ready.into_iter().try_for_each(|what| self.act(what))
    }

    fn act(&mut self, what: Ready) -> io::Result<()> {
        let mut chunk = [0; 1 << 14];
        match what {
            Ready::Signal => {
                let leave = match self.signals.take()? {
                    Some(signals::INTERRUPT) => self.keys.interrupt(self.console.prompt()),
                    Some(signal) => Some(Leave::Signal(signal)),
                    None => None,
                };
                self.type_on(leave);
            }
            Ready::Output => match read(&mut self.output, &mut chunk)? {
                [] => {
                    self.output = None;
                    self.console.end(&mut self.shown);
                }
                printed => {
                    if !self.console.has_printed() {
                        self.complain();
                    }
                    self.console.print(printed, &mut self.shown);
                    self.type_on(None);
                }
            },
            Ready::Console => self.show(),
            Ready::Errors => match read(&mut self.errors, &mut chunk)? {
                [] => self.errors = None,
                said => {
                    self.complaint.extend_from_slice(said);
                    // Before its guest has said a word, it may be about to refuse its arguments: that becomes one line.
                    if self.console.has_printed() || self.complaint.len() > MOST_HELD_BACK {
                        self.complain();
                    }
                }
            },
            Ready::Keys => {
                let typed = match rustix::io::read(io::stdin(), &mut chunk) {
                    Err(Errno::INTR | Errno::AGAIN) => return Ok(()),
                    // A terminal that is gone is the end of input.
                    typed => typed.unwrap_or_default(),
                };
                let leave = self.keys.push(&chunk[..typed], self.console.prompt());
                self.type_on(leave);
            }
            Ready::Input => self.hand_over(),
        }
        Ok(())
    }

    /// Hands on what the emulator has said of itself.
    fn complain(&mut self) {
        // Where nobody reads complaints any more, the status still tells.
        let _ = io::stderr().write_all(&self.complaint[self.nr_told..]);
        self.nr_told = self.complaint.len();
        // Its end says by which signal the emulator was ended; its start why it refuses.
        if self.nr_told > 2 * MOST_HELD_BACK {
            self.complaint.drain(MOST_HELD_BACK..self.nr_told - MOST_HELD_BACK);
            self.nr_told = self.complaint.len();
        }
    }

    /// Queues what is to be typed by now; or ends the emulator.
    fn type_on(&mut self, leave: Option<Leave>) {
        self.waiting.extend(self.keys.take(self.console.prompt()));
        if let Some(leave) = leave {
            self.leave(leave);
        }
    }

    fn leave(&mut self, why: Leave) {
        self.left.get_or_insert(why);
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        // Ended already: so be it.
        let _ = kill_process_group(group, Signal::KILL);
    }

    /// Hands on what was printed: no more than a pipe that is ready takes without waiting.
    fn show(&mut self) {
        let some = &self.shown[..self.shown.len().min(PIPE_BUF)];
        match rustix::io::write(io::stdout(), some) {
            Ok(taken) => drop(self.shown.drain(..taken)),
            Err(Errno::INTR | Errno::AGAIN) => {}
            Err(error) => {
                self.shown.clear();
                self.leave(if error == Errno::PIPE {
                    Leave::NobodyListens
                } else {
                    Leave::CannotPrint(error.raw_os_error())
                });
            }
        }
    }

    fn hand_over(&mut self) {
        let Some(input) = &mut self.input else { return };
        match input.write(&self.waiting) {
            Ok(taken) => drop(self.waiting.drain(..taken)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            Err(_) => {
                self.input = None;
                self.waiting.clear();
            }
        }
    }
}

/// What can be done without waiting.
#[derive(Clone, Copy)]
enum Ready {
    Signal,
    Output,
    Console,
    Errors,
    Keys,
    Input,
}

/// What has come; nothing at the end.
fn read<'a>(from: &mut Option<impl Read>, chunk: &'a mut [u8]) -> io::Result<&'a [u8]> {
    let Some(from) = from else { return Ok(&[]) };
    match from.read(chunk) {
        Ok(len) => Ok(&chunk[..len]),
        Err(error) => Err(error),
    }
}
