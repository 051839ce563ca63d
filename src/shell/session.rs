//! A session: where commands come from, what each does, and when it ends.
//!
//! A person and a plain pipe are served by the same loop; nobody can tell them apart, so both get a prompt and an echo.
//! Context: a task, which may sleep. One session at a time.

use alloc::boxed::Box;
use alloc::format;
use core::fmt;
use core::ops::ControlFlow;

use super::complete::{self, Completion};
use super::help::{Entry, List};
use super::line::{Event, LineInput, MAX_BYTES, Prompt};
use super::read::{self, Running};
use super::request::{Refusal, Request, Topic};
use super::tracing::{TraceError, Traced};
use super::words::commands;
use super::{STEP, STRESS, VERSION, faults, grace_periods, look, prompts, tasks, tracing};
use crate::arch::exit::{STATUS_FAIL, STATUS_INTERRUPTED, STATUS_OK, STATUS_REFUSED};
use crate::arch::text::PatchError;
use crate::console::print::write_raw;
use crate::ftrace::filter::Filter;
use crate::ftrace::live::SchemeError;
use crate::ftrace::registry::RegisterError;
use crate::hook::Hook;
use crate::irq::serial;
use crate::platform::bootargs::{self, BootArgs};
use crate::platform::shown::Shown;
use crate::platform::{Hold, Urgency};
use crate::{print, println, rcu, sched};

const PROMPT: Prompt = Prompt::Command(prompts::COMMAND);
const SURE: Prompt = Prompt::Question(prompts::SURE);
const NS_PER_MS: u64 = 1_000_000;

/// Keeps a grace period waiting, or says why it cannot.
pub type KeepWaiting = fn(Hold, u32, Urgency) -> Result<(), RegisterError<PatchError>>;

/// Keeps a grace period, which is waited for like that, waiting in this way for so many milliseconds. Wired by `kernel` to `lab`.
pub static HOLD: Hook<KeepWaiting> = Hook::new();

/// Whether there is more to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    GoOn,
    End,
}

/// A command that was read, and failed.
#[derive(Debug)]
enum Failure {
    /// An experiment, whose own last lines say so.
    Verdict,
    /// Something about tracing.
    Trace(TraceError),
    /// The scheme stays.
    Scheme(SchemeError),
    /// This kernel was linked without it.
    NotWired,
    /// Ctrl-C ended it.
    Interrupted,
    /// An experiment that cannot begin: it said why.
    Refused,
}

impl From<TraceError> for Failure {
    fn from(error: TraceError) -> Self {
        Self::Trace(error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verdict => f.write_str("the verdict is FAIL"),
            Self::Trace(error) => error.fmt(f),
            Self::Scheme(error) => error.fmt(f),
            Self::NotWired => f.write_str("this kernel was built without it"),
            Self::Interrupted => f.write_str("^C"),
            Self::Refused => f.write_str("it cannot begin"),
        }
    }
}

/// Runs the commands of `cmds`, or those that are typed. Returns the status to end with: 1 if one of `cmds` failed, 130 if Ctrl-C
/// ended one.
///
/// Context: task.
pub fn run(args: &BootArgs<'_>) -> u8 {
    let mut traced = Traced::new();
    match args.cmds {
        Some(text) => run_script(&mut traced, text),
        None => {
            talk(&mut traced);
            STATUS_OK
        }
    }
}

/// Runs each command behind an echo of it, and stops at the first that fails.
fn run_script(traced: &mut Traced, text: &str) -> u8 {
    let mut rest = commands(text);
    while let Some(command) = rest.next() {
        println!("> {command}");
        match execute(traced, command) {
            Ok(Flow::GoOn) => {}
            Ok(Flow::End) => return STATUS_OK,
            // The replay line is the last of all.
            Err(Failed::Verdict) => return STATUS_FAIL,
            Err(Failed::Interrupted) => return STATUS_INTERRUPTED,
            Err(Failed::Answered) => {
                let nr_left = rest.count();
                println!("stopped: {} failed; commands behind it, not run: {nr_left}", Shown(command));
                return STATUS_FAIL;
            }
        }
    }
    STATUS_OK
}

/// Prompts, echoes, and runs what comes, until it is told to end.
fn talk(traced: &mut Traced) {
    // On the heap: stacks are small.
    let mut line = Box::new(LineInput::new(PROMPT));
    while let ControlFlow::Continue(typed) = read_line(&mut line, PROMPT) {
        let Some(typed) = typed else { continue };
        if run_line(traced, &mut line, &typed) == Flow::End {
            return;
        }
    }
}

/// Asks with `prompt` until a line ends: the line, nothing if it was refused or dropped, a break at the end of input.
fn read_line(line: &mut LineInput, prompt: Prompt) -> ControlFlow<(), Option<Box<str>>> {
    line.begin(prompt);
    print!("{}", prompt.text());
    loop {
        match line.push(serial::read()) {
            Event::Nothing => {}
            Event::Echo(bytes) => write_raw(bytes),
            Event::Complete { before, is_again } => {
                let completion = complete::complete(before, &tracing::for_each_function);
                show_completion(line, &completion, is_again);
            }
            Event::Line(text) => {
                println!();
                return ControlFlow::Continue(Some(text.into()));
            }
            Event::Overlong => {
                println!("\nthe line is longer than {MAX_BYTES} bytes: nothing of it was run");
                return ControlFlow::Continue(None);
            }
            Event::NotText => {
                println!("\nthe line holds bytes that are no text: nothing of it was run");
                return ControlFlow::Continue(None);
            }
            Event::Interrupt => {
                println!("^C");
                return ControlFlow::Continue(None);
            }
            Event::EndOfInput => {
                println!();
                return ControlFlow::Break(());
            }
        }
    }
}

