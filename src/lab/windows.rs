//! `windows`: a traced call is stopped at each of its instructions, and shown is what each scheme makes of it there.
//!
//! For each func, boundary and scenario: a thread stands at the boundary, its ops is swapped and retired, and freed, really,
//! as soon as the scheme lets it be; then the thread goes on. What it held is told by the instructions that it executed,
//! by code that knows no scheme; violations are noted, survived and counted.
//!
//! | file | what |
//! |---|---|
//! | `funcs` | funcs in pages that go with their ops |
//! | `party` | who stands: one, or two |
//! | `thread` | how they are stepped, interrupted and kept |
//! | `levels`, `exiting` | calls out of interrupts, and a task's last one |
//! | `record`, `path` | the boundaries of a recorded call, and the row of the theory's table that each is in |
//! | `inside` | P3 as a state, where no late use shows it |
//! | `wish` | the long way out of a trampoline |
//! | `site` | what is registered, and how it is taken off |
//! | `director` | one run: swap, retire, look, free, let go |
//! | `decide` | whether the scheme waits |
//! | `pairs` | two at once |
//! | `named` | whether `only=` names a run at all |
//! | `debugger` | where GDB stops |
//! | `contain` | how the kernel survives a late use |
//! | `story` | the first counterexample |
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
mod exiting;
mod funcs;
mod inside;
mod levels;
mod named;
mod pairs;
mod party;
mod path;
mod record;
mod site;
mod story;
mod thread;
mod wish;

use super::calls::{self, Calls};
use super::chains;
use super::oracle::{self, Property};
use super::report::{Cell, HeldWhat, PairsLine, PairsOf, Replay, Verdict, WindowLine, WindowsLine};
use crate::arch::exit;
use crate::arch::relax::SpinMutex;
use crate::ftrace::live;
use crate::platform::{BootArgs, Mode, Name, SchemeName, WindowFunc, WindowScenario};
use crate::println;
use crate::rcu;
use crate::sched::{self, Class, JoinHandle, Spawn};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use director::{Seen, Spot, Stage};
use party::{FIRST, Party, QUIT, SECOND};
use path::Boundary;
use story::Story;

/// What has been counted for the running scheme: for a verdict at any time.
static TALLY: SpinMutex<Option<WindowsLine>> = SpinMutex::new(None);

/// A counterexample, or what else made a run fail.
struct Failure {
    story: String,
    only: String,
}

