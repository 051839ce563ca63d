//! What a line of boot arguments means, and that no line at all can do harm.

use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::*;

fn refusal(line: &str) -> String {
    parse(line, 4).expect_err(line).to_string()
}

#[test]
fn an_empty_line_is_the_shell_with_every_default() {
    for line in ["", "   ", "shell", " \tshell\n"] {
        let args = parse(line, 4).unwrap();
        assert_eq!(args, BootArgs::new(Mode::Shell, 4));
        assert_eq!((args.scheme(), args.preempt), (SchemeName::Scan, PreemptModel::Full));
        assert_eq!((args.secs, args.cpus, args.seed, args.tasks_rcu), (10, 4, None, None));
    }
}

#[test]
fn every_key_is_read() {
    let line = "stress tasks_rcu=none preempt=lazy secs=86400 cpus=3 seed=0xffffffffffffffff";
    let expected = BootArgs {
        tasks_rcu: Some(SchemeName::None),
        preempt: PreemptModel::Lazy,
        secs: 86_400,
        cpus: 3,
        seed: Some(u64::MAX),
        ..BootArgs::new(Mode::Stress, 4)
    };
    assert_eq!(parse(line, 4).unwrap(), expected);
    assert_eq!(parse("seed=18446744073709551615", 4).unwrap().seed, Some(u64::MAX));
    assert_eq!(parse("demo seed=\"7\"", 4).unwrap().seed, Some(7));
}

#[test]
fn a_value_in_double_quotes_may_hold_spaces() {
    let args = parse("cmds=\"ps; trace a* on\" preempt=none", 4).unwrap();
    assert_eq!((args.mode, args.cmds, args.preempt), (Mode::Shell, Some("ps; trace a* on"), PreemptModel::None));
    assert_eq!(parse("cmds=help", 4).unwrap().cmds, Some("help"));
}

#[test]
fn only_selects_parts_of_a_bench() {
    let args = parse("bench only=gp,swap", 4).unwrap();
    assert!(args.selects("gp") && args.selects("swap") && !args.selects("memory") && !args.selects("g"));
    assert!(parse("bench", 4).unwrap().selects("memory"));
}

#[test]
fn selftest_takes_the_names_of_its_scenarios_and_lists_them() {
    let args = parse("selftest only=clock,visits", 4).unwrap();
    assert!(args.selects("clock") && args.selects("visits") && !args.selects("callsites") && !args.list);
    let args = parse("windows only=plain,tail,preempted,17", 4).unwrap();
    let is_func = |part: &str| WindowFunc::from_word(part).is_some();
    let is_number = |part: &str| part.parse::<u64>().is_ok();
    assert!(args.selects_of(is_func, "tail") && !args.selects_of(is_func, "block"));
    assert!(args.selects_of(is_number, "17") && !args.selects_of(is_number, "18"));
    assert!(parse("windows only=pair,12+17,12+17r", 4).is_ok());
    for wrong in ["12r", "12+r", "12+17rr", "r", "12r+17"] {
        assert!(parse(&format!("windows only=pair,{wrong}"), 4).is_err(), "{wrong}");
    }
    let args = parse("windows only=running", 4).unwrap();
    assert!(args.selects_of(is_func, "block") && args.selects_of(is_number, "18") && !args.selects("preempted"));
    let args = parse("selftest list preempt=lazy", 4).unwrap();
    assert!(args.list && args.preempt == PreemptModel::Lazy);
    assert_eq!(parse(&args.to_string(), 4).unwrap(), args);
}

