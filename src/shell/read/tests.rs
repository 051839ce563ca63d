//! Every command with words that it takes, and with words that it does not.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::table::COMMANDS;
use super::*;

/// A kernel on so many CPUs, whose scheme lets no func sleep.
fn running(nr_cpus: usize) -> Running {
    Running { nr_cpus, lets_funcs_block: false }
}

fn refusal(line: &str) -> String {
    read(line, running(4)).expect_err(line).to_string()
}

/// A good line for each command, and what is asked by it.
const GOOD: &[(&str, &str)] = &[
    ("help", "Help(Commands)"),
    ("help boot", "Help(Boot)"),
    ("help trace", "Help(Command(trace))"),
    ("version", "Version"),
    ("  ps  ", "Tasks"),
    ("cpus", "Cpus"),
    ("irqs", "Irqs"),
    ("mem", "Memory"),
    ("rcu", "Rcu"),
    ("rcu scheme nopreempt", "Scheme(\"nopreempt\")"),
    ("rcu stall 100", "StallAfter { ms: 100 }"),
    ("rcu synchronize", "Synchronize(Normal)"),
    ("rcu synchronize expedited", "Synchronize(Expedited)"),
    ("hold broken 40 yes", "Hold { how: Broken, ms: 40, urgency: Normal }"),
    ("hold crowd 40", "Hold { how: Crowd, ms: 40, urgency: Normal }"),
    ("hold hog 1 expedited", "Hold { how: Hog, ms: 1, urgency: Expedited }"),
    ("log", "Log { most: 32 }"),
    ("log 256", "Log { most: 256 }"),
    ("ops", "Ops"),
    ("callsites", "Callsites("),
    ("callsites sched::t?ck*", "Callsites("),
    ("trace sched::* on", "TraceOn { pattern: \"sched::*\""),
    ("trace \"<A as B>::c d\" off", "TraceOff { pattern: \"<A as B>::c d\" }"),
    ("step sched::tick::on_tick", "Step { pattern: \"sched::tick::on_tick\""),
    ("stress secs=3 seed=0x2a tasks_rcu=none", "Stress(BootArgs { mode: Stress, tasks_rcu: Some(None)"),
    ("echo", "Echo("),
    ("echo  a  \"b c\" ", "Echo("),
    ("sleep 0", "Sleep { ms: 0 }"),
    ("sleep 3600000", "Sleep { ms: 3600000 }"),
    ("panic yes", "Panic"),
    ("fault stack-overflow yes", "Fault(StackOverflow)"),
    ("poweroff", "PowerOff"),
];

#[test]
fn every_command_is_read() {
    for (line, asked) in GOOD {
        let request = format!("{:?}", read(line, running(4)).expect(line));
        assert!(request.starts_with(asked), "{line}: {request}");
    }
    for command in &COMMANDS {
        let is_shown = GOOD.iter().any(|(line, _)| line.split_whitespace().next() == Some(command.name));
        assert!(is_shown, "no good line for {command:?}");
    }
}

#[test]
fn stress_starts_from_the_cpus_that_run() {
    let Ok(Request::Stress(args)) = read("stress seed=1", running(3)) else { panic!("not read") };
    assert_eq!((args.cpus, args.seed, args.tasks_rcu), (3, Some(1), None));
}

#[test]
fn a_wrong_number_of_words_is_answered_with_the_usage() {
    for command in &COMMANDS {
        let most = *command.counts.end();
        if most + 1 < crate::shell::words::MAX_WORDS {
            let line = command.name.to_owned() + &" x".repeat(most + 1);
            assert_eq!(refusal(&line), format!("{}", crate::shell::help::Usage(command)));
        }
        if *command.counts.start() > 0 {
            let line = command.name.to_owned() + &" x".repeat(command.counts.start() - 1);
            assert_eq!(refusal(&line), format!("{}", crate::shell::help::Usage(command)));
        }
    }
    assert_eq!(refusal("trace tick"), "usage: trace NAME|GLOB on|off");
    assert_eq!(refusal("ps aux"), "usage: ps");
}

#[test]
fn an_unknown_word_is_named_and_pointed_to_help() {
    assert_eq!(refusal("frobnicate now"), "`frobnicate` is not a command; `help` lists them");
    assert_eq!(refusal("call *"), "`call` is not a command; is it `callsites`? `help` lists all");
    assert_eq!(refusal("help tra"), "`tra` is not a command; is it `trace`? `help` lists all");
    assert_eq!(refusal("\"\""), "`` is not a command; `help` lists them");
    assert_eq!(refusal("PS"), "`PS` is not a command; `help` lists them");
}

#[test]
fn words_of_other_systems_are_answered_with_what_does_the_same_here() {
    assert_eq!(refusal("dmesg -w"), "`dmesg` is not a command here: `log` prints the last events");
    assert_eq!(refusal("quit"), "`quit` is not a command here: `poweroff` ends the kernel; so does Ctrl-D");
    let no_files = "there are no files here; `help` lists what there is, `trace PATTERN on` traces";
    assert_eq!(refusal("ls /sys/kernel/tracing"), format!("`ls` is not a command here: {no_files}"));
    for line in ["echo function > current_tracer", "echo 1 >> tracing_on", "echo 1 >x", "echo a 2>&1", "echo a >>f"] {
        assert_eq!(refusal(line), no_files);
    }
    for (line, printed) in [("echo \"a\" \"> b\" c", "a > b c"), ("echo a->b", "a->b"), ("echo \"\"", "")] {
        let Ok(Request::Echo(words)) = read(line, running(4)) else { panic!("not read: {line}") };
        assert_eq!(words.to_string(), printed);
    }
}

