//! The shell, as commands of a boot argument and over a plain pipe.

use crate::guest::{Ended, Guest, each, image};
use crate::verdict::FirstLine;
use object::{Object, ObjectSection};

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
    for command in [
        "help",
        "ps",
        "cpus",
        "irqs",
        "mem",
        "log",
        "ops",
        "callsites",
        "trace",
        "rcu",
        "hold",
        "stress",
        "version",
        "poweroff",
    ] {
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
    let listed: Vec<&str> = said(&ended).into_iter().filter(|line| line.starts_with("0x")).collect();
    assert!(listed.len() > 3, "too few in {}", ended.story());
    for line in listed {
        assert!(line.contains("holdout::shell::"), "`{line}` does not match in {}", ended.story());
    }
}

/// The numbers of a line, in their order.
fn numbers(line: &str) -> Vec<u64> {
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|number| number.parse().ok()).collect()
}

#[test]
fn the_callsites_of_the_version_line_are_all_accounted_for() {
    let ended = commands("callsites").expect_status(0);
    let [listed, traceable, 0] = numbers(ended.line_with(&["traceable callsites, "]))[..] else {
        panic!("three numbers, none on: {}", ended.story())
    };
    let [all, can_be, cannot_be, notrace] = numbers(ended.line_with(&["the image has ", " callsites: "]))[..] else {
        panic!("four numbers: {}", ended.story())
    };
    assert_eq!(all, FirstLine::of(&ended).callsites, "{}", ended.story());
    assert_eq!((all, traceable, listed), (can_be + cannot_be, can_be, can_be), "{}", ended.story());
    let elf = std::fs::read(image()).expect("the image");
    let elf = object::File::parse(&*elf).expect("an ELF file");
    let records = elf.section_by_name(".callsites").expect("the records of callsites").size() / 8;
    assert_eq!(records, all + notrace, "{}", ended.story());
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
    commands("rcu").expect_status(0).line_with(&["* scan"]);
}

#[test]
fn a_scheme_is_selected_at_run_time_and_its_figures_are_kept_apart() {
    let typed = "rcu scheme nopreempt; trace tasks::spawn on; callsites tasks::spawn\n\
        rcu scheme classic; echo behind\n\
        trace tasks::spawn off; rcu synchronize; rcu sch\tcla\t; trace tasks::spawn on; callsites tasks::spawn\n\
        trace tasks::spawn off; rcu stall 250; rcu; rcu scheme tree\npoweroff\n";
    let ended = Guest::with_cpus(2).typing(typed).boot(&["shell", "tasks_rcu=sched"]).expect_status(0);
    ended.line_with(&["the scheme is nopreempt from here on; callsites branch to trampoline_nopreempt_t0"]);
    let branches: Vec<&str> = ended.lines().filter(|line| line.contains("sched::tasks::spawn bl ")).collect();
    assert!(
        branches[0].contains("bl trampoline_nopreempt_t0") && branches[1].contains("bl trampoline_t0"),
        "{branches:?}"
    );
    ended.line_with(&["the scheme stays while 1 ops are registered: switch tracing off first"]);
    assert!(!ended.lines().any(|line| line == "behind"), "a refused command ran: {}", ended.story());
    ended.line_with(&["a grace period of nopreempt took ", " us"]);
    ended.line_with(&["the scheme is classic from here on; callsites branch to trampoline_t0"]);
    ended.line_with(&["stall after   250 ms"]);
    ended.line_with(&["`tree` is none of: none sched rude ip flag classic "]);
    let row = |scheme: &str| -> Vec<u64> {
        let mut rows = ended
            .lines()
            .map(|line| line.trim_start_matches(['*', ' ']))
            .filter(|line| line.starts_with(scheme) && line.split_whitespace().count() == 9);
        let row = rows.next().unwrap_or_else(|| panic!("no row of {scheme} in {}", ended.story()));
        row.split_whitespace().skip(1).map(|word| word.parse().expect("a number")).collect()
    };
    let (nopreempt, classic) = (row("nopreempt"), row("classic"));
    // One of `trace off`, and one that was asked for; of classic the last alone. Each of classic's makes two rounds.
    assert!(
        nopreempt[0] >= 2 && nopreempt[0] < 5 && nopreempt[5] == nopreempt[0],
        "{nopreempt:?} in {}",
        ended.story()
    );
    assert!((1..3).contains(&classic[0]) && classic[5] == 2 * classic[0], "{classic:?} in {}", ended.story());
    for [_, last, mean, longest, stalls, ..] in
        [&nopreempt, &classic].map(|row| <[u64; 8]>::try_from(&row[..]).expect("8 figures"))
    {
        assert!(last > 0 && mean <= longest && last <= longest && stalls == 0, "{}", ended.story());
    }
    let marked: Vec<&str> = ended.lines().filter(|line| line.starts_with("* ")).collect();
    assert!(marked.len() == 1 && marked[0].starts_with("* classic "), "{marked:?}");
}

