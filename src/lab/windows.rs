//! `windows`: a traced call is stopped at each of its instructions, and shown is what each scheme makes of it there.
//!
//! For each func, boundary and scenario: a thread stands at the boundary, its ops is swapped and retired, and freed, really,
//! as soon as the scheme lets it be; then the thread goes on. What it held is told by the instructions that it executed,
//! by code that knows no scheme; violations are noted, survived and counted.
//!
//! | file | what |
//! |---|---|
//! | ground | |
//! | `super::scenario` | the ways to stand, a row each |
//! | `order`, `party`, `patience` | the words of a run, who stands, how long to wait |
//! | stepped side | in exceptions and interrupts |
//! | `thread`, `stance` | how a party is stepped and interrupted, and how it stays |
//! | `record`, `contain` | what is kept of a call; how the kernel survives a late use |
//! | `funcs` | funcs in pages that go with their ops |
//! | director's side | in the mode's task |
//! | `director`, `decide` | one run: swap, retire, look, free, let go; whether the scheme waits |
//! | `site` | what is registered, and how it is taken off |
//! | `levels`, `own` | calls out of interrupts, and of tasks that are made for one |
//! | `path`, `seen`, `inside` | the boundaries of a call; what came of a run; P3 as a state, where no late use shows it |
//! | `pairs`, `named`, `tally` | two at once; whether `only=` names a run at all; what was counted |
//! | `debugger`, `story` | where GDB stops; the first counterexample |
//!
//! Three rows of the theory's table no stop at an instruction can show. In 15 and 18 somebody is preempted or goes on between
//! two looks of one round: a race, which the models and the SPIN search go through. In 19 a store passes a load: an order of
//! memory, which the litmus tests decide. `tests/qemu/windows/beyond.rs` names each of them.
//!
//! `only=` names funcs, scenarios and boundaries. Context: the mode's task.

mod contain;
mod debugger;
mod decide;
mod director;
mod funcs;
mod inside;
mod levels;
mod named;
mod order;
mod own;
mod pairs;
mod party;
mod path;
mod patience;
mod record;
mod seen;
mod site;
mod stance;
mod story;
mod tally;
mod thread;

use super::calls::{self, Calls};
use super::oracle;
use super::report::{Cell, HeldWhat, PairsLine, PairsOf, Replay, Verdict, WindowLine, WindowsLine};
use super::scenario::{Scenario, Stand};
use super::{chains, progress};
use crate::arch::exit;
use crate::ftrace::live;
use crate::irq::serial;
use crate::platform::{BootArgs, Mode, Name, SchemeName, WindowFunc, WindowScenario};
use crate::println;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use director::{Run, Stage};
use party::{FIRST, Party, QUIT, SECOND};
use path::{At, Boundary};
use seen::Spot;
use story::Story;
use tally::Failure;

/// Runs what `args` select, for each scheme or the one named, and returns the exit status. Context: task.
pub fn run(args: &BootArgs<'_>) -> u8 {
    static CALLS: Calls = Calls { sgi: thread::on_sgi, softirq: thread::on_softirq };
    oracle::begin(tally::on_violation);
    oracle::contain(Some(contain::contain));
    rcu::let_funcs_break_rules(true); // row 9
    calls::begin(&CALLS);
    let spawn = |name, cpu, party: &'static Party| {
        let what = Spawn { name, class: Class::Normal, cpu };
        sched::spawn(what, Box::new(|| thread::work(party))).unwrap_or_else(|error| panic!("windows: {error}"))
    };
    let explored = [spawn("explored", Some(0), &FIRST), spawn("explored-2", None, &SECOND)];
    clear_first_cpu();
    let schemes = || SchemeName::ALL.iter().copied().filter(|&it| args.tasks_rcu.is_none_or(|only| only == it));
    let select = |scheme: SchemeName| {
        live::set_scheme(scheme.as_str()).unwrap_or_else(|error| panic!("windows: {error}"));
        live::trampoline()
    };
    let refusal = named::refusal(args, schemes().map(select));
    let mut first = None;
    for scheme in schemes().take_while(|_| refusal.is_none() && !serial::is_interrupted()) {
        if let Some(why) = named::refusal(args, core::iter::once(select(scheme))) {
            println!("left out: under {scheme} {why}");
            continue;
        }
        let failure = explore(args, scheme);
        let mut line = tally::end();
        if let Some(failure) = failure {
            let replay = BootArgs { tasks_rcu: Some(scheme), only: Some(&failure.only), ..*args };
            println!("story: begin\n{}story: {}\nstory: end", failure.story, Replay::Story(replay));
            first.get_or_insert((scheme, Some(failure.only)));
        }
        if line.verdict == Verdict::Pass && serial::is_interrupted() {
            line.verdict = Verdict::Interrupted;
        } else if line.runs == 0 {
            // Nothing was seen to be right either.
            let (preempt, cpus) = (args.preempt, sched::nr_cpus());
            println!("nothing seen: under {scheme} and preempt={preempt} nobody stands where it may, on {cpus} CPUs");
            line.verdict = Verdict::Fail;
            first.get_or_insert((scheme, args.only.map(String::from)));
        }
        println!("{line}");
    }
    [&FIRST, &SECOND].into_iter().for_each(|party| party.order(QUIT));
    explored.into_iter().for_each(JoinHandle::join);
    calls::end();
    rcu::let_funcs_break_rules(false);
    oracle::contain(None);
    oracle::end();
    if let Some(why) = refusal {
        println!("holdout: {why}");
        return exit::STATUS_REFUSED;
    }
    if let Some((scheme, only)) = &first {
        println!("{}", Replay::Part(BootArgs { tasks_rcu: Some(*scheme), only: only.as_deref(), ..*args }));
    }
    match first.is_some() || chains::were_broken(Mode::Windows) {
        true => exit::STATUS_FAIL,
        false if serial::is_interrupted() => exit::STATUS_INTERRUPTED,
        false => exit::STATUS_OK,
    }
}

