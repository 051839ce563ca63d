//! Exact machines: a run is equal to the byte each time, a FAIL is replayed by its last line, other seeds are other schedules.

use std::collections::BTreeSet;
use std::io::Read;
use std::process::{Command, Stdio};

use crate::guest::{Ended, Guest, each, emulator, image, one_cpu, root, run_on_one_cpu};
use crate::verdict::Verdict;

/// Host seconds for one exact run of a second under load, on a busy host.
const PATIENCE_SECS: u64 = 240;

fn exact(cpus: u32) -> Guest {
    Guest::with_cpus(cpus).option("--exact")
}

/// Boots the same twice, and gives what both printed.
#[track_caller]
fn twice(guest: &Guest, words: &[&str]) -> Ended {
    let booted = each([(); 2], |()| guest.boot(words));
    assert_eq!(booted[0].console, booted[1].console, "the same twice: {}", booted[0].story());
    booted.into_iter().next().expect("two were booted")
}

/// The command of a replay line that carries all of it.
#[track_caller]
fn command(ended: &Ended) -> &str {
    let last = ended.lines().last().unwrap_or_default();
    last.strip_prefix("replay: scripts/run ").unwrap_or_else(|| panic!("no whole command in {}", ended.story()))
}

#[test]
fn the_last_line_of_a_fail_does_it_again_to_the_byte() {
    let does_it_again = |(scheme, cpus, seed)| {
        let ended = exact(cpus).boot(&["stress", &format!("tasks_rcu={scheme}"), "secs=1", seed]).expect_status(1);
        let again = format!("--profile checked --exact --smp={cpus} stress tasks_rcu={scheme} secs=1 {seed}");
        assert_eq!(command(&ended), again);
        let words: Vec<String> = again.split(' ').map(str::to_owned).collect();
        let again = run_on_one_cpu(PATIENCE_SECS, "scripts/run", &words).expect("an end");
        assert_eq!(ended.console, again.console, "done again by {}", again.story());
    };
    let seeds = ["seed=1", "seed=2", "seed=3"];
    let of_seeds = |(scheme, cpus)| seeds.map(|seed| (scheme, cpus, seed));
    each([("flag", 4), ("none", 2), ("sched", 4)].into_iter().flat_map(of_seeds), does_it_again);
}

#[test]
fn a_sound_scheme_passes_the_same_way_twice() {
    let ended = twice(&exact(3), &["stress", "secs=1", "seed=5"]).expect_status(0);
    assert!(Verdict::of("stress", &ended).passed);
}

#[test]
fn other_modes_are_the_same_twice() {
    twice(&exact(2), &["windows", "tasks_rcu=scan", "only=plain,preempted,running", "seed=1"]).expect_status(0);
    twice(&exact(4), &["selftest", "only=visits,step-hit-path", "seed=1"]).expect_status(0);
    let commands = "cmds=trace lab::* on; ps; ops; trace lab::* off; stress secs=1 tasks_rcu=none; version";
    let ended = twice(&exact(2), &["shell", commands, "seed=1"]).expect_status(1);
    assert_eq!(command(&ended), format!("--profile checked --exact --smp=2 shell '{commands}' seed=1"));
    let part = twice(&exact(2), &["windows", "tasks_rcu=ip", "only=plain,preempted", "seed=1"]).expect_status(1);
    assert!(command(&part).ends_with("windows tasks_rcu=ip preempt=full cpus=2 seed=1 only=plain,preempted,19"));
}

/// Boots the demonstration, which hands over to a prompt, and gives what stands before that.
fn demonstration() -> String {
    let mut boot = Command::new("timeout");
    image(); // before the CPU is asked for: to try it takes one
    let _lent = one_cpu();
    boot.args(["--kill-after=1", &PATIENCE_SECS.to_string(), "scripts/boot", "--exact", "--smp=4"]);
    boot.arg(image()).args(["demo", "seed=1"]).current_dir(root());
    let mut boot = boot.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("timeout(1)");
    let mut console = String::new();
    let mut output = boot.stdout.take().expect("a piped output");
    let mut bytes = [0; 4096];
    while !console.contains("holdout> ") {
        match output.read(&mut bytes).expect("the console") {
            0 => panic!("no prompt: {console}"),
            n => console.push_str(&String::from_utf8_lossy(&bytes[..n])),
        }
    }
    // timeout(1) hands on what it can catch: killed itself, it would leave the emulator behind.
    let ended = Command::new("kill").arg(boot.id().to_string()).status().and_then(|_| boot.wait());
    ended.expect("it ends");
    console
}