#[test]
fn every_refusal_names_the_word_and_what_is_allowed() {
    let modes = "allowed: shell, demo, stress, windows, bench, selftest";
    let stress_keys = "mode stress takes: tasks_rcu, preempt, secs, cpus, seed, progress, machine";
    let shell_keys = "mode shell takes: tasks_rcu, preempt, cpus, seed, cmds, progress, machine";
    let cases = [
        ("tress", format!("`tress` is not a mode; {modes}")),
        (
            "windows only=plain,x",
            "`x` is not a value of only; allowed: funcs, scenarios and numbers as in its `window:` lines, with commas \
             between them"
                .into(),
        ),
        (
            "selftest only=x",
            "`x` is not a value of only; allowed: names that `selftest list` shows, with commas between them".into(),
        ),
        (
            "selftest list list",
            "`list` is not key=value; mode selftest takes: tasks_rcu, preempt, cpus, seed, only, progress, machine".into(),
        ),
        ("stress list", format!("`list` is not key=value; {stress_keys}")),
        ("stress shell", format!("`shell` is not key=value; {stress_keys}")),
        ("seed=1 stress", format!("`stress` is not key=value; {shell_keys}")),
        ("stress =4", format!("`=4` has no key; {stress_keys}")),
        ("stress Seed=4", format!("`Seed=4` is not a key; {stress_keys}")),
        ("secs=4", format!("`secs=4` is only for mode stress; {shell_keys}")),
        ("only=gp", format!("`only=gp` is only for mode bench, selftest, windows; {shell_keys}")),
        ("stress cmds=ps", format!("`cmds=ps` is only for mode shell; {stress_keys}")),
        ("seed=1 seed=1", "`seed=1` repeats its key; allowed: each key once".into()),
        ("stress secs=", "`secs=` has no value; allowed: 1 to 86400".into()),
        ("stress secs=\"\"", "`secs=\"\"` has no value; allowed: 1 to 86400".into()),
        ("stress secs=0", "`secs=0` is not a value of secs; allowed: 1 to 86400".into()),
        ("stress secs=86401", "`secs=86401` is not a value of secs; allowed: 1 to 86400".into()),
        ("stress secs=-1", "`secs=-1` is not a value of secs; allowed: 1 to 86400".into()),
        ("stress secs=+1", "`secs=+1` is not a value of secs; allowed: 1 to 86400".into()),
        ("stress secs=4294967297", "`secs=4294967297` is not a value of secs; allowed: 1 to 86400".into()),
        ("stress progress=1", "`progress=1` is not a value of progress; allowed: yes, no".into()),
        ("bench progress=yes", "`progress=yes` is only for mode stress, demo, selftest, windows, shell; mode bench takes: tasks_rcu, preempt, cpus, seed, only, machine".into()),
        ("cpus=0", "`cpus=0` is not a value of cpus; allowed: 1 to 4".into()),
        ("cpus=5", "`cpus=5` is not a value of cpus; allowed: 1 to 4".into()),
        ("cpus=0x2", "`cpus=0x2` is not a value of cpus; allowed: 1 to 4".into()),
        (
            "seed=18446744073709551616",
            "`seed=18446744073709551616` is not a value of seed; allowed: 0 to 2^64-1, decimal or with 0x".into(),
        ),
        ("seed=0x", "`seed=0x` is not a value of seed; allowed: 0 to 2^64-1, decimal or with 0x".into()),
        ("seed=-1", "`seed=-1` is not a value of seed; allowed: 0 to 2^64-1, decimal or with 0x".into()),
        ("tasks_rcu=fast", "`tasks_rcu=fast` is not a value of tasks_rcu; allowed: none, sched, rude, ip, flag, classic, linux, nopreempt, depth, scan".into()),
        ("preempt=rt", "`preempt=rt` is not a value of preempt; allowed: none, voluntary, full, lazy".into()),
        (
            "cmds=\" ; \"",
            "`cmds=\" ; \"` has no value; allowed: commands with `;` between them, in double quotes".into(),
        ),
        ("cmds=\"ps", "`cmds=\"ps` lacks a closing double quote; allowed: key=\"value\"".into()),
        ("cmds=\"ps\"x", "`cmds=\"ps\"x` has a stray double quote; allowed: key=\"value\"".into()),
        ("cmds=p\"s\"", "`cmds=p\"s\"` has a stray double quote; allowed: key=\"value\"".into()),
        ("\"shell\"", "`\"shell\"` has a stray double quote; allowed: key=\"value\"".into()),
    ];
    for (line, expected) in cases {
        assert_eq!(refusal(line), expected, "{line}");
    }
}

