//! Coming up, and refusing to: the version line on every CPU count, and every boot argument that is answered with no.

use crate::guest::{Guest, each};
use crate::verdict::FirstLine;

fn says_all_of_its_machine_with(cpus: u32) {
    let ended = Guest::with_cpus(cpus).boot(&["shell", "cmds=version", "seed=0x2a", "preempt=lazy"]).expect_status(0);
    let line = FirstLine::of(&ended);
    assert_eq!(line.cpus, u64::from(cpus), "{line:?}");
    assert_eq!((line.version.as_str(), line.gic, line.el), (env!("CARGO_PKG_VERSION"), 3, 1), "{line:?}");
    assert_eq!((line.tasks_rcu.as_str(), line.preempt.as_str(), line.seed), ("scan", "lazy", 0x2a), "{line:?}");
    let commit = line.commit.strip_suffix('+').unwrap_or(&line.commit);
    assert!(commit.len() >= 7 && commit.chars().all(|c| c.is_ascii_hexdigit()), "no commit: {line:?}");
    assert!(line.callsites > 100, "hardly any callsites: {line:?}");
    // The command says the same line again.
    let said = ended.lines().filter(|said| FirstLine::parse(said).as_ref() == Some(&line)).count();
    assert_eq!(said, 2, "the version line and the command `version` in {}", ended.story());
}

#[test]
fn says_all_of_its_machine_with_1_cpu() {
    says_all_of_its_machine_with(1);
}

#[test]
fn says_all_of_its_machine_with_2_cpus() {
    says_all_of_its_machine_with(2);
}

#[test]
fn says_all_of_its_machine_with_4_cpus() {
    says_all_of_its_machine_with(4);
}

#[test]
fn says_all_of_its_machine_with_8_cpus() {
    says_all_of_its_machine_with(8);
}

#[test]
fn starts_no_more_cpus_than_it_is_told_to() {
    let ended = Guest::with_cpus(4).boot(&["shell", "cpus=2", "cmds=version"]).expect_status(0);
    assert_eq!(FirstLine::of(&ended).cpus, 2);
}

#[test]
fn a_seed_that_was_not_given_is_drawn_and_printed() {
    let seeds = [(); 2].map(|()| FirstLine::of(&Guest::with_cpus(1).boot(&["shell", "cmds=version"])).seed);
    assert_ne!(seeds[0], seeds[1], "two boots drew the same seed");
}

#[test]
fn the_largest_seed_fits() {
    let ended = Guest::with_cpus(1).boot(&["shell", "seed=18446744073709551615", "cmds=version"]).expect_status(0);
    assert_eq!(FirstLine::of(&ended).seed, u64::MAX);
}

/// Boot arguments that are refused on a machine with 4 CPUs; what the answer must name; and some of what it must offer.
const REFUSED: &[(&[&str], &str, &[&str])] = &[
    (&["frobnicate"], "frobnicate", &["shell", "demo", "stress", "bench"]),
    (&["Stress"], "Stress", &["stress"]),
    (&["windows", "only=plain,nowhere"], "nowhere", &["funcs", "scenarios", "numbers"]),
    (&["selftest", "only=no-such-scenario"], "no-such-scenario", &["selftest list"]),
    (&["selftest", "lists"], "lists", &["only", "seed"]),
    (&["stress", "demo"], "demo", &["seed", "secs"]),
    (&["stress", "colour=red"], "colour", &["seed", "secs", "cpus", "tasks_rcu", "preempt"]),
    (&["colour=red"], "colour", &["seed", "cmds", "cpus"]),
    (&["stress", "seed=1", "seed=2"], "seed=2", &["once"]),
    (&["stress", "secs=1", "seed=1", "secs=1"], "secs=1", &["once"]),
    (&["secs=5"], "secs", &["stress"]),
    (&["demo", "secs=5"], "secs", &["stress"]),
    (&["bench", "secs=5"], "secs", &["stress"]),
    (&["stress", "cmds=help"], "cmds", &["shell"]),
    (&["demo", "cmds=help"], "cmds", &["shell"]),
    (&["shell", "only=gp"], "only", &["bench"]),
    (&["stress", "only=gp"], "only", &["bench"]),
    (&["bench", "only=nonsense"], "nonsense", &["percall", "gp"]),
    (&["bench", "only=gp,,swap"], "only", &["percall", "gp"]),
    (&["stress", "=5"], "=5", &["seed", "secs"]),
    (&["stress", "seed="], "seed", &["0x"]),
    (&["shell", "cmds="], "cmds", &["commands"]),
    (&["shell", "cmds=\"version"], "cmds", &["quote"]),
    (&["stress", "seed=-1"], "-1", &["0x"]),
    (&["stress", "seed=banana"], "banana", &["0x"]),
    (&["stress", "seed=1.5"], "1.5", &["0x"]),
    (&["stress", "seed=0x"], "0x", &["2^64"]),
    (&["stress", "seed=+1"], "+1", &["0x"]),
    (&["stress", "seed=18446744073709551616"], "18446744073709551616", &["0x"]),
    (&["stress", "seed=0x10000000000000000"], "0x10000000000000000", &["2^64"]),
    (&["stress", "tasks_rcu=quantum"], "quantum", &["classic", "none"]),
    (&["stress", "tasks_rcu=scans"], "scans", &["classic", "scan"]),
    (&["stress", "preempt=maybe"], "maybe", &["none", "voluntary", "full", "lazy"]),
    (&["stress", "secs=0"], "secs=0", &["86400"]),
    (&["stress", "secs=86401"], "86401", &["86400"]),
    (&["stress", "secs=soon"], "soon", &["86400"]),
    (&["stress", "secs=4294967297"], "4294967297", &["86400"]),
    (&["stress", "cpus=0"], "cpus=0", &["1", "4"]),
    (&["stress", "cpus=5"], "cpus=5", &["1", "4"]),
    (&["stress", "cpus=all"], "all", &["1", "4"]),
];

#[test]
fn bad_boot_arguments_are_refused_in_one_line_that_names_the_word_and_what_is_allowed() {
    let guest = Guest::with_cpus(4).option("--one-thread");
    let mut wrong = Vec::new();
    for ((words, named, offered), ended) in REFUSED.iter().zip(each(REFUSED, |(words, ..)| guest.boot(words))) {
        let lines: Vec<&str> = ended.lines().collect();
        let is_right = ended.status == 2
            && lines.len() == 1
            && lines[0].contains(named)
            && offered.iter().all(|offer| lines[0].contains(offer));
        if !is_right {
            wrong.push(format!("{words:?} should name {named} and offer {offered:?}: {} {lines:#?}", ended.status));
        }
    }
    assert!(wrong.is_empty(), "{} of {} refusals are wrong:\n{}", wrong.len(), REFUSED.len(), wrong.join("\n"));
}

#[test]
fn an_overlong_word_is_refused_and_shown_cut() {
    let word = "x".repeat(1000);
    let ended = Guest::with_cpus(1).boot(&[&word]).expect_status(2);
    let lines: Vec<&str> = ended.lines().collect();
    let [line] = lines[..] else { panic!("more than one line: {}", ended.story()) };
    assert!(line.len() <= 200 && line.contains("xxxxxxxx") && line.contains("stress"), "{line}");
}
