//! What stands between a person and the guest: keys that end a run, the end of input, exit statuses, progress.

use crate::guest::{Ended, Guest, Lent, each, image, one_cpu, root, run};
use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// Ctrl-C, and what leaves the emulator.
const INTERRUPT: &str = "\x03";
const LEAVE: &str = "\x01x";

fn exact(cpus: u32) -> Guest {
    Guest::with_cpus(cpus).option("--exact")
}

/// A guest that executes nothing: it reads nothing, whatever is typed.
fn stopped() -> Guest {
    exact(1).qemu(&["-S"])
}

#[test]
fn ctrl_c_ends_a_mode_which_says_what_it_has_and_that_it_did_not_end() {
    let modes = [
        ("stress", "holdout ", vec!["stress", "secs=86400", "seed=1"]),
        ("selftest", "test: clock ok", vec!["selftest", "seed=1"]),
        ("windows", "window: ", vec!["windows", "tasks_rcu=scan", "seed=1"]),
        ("bench", "bench: percall scheme=none", vec!["bench"]),
    ];
    each(modes, |(mode, cue, words)| {
        let ended = exact(2).typing_behind(cue, INTERRUPT).boot(&words).expect_status(130);
        let last = ended.lines().next_back().expect("a console");
        assert!(last.starts_with(&format!("{mode}: INTERRUPTED ")), "{}", ended.story());
    });
}

#[test]
fn a_scheme_that_was_caught_fails_though_ctrl_c_came_later() {
    let words = ["windows", "tasks_rcu=none", "seed=1"];
    let ended = exact(2).typing_behind("verdict=unsafe", INTERRUPT).boot(&words).expect_status(1);
    ended.line_with(&["windows: FAIL scheme=none"]);
}

#[test]
fn ctrl_c_ends_what_a_shell_runs_and_the_prompt_comes_back() {
    let hold = ["hold spin 60000", "hold sleep 60000", "hold hog 60000"];
    each(["sleep 3600000", "stress secs=86400"].into_iter().chain(hold), |command| {
        let typed = format!("{command}\n{INTERRUPT}");
        let ended = exact(2).typing_behind("holdout> ", &typed).boot(&["shell", "seed=1"]).expect_status(0);
        assert!(ended.console.ends_with("^C\nholdout> \n"), "{}", ended.story());
        let answer = ended.console.split_once(command).expect("its echo").1;
        let said = if command.starts_with("sleep") { "\n^C\n" } else { command.split(' ').next().expect("a word") };
        assert!(answer.contains(said) && !answer.contains("is not"), "{}", ended.story());
        if let Some((_, freed)) = answer.split_once("an ops was freed after ") {
            let us: u64 = freed.split(' ').next().and_then(|us| us.parse().ok()).expect("microseconds");
            assert!(us < 59_000_000, "{}", ended.story());
        }
    });
    let words = ["shell", "cmds=echo one; sleep 3600000; echo two", "seed=1"];
    let ended = exact(2).typing_behind("> sleep", INTERRUPT).boot(&words).expect_status(130);
    assert_eq!(ended.lines().next_back(), Some("^C"), "{}", ended.story());
}

#[test]
fn what_was_typed_behind_a_ctrl_c_is_read_however_much_stood_before_and_stands_behind() {
    // The shell's queue holds 1,024: it is full before the stress run has ended, and once or more often behind that.
    each([(1_000, 200), (0, 40_000)], |(before, behind)| {
        let [before, behind] = [before, behind].map(|nr| "y".repeat(nr));
        let typed = format!("stress secs=86400\n{before}{INTERRUPT}{behind}\necho behind it\npoweroff\n");
        let ended = exact(2).typing_behind("holdout> ", &typed).boot(&["shell", "seed=1"]).expect_status(0);
        ended.line_with(&["stress: INTERRUPTED"]);
        assert!(ended.console.contains("\nbehind it\n"), "{}", ended.story());
    });
}