#[test]
fn an_unknown_word_is_answered_and_fails() {
    let ended = commands("frobnicate now; version").expect_status(1);
    ended.line_with(&["frobnicate"]);
    let versions = ended.lines().filter(|line| line.starts_with("holdout ")).count();
    assert_eq!(versions, 1, "the command after the one that failed ran: {}", ended.story());
}

#[test]
fn words_of_other_systems_and_names_that_match_nothing_are_answered_with_what_there_is() {
    let cases = [
        ("dmesg", "`dmesg` is not a command here: `log` prints the last events"),
        ("echo function > current_tracer", "there are no files here; "),
        ("trace sched::sleep on", "no traceable function matches; is it holdout::sched::switch::sleep?"),
        ("step sched::schedule", "no traceable function matches: holdout::sched::switch::schedule is notrace, "),
        ("trace frobnicate on", "no traceable function matches; `callsites` lists them"),
    ];
    each(cases, |(line, answer)| {
        let ended = commands(line).expect_status(1);
        assert!(ended.lines().any(|line| line.starts_with(answer)), "{line}: {}", ended.story());
    });
    let ended = session(1, "echo \"a\"  \"b  c\"\npoweroff\n").expect_status(0);
    assert!(ended.lines().any(|line| line == "a b  c"), "{}", ended.story());
}

#[test]
fn a_short_stress_can_be_started_from_the_shell() {
    let ended = commands("stress secs=1 seed=7").expect_status(0);
    ended.line_with(&["stress: PASS", "seed=7"]);
}

/// A session in which this is typed, on so many CPUs.
fn session(cpus: u32, typed: &str) -> Ended {
    Guest::with_cpus(cpus).typing(typed).boot(&["shell"])
}

/// The numbers of the row that `name` ends, behind its first column.
#[track_caller]
fn row(ended: &Ended, name: &str) -> Vec<u64> {
    let line = ended.lines().find(|line| line.contains(": ") && line.ends_with(name));
    let line = line.unwrap_or_else(|| panic!("no row of {name} in {}", ended.story()));
    line.split_whitespace().skip(1).map_while(|word| word.parse().ok()).collect()
}

#[test]
fn editing_keys_history_and_search_give_the_command_that_is_run() {
    let typed = "ech one\x1b[D\x1b[D\x1b[D\x1b[Do\n\
        \x1b[A\x17two\n\
        half\x10\x10\x0e\x0e\x1b[Hecho \x05 way\n\
        xxx\x15echo \u{e9}\u{e9}\x7f\x02!\x1b[F?\n\
        \x12one\x05 again\n\
        poweroff\n";
    let ended = session(1, typed).expect_status(0);
    let plain: Vec<&str> = ended.lines().filter(|line| !line.starts_with("holdout")).collect();
    assert_eq!(plain, ["one", "two", "half way", "!\u{e9}?", "one again"], "{}", ended.story());
}

#[test]
fn no_byte_of_a_pipe_is_lost() {
    let word = "abcdefghijklmnopqrstuvwxyz0123456789";
    let line = |number: usize| format!("{}{number}", &word[number % 10..]);
    for nr_lines in [3, 4, 5, 60] {
        let typed: String = (0..nr_lines).map(|number| format!("echo {}\n", line(number))).collect();
        let ended = session(1, &(typed + "poweroff\n")).expect_status(0);
        let echoed: Vec<&str> = ended.lines().skip(1).filter(|line| !line.starts_with("holdout> ")).collect();
        assert_eq!(echoed, (0..nr_lines).map(line).collect::<Vec<_>>(), "{}", ended.story());
    }
}