#[test]
fn a_wrong_part_of_a_list_is_named_itself() {
    assert!(
        refusal("bench only=gp,gps").starts_with("`gps` is not a value of only; allowed: any of percall, gp, swap")
    );
    assert!(refusal("bench only=gp,").starts_with("`only=gp,` is not a value of only"));
}

#[test]
fn an_exact_machine_keeps_its_options_and_its_whole_line() {
    let line = " stress  seed=7 machine=\"--exact --smp=4\" ";
    let args = parse(line, 4).unwrap();
    assert_eq!(args.exact, Some(Exact { options: "--exact --smp=4", line: " stress  seed=7" }));
    assert_eq!(args.to_string(), "stress preempt=full secs=10 cpus=4 seed=7 machine=\"--exact --smp=4\"");
    assert_eq!(parse("stress", 4).unwrap().exact, None);
    let said: Vec<_> = words("stress  seed=\"7\" ").collect();
    assert_eq!(said, [("stress", None), ("seed", Some("7"))]);
    for line in ["demo machine=\"a\u{7}\"", "demo machine=x seed=1", "machine=x demo"] {
        let end = "allowed: options of scripts/run, in double quotes, at the end of the line";
        assert!(refusal(line).ends_with(end), "{line}: {}", refusal(line));
    }
}

#[test]
fn a_build_without_deliberate_faults_says_which_has_them() {
    for name in Fault::ALL.iter().map(|fault| fault.as_str()).chain(["soft"]) {
        let said = "this build has no deliberate faults; allowed: in one of scripts/build --profile faults";
        assert_eq!(refusal(&format!("stress fault={name}")), format!("`fault={name}`: {said}"));
    }
    assert!(refusal("bench fault=literal-stale").contains("is only for mode stress, selftest"));
}

#[test]
fn deliberate_faults_have_names_of_their_own() {
    let mut names: Vec<_> = Fault::ALL.iter().map(|fault| fault.as_str()).collect();
    assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '-')), "{names:?}");
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), Fault::ALL.len());
}

#[test]
fn an_overlong_word_is_shown_cut() {
    let word = "x".repeat(1_000);
    assert!(refusal(&word).starts_with(&format!("`{}...` is not a mode", "x".repeat(32))));
}

#[test]
fn the_help_shows_every_mode_key_and_name() {
    let help = help(4).to_string();
    let words = KEYS.iter().map(|key| key.name).chain(Mode::ALL.iter().map(|mode| mode.as_str()));
    let words = words.chain(SchemeName::ALL.iter().map(|name| name.as_str()));
    for word in words.chain(PreemptModel::ALL.iter().map(|name| name.as_str())) {
        assert!(help.contains(word), "{word} is not in {help}");
    }
    assert!(help.contains("1 to 86400 (default: 10)") && help.contains("cpus       1 to 4"), "{help}");
    assert!(help.contains(&format!("(default: {DEFAULT_PREEMPT})")) && DEFAULT_SECS == 10);
}

#[test]
fn what_the_help_offers_is_taken() {
    let help = help(4).to_string();
    for (row, line) in
        [("mode", ""), ("tasks_rcu", "shell tasks_rcu="), ("preempt", "shell preempt="), ("only", "bench only=")]
    {
        let shown = help.lines().find_map(|line| line.trim_start().strip_prefix(row)).expect("a row of the table");
        let shown = shown.split([';', '(']).next().unwrap_or_default().replace("any of", "");
        for word in shown.split(',').map(str::trim).filter(|word| !word.contains(' ')) {
            assert!(parse(&format!("{line}{word}"), 4).is_ok(), "{word} of row {row}: {help}");
        }
    }
    assert!(!help.contains("not built"), "{help}");
}

