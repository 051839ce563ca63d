//! Stalls of grace periods: who keeps one from ending is named, whatever the preemption model.

use crate::guest::{Ended, Guest};

/// Runs these commands under this scheme and model, with reports due after 50 ms. Time is a count of instructions: a busy
/// host makes no wait longer.
fn held(cpus: u32, words: &[&str], commands: &str) -> Ended {
    let commands = format!("cmds=rcu stall 50; {commands}");
    Guest::with_cpus(cpus).option("--icount").boot(&[&["shell"], words, &[commands.as_str()]].concat())
}

/// What each report says, its first line first.
fn reports(ended: &Ended) -> Vec<Vec<&str>> {
    let mut reports: Vec<Vec<&str>> = Vec::new();
    for line in ended.lines() {
        match reports.last_mut() {
            _ if line.starts_with("rcu: grace period stalled: ") => reports.push(vec![line]),
            Some(report) if line.starts_with("rcu:  ") || line.starts_with("  ") => report.push(line),
            _ => {}
        }
    }
    reports
}

/// The value of the line of `rcu` that starts so.
#[track_caller]
fn figure(ended: &Ended, name: &str) -> u64 {
    let line = ended.lines().find_map(|line| line.strip_prefix(name));
    let word = line.and_then(|rest| rest.split_whitespace().next());
    word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("no {name} in {}", ended.story()))
}

#[test]
fn a_task_that_keeps_the_grace_period_task_from_the_only_cpu_is_named_by_the_tick() {
    for words in [["preempt=none", "tasks_rcu=classic"], ["preempt=voluntary", "tasks_rcu=linux"]] {
        let ended = held(1, &words, "hold hog 180; rcu").expect_status(0);
        let reports = reports(&ended);
        assert!((2..=4).contains(&reports.len()), "{} reports in {}", reports.len(), ended.story());
        for report in &reports {
            assert!(
                report[0].contains("the grace-period task rcu_gp-") && report[0].contains(" ms for CPU 0"),
                "{report:?}"
            );
            assert!(report[1].contains(" hog on CPU 0, running"), "{report:?}");
            assert!(report[2].contains("lab::cpu_time::use_up") && report[2].ends_with("(interrupted)"), "{report:?}");
            assert!(report.iter().any(|line| line.contains("lab::hold::stay_outside")), "{report:?}");
        }
        let waited = |report: &[&str]| -> u64 {
            let words: Vec<&str> = report[0].split_whitespace().collect();
            let ms = words.iter().position(|&word| word == "ms").expect("a time");
            words[ms - 1].parse().expect("a number")
        };
        assert!((50..70).contains(&waited(&reports[0])) && waited(&reports[1]) >= 100, "{reports:?}");
        assert_eq!(figure(&ended, "stalls "), reports.len() as u64, "{}", ended.story());
        ended.line_with(&["hold hog 180 normal: an ops was freed after ", "the holder had left"]);
    }
}

#[test]
fn a_cpu_bound_task_is_named_where_the_grace_period_task_can_preempt_it() {
    for (scheme, preempt, step) in [("classic", "full", "2 of 3"), ("linux", "lazy", "3 of 4")] {
        let words = [format!("preempt={preempt}"), format!("tasks_rcu={scheme}")];
        let ended = held(1, &[&words[0], &words[1]], "hold hog 180; rcu").expect_status(0);
        let reports = reports(&ended);
        assert!((2..=4).contains(&reports.len()), "{} reports in {}", reports.len(), ended.story());
        for report in &reports {
            assert!(report[0].contains(&format!(": {scheme} has waited ")), "{report:?}");
            assert!(report[0].ends_with(&format!("ms in step {step} for 1 holdouts")), "{report:?}");
            assert!(report[1].contains(" hog on CPU 0, runnable"), "{report:?}");
            assert!(
                report.iter().any(|line| line.contains("lab::cpu_time::use_up") && line.ends_with("(interrupted)"))
            );
        }
        assert_eq!(figure(&ended, "stalls "), reports.len() as u64, "{}", ended.story());
    }
}

