//! GDB sees through the trampoline: at every instruction from a callsite to its body, the backtrace is whole. It stops at a
//! counterexample of `windows`.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::guest::{Ended, Guest, image, run};

/// Steps from the callsite's first instruction until its body, and shows the backtrace before each.
const SCRIPT: &str = r#"
set language c
set $body = $x30
tbreak *($x30 - 8)
continue
set $steps = 0
while $steps < 4000 && (unsigned long)$pc != $body
    printf "\nstep %d pc %#lx\n", $steps, (unsigned long)$pc
    backtrace
    stepi
    set $steps = $steps + 1
end
printf "\nbody %d after %d steps\n", (unsigned long)$pc == $body, $steps
backtrace
"#;
/// Host seconds for the whole session.
const SECS: u64 = 400;

/// The function names of a backtrace, innermost first.
fn frames(text: &str) -> Vec<&str> {
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let rest = line.trim_start_matches(|c: char| c == '#' || c.is_ascii_digit()).trim_start();
            let rest = match rest.split_once(" in ") {
                Some((address, name)) if address.starts_with("0x") => name,
                _ => rest,
            };
            rest.split(" (").next().unwrap_or(rest)
        })
        .collect()
}

fn session() -> Ended {
    image();
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("step-{}.gdb", std::process::id()));
    std::fs::write(&script, SCRIPT).expect("a place for GDB's commands");
    let batch = format!("--batch={}", script.display());
    let arguments = [&batch, "--profile=checked", "--smp=1", "demo"].map(str::to_owned);
    let ended = run(SECS, "scripts/gdb", &arguments, "");
    std::fs::remove_file(&script).expect("the file of GDB's commands");
    ended.unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn the_backtrace_is_whole_at_every_instruction_from_callsite_to_body() {
    let ended = session();
    let steps: Vec<&str> = ended.console.split("\nstep ").skip(1).collect();
    assert!(steps.len() > 27, "the trampoline alone has more instructions: {}", ended.story());
    let at_callsite = frames(steps[0]);
    assert!(at_callsite.len() > 2, "a traced function has a caller, and that one too: {}", ended.story());
    let traced = at_callsite[0];
    for step in &steps {
        assert!(frames(step).ends_with(&at_callsite), "{traced} and its callers are not at the end of step {step}");
    }
    let inside = steps.iter().filter(|step| frames(step)[0] == "trampoline_t0").count();
    assert!(inside >= 25, "only {inside} steps were in the trampoline: {}", ended.story());
    let called =
        steps.iter().filter(|step| frames(step).iter().position(|&name| name == "trampoline_t0") > Some(0)).count();
    assert!(called > 0, "no step was in what the trampoline calls: {}", ended.story());
    ended.line_with(&["body 1 after"]);
}

#[test]
fn lines_are_shown_of_this_tree_of_the_library_and_of_a_dependency() {
    image();
    let places = ["alpha", "core::fmt::write", "paging.rs:100"];
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sources-{}.gdb", std::process::id()));
    let show = |place| format!("printf \"\\nshown \"\nlist {place}\ninfo source\n");
    std::fs::write(&script, places.map(show).concat()).expect("a place for GDB's commands");
    let options = [format!("--batch={}", script.display()), "--profile=checked".into(), "--smp=1".into()];
    let ended = run(SECS, "scripts/gdb", &options, "").unwrap_or_else(|error| panic!("{error}"));
    std::fs::remove_file(&script).expect("the file of GDB's commands");
    let shown: Vec<&str> = ended.console.split("\nshown ").skip(1).collect();
    let ends = ["/src/lab/tracees.rs", "/library/core/src/fmt/mod.rs", "/src/paging.rs"];
    assert_eq!(shown.len(), ends.len(), "{}", ended.story());
    for (text, end) in shown.iter().zip(ends) {
        let file = text.lines().find_map(|line| line.trim_end().strip_prefix("Located in "));
        let file = file.filter(|file| file.ends_with(end)).unwrap_or_else(|| panic!("{end}: {}", ended.story()));
        let source = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
        let is_of_it = |(number, line): (&str, &str)| {
            let line_number = number.parse::<usize>().ok()?;
            Some(source.lines().nth(line_number - 1)?.trim_end() == line.trim_end())
        };
        let lines: Vec<bool> = text.lines().filter_map(|line| is_of_it(line.split_once('\t')?)).collect();
        assert!(lines.len() > 5 && lines.iter().all(|&is_of_it| is_of_it), "{file}: {}", ended.story());
    }
}

/// Shows where the debugger stands.
const SHOW: &str = "backtrace 3\nwith language c -- printf \"at %#010lx\\n\", (unsigned long)$pc\n";

/// A session that stops where `line` says, and shows where that is.
fn replayed(line: &str) -> Ended {
    replayed_with(line, SHOW)
}

/// A session that stops where `line` says, and obeys `commands` there.
fn replayed_with(line: &str, commands: &str) -> Ended {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("replay-{}-{}.gdb", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
    let script = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&script, commands).expect("a place for it");
    let options = [format!("--batch={}", script.display()), "--profile=checked".into(), format!("--replay={line}")];
    let ended = run(SECS, "scripts/gdb", &options, "").unwrap_or_else(|error| panic!("{error}"));
    std::fs::remove_file(&script).expect("the file of GDB's commands");
    ended
}