/// A line out of words that are often right, so that every path of the parser is met, and of noise.
fn any_line(random: &mut Xoshiro256PlusPlus) -> String {
    const PIECES: &[&str] = &[
        "shell",
        "demo",
        "stress",
        "windows",
        "bench",
        "selftest",
        "tasks_rcu",
        "preempt",
        "secs",
        "cpus",
        "seed",
        "cmds",
        "only",
        "=",
        "=",
        "=",
        "=",
        " ",
        " ",
        " ",
        "\t",
        "\"",
        "\"",
        ";",
        ",",
        "none",
        "classic",
        "scan",
        "full",
        "lazy",
        "voluntary",
        "gp",
        "swap",
        "0",
        "1",
        "2",
        "10",
        "0x",
        "ff",
        "-",
        "+",
        "é",
        "\u{0}",
        "\u{1b}[2J",
        "\u{202e}",
        "\n",
        "\r",
        "\u{9b}",
        "\u{10ffff}",
        "99999999999999999999",
    ];
    let mut line = String::new();
    let mut pick = |n: usize| (random.next_u64() % n as u64) as usize;
    if pick(2) == 0 {
        line.push_str(PIECES[pick(6)]);
        line.push(' ');
    }
    for _ in 0..pick(14) {
        match pick(12) {
            0 => line.extend(char::from_u32(pick(0x11_0000) as u32)),
            1 => line.push_str(&"w".repeat(pick(70))),
            2 => line.push_str(["tasks_rcu=none ", "cpus=1 ", "seed=0x7 ", "cmds=\"a; b\" ", "only=gp "][pick(5)]),
            _ => line.push_str(PIECES[pick(PIECES.len())]),
        }
    }
    line
}

#[test]
fn any_line_is_accepted_and_printed_back_or_refused_in_one_safe_line() {
    const SEED: u64 = 0x0060_0d5e_ed00_0001;
    let mut random = Xoshiro256PlusPlus::seed_from_u64(SEED);
    let (mut accepted, mut refused) = (0, 0);
    for case in 0..150_000 {
        let line = any_line(&mut random);
        let machine_cpus = 1 + case % 8;
        match parse(&line, machine_cpus) {
            Ok(args) => {
                accepted += 1;
                let canonical = args.to_string();
                assert_eq!(parse(&canonical, machine_cpus).ok(), Some(args), "seed {SEED:#x} case {case}: {line:?}");
                assert!((1..=machine_cpus).contains(&args.cpus), "seed {SEED:#x} case {case}: {line:?}");
            }
            Err(error) => {
                refused += 1;
                let text = error.to_string();
                let is_safe = text.chars().all(|c| c.is_ascii_graphic() || c == ' ');
                assert!(is_safe, "seed {SEED:#x} case {case}: {line:?}: {text:?}");
                assert!((20..=MAX_CHARS).contains(&text.len()), "seed {SEED:#x} case {case}: {line:?}: {text:?}");
                assert!(line.contains(error.word()), "seed {SEED:#x} case {case}: {line:?}: {text:?}");
            }
        }
    }
    assert!(accepted > 5_000 && refused > 50_000, "the lines are too alike: {accepted} accepted, {refused} refused");
}

#[test]
fn the_longest_refusals_still_fit() {
    let word = "w".repeat(80);
    for mode in Mode::ALL {
        for key in &KEYS {
            let lines =
                [format!("{mode} {word}"), format!("{mode} {}={word}", key.name), format!("{mode} {}=", key.name)];
            for line in lines {
                let text = parse(&line, 8).err().map_or(String::new(), |error| error.to_string());
                assert!(text.len() <= MAX_CHARS, "{} characters: {text}", text.len());
            }
        }
    }
}
