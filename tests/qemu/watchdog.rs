//! The watchdog: what stands still ends in a report that names it, shows every CPU and every holdout; status 102.

use crate::guest::{Ended, Guest, line_of};

const HANGS: &str = "src/shell/faults/hangs.rs";

/// A report, taken apart.
struct Report {
    ended: Ended,
    /// What stood still.
    headline: String,
    /// For each CPU its line and what follows it, in the order of the CPUs.
    cpus: Vec<String>,
    /// Holdouts and long waits.
    end: String,
}

impl Report {
    fn has(&self, text: &str, parts: &[&str]) {
        for part in parts {
            assert!(text.contains(part), "no `{part}` in:\n{text}\nof {}", self.ended.story());
        }
    }
}

/// Provokes `kind` on a machine of so many CPUs, and takes the report apart. It must be whole.
fn report(cpus: u32, gic: &str, kind: &str) -> Report {
    let command = format!("cmds=fault {kind} yes");
    let ended = Guest::with_cpus(cpus).option(gic).boot(&["shell", "tasks_rcu=classic", &command]).expect_status(102);
    let lines: Vec<&str> = ended.lines().skip_while(|line| !line.starts_with("watchdog: ")).collect();
    let headline = (*lines.first().unwrap_or_else(|| panic!("no report in {}", ended.story()))).to_owned();
    let starts = |line: &str| line.starts_with("CPU ") || line.starts_with("rcu: ") || line.starts_with("tasks that");
    let mut sections: Vec<String> = Vec::new();
    for line in lines {
        match sections.last_mut() {
            Some(section) if !starts(line) => *section += &format!("\n{line}"),
            _ => sections.push(line.to_owned()),
        }
    }
    let of_cpu = |cpu: u32| {
        let start = format!("CPU {cpu}, task ");
        let mut found = sections.iter().filter(|section| section.starts_with(&start));
        let section = found.next().unwrap_or_else(|| panic!("CPU {cpu} does not tell in {}", ended.story()));
        assert!(found.next().is_none(), "CPU {cpu} tells twice in {}", ended.story());
        let (backtrace, events) = section.split_once("last events of CPU").expect("events");
        assert!(backtrace.contains("backtrace:\n  #0"), "no backtrace of CPU {cpu} in {}", ended.story());
        assert!(events.lines().count() > 1, "no events of CPU {cpu} in {}", ended.story());
        section.clone()
    };
    let cpus = (0..cpus).map(of_cpu).collect();
    let is_end = |section: &&String| section.starts_with("rcu: ") || section.starts_with("tasks that");
    let end = sections.iter().filter(is_end).cloned().collect::<Vec<_>>().join("\n");
    assert!(end.contains("rcu: classic") && end.contains("tasks that wait:"), "no end in {}", ended.story());
    assert!(!ended.console.contains("panic:"), "{}", ended.story());
    Report { ended, headline, cpus, end }
}

/// `hangs.rs:LINE:` of the line that holds `what`, in the function behind `function`.
fn place(function: &str, what: &str) -> String {
    format!("{HANGS}:{}:", line_of(HANGS, function, what))
}

#[test]
fn a_cpu_that_takes_no_interrupts_is_named_with_the_place_where_it_is() {
    for (cpus, gic) in [(1, "--gic=3"), (4, "--gic=2")] {
        let report = report(cpus, gic, "irqs-masked");
        let culprit = report.cpus.iter().position(|cpu| cpu.contains("hangs::mask_irqs")).expect("the culprit's story");
        report.has(&report.headline, &[&format!("CPU {culprit} takes no interrupts")]);
        report.has(
            &report.cpus[culprit],
            &["task shell", "in the task itself, IRQs masked", "hangs::spin", "(interrupted)"],
        );
        let others = report.cpus.iter().enumerate().filter(|(cpu, _)| *cpu != culprit);
        assert!(others.clone().count() + 1 == cpus as usize);
        others.for_each(|(_, other)| report.has(other, &["task idle/", "sched::switch::idle", "(interrupted)"]));
        report.has(&report.end, &["no grace period waits", "reaper-", "in the queue of src/sched/tasks.rs:"]);
    }
}

#[test]
fn a_lock_that_is_held_for_ever_is_named_with_its_holder_who_waits_and_both_places() {
    let (lock, taken) = (place("static LOCK", "LOCK"), place("fn hold_lock", "_held ="));
    let wanted = place("fn hold_lock", "*LOCK.lock()");
    for (cpus, gic) in [(1, "--gic=2"), (4, "--gic=3")] {
        let report = report(cpus, gic, "lock-held");
        report.has(&report.headline, &[&format!("lock of {lock}"), &taken]);
        let holds = format!("  holds the lock of {lock}");
        let (holder, story) =
            report.cpus.iter().enumerate().find(|(_, cpu)| cpu.contains(&holds)).expect("the holder's story");
        report.has(story, &["task holder-", &format!("taken at {taken}"), "hangs::hold_lock", "hangs::spin"]);
        if cpus > 1 {
            let waiter = report.cpus.iter().find(|cpu| cpu.contains("  waits at ")).expect("the waiter's story");
            let whose = format!("CPU {holder} took it at {taken}");
            report.has(waiter, &["task shell", &format!("waits at {wanted}"), &format!("lock of {lock}"), &whose]);
        }
        report.has(&report.end, &["in step 2 of 3 for 1 holdouts", " hog on CPU ", "runnable", "hangs::hold_lock"]);
    }
}