/// From now on CPU 0 runs the explored thread, and what has to run there: nobody preempts it by chance.
fn clear_first_cpu() {
    sched::for_each_task(|task| {
        if !task.is_pinned() {
            sched::set_affinity(task, !1);
        }
    });
}

/// Explores all that `args` select under one scheme; gives the first failure.
fn explore(args: &BootArgs<'_>, scheme: SchemeName) -> Option<Failure> {
    tally::begin(WindowsLine {
        verdict: Verdict::Pass,
        scheme,
        preempt: args.preempt,
        boundaries: 0,
        scenarios: 0,
        runs: 0,
        freed_early: 0,
        late: 0,
        ended: 0,
    });
    let trampoline = live::trampoline();
    let mut first = None;
    let mut met: heapless::Vec<WindowScenario, { WindowScenario::ALL.len() }> = heapless::Vec::new();
    let mut meet = |scenario| {
        if !met.contains(&scenario) {
            let _ = met.push(scenario); // as many as there are
        }
    };
    for (func, is_last_call) in named::stages() {
        let can_run = |&scenario: &WindowScenario| named::has_cpus(scenario) && !serial::is_interrupted();
        let scenarios = || named::scenarios(args, (func, is_last_call)).filter(can_run);
        if scenarios().next().is_none() {
            continue;
        }
        let mut stage = Stage::open(func, is_last_call);
        let base = if is_last_call { WindowScenario::Exiting } else { WindowScenario::Running };
        let path = stage.record(&trampoline, base);
        tally::change(|line| line.boundaries += path.len() as u64);
        for name in scenarios() {
            let scenario = Scenario::of(name);
            if scenario.has_two() {
                let print = |of: PairsOf<'_, At>| {
                    meet(name);
                    println!("{}", PairsLine { scheme, preempt: args.preempt, of });
                };
                let failure = pairs::explore(args, (func, scenario), &mut stage, &path, &trampoline, print);
                first = first.or(failure);
                continue;
            }
            let long = scenario.is_wished.then(|| stage.record(&trampoline, name));
            if let Some(long) = &long {
                let nr_behind = long.iter().filter(|at| path::is_behind(at, &trampoline)).count();
                tally::change(|line| line.boundaries += nr_behind as u64);
                if !path::is_long(long, &trampoline) {
                    continue; // no other way out than the one that the other scenarios show
                }
            }
            let path = long.as_ref().unwrap_or(&path);
            let wanted = path.iter().enumerate().filter(|(n, at)| named::is_wanted(args, func, name, *n, at));
            for (n, boundary) in wanted.take_while(|_| !serial::is_interrupted()) {
                let boundary = Boundary { phase: row(scenario, func, boundary).unwrap_or(boundary.phase), ..*boundary };
                let spots = [Spot { n, at: &boundary }];
                let run = Run { spots: &spots, scenario, is_second_first: false };
                progress::tell(format_args!("windows: {scheme}, {func}, {name}: boundary {n}"));
                let Some(seen) = stage.run(run) else { continue };
                meet(name);
                let is_forbidden = boundary.phase == "20" || boundary.phase == "9" && !rcu::lets_funcs_block();
                let cell = if is_forbidden { Cell::Forbidden } else { seen.cell };
                let story = Story { func, spots: &spots, scenario, seen: &seen, cell };
                print(args, scheme, &story);
                if tally::count(&seen, cell) && first.is_none() {
                    let only = alloc::format!("{func},{name},{n}");
                    first = Some(Failure { story: story.to_string(), only });
                }
            }
        }
        stage.close();
    }
    tally::change(|line| line.scenarios = met.len() as u64);
    first
}

/// The row of a scenario that is about one place.
fn row(scenario: &Scenario, func: WindowFunc, boundary: &Boundary) -> Option<&'static str> {
    match scenario.stand {
        Stand::LetsGo | Stand::Exits if func == WindowFunc::Enable => Some("5"),
        Stand::LetsGo | Stand::Exits => Some("9"),
        _ if scenario.is_of_interrupt() && boundary.held != HeldWhat::Nothing => Some("8"),
        _ => None,
    }
}

fn print(args: &BootArgs<'_>, scheme: SchemeName, run: &Story<'_>) {
    let &Story { func, spots, scenario, seen, cell } = run;
    let oracle = match seen.late {
        Some(late) => ["p1", "p2", "p3", "p4", "p5", "p6"][late.property.index()],
        None if seen.was_inside => "inside",
        None => "",
    };
    let Spot { n, at: &Boundary { pc, insn, step, phase, held } } = spots[0];
    let place = At(pc);
    let preempt = args.preempt;
    let scenario = scenario.name;
    println!(
        "{}",
        WindowLine { scheme, preempt, func, n, pc, insn, step, place, phase, scenario, held, verdict: cell, oracle }
    );
}