#[test]
fn a_func_that_would_end_the_kernel_sleeps_where_that_is_confirmed_or_the_scheme_lets_it() {
    let usage = "usage: hold HOW MS [URGENCY] [yes]";
    for line in ["hold sleep 40", "hold sleep-unguarded 40 expedited", "hold broken 1 normal"] {
        assert_eq!(refusal(line), format!("this ends the kernel: confirm it with `yes` at the end; {usage}"));
        assert!(matches!(read(&format!("{line} yes"), running(4)), Ok(Request::Hold { .. })), "{line}");
        assert!(read(line, Running { nr_cpus: 4, lets_funcs_block: true }).is_ok(), "{line}");
    }
    assert_eq!(refusal("hold sleep 40 normal no"), "`no` is none of: yes");
    assert_eq!(refusal("hold spin 40 yes no"), "`yes` is none of: normal expedited");
    assert!(read("hold spin 40", running(4)).is_ok() && read("hold hog 40 normal", running(4)).is_ok());
}

#[test]
fn a_wrong_word_is_named_and_what_is_allowed_is_said() {
    assert_eq!(refusal("trace tick maybe"), "`maybe` is none of: on off");
    assert_eq!(refusal("trace [ on"), "the pattern has a `[` without its `]`; a backslash before it takes it as it is");
    assert_eq!(refusal("trace \"\" on"), "the pattern is empty");
    assert_eq!(refusal(&format!("callsites {}", "x".repeat(121))), "the pattern is longer than 120 characters");
    for word in ["soon", "-1", "+1", "3600001", "99999999999", "1.5", "\"\""] {
        let shown = word.trim_matches('"');
        assert_eq!(refusal(&format!("sleep {word}")), format!("`{shown}` is not a number from 0 to 3600000"));
    }
    assert_eq!(refusal("log 257"), "`257` is not a number from 0 to 256");
    assert_eq!(refusal("log +1"), "`+1` is not a number from 0 to 256");
    assert_eq!(refusal("hold tight 3"), "`tight` is none of: spin sleep sleep-unguarded crowd hog broken");
    assert_eq!(refusal("hold hog 0"), "`0` is not a number from 1 to 60000");
    let schemes = crate::rcu::schemes::NAMES.join(" ");
    assert_eq!(refusal("rcu scheme tree"), format!("`tree` is none of: {schemes}"));
    assert_eq!(refusal("rcu stall 9"), "`9` is not a number from 10 to 3600000");
    assert_eq!(refusal("rcu expedite"), "`expedite` is none of: scheme stall synchronize");
    assert_eq!(refusal("rcu synchronize now"), "`now` is none of: normal expedited");
    assert_eq!(refusal("hold hog 1 fast"), "`fast` is none of: normal expedited");
    for line in ["rcu scheme", "rcu stall"] {
        assert_eq!(refusal(line), "usage: rcu [ACTION [VALUE]]");
    }
    assert_eq!(refusal("ps \"x"), "`\"x` lacks a closing double quote");
}

#[test]
fn what_only_a_boot_can_choose_is_refused() {
    let stays = "is chosen at boot and stays until the next one";
    assert_eq!(refusal("stress secs=1 cpus=2"), format!("`cpus=2` {stays}"));
    assert_eq!(refusal("stress preempt=full"), format!("`preempt=full` {stays}"));
    assert!(refusal("stress secs=0").contains("1 to 86400"));
    assert!(refusal("stress cmds=ps").contains("only for mode shell"));
}

#[test]
fn nothing_ends_the_kernel_without_a_yes() {
    let confirm = "this ends the kernel: confirm it with `yes` at the end; usage:";
    assert_eq!(refusal("panic"), format!("{confirm} panic [yes]"));
    assert_eq!(refusal("fault null"), format!("{confirm} fault KIND [yes]"));
    assert_eq!(refusal("panic no"), "`no` is none of: yes");
    assert_eq!(refusal("fault null YES"), "`YES` is none of: yes");
    assert_eq!(refusal("fault div-by-zero yes"), "`div-by-zero` is no kind of fault; `help fault` lists them");
}

#[test]
fn any_line_is_read_or_refused_in_one_plain_line() {
    const SEED: u64 = 0x5eed_5e11;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let mut below = |n: usize| (random.next_u64() % n as u64) as usize;
    let (mut good, mut refused) = (0, 0);
    for case in 0..100_000 {
        let words = ["on", "off", "yes", "boot", "x*", "[", "12", "seed=1", "cpus=1", "null", "\"", "é\u{1b}", ""];
        let mut line = COMMANDS[below(COMMANDS.len())].name.to_owned();
        line.truncate(line.len() - below(8) / 7);
        for _ in 0..below(4) {
            line = line + " " + words[below(words.len())];
        }
        match read(&line, running(4)) {
            Ok(_) => good += 1,
            Err(error) => {
                refused += 1;
                let text = error.to_string();
                let is_plain = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
                assert!(is_plain && text.len() <= 200, "seed {SEED:#x} case {case}: {line:?}: {text:?}");
            }
        }
    }
    assert!(good > 5_000 && refused > 5_000, "the lines are too alike: {good} good, {refused} refused");
}