#[test]
fn who_sends_no_editing_key_gets_no_escape_sequence() {
    let ended = session(1, "echo abc\x7fd\ntra\tsched::ti\to\n\nfau\tnul\t\t\x03call\tsched::s\t\t\x03\r\npoweroff\r")
        .expect_status(0);
    assert!(!ended.console.contains('\x1b'), "an escape sequence in {}", ended.story());
    ended.line_with(&["abd"]);
    ended.line_with(&["holdout> trace sched::tio"]);
    ended.line_with(&["exit ", "sleep"]);
}

#[test]
fn tab_completes_a_command_and_a_function_that_is_then_traced() {
    let typed = "callsites holdout::s\t\t\x03\
        tra\tirq::serial::sl\to\x08on\n\
        sleep 5; sleep 5\n\
        trace irq::serial::sleep of\t\n\
        call\tsched::aff\tset\t\n\
        poweroff\n";
    let ended = session(2, typed).expect_status(0);
    ended.line_with(&["holdout> trace irq::serial::sleep o", "on"]);
    ended.line_with(&["`irq::serial::sleep` is on: 1 function"]);
    let off = ended.line_with(&["`irq::serial::sleep` is off: ", " hits on 1 function; freed"]);
    let hits = off.split_whitespace().find_map(|word| word.parse::<u64>().ok());
    assert!((2..10).contains(&hits.unwrap_or(0)), "`sleep` ran twice, in {}", ended.story());
    ended.line_with(&["sched::", "shell::"]);
    ended.line_with(&[" off  0 holdout::sched::affinity::set_affinity"]);
}

#[test]
fn interrupts_are_counted_by_source_and_add_up() {
    // Time is a count of instructions: no tick is missed because the host had something else to do.
    let guest = Guest::with_cpus(3).option("--icount").typing("sleep 200\nirqs\ncpus\npoweroff\n");
    let ended = guest.boot(&["shell"]).expect_status(0);
    let sources = ["reschedule", "visit", "experiments", "tick and timers", "serial input", "other"];
    let rows: Vec<Vec<u64>> = sources.iter().map(|name| row(&ended, name)).collect();
    let total = row(&ended, "acknowledged");
    for (cpu, total) in total.iter().enumerate() {
        assert_eq!(rows.iter().map(|row| row[cpu]).sum::<u64>(), *total, "CPU {cpu} in {}", ended.story());
    }
    assert_eq!(total.len(), 3);
    assert!(rows[3].iter().all(|&ticks| ticks >= 30), "200 ms are some 50 ticks, in {}", ended.story());
    assert!(rows[4][0] > 0 && rows[4][1..] == [0, 0], "serial input comes to the first CPU, in {}", ended.story());
    assert!(rows[5].iter().all(|&other| other == 0), "unknown interrupts in {}", ended.story());
    let entries = row(&ended, "entries");
    assert!(entries.iter().zip(&total).all(|(entries, total)| *entries > 0 && *total > 0), "{}", ended.story());
    let (mut nr_idle, mut nr_switches) = (0, 0);
    for (cpu, acknowledged) in rows[3].iter().enumerate() {
        let line = ended.line_with(&[&format!("  {cpu}        0x{cpu} ")]);
        let numbers: Vec<u64> = line.split_whitespace().skip(2).map_while(|word| word.parse().ok()).collect();
        let [ticks, irqs, switches] = numbers[..] else { panic!("`{line}` in {}", ended.story()) };
        assert!(ticks >= 30 && ticks <= *acknowledged + 30, "ticks of `{line}` in {}", ended.story());
        nr_switches += switches;
        assert!(irqs >= entries[cpu], "`{line}` in {}", ended.story());
        let idle: u64 = line.split_whitespace().find_map(|word| word.strip_suffix('%')?.parse().ok()).expect("a share");
        assert!((50..=100).contains(&idle), "a machine that sleeps is idle: `{line}` in {}", ended.story());
        nr_idle += usize::from(line.contains(&format!(" idle/{cpu} ")));
    }
    assert!(nr_idle == 2 && nr_switches > 3, "{nr_idle} idle, {nr_switches} switches in {}", ended.story());
    ended.line_with(&["shell-", "this shell"]);
}