/// Types what is certain; shows what there is when the key comes again and nothing is.
fn show_completion(line: &mut LineInput, completion: &Completion, is_again: bool) {
    let event = if !completion.insert.is_empty() {
        line.complete(&completion.insert)
    } else if is_again && !completion.is_empty() {
        print!("\n{completion}");
        line.show_again()
    } else {
        return;
    };
    if let Event::Echo(bytes) = event {
        write_raw(bytes);
    }
}

/// What the readers of commands must know.
fn running() -> Running {
    Running { nr_cpus: sched::nr_cpus(), lets_funcs_block: rcu::lets_funcs_block() }
}

/// Runs the commands of a typed line; behind one that fails none is run.
fn run_line(traced: &mut Traced, line: &mut LineInput, text: &str) -> Flow {
    for command in commands(text) {
        let confirmed;
        let command = match read::read(command, running()) {
            Err(Refusal::Unconfirmed(_)) if is_sure(line) => {
                confirmed = format!("{command} yes");
                &confirmed
            }
            Err(Refusal::Unconfirmed(_)) => {
                println!("nothing was done");
                break;
            }
            _ => command,
        };
        match execute(traced, command) {
            Ok(Flow::GoOn) => {}
            Ok(Flow::End) => return Flow::End,
            Err(_) => break,
        }
    }
    Flow::GoOn
}

/// Asks whether the kernel shall end.
fn is_sure(line: &mut LineInput) -> bool {
    matches!(read_line(line, SURE), ControlFlow::Continue(Some(answer)) if answer.trim_ascii() == "yes")
}

/// The command failed, and its answer was printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Failed {
    /// What was asked for could not be done.
    Answered,
    /// It was an experiment's verdict.
    Verdict,
    /// Ctrl-C ended it.
    Interrupted,
}

/// Reads one command and does it, or answers why not.
fn execute(traced: &mut Traced, command: &str) -> Result<Flow, Failed> {
    let request = read::read(command, running()).map_err(|refusal| {
        println!("{refusal}");
        Failed::Answered
    })?;
    act(traced, request).map_err(|failure| match failure {
        Failure::Verdict => Failed::Verdict,
        Failure::Refused => Failed::Answered,
        Failure::Interrupted => {
            serial::take_interrupts();
            println!("{failure}");
            Failed::Interrupted
        }
        Failure::Trace(_) | Failure::Scheme(_) | Failure::NotWired => {
            println!("{failure}");
            Failed::Answered
        }
    })
}

fn act(traced: &mut Traced, request: Request<'_>) -> Result<Flow, Failure> {
    match request {
        Request::Help(topic) => help(topic),
        Request::Version => wired(&VERSION)?(),
        Request::Tasks => tasks::list(),
        Request::Cpus => look::cpus(),
        Request::Irqs => look::irqs(),
        Request::Memory => look::memory(),
        Request::Log { most } => look::log(most),
        Request::Rcu => grace_periods::list(),
        Request::Scheme(name) => grace_periods::select(name).map_err(Failure::Scheme)?,
        Request::StallAfter { ms } => grace_periods::set_stall_after(ms),
        Request::Synchronize(urgency) => grace_periods::synchronize(urgency),
        Request::Ops => tracing::list_ops(traced),
        Request::Callsites(filter) => tracing::list_callsites(&filter),
        Request::TraceOn { pattern, filter } => traced.switch_on(pattern, &filter)?,
        Request::TraceOff { pattern } => traced.switch_off(pattern)?,
        Request::Step { pattern, filter } => step(pattern, &filter)?,
        Request::Hold { how, ms, urgency } => {
            wired(&HOLD)?(how, ms, urgency).map_err(TraceError::Register)?;
            whole()?;
        }
        Request::Stress(args) => stress(&args)?,
        Request::Echo(words) => println!("{words}"),
        Request::Sleep { ms } => {
            serial::sleep(u64::from(ms) * NS_PER_MS);
            whole()?;
        }
        Request::Panic => faults::panic(),
        Request::Fault(kind) => faults::provoke(kind),
        Request::PowerOff => return Ok(Flow::End),
    }
    Ok(Flow::GoOn)
}

fn help(topic: Topic) {
    match topic {
        Topic::Commands => print!("{List}"),
        Topic::Boot => print!("{}", bootargs::help(sched::nr_cpus())),
        Topic::Command(command) => print!("{}", Entry(command)),
    }
}

fn step(pattern: &str, filter: &Filter) -> Result<(), Failure> {
    let entry = tracing::only_match(pattern, filter)?;
    wired(&STEP)?(entry).map_err(|why| Failure::Trace(TraceError::Step(why)))
}

fn stress(args: &BootArgs<'_>) -> Result<(), Failure> {
    match wired(&STRESS)?(args) {
        STATUS_OK => Ok(()),
        STATUS_INTERRUPTED => Err(Failure::Interrupted),
        STATUS_REFUSED => Err(Failure::Refused),
        _ => Err(Failure::Verdict),
    }
}

/// What takes long has ended; not by Ctrl-C?
fn whole() -> Result<(), Failure> {
    if serial::is_interrupted() { Err(Failure::Interrupted) } else { Ok(()) }
}

fn wired<F: Copy>(hook: &Hook<F>) -> Result<F, Failure> {
    hook.get().ok_or(Failure::NotWired)
}