#[test]
fn without_a_grace_period_nobody_is_reported() {
    let ended = held(1, &["preempt=none"], "hold hog 1; sleep 200; rcu").expect_status(0);
    assert_eq!((reports(&ended).len(), figure(&ended, "stalls ")), (0, 0), "{}", ended.story());
}

/// What a report says of the trampoline that its holdout is inside of.
#[track_caller]
fn trampoline_of<'a>(report: &[&'a str]) -> &'a str {
    let mut told = report.iter().filter_map(|line| line.strip_prefix("rcu:     in the trampoline of "));
    let told = (told.next(), told.count());
    let (Some(trampoline), 0) = told else { panic!("one trampoline in {report:?}") };
    trampoline
}

#[test]
fn a_holder_that_runs_is_told_with_its_callsite_and_the_ops_that_it_keeps_from_being_freed() {
    let ended = held(2, &["tasks_rcu=classic"], "hold spin 90").expect_status(0);
    let reports = reports(&ended);
    let report = reports.first().unwrap_or_else(|| panic!("no report in {}", ended.story()));
    assert!(report[1].contains(" holder on CPU 1, running"), "{report:?}");
    let trampoline = trampoline_of(report);
    assert!(trampoline.starts_with("holdout::lab::tracees::hotel, holds ops `held` at 0x"), "{trampoline}");
    assert!(trampoline.ends_with(" (func holdout::lab::hold::func), retired"), "{trampoline}");
    assert!(
        report.iter().any(|line| line.contains("lab::cpu_time::use_up") && line.ends_with("(interrupted)")),
        "{report:?}"
    );
}

#[test]
fn a_holder_that_was_preempted_in_a_fan_out_is_told_with_all_its_ops_and_the_func_that_it_stands_in() {
    for scheme in ["classic", "scan"] {
        let commands = "trace tracees::hotel on; hold crowd 90; trace tracees::hotel off";
        let ended = held(1, &[&format!("tasks_rcu={scheme}"), "preempt=full"], commands).expect_status(0);
        let reports = reports(&ended);
        let holders: Vec<&Vec<&str>> = reports
            .iter()
            .filter(|report| report.iter().any(|line| line.contains(" holder on CPU 0, runnable")))
            .collect();
        let report = holders.first().unwrap_or_else(|| panic!("no report of the holder in {}", ended.story()));
        let trampoline = trampoline_of(report);
        for part in [
            "hotel, holds the fan-out at 0x",
            " ops `trace` at 0x",
            " ops `held` at 0x",
            "), in holdout::lab::hold::func+0x",
        ] {
            assert!(trampoline.contains(part), "no `{part}` in {trampoline}");
        }
        assert!(trampoline.ends_with(", retired"), "{trampoline}");
    }
}

#[test]
fn a_func_that_blocks_is_a_holder_that_sleeps_where_the_scheme_allows_it() {
    for scheme in ["depth", "scan"] {
        let ended = held(1, &[&format!("tasks_rcu={scheme}")], "hold sleep 90").expect_status(0);
        let reports = reports(&ended);
        let report = reports.first().unwrap_or_else(|| panic!("no report in {}", ended.story()));
        assert!(
            report[0].contains(&format!(": {scheme} has waited ")) && report[1].ends_with(", blocked"),
            "{report:?}"
        );
        assert!(trampoline_of(report).contains("ops `held` at 0x"), "{report:?}");
        ended.line_with(&["hold sleep 90 normal: an ops was freed after ", "the holder had left"]);
    }
}