#[test]
fn a_visit_that_a_cpu_does_not_answer_is_told_with_that_cpu_and_the_one_that_asked() {
    for gic in ["--gic=3", "--gic=2"] {
        let report = report(4, gic, "deaf-cpu");
        let culprit = report.cpus.iter().position(|cpu| cpu.contains("hangs::stay")).expect("the deaf CPU's story");
        let asker = report.cpus.iter().position(|cpu| cpu.contains("task shell")).expect("the asker's story");
        report.has(&report.cpus[asker], &["preemption disabled 2 deep", "sched::ipi::visit_every_cpu"]);
        report.has(&report.cpus[culprit], &["in a hardirq, IRQs masked", "irq::entry::irq"]);
        let visit = format!("asked for by CPU {asker} is not answered by CPU {culprit}\n");
        report.has(&report.ended.console, &[&visit]);
        // Both are overdue at once; whose beat comes first tells.
        let either = ["the visit that CPU", "takes no interrupts"];
        assert!(either.iter().any(|what| report.headline.contains(what)), "{}", report.headline);
    }
}

#[test]
fn a_lost_wake_up_is_told_with_task_place_and_queue() {
    let queue = place("static QUEUE", "QUEUE");
    let waits = place("fn lose_wake_up", "QUEUE.wait_until");
    for (cpus, gic) in [(1, "--gic=3"), (4, "--gic=2")] {
        let report = report(cpus, gic, "lost-wakeup");
        report.has(&report.headline, &["lost wake-up: task forgotten-", "its condition holds, and nobody woke it"]);
        report.has(&report.headline, &[&format!("waits at {waits}"), &format!("queue of {queue}")]);
        let told = report.ended.lines().skip_while(|line| !line.starts_with("task forgotten-"));
        let told = told.take_while(|line| !line.starts_with("CPU ")).collect::<Vec<_>>().join("\n");
        report.has(&told, &["blocked", "backtrace:", "hangs::lose_wake_up"]);
        let joins = place("fn lose_wake_up", "waiter.join");
        report.has(&report.end, &["shell-", &format!("at {joins}"), "in the queue of src/sched/task.rs:"]);
    }
}

#[test]
fn without_fiqs_a_cpu_that_takes_no_interrupts_is_told_by_the_others() {
    // Beside a secure world there are none; QEMU's own loader, which a raw Image gets, leaves that world.
    for gic in ["--gic=3", "--gic=2"] {
        let guest = Guest::with_cpus(4).raw_image().option(gic).qemu(&["-machine", "secure=on"]);
        let ended = guest.boot(&["shell", "cmds=fault irqs-masked yes"]).expect_status(102);
        let headline = ended.line_with(&["watchdog: CPU ", " has stopped; seen to for 1000 ms"]);
        let culprit = headline.split_whitespace().nth(2).expect("a number");
        let lines: Vec<&str> = ended.lines().collect();
        let silent = format!("CPU {culprit} does not answer");
        let at = lines.iter().position(|line| *line == silent);
        let at = at.unwrap_or_else(|| panic!("no `{silent}` in {}", ended.story()));
        assert!(lines[at + 1].contains("last seen in task shell-"), "{}", ended.story());
        let told =
            lines.iter().filter(|line| line.starts_with("CPU ") && line.contains(", in a hardirq, IRQs unmasked"));
        assert_eq!(told.count(), 3, "each of the others tells where its tick found it: {}", ended.story());
    }
}

#[test]
fn a_task_that_gets_no_cpu_is_named_once_with_its_cpu_and_who_has_it() {
    for (cpus, model) in [(1, "none"), (1, "full"), (4, "lazy")] {
        let words = ["selftest", "only=starved-task", &format!("preempt={model}")];
        let ended = Guest::with_cpus(cpus).boot(&words).expect_status(0);
        ended.line_with(&["test: starved-task ok", " named=1"]);
        let named: Vec<&str> = ended.lines().filter(|line| line.starts_with("watchdog: task starved-")).collect();
        let [line] = named[..] else { panic!("{named:?} in {}", ended.story()) };
        let last = cpus - 1;
        let start = format!(" can run on CPU {last} and has not for ");
        let (task, ms) = line["watchdog: task ".len()..].split_once(&start).unwrap_or_else(|| panic!("{line}"));
        assert!(task["starved-".len()..].parse::<u32>().is_ok(), "{line}");
        let ms: u64 = ms.strip_suffix(" ms").and_then(|ms| ms.parse().ok()).unwrap_or_else(|| panic!("{line}"));
        assert!((300..10_000).contains(&ms), "{line}");
        if cpus > 1 {
            ended.line_with(&["watchdog: keeper-", &format!(" has CPU {last}")]);
        }
    }
}

/// Guest time leaps where all CPUs idle: a minute of it is over at once.
fn leaping(cpus: u32) -> Guest {
    Guest::with_cpus(cpus).option("--qemu-arg=-icount").option("--qemu-arg=shift=0,sleep=off")
}

#[test]
fn a_long_idle_time_raises_no_alarm_and_nudges_whoever_waits() {
    for cpus in [1, 4] {
        let ended = leaping(cpus).boot(&["shell", "cmds=sleep 65000; ps; version"]).expect_status(0);
        assert!(!ended.console.contains("watchdog:"), "{}", ended.story());
        let reaper = ended.line_with(&["reaper"]);
        let switches: Vec<u64> = reaper.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        // Number, CPU, voluntary switches: one into the wait, and one for each of six nudges.
        assert_eq!(switches[2], 7, "{}", ended.story());
    }
}

#[test]
fn a_load_that_outlasts_the_patience_raises_no_alarm() {
    let ended = Guest::with_cpus(2).patience(12).boot(&["stress", "secs=12"]).expect_status(0);
    ended.line_with(&["stress: PASS", "secs=12"]);
    assert!(!ended.console.contains("watchdog:"), "{}", ended.story());
}
