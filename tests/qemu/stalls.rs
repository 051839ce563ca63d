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
            assert!(report[2].contains("lab::hold::spin") && report[2].ends_with("(interrupted)"), "{report:?}");
            assert!(report.iter().any(|line| line.contains("lab::hold::stay_outside")), "{report:?}");
        }
        let waited = |report: &[&str]| -> u64 {
            let words: Vec<&str> = report[0].split_whitespace().collect();
            let ms = words.iter().position(|&word| word == "ms").expect("a time");
            words[ms - 1].parse().expect("a number")
        };
        assert!((50..70).contains(&waited(&reports[0])) && waited(&reports[1]) >= 100, "{reports:?}");
        assert_eq!(figure(&ended, "stalls "), reports.len() as u64, "{}", ended.story());
        ended.line_with(&["hold hog 180: an ops was freed after ", "the holder had left"]);
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
            assert!(report.iter().any(|line| line.contains("lab::hold::spin") && line.ends_with("(interrupted)")));
        }
        assert_eq!(figure(&ended, "stalls "), reports.len() as u64, "{}", ended.story());
    }
}

#[test]
fn without_a_grace_period_nobody_is_reported() {
    let ended = held(1, &["preempt=none"], "hold hog 1; sleep 200; rcu").expect_status(0);
    assert_eq!((reports(&ended).len(), figure(&ended, "stalls ")), (0, 0), "{}", ended.story());
}