#[test]
fn a_func_that_blocks_where_the_scheme_forbids_it_is_named_with_task_scheme_callsite_and_ops() {
    // The frames tell where no guard does: this is a build that looks at them.
    let cases = [
        ("classic", "sleep"),
        ("nopreempt", "sleep"),
        ("classic", "sleep-unguarded"),
        ("linux", "sleep-unguarded"),
        ("ip", "sleep-unguarded"),
    ];
    for (scheme, how) in cases {
        let ended = held(1, &[&format!("tasks_rcu={scheme}")], &format!("hold {how} 90 yes")).expect_status(101);
        let what = format!("blocks inside a func, which the scheme {scheme} forbids: it is in the trampoline of ");
        let line = ended.line_with(&["panic: task holder-", &what]);
        assert!(line.contains("tracees::hotel, holds ops `held` at 0x"), "{line}");
        assert!(line.contains(" (func holdout::lab::hold::func), in use, at src/rcu/report.rs:"), "{line}");
    }
}

#[test]
fn a_func_that_waits_for_a_grace_period_or_changes_schemes_is_named_under_every_scheme_guarded_or_not() {
    let kinds = ["wait-in-func", "change-in-func"];
    for (scheme, kind) in
        ["classic", "nopreempt", "depth", "scan"].into_iter().flat_map(|of| kinds.map(|kind| (of, kind)))
    {
        let ended = held(1, &[&format!("tasks_rcu={scheme}")], &format!("fault {kind} yes")).expect_status(101);
        let what =
            " waits for a grace period inside a func, which a grace period waits for: it is in the trampoline of ";
        let line = ended.line_with(&["panic: task ", what]);
        assert!(line.contains("faults::funcs::traced, holds ops `forbidden` at 0x"), "{line}");
    }
}

#[test]
fn frames_that_lead_nowhere_keep_all_that_is_retired_until_they_lead_home_and_are_told_once() {
    let ended = held(1, &["tasks_rcu=scan"], "hold broken 60; hold broken 60; rcu").expect_status(0);
    let told = ended.lines().filter(|line| line.starts_with("rcu: the frames of task "));
    assert_eq!(told.count(), 1, "{}", ended.story());
    let at = ended.line_with(&["holdout::lab::hold::func+"]);
    assert!(at.trim_start().starts_with('#'), "the backtrace: {at}");
    let freed: Vec<&str> = ended.lines().filter(|line| line.starts_with("hold broken 60 normal: ")).collect();
    assert!(freed.len() == 2 && freed.iter().all(|line| line.ends_with("the holder had left")), "{freed:?}");
    let counted = ended.line_with(&["broken chains "]);
    assert!(counted.starts_with("broken chains 2, the last one task "), "{counted}");
}

#[test]
fn an_expedited_grace_period_does_not_wait_while_others_have_the_cpu_that_its_holdouts_want() {
    for scheme in ["classic", "linux"] {
        let words = [format!("tasks_rcu={scheme}"), "preempt=full".to_owned()];
        let commands = "rcu stall 60000; hold crowd 40; hold crowd 40 expedited; hold crowd 400 expedited; ps";
        let ended = held(1, &[&words[0], &words[1]], commands).expect_status(0);
        let waited_us = |what: &str| -> u64 {
            let line = ended.line_with(&[what, ": an ops was freed after ", "the holder had left"]);
            line.split_whitespace().find_map(|word| word.parse().ok().filter(|&us: &u64| us > 1000)).expect("a time")
        };
        let (normal, expedited) = (waited_us("hold crowd 40 normal"), waited_us("hold crowd 40 expedited"));
        // The holdouts have half of the CPU, and need as much as the crowd has beside them: 169 ms, 279 where they take turns with it.
        assert!(expedited * 3 < normal * 2, "{expedited} us expedited, {normal} us normal in {}", ended.story());
        // Nobody goes first for ever: the crowd has its half meanwhile. And nobody stays boosted.
        assert!(waited_us("hold crowd 400 expedited") > 700_000, "{}", ended.story());
        assert!(!ended.lines().any(|line| line.contains(" shell ") && line.contains(" high ")), "{}", ended.story());
    }
}
