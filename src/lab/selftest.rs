//! `selftest`: the kernel's own tests, inside the guest, as named scenarios with one line each.
//!
//! A scenario returns what it saw, or in words what did not hold; one for which this machine is too small says so, and
//! is skipped, which is no failure and is counted. A panic or a fault in it ends the kernel as it would anywhere. What
//! is random in it comes from the seed and its own name, so that `only=` replays it. Scenarios run one after the other
//! in the mode's task; each leaves the kernel as it found it. To add one: a name in `platform::names::Selftest`, a row
//! in `scenario`.

mod boosts;
mod bystanders;
mod crew;
mod debug;
mod fairness;
mod ground;
mod memory;
mod mutexes;
mod overlaps;
mod softirqs;
mod starved;
mod step;
mod switches;
mod tasks;
mod timers;
mod turns;
mod waits;

pub(super) use tasks::room_for_tasks;

use super::report::{Ending, ScenarioLine, SelftestVerdict, Verdict};
use super::{chains, progress};
use crate::irq::serial;
use crate::platform::{BootArgs, Mode, Name, Selftest};
use crate::println;
use crate::sched::now_ns;
use alloc::string::String;
use core::fmt::{self, Write};
use rand_core::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

const NS_PER_MS: u64 = 1_000_000;

/// What a scenario has to hand.
pub(super) struct Run {
    /// Its own stream of the run's seed.
    pub(super) random: Xoshiro256PlusPlus,
    /// The facts of its line.
    facts: String,
    /// What this machine lacks for it, in words.
    lacks: Option<String>,
}

impl Run {
    /// Adds `key=value` to the scenario's line.
    pub(super) fn note(&mut self, key: &str, value: impl fmt::Display) {
        // A string takes everything.
        let _ = write!(self.facts, " {key}={value}");
    }

    /// Skips the scenario, which returns: nothing was shown, and nothing failed, since the machine lacks what `why`
    /// says.
    pub(super) fn skip(&mut self, why: String) -> Outcome {
        self.lacks = Some(why);
        Ok(())
    }
}

/// What did not hold, in words.
pub(super) type Outcome = Result<(), String>;

/// Ends the scenario with these words unless `condition` holds.
macro_rules! check {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(alloc::format!($($words)+));
        }
    };
}
use check;

/// What each scenario shows, in a few words, and its code.
fn scenario(name: Selftest) -> (&'static str, fn(&mut Run) -> Outcome) {
    match name {
        Selftest::Clock => ("time never goes back, on whatever CPU it is read", ground::clock),
        Selftest::Visits => ("a visit runs once on every CPU", ground::visits),
        Selftest::Callsites => ("every callsite is what the patcher counts on", ground::callsites),
        Selftest::WriteXorExecute => ("no address is writable and executable", ground::write_xor_execute),
        Selftest::HeapWhole => ("memory that was cut into small blocks comes back as large ones", memory::heap_whole),
        Selftest::StepHitPath => ("the hit path, preempted and moved at each of its boundaries", step::hit_path),
        Selftest::DebugPrivate => ("what a stepped thread switches on is seen by no other", debug::private),
        Selftest::DebugPoints => ("breakpoints and watchpoints stop the debugged thread alone", debug::points),
        Selftest::Tasks => ("ten thousand tasks at once run, block, wake and are reaped", tasks::ten_thousand),
        Selftest::Switches => ("a million switches, counted alike by tasks and CPUs", switches::million),
        Selftest::Timers => ("of a million timers none is early, lost or done twice", timers::million),
        Selftest::SoftirqStorm => ("what is raised runs, interrupted or not, and tasks go on", softirqs::storm),
        Selftest::Fairness => ("the high class goes first, and within a class turns are equal", fairness::shares),
        Selftest::MutexTorture => ("a mutex has one holder, and everybody gets it", mutexes::torture),
        Selftest::WaitTorture => ("no wake-up is lost, from whatever context", waits::torture),
        Selftest::Overlaps => ("what nobody holds is freed, whatever else is held", overlaps::overlaps),
        Selftest::Bystanders => ("whoever waits for holders keeps nobody else from the CPU", bystanders::bystanders),
        Selftest::Starved => ("a task that could run and gets no CPU is named, once", starved::named),
    }
}

/// Runs the scenarios that `args` select, or lists them all, and returns the exit status. Context: task.
pub fn run(args: &BootArgs<'_>) -> u8 {
    if args.list {
        for &name in Selftest::ALL {
            println!("{name:<16} {}", scenario(name).0);
        }
        return 0;
    }
    let seed = args.seed.unwrap_or_default();
    let (mut n, mut failed, mut skipped) = (0, 0, 0);
    let began_ns = now_ns();
    let selected = Selftest::ALL.iter().copied().enumerate().filter(|(_, name)| args.selects(name.as_str()));
    for (number, name) in selected.take_while(|_| !serial::is_interrupted()) {
        let mixed = seed ^ (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut run = Run { random: Xoshiro256PlusPlus::seed_from_u64(mixed), facts: String::new(), lacks: None };
        progress::tell(format_args!("selftest: {} of {}: {name}", number + 1, Selftest::ALL.len()));
        let start_ns = now_ns();
        let outcome = scenario(name).1(&mut run);
        let ms = (now_ns() - start_ns) / NS_PER_MS;
        n += 1;
        let ending = match (&outcome, &run.lacks) {
            (Err(why), _) => Ending::Failed(why),
            (Ok(()), Some(why)) => Ending::Skipped(why),
            (Ok(()), None) => Ending::Ok,
        };
        failed += u64::from(matches!(ending, Ending::Failed(_)));
        skipped += u64::from(matches!(ending, Ending::Skipped(_)));
        println!("{}", ScenarioLine { name, ending, facts: &run.facts, ms });
    }
    let verdict = match failed == 0 && !chains::were_broken(Mode::Selftest) {
        true if serial::is_interrupted() => Verdict::Interrupted,
        true => Verdict::Pass,
        false => Verdict::Fail,
    };
    let ms = (now_ns() - began_ns) / NS_PER_MS;
    println!("{}", SelftestVerdict { verdict, seed, preempt: args.preempt, cpus: args.cpus, n, failed, ms, skipped });
    if verdict == Verdict::Fail {
        println!("{}", super::report::Replay::Run(*args));
    }
    verdict.status()
}