#[test]
fn a_guest_that_reads_nothing_is_ended_by_ctrl_c_twice_and_by_ctrl_a_x() {
    let twice = format!("{INTERRUPT}{INTERRUPT}");
    let much = format!("{}{twice}", "no such command\n".repeat(1_000));
    for (typed, said) in [
        (&*twice, "scripts/boot: ended by Ctrl-C twice"),
        (&much, "scripts/boot: ended by Ctrl-C twice"),
        (LEAVE, "scripts/boot: left by Ctrl-A X; the run had not ended"),
    ] {
        let ended = stopped().typing(typed).boot(&["shell"]).expect_status(130);
        assert_eq!((&*ended.console, ended.errors.trim_end()), ("", said), "{}", ended.story());
    }
}

/// Waits for it, a minute at most. Says whether it came.
fn soon(is_so: &dyn Fn() -> bool) -> bool {
    (0..600).any(|_| {
        is_so() || {
            std::thread::sleep(LOOK);
            false
        }
    })
}

#[test]
fn whoever_ends_what_attends_an_emulator_ends_that_too() {
    let lent = one_cpu_of_a_tried_image();
    for (signal, status) in [("TERM", Some(143)), ("KILL", None)] {
        let mut boot = Command::new("scripts/boot");
        boot.args(["--exact", "--smp=1", "--qemu-arg=-S"]).arg(image()).arg(format!("cmds=echo {signal}"));
        boot.current_dir(root()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut boot = boot.spawn().expect("scripts/boot can be run");
        let emulators = format!("[q]emu-system.* -S .*echo {signal}");
        let are_there = || Command::new("pgrep").args(["-f", &emulators]).output().expect("pgrep(1)").status.success();
        assert!(soon(&are_there), "no emulator to end by {signal}");
        let sent = Command::new("kill").args([format!("-{signal}"), boot.id().to_string()]).status();
        assert!(sent.expect("kill can be run").success());
        assert_eq!(boot.wait().expect("its end").code(), status, "of {signal}");
        assert!(soon(&|| !are_there()), "an emulator outlives what {signal} has ended");
    }
    drop(lent);
}

#[test]
fn where_input_ends_the_shell_ends_and_half_a_line_is_a_line() {
    let ended = exact(1).boot(&["shell", "seed=1"]).expect_status(0);
    assert!(ended.console.ends_with("\nholdout> \n"), "{}", ended.story());
    let ended = exact(1).typing("echo one\necho two").boot(&["shell", "seed=1"]).expect_status(0);
    assert!(ended.console.ends_with("> echo two\ntwo\nholdout> \n"), "{}", ended.story());
    let ended = exact(1).typing("echo one\npanic").boot(&["shell", "seed=1"]).expect_status(0);
    assert!(ended.console.ends_with("go on: \nnothing was done\nholdout> \n"), "{}", ended.story());
    exact(2).boot(&["demo", "seed=1"]).expect_status(0);
}

#[test]
fn what_the_emulator_refuses_is_its_one_line_and_status_2() {
    for option in ["--cpu=bogus", "--memory=bogus"] {
        let ended = exact(1).option(option).boot(&["shell"]).expect_status(2);
        let told: Vec<&str> = ended.errors.lines().collect();
        assert!(
            ended.console.is_empty() && told.len() == 1 && told[0].starts_with("scripts/boot: the emulator refuses: "),
            "{}",
            ended.story()
        );
    }
}

#[test]
fn what_cargo_cannot_build_is_status_2() {
    let build = Command::new("scripts/build").env("CARGO_TARGET_DIR", "/dev/null").current_dir(root()).output();
    let build = build.expect("scripts/build can be run");
    let said = String::from_utf8_lossy(&build.stderr);
    assert_eq!((build.status.code(), &*build.stdout), (Some(2), &b""[..]), "{said}");
    assert!(said.ends_with("scripts/build: cargo could not build the kernel (its message is above)\n"), "{said}");
}

/// Between two looks at the processes of the host; there are 600.
const LOOK: Duration = Duration::from_millis(100);

/// A CPU of the host; the image is built and tried before, which takes one too.
fn one_cpu_of_a_tried_image() -> Lent {
    image();
    one_cpu()
}

/// What the scripts themselves put out, to the byte.
fn raw(command: &mut Command, typed: &str) -> Output {
    let _lent = one_cpu_of_a_tried_image();
    let mut child = command
        .current_dir(root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it can be run");
    child.stdin.take().expect("a piped input").write_all(typed.as_bytes()).expect("it is read");
    child.wait_with_output().expect("it ends")
}

#[test]
fn no_carriage_return_and_no_escape_sequence_goes_into_a_pipe() {
    let words = ["shell", "cmds=help; ps; callsites; stress secs=1", "seed=1"];
    let output = raw(Command::new("scripts/boot").args(["--exact", "--smp=1"]).arg(image()).args(words), "");
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stdout.len() > 10_000 && !output.stdout.iter().any(|byte| matches!(byte, b'\r' | 0x1b)));
}

/// On a terminal, which script(1) makes: `options` of `scripts/boot`, `typed` behind the first prompt or the end of the boot.
fn on_a_terminal(options: &str, words: &str, typed: &str) -> String {
    let boot = format!("scripts/boot {options} {} -- {words}", image().display());
    let output = raw(Command::new("timeout").args(["300", "script", "-qefc", &boot, "/dev/null"]), typed);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_terminal_shows_progress_that_the_verdict_overwrites_and_an_exact_machine_shows_none() {
    let shown = on_a_terminal("--smp 2 --one-thread", "stress secs=2 seed=1", "");
    let (before, after) = shown.rsplit_once("\r\x1b[K").expect("a line that was overwritten");
    assert!(
        before.contains("\r\x1b[Kstress: ") && before.contains(" of 2 s, ") && before.contains(" ops swapped, "),
        "{shown:?}"
    );
    assert!(after.contains("\nstress: PASS "), "{shown:?}");
    let exact = on_a_terminal("--smp 2 --exact", "stress secs=1 seed=1", "");
    assert!(!exact.contains("ops swapped") && !exact.contains('\x1b'), "{exact:?}");
}

#[test]
fn a_terminal_is_left_as_it_was_found_however_the_guest_ends() {
    for typed in ["poweroff\r", LEAVE] {
        let image = image().display();
        let line = format!("echo found $(stty -g); scripts/boot --exact --smp 1 {image} shell; echo behind $(stty -g)");
        let output = raw(Command::new("timeout").args(["300", "script", "-qefc", &line, "/dev/null"]), typed);
        let shown = String::from_utf8_lossy(&output.stdout);
        let setting = |mark| shown.split_once(mark).and_then(|(_, rest)| rest.split_whitespace().next());
        let (found, left) = (setting("found "), setting("behind "));
        assert!(found.is_some_and(|it| it.matches(':').count() > 20) && found == left, "{shown}");
    }
}

/// Those of guests that execute nothing.
const EMULATORS: &str = "[q]emu-system.* -S .*windows tasks_rcu";

/// Runs a script that boots guests, and interrupts it as a terminal does once it has printed `cue`.
fn interrupted(script: &str, arguments: &[&str]) -> Ended {
    let line = format!("{script} {}", arguments.join(" "));
    // As a terminal's key: to the whole group that stands in its foreground.
    let begun = format!("until pgrep -f '{EMULATORS}' >/dev/null; do sleep 0.1; done");
    let shell = format!("set -m; {line} </dev/null & {begun}; kill -INT -- -$!; wait $!");
    run(300, "bash", &["-c".into(), shell], "").unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn ctrl_c_ends_the_guests_of_scripts_windows_also_those_that_read_nothing() {
    image(); // built by now: the limit is for guests
    let page = format!("--html={}/interrupted.html", env!("CARGO_TARGET_TMPDIR"));
    let ended = interrupted("scripts/windows", &[&page, "--profile=checked", "--qemu-arg=-S"]);
    assert_eq!(ended.status, 130, "{}", ended.story());
    // Each is killed by the end of what attends it, which the script has waited for: a moment earlier than the emulator's own.
    let left = || Command::new("pgrep").args(["-f", EMULATORS]).output().expect("pgrep(1)").stdout;
    assert!(soon(&|| left().is_empty()), "emulators are left: {}", String::from_utf8_lossy(&left()));
}