#[test]
fn a_replay_line_stops_at_the_boundary_of_its_story_with_the_ops_freed() {
    let words = ["windows", "tasks_rcu=sched", "preempt=full", "only=plain,preempted"];
    let found = Guest::with_cpus(2).boot(&words).expect_status(1);
    let line = found.lines().find(|line| line.starts_with("replay: ")).expect("sched is caught, and says by what");
    let n = line.rsplit(',').next().expect("the boundary is the last word");
    let record = found.line_with(&[&format!(" n={n} "), "scenario=preempted", "verdict=unsafe"]);
    let pc = record.split(" pc=").nth(1).and_then(|rest| rest.split(' ').next()).expect("where it is");
    let ended = replayed(line);
    ended.line_with(&["window: scheme=sched preempt=full", &format!(" n={n} ")]);
    ended.line_with(&[&format!("window: boundary {n}, the ops is held"), "the grace period has ended"]);
    ended.line_with(&["ops: 0x", "freed, its memory poisoned"]);
    ended.line_with(&["0xdeadf4ee"]);
    ended.line_with(&["=> ", "trampoline_t"]);
    ended.line_with(&[&format!("at {pc}")]);
    assert!(
        frames(&ended.console).contains(&"alpha"),
        "the task is in the trampoline of its callsite: {}",
        ended.story()
    );
}

/// `ldr x12, [x2]`: the trampoline's load of func, which `none` lets come after the free.
const LATE_LOAD: &str = "insn=0xf940004c";
/// Shows where the debugger stands, the loaded register, and what it is loaded from, with a step before and behind.
const STEP: &str = r#"
set language c
set $x12 = 0
set $before = $pc
stepi
printf "stepped %ld bytes, loaded %d\n", (long)$pc - (long)$before, $x12 != 0 && $x12 == *(unsigned long *)$ops
stepi
printf "then at func %d\n", (unsigned long)$pc == $x12
"#;

#[test]
fn a_step_from_a_replays_stop_is_the_late_load_itself() {
    for scenario in ["preempted", "running"] {
        let parts = format!("only=plain,{scenario}");
        let found = Guest::with_cpus(2).boot(&["windows", "tasks_rcu=none", &parts]).expect_status(1);
        let load = found.line_with(&[LATE_LOAD, "held=ops verdict=unsafe"]);
        let n = load.split(" n=").nth(1).and_then(|rest| rest.split(' ').next()).expect("its boundary");
        let ended = replayed_with(&format!("windows tasks_rcu=none preempt=full cpus=2 {parts},{n}"), STEP);
        ended.line_with(&["stepped 4 bytes, loaded 1"]);
        ended.line_with(&["then at func 1"]);
    }
}

#[test]
fn a_func_that_waits_by_itself_is_stopped_before_it_goes_on() {
    let words = ["windows", "tasks_rcu=ip", "preempt=full", "only=enable,inside"];
    let found = Guest::with_cpus(2).boot(&words).expect_status(1);
    let line = found.lines().find(|line| line.starts_with("replay: ")).expect("ip is caught there");
    let ended = replayed(line);
    ended.line_with(&["window: scheme=ip preempt=full func=enable", "scenario=inside held=ops verdict=unsafe"]);
    ended.line_with(&["window: boundary ", "the ops is held", "the grace period has ended"]);
    ended.line_with(&["ops: 0x", "freed, its memory poisoned"]);
    ended.line_with(&["it is not stepped: its func waits there by itself"]);
}

#[test]
fn of_two_at_once_the_first_is_stopped_and_both_are_named() {
    let words = ["windows", "tasks_rcu=sched", "preempt=full", "only=callee,pair"];
    let found = Guest::with_cpus(2).boot(&words).expect_status(1);
    let line = found.lines().find(|line| line.starts_with("replay: ")).expect("sched is caught there");
    let (first, second) = line.rsplit(',').next().and_then(|both| both.split_once('+')).expect("two boundaries");
    let ended = replayed(line);
    ended.line_with(&["pairs: scheme=sched preempt=full func=callee", &format!(" n={first} "), "cells=u"]);
    ended.line_with(&[&format!("first stands at boundary {first}, the second at boundary {second}")]);
    ended.line_with(&[&format!("window: boundary {first}, "), "the grace period has ended"]);
    assert!(frames(&ended.console).contains(&"alpha"), "{}", ended.story());
    // The second going on first changes nothing of where they stand.
    let ended = replayed(&format!("{line}r"));
    ended.line_with(&[&format!("first stands at boundary {first}, the second at boundary {second}")]);
    ended.line_with(&[&format!("window: boundary {first}, "), "the grace period has ended"]);
}

#[test]
fn a_line_at_which_gdb_cannot_stop_is_refused_with_the_reason() {
    let reasons = [
        ("only=plain,preempted,300", "the kernel refuses the line: `only=plain,preempted,300` names no run"),
        ("only=plain,inside,20", "the kernel refuses the line: `only=plain,inside,20` names no run"),
        ("only=plain,nowhere,20", "the kernel refuses the line: "),
        ("only=plain,preempted", "names no boundary"),
        ("cpus=1 only=plain,running,20", "nobody can stand there"),
    ];
    for (only, reason) in reasons {
        let line = format!("replay: windows tasks_rcu=ip preempt=full {only}");
        let ended = replayed(&line);
        assert_eq!(ended.status, 2, "{only}: {}", ended.story());
        assert!(ended.story().contains(reason), "{only}: {}", ended.story());
    }
}
