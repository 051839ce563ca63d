//! The shell, as commands of a boot argument and over a plain pipe.

use crate::guest::{Ended, Guest};

fn commands(text: &str) -> Ended {
    Guest::with_cpus(2).boot(&["shell", &format!("cmds={text}")])
}

/// The console after the boot line: what the commands said.
fn said(ended: &Ended) -> Vec<&str> {
    ended.lines().skip(1).collect()
}

#[test]
fn help_names_every_command() {
    let ended = commands("help").expect_status(0);
    for command in ["help", "ps", "ops", "callsites", "trace", "rcu", "stress", "version", "poweroff"] {
        ended.line_with(&[command]);
    }
}

#[test]
fn ps_lists_tasks_with_an_idle_task_for_each_cpu() {
    let ended = commands("ps").expect_status(0);
    let idle = said(&ended).iter().filter(|line| line.contains("idle")).count();
    assert_eq!(idle, 2, "idle tasks in {}", ended.story());
    ended.line_with(&["shell"]);
}

#[test]
fn callsites_lists_what_matches_a_glob_and_nothing_else() {
    let ended = commands("callsites holdout::shell::*").expect_status(0);
    let listed: Vec<&str> = said(&ended).into_iter().filter(|line| line.contains("holdout::")).collect();
    assert!(listed.len() > 3, "too few in {}", ended.story());
    for line in listed {
        assert!(line.contains("holdout::shell::"), "`{line}` does not match in {}", ended.story());
    }
}

#[test]
fn a_traced_function_is_counted_until_it_is_no_longer_traced() {
    let ended = commands("trace holdout::shell::* on; ps; ops; trace holdout::shell::* off; ops; version");
    let ended = ended.expect_status(0);
    ended.line_with(&["holdout::shell::"]);
}

#[test]
fn tracing_what_is_not_there_fails() {
    let ended = commands("trace holdout::no_such_function on; version").expect_status(1);
    ended.line_with(&["no_such_function"]);
    let versions = ended.lines().filter(|line| line.starts_with("holdout ")).count();
    assert_eq!(versions, 1, "the command after the one that failed ran: {}", ended.story());
}

#[test]
fn rcu_names_the_scheme() {
    commands("rcu").expect_status(0).line_with(&["classic"]);
}

#[test]
fn an_unknown_word_is_answered_and_fails() {
    let ended = commands("frobnicate now; version").expect_status(1);
    ended.line_with(&["frobnicate"]);
    let versions = ended.lines().filter(|line| line.starts_with("holdout ")).count();
    assert_eq!(versions, 1, "the command after the one that failed ran: {}", ended.story());
}

#[test]
fn a_short_stress_can_be_started_from_the_shell() {
    let ended = commands("stress secs=1 seed=7").expect_status(0);
    ended.line_with(&["stress: PASS", "seed=7"]);
}

#[test]
fn talks_over_a_plain_pipe() {
    let overlong = "y".repeat(3000);
    let typed = format!("version\nhelp\nfrobnicate\n{overlong}\nps\nrcu\nversion\npoweroff\n");
    let ended = Guest::with_cpus(2).typing(&typed).boot(&["shell"]).expect_status(0);
    let versions = ended.lines().filter(|line| line.contains("holdout 0.") && line.contains(" callsites")).count();
    assert_eq!(versions, 3, "at boot and twice by command: {}", ended.story());
    ended.line_with(&["frobnicate"]);
    ended.line_with(&["classic"]);
    ended.line_with(&["idle"]);
}