#[test]
fn the_log_holds_the_last_events_of_all_cpus_in_order() {
    // All that is kept: among the last 32 alone, a CPU that the host did not run has none.
    let ended = session(2, "sleep 100\nlog 256\nsleep 20\nlog 3\nlog x\nlog\npoweroff\n").expect_status(0);
    let lines: Vec<&str> = ended.lines().collect();
    let counts: Vec<usize> = (0..lines.len()).filter(|&at| lines[at].ends_with(" events")).collect();
    let [long, short, usual] = counts[..] else { panic!("three logs in {}", ended.story()) };
    assert_eq!((lines[short], lines[usual]), ("3 events", "32 events"), "{}", ended.story());
    let nr_kept: usize = lines[long].split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number");
    assert!((33..=64).contains(&nr_kept), "two CPUs keep 32 each, in {}", ended.story());
    let events = &lines[long - nr_kept..long];
    let time = |line: &&str| -> u64 {
        let (secs, us) = line.split_whitespace().next().and_then(|time| time.split_once('.')).expect("a time");
        secs.parse::<u64>().expect("seconds") * 1_000_000 + us.parse::<u64>().expect("microseconds")
    };
    assert!(events.iter().map(time).is_sorted(), "in order in {}", ended.story());
    for part in ["  CPU 0  ", "  CPU 1  ", "irq 27 at holdout::sched::switch::idle", "switch to shell-"] {
        assert!(events.iter().any(|line| line.contains(part)), "no `{part}` in {}", ended.story());
    }
    // The second log begins where the first one had not been yet.
    assert!(time(&lines[short - 1]) > time(&events[nr_kept - 1]), "{}", ended.story());
    ended.line_with(&["`x` is not a number from 0 to 256"]);
}

#[test]
fn memory_is_told_in_parts_that_fit_the_whole() {
    let ended = Guest::with_cpus(1).option("--memory=256").boot(&["shell", "cmds=mem"]).expect_status(0);
    let kib = |name: &str| -> u64 {
        let line = ended.lines().find(|line| line.trim_start().starts_with(name) && line.contains(" KiB "));
        let line = line.unwrap_or_else(|| panic!("no {name} in {}", ended.story()));
        let number = line.split_once(name).and_then(|(_, rest)| rest.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no number in `{line}`"))
    };
    let (image, tables, heap) = (kib("image"), kib("page tables"), kib("heap"));
    let whole = image + tables + heap;
    assert!((250 << 10..=256 << 10).contains(&whole), "{whole} KiB of 256 MiB in {}", ended.story());
    let (allocated, free, largest) = (kib("allocated"), kib("free"), kib("largest block"));
    assert!(heap.abs_diff(allocated + free) <= 1, "of the heap in {}", ended.story());
    assert!(kib("quarantine") + kib("stacks") <= allocated, "of what is allocated in {}", ended.story());
    assert!(kib("stacks") >= 48 && largest <= free && largest * 4 >= free && largest.is_power_of_two());
}

#[test]
fn a_command_that_ends_the_kernel_asks_first() {
    let question = "this ends the kernel; type yes to go on:";
    let ended = session(1, "panic\nno\nfault null; echo behind\n\necho alive\npanic\n yes \n").expect_status(101);
    let asked = ended.lines().filter(|line| line.starts_with("holdout> ") || line.starts_with(question)).count();
    assert!(asked >= 7, "{asked} in {}", ended.story());
    assert_eq!(ended.lines().filter(|line| line.contains("nothing was done")).count(), 2, "{}", ended.story());
    assert!(ended.lines().any(|line| line == "alive") && !ended.lines().any(|line| line == "behind"));
    ended.line_with(&["panic: asked for at the shell"]);
    let script = commands("fault null; echo behind").expect_status(1);
    script.line_with(&["this ends the kernel: confirm it with `yes` at the end; usage: fault KIND [yes]"]);
    assert!(!script.lines().any(|line| line == "behind"), "{}", script.story());
}

#[test]
fn talks_over_a_plain_pipe() {
    let overlong = "y".repeat(3000);
    let typed = format!("version\nhelp\nfrobnicate\n{overlong}\nps\nrcu\nversion\npoweroff\n");
    let ended = Guest::with_cpus(2).typing(&typed).boot(&["shell"]).expect_status(0);
    let versions = ended.lines().filter(|line| line.contains("holdout 0.") && line.contains(" callsites")).count();
    assert_eq!(versions, 3, "at boot and twice by command: {}", ended.story());
    ended.line_with(&["frobnicate"]);
    ended.line_with(&["* scan"]);
    ended.line_with(&["idle"]);
}
