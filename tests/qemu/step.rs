//! Software step: what `step NAME` shows of a hit, held against the callsite, the trampoline and the theory.

use crate::guest::{Ended, Guest};
use crate::verdict::Pairs;

/// A line of the walk: its boundary number, label and what is held there, and where it is.
struct Boundary {
    number: usize,
    label: String,
    holds: Option<u64>,
    insn: String,
    place: String,
}

fn boundaries(ended: &Ended) -> Vec<Boundary> {
    let lines: Vec<&str> = ended.lines().collect();
    let head = lines.iter().position(|line| line.trim_start().starts_with("N  PC")).expect("a heading");
    let column = |name: &str| lines[head].find(name).unwrap_or_else(|| panic!("no {name} in `{}`", lines[head]));
    let (label, holds, insn, place) = (column("STEP"), column("HOLDS"), column("INSTRUCTION"), column("WHERE"));
    let rows = lines[head + 1..].iter().take_while(|line| !line.contains("instructions from callsite to body"));
    let read = |line: &&str| Boundary {
        number: line.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number"),
        label: line[label..holds].trim().to_owned(),
        holds: match line[holds..insn].split_whitespace().collect::<Vec<_>>()[..] {
            ["-"] => None,
            ["ops" | "node", address] => u64::from_str_radix(&address[2..], 16).ok(),
            ref other => panic!("{other:?} is nothing that can be held: {line}"),
        },
        insn: line[insn..place].trim().to_owned(),
        place: line[place..].to_owned(),
    };
    rows.map(read).collect()
}

#[test]
fn a_stepped_hit_goes_from_callsite_to_body_and_holds_the_ops_from_behind_t2_to_the_end_of_func() {
    let ended = Guest::with_cpus(2).boot(&["shell", "cmds=step tracees::alpha; callsites *alpha"]).expect_status(0);
    let path = boundaries(&ended);
    assert!(path.iter().enumerate().all(|(number, boundary)| boundary.number == number), "{}", ended.story());
    let labels: Vec<&str> = path.iter().map(|at| at.label.as_str()).filter(|label| !label.is_empty()).collect();
    assert_eq!(labels, ["F+0", "T0", "T2", "T3", "T6", "T7", "F+8"], "{}", ended.story());
    let at = |label: &str| path.iter().position(|boundary| boundary.label == label).expect("a label");
    for boundary in &path {
        let is_held = (at("T3")..at("T7")).contains(&boundary.number);
        assert_eq!(boundary.holds.is_some(), is_held, "boundary {} of {}", boundary.number, ended.story());
    }
    let ops: Vec<u64> = path.iter().filter_map(|boundary| boundary.holds).collect();
    assert!(ops.windows(2).all(|pair| pair[0] == pair[1]), "one ops is held throughout: {}", ended.story());
    assert!(path[at("T6") + 1].place.ends_with("tracers::count::func"), "T6 calls func: {}", ended.story());
    assert!(path[0].place.ends_with("tracees::alpha") && path.last().unwrap().place.ends_with("alpha+0x8"));
    let insns = ["mov x9, x30", "bl trampoline_t0", "ldur x2, [x11, #-0x10]", "blr x12", "ret", "ret x9"];
    let shown = |insn: &&str| path.iter().any(|boundary| boundary.insn == *insn);
    assert!(insns.iter().all(shown), "not each of {insns:?} is in {}", ended.story());
    let said = format!("{} instructions from callsite to body", path.len() - 1);
    assert!(ended.lines().any(|line| line.starts_with(&said)), "`{said}` is not in {}", ended.story());
    assert!(
        ended.lines().any(|line| line.contains("1 of ") && line.contains(", 0 of them on")),
        "left on: {}",
        ended.story()
    );
}

#[test]
fn the_hit_path_is_stepped_and_left_at_each_boundary_whatever_the_machine() {
    let machines: [(u64, &[&str], &str); 4] = [
        (1, &["--gic=2"], "full"),
        (2, &["--qemu-arg=-machine", "--qemu-arg=virtualization=on"], "lazy"),
        (3, &["--cpu=cortex-a76"], "full"),
        (2, &["--cpu=neoverse-n1", "--one-insn-per-tb"], "voluntary"),
    ];
    for (cpus, options, model) in machines {
        let guest = options.iter().fold(Guest::with_cpus(cpus as u32), |guest, option| guest.option(option));
        let preempt = format!("preempt={model}");
        let only = "only=step-hit-path,debug-private,debug-points";
        let ended = guest.boot(&["selftest", only, &preempt, "seed=5"]).expect_status(0);
        let facts = |name: &str| {
            let start = format!("test: {name} ok ");
            Pairs::parse(ended.line_with(&[&start]).strip_prefix(&start).unwrap_or_default())
        };
        let path = facts("step-hit-path");
        let boundaries = path.number("boundaries");
        path.expect("jump", |n| n > boundaries + 34, "another callsite and trampoline");
        assert!(boundaries >= 34, "callsite, trampoline, func and body have more: {}", ended.story());
        let is_preempted = matches!(model, "full" | "lazy");
        path.expect("preempted", |n| n >= boundaries * u64::from(is_preempted), "each boundary");
        path.expect("migrations", |n| n >= boundaries * u64::from(is_preempted && cpus > 1), "each boundary");
        let private = facts("debug-private");
        private.expect("stops", |n| n > 20_000, "every instruction of 200 rounds");
        private.expect("stopped_on_cpus", |n| n == cpus, "all CPUs");
        let points = facts("debug-points");
        points.expect("breakpoint_hits", |n| n == cpus, "one on each CPU");
        points.expect("watchpoint_hits", |n| n == cpus, "one on each CPU");
    }
}

#[test]
fn with_two_ops_a_node_is_held_while_each_func_runs() {
    let cmds = "cmds=trace tracees::bravo on; step tracees::bravo; trace tracees::bravo off";
    let ended = Guest::with_cpus(1).boot(&["shell", cmds]).expect_status(0);
    let path = boundaries(&ended);
    let funcs = path.iter().filter(|boundary| boundary.place.ends_with("tracers::count::func"));
    assert_eq!(funcs.filter(|boundary| boundary.holds.is_some()).count(), 2, "{}", ended.story());
    let hits = ended.lines().find(|line| line.contains("is off:")).map(str::to_owned);
    assert!(hits.is_some_and(|line| line.contains("1 hits on 1 function")), "the other ops was hit: {}", ended.story());
}

#[test]
fn the_body_of_a_stepped_function_does_not_run() {
    let ended = Guest::with_cpus(1).boot(&["shell", "cmds=step shell::faults::panic; echo alive"]).expect_status(0);
    assert!(
        boundaries(&ended).last().is_some_and(|last| last.place.ends_with("faults::panic+0x8")),
        "{}",
        ended.story()
    );
    assert!(ended.lines().any(|line| line == "alive"), "{}", ended.story());
}

#[test]
fn step_refuses_what_is_no_single_function() {
    for (name, why) in [
        ("nothing_has_this_name", "no traceable function matches; `callsites` lists them"),
        ("tracees::*", "functions match, one is wanted"),
    ] {
        let command = format!("cmds=step {name}");
        let ended = Guest::with_cpus(1).boot(&["shell", &command]).expect_status(1);
        assert!(ended.lines().any(|line| line.contains(why)), "{name}: {}", ended.story());
    }
}