/// Runs what `args` select, for each scheme or the one named, and returns the exit status. Context: task.
pub fn run(args: &BootArgs<'_>) -> u8 {
    static CALLS: Calls = Calls { sgi: thread::on_sgi, softirq: thread::on_softirq };
    oracle::begin(on_violation);
    oracle::contain(Some(contain::contain));
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
    for scheme in schemes().filter(|_| refusal.is_none()) {
        if let Some(why) = named::refusal(args, core::iter::once(select(scheme))) {
            println!("left out: under {scheme} {why}");
            continue;
        }
        let failure = explore(args, scheme);
        let Some(mut line) = TALLY.lock().take() else { unreachable!("it is there while a scheme is explored") };
        if let Some(failure) = failure {
            let replay = BootArgs { tasks_rcu: Some(scheme), only: Some(&failure.only), ..*args };
            println!("story: begin\n{}story: {}\nstory: end", failure.story, Replay::Story(replay));
            first.get_or_insert((scheme, Some(failure.only)));
        }
        if line.runs == 0 {
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
    oracle::contain(None);
    oracle::end();
    if let Some(why) = refusal {
        println!("holdout: {why}");
        return exit::STATUS_REFUSED;
    }
    if let Some((scheme, only)) = &first {
        println!("{}", Replay::Part(BootArgs { tasks_rcu: Some(*scheme), only: only.as_deref(), ..*args }));
    }
    u8::from(first.is_some() || chains::were_broken(Mode::Windows))
}

/// From now on CPU 0 runs the explored thread, and what has to run there: nobody preempts it by chance.
fn clear_first_cpu() {
    sched::for_each_task(|task| {
        if !task.is_pinned() {
            sched::set_affinity(task, !1);
        }
    });
}

/// A violation that was not contained: the kernel ends, and this is the last that it says. Context: any.
fn on_violation(_: Property) {
    if let Some(line) = TALLY.try_lock().and_then(|tally| *tally) {
        println!("{}", WindowsLine { verdict: Verdict::Fail, freed_early: line.freed_early + 1, ..line });
    }
}

/// Explores all that `args` select under one scheme; gives the first failure.
fn explore(args: &BootArgs<'_>, scheme: SchemeName) -> Option<Failure> {
    *TALLY.lock() = Some(WindowsLine {
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
    let mut met: heapless::Vec<WindowScenario, 24> = heapless::Vec::new();
    let mut meet = |scenario| {
        if !met.contains(&scenario) {
            let _ = met.push(scenario); // as many as there are
        }
    };
    for (func, is_last_call) in named::stages() {
        let scenarios = || named::scenarios(args, (func, is_last_call)).filter(|&scenario| has_cpus(scenario));
        if scenarios().next().is_none() {
            continue;
        }
        let mut stage = Stage::open(func, is_last_call);
        let path = stage.record(&trampoline, WindowScenario::Running);
        tally(|line| line.boundaries += path.len() as u64);
        for scenario in scenarios() {
            if pairs::ALL.contains(&scenario) {
                let print = |of: PairsOf<'_, story::At>| {
                    meet(scenario);
                    println!("{}", PairsLine { scheme, preempt: args.preempt, of });
                };
                let failure = pairs::explore(args, (func, scenario), &mut stage, &path, &trampoline, print);
                first = first.or(failure);
                continue;
            }
            let long = (scenario == WindowScenario::Wished).then(|| stage.record(&trampoline, scenario));
            if let Some(long) = &long {
                tally(|line| {
                    line.boundaries += long.iter().filter(|at| wish::is_behind(at, &trampoline)).count() as u64
                });
                if !wish::is_long(long, &trampoline) {
                    continue; // no other way out than the one that the other scenarios show
                }
            }
            let path = long.as_ref().unwrap_or(&path);
            for (n, boundary) in path.iter().enumerate().filter(|(n, at)| is_wanted(args, func, scenario, *n, at)) {
                let boundary = Boundary { phase: row(scenario, func, boundary).unwrap_or(boundary.phase), ..*boundary };
                let spots = [Spot { n, at: &boundary }];
                let Some(seen) = stage.run(&spots, scenario) else { continue };
                meet(scenario);
                let is_forbidden = boundary.phase == "20" || boundary.phase == "9" && !rcu::lets_funcs_block();
                let cell = if is_forbidden { Cell::Forbidden } else { seen.cell };
                let story = Story { func, spots: &spots, scenario, seen: &seen, cell };
                print(args, scheme, &story);
                if count(&seen, cell) && first.is_none() {
                    let only = alloc::format!("{func},{scenario},{n}");
                    first = Some(Failure { story: story.to_string(), only });
                }
            }
        }
        stage.close();
    }
    tally(|line| line.scenarios = met.len() as u64);
    first
}

/// The row of a scenario that is about one place.
fn row(scenario: WindowScenario, func: WindowFunc, boundary: &Boundary) -> Option<&'static str> {
    match scenario {
        WindowScenario::Inside if func == WindowFunc::Enable => Some("5"),
        WindowScenario::Inside => Some("9"),
        _ if levels::ALL.contains(&scenario) && boundary.held != HeldWhat::Nothing => Some("8"),
        _ => None,
    }
}

/// Whether `args` select this func and this scenario, and the func is explored under it.
fn names(args: &BootArgs<'_>, func: WindowFunc, scenario: WindowScenario) -> bool {
    let is_func = |part: &str| WindowFunc::from_word(part).is_some();
    let is_scenario = |part: &str| WindowScenario::from_word(part).is_some();
    is_sensible(func, scenario)
        && args.selects_of(is_func, func.as_str())
        && args.selects_of(is_scenario, scenario.as_str())
}

/// Whether this func is explored under this scenario.
fn is_sensible(func: WindowFunc, scenario: WindowScenario) -> bool {
    match scenario {
        WindowScenario::Inside => matches!(func, WindowFunc::Enable | WindowFunc::Block),
        // How the ops is taken off, and where from, is the same to each func: one that calls, and one with others beside it.
        WindowScenario::PreemptedHere => func == WindowFunc::Callee,
        WindowScenario::Exiting | WindowScenario::PreemptedNop => {
            matches!(func, WindowFunc::Callee | WindowFunc::FanOut)
        }
        WindowScenario::Wished => func == WindowFunc::Plain,
        _ if pairs::ALL.contains(&scenario) => func == WindowFunc::Callee,
        // Two trampolines in one call are twice as long; a way to stand adds to one of them what it adds to the other.
        _ if matches!(func, WindowFunc::Nest | WindowFunc::Nested) => scenario == WindowScenario::Preempted,
        // An interrupt has another caller to be sent on to, and a shorter way to enable preemption.
        _ if levels::ALL.contains(&scenario) => {
            !matches!(func, WindowFunc::Block | WindowFunc::Enable | WindowFunc::Redirect)
        }
        // The longest of the calls, in a way that is told from `irq` by the trampoline alone.
        WindowScenario::IrqElsewhere if func == WindowFunc::Enable => false,
        // Where it does not block, which it does for `inside` alone, it is one more that calls a helper.
        _ => func != WindowFunc::Block,
    }
}

/// Whether there are as many CPUs as the scenario needs.
fn has_cpus(scenario: WindowScenario) -> bool {
    // With one CPU the director has it while the holder is off it; else nobody looks on, and no run would come of it.
    let needs_two = matches!(
        scenario,
        WindowScenario::Running | WindowScenario::Migrated | WindowScenario::PairOnTop | WindowScenario::Wished
    ) || levels::ALL.contains(&scenario);
    !needs_two || sched::nr_cpus() > 1
}

fn is_wanted(args: &BootArgs<'_>, func: WindowFunc, scenario: WindowScenario, n: usize, boundary: &Boundary) -> bool {
    can_stand(func, scenario, boundary) && args.selects_of(named::is_boundary, alloc::format!("{n}").as_str())
}

/// Whether somebody can stand at the boundary in this way, and be looked at.
fn can_stand(func: WindowFunc, scenario: WindowScenario, boundary: &Boundary) -> bool {
    match scenario {
        WindowScenario::Inside => boundary.pc == funcs::helper(func),
        WindowScenario::Wished => boundary.phase == "11",
        _ => boundary.held != HeldWhat::Nothing || levels::can_be_seen(scenario),
    }
}

fn tally(change: impl FnOnce(&mut WindowsLine)) {
    if let Some(line) = &mut *TALLY.lock() {
        change(line);
    }
}

/// Counts a run; says whether it is a failure.
fn count(seen: &Seen, cell: Cell) -> bool {
    let has_failed = !seen.has_ended || matches!(cell, Cell::Unsafe | Cell::Undecided | Cell::Disputed);
    let counts = cell != Cell::Forbidden;
    tally(|line| {
        line.runs += u64::from(counts);
        line.ended += u64::from(counts && seen.has_ended);
        line.freed_early += u64::from(cell == Cell::Unsafe);
        line.late += u64::from(cell == Cell::Late);
        if has_failed {
            line.verdict = Verdict::Fail;
        }
    });
    has_failed
}

fn print(args: &BootArgs<'_>, scheme: SchemeName, run: &Story<'_>) {
    let &Story { func, spots, scenario, seen, cell } = run;
    let oracle = match seen.late {
        Some(late) => ["p1", "p2", "p3", "p4", "p5", "p6"][late.property.index()],
        None if seen.was_inside => "inside",
        None => "",
    };
    let Spot { n, at: &Boundary { pc, insn, step, phase, held } } = spots[0];
    let place = story::At(pc);
    let preempt = args.preempt;
    println!(
        "{}",
        WindowLine { scheme, preempt, func, n, pc, insn, step, place, phase, scenario, held, verdict: cell, oracle }
    );
}