#[test]
fn the_demonstration_is_the_same_twice() {
    assert_eq!(demonstration(), demonstration());
}

#[test]
fn other_seeds_are_other_schedules() {
    for cpus in [2, 4] {
        let schedule = |seed| {
            let ended = exact(cpus).boot(&["stress", "tasks_rcu=none", "secs=1", &format!("seed={seed}")]);
            Verdict::of("stress", &ended).pairs.number("schedule")
        };
        let schedules: BTreeSet<u64> = each(1..=8, schedule).into_iter().collect();
        assert_eq!(schedules.len(), 8, "of 8 seeds on {cpus} CPUs: {schedules:?}");
    }
}

#[test]
fn a_machine_that_runs_free_says_what_its_line_does_not_repeat() {
    let ended = Guest::with_cpus(2).boot(&["stress", "tasks_rcu=none", "secs=1", "seed=1"]).expect_status(1);
    let last: Vec<&str> = ended.lines().rev().take(2).collect();
    let said = "the next line repeats the load, not the timing: only what scripts/run --exact boots repeats both";
    assert_eq!(last, ["replay: stress tasks_rcu=none preempt=full secs=1 cpus=2 seed=1", said]);
}

/// What `scripts/boot` would start, for `options` and the image of this build.
fn printed(options: &[&str]) -> String {
    let image = image().display().to_string();
    let arguments: Vec<String> =
        [&["--print"], options, &[&image, "--", "stress"]].concat().into_iter().map(String::from).collect();
    run_on_one_cpu(60, "scripts/boot", &arguments).expect("an end").expect_status(0).console
}

#[test]
fn a_replay_line_has_each_option_of_the_machine_and_not_how_a_debugger_reaches_it() {
    let all = [
        ["--exact", "--smp=2", "--machine=virt-8", "--memory=128", "--cpu=cortex-a76", "--gic=2"],
        ["--one-insn-per-tb", "--one-thread", "--no-semihosting", "--qemu-arg=-d", "--qemu-arg=int", "--qemu=EMULATOR"],
    ];
    let all = all.concat().join(" ").replace("EMULATOR", &emulator());
    let options: Vec<&str> = all.split(' ').collect();
    let line = printed(&options);
    assert!(line.ends_with(&format!("'stress machine=\"{all}\"'\n")), "{line}");
    // Where the environment names the emulator, the line names it too: who does it again may have another.
    let mut boot = Command::new("scripts/boot");
    boot.args(["--print", "--exact"]).arg(image()).current_dir(root()).env("QEMU", emulator());
    let line = String::from_utf8(boot.output().expect("scripts/boot can be run").stdout).expect("text");
    assert!(line.ends_with(&format!("'machine=\"--exact --qemu={}\"'\n", emulator())), "{line}");
    let debugged = ["--qemu-arg=-S", "--qemu-arg=-gdb", "--qemu-arg=unix:/a,server=on,wait=off"];
    let machine = ["--memory=128", "--qemu-arg=-d", "--qemu-arg=int"];
    let line = printed(&[&["--exact", "--smp=2"], &debugged[..], &machine].concat());
    let said = "'stress machine=\"--exact --smp=2 --memory=128 --qemu-arg=-d --qemu-arg=int\"'\n";
    assert!(line.ends_with(said), "{line}");
    assert!(line.contains("'-S'") && line.contains("'-gdb' 'unix:/a,server=on,wait=off'"), "{line}");
}

#[test]
fn both_names_of_the_option_make_the_same_machine_on_one_cpu_of_the_host() {
    // Which CPU of the host differs from run to run.
    let pinned = |option| {
        let line = printed(&[option, "--smp=2", "--qemu-arg=-d"]);
        let rest = line.strip_prefix("'taskset' '-c' '").and_then(|rest| rest.split_once("' "));
        rest.unwrap_or_else(|| panic!("not pinned: {line}")).1.to_owned()
    };
    let exact = pinned("--exact");
    assert_eq!(pinned("--icount"), exact);
    assert!(exact.contains("'-icount' 'shift=0,sleep=off'"), "{exact}");
    assert!(exact.ends_with("'stress machine=\"--exact --smp=2 --qemu-arg=-d\"'\n"), "{exact}");
}
