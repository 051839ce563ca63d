//! The demonstration: some twenty lines that show one ops' life, the accident without a grace period, and the shell. Each of its
//! sentences is held to what the others say, also beside a busy host.

use crate::guest::{self, Ended, Guest};
use std::process::{Child, Command, Stdio};

/// Runs beside a busy host, for each preemption model.
const RUNS: usize = 2;
const CALLERS: u64 = 8;
const FUNC: &str = "holdout::lab::demo::func";
const POISON: &str = "0xdeadf4eedeadf4ef";
/// Progress for which a grace period is seen to wait, in microseconds of guest time.
const SEEN_TO_WAIT_US: u64 = 20_000;

/// Two processes that never rest.
struct BusyHost([Child; 2]);

impl BusyHost {
    fn new() -> Self {
        Self([(); 2].map(|()| {
            let mut shell = Command::new("sh");
            shell.args(["-c", "while :; do :; done"]).stdin(Stdio::null());
            shell.spawn().expect("a shell")
        }))
    }
}

impl Drop for BusyHost {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().expect("a child can be ended");
            child.wait().expect("a child can be waited for");
        }
    }
}

/// Who is inside, and when the grace period ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Story {
    /// A caller on another CPU than the demo's: it keeps that.
    KeepsItsCpu,
    /// A caller, which may be preempted.
    MayBePreempted,
    /// A caller, and the scheme does not wait for it.
    EndsWhileHeld,
    /// Nobody: the demo's is the only CPU, and no call is preempted.
    NobodyInside,
}

/// The demo's lines, told one by one.
struct Telling<'a> {
    ended: &'a Ended,
    lines: std::vec::IntoIter<&'a str>,
}

impl<'a> Telling<'a> {
    fn of(ended: &'a Ended) -> Self {
        let lines: Vec<&str> = ended.lines().skip_while(|line| !line.starts_with("== a callsite")).collect();
        Self { ended, lines: lines.into_iter() }
    }

    /// What stands for each `{}` in the next line, which is `form` but for that.
    #[track_caller]
    fn next<const N: usize>(&mut self, form: &str) -> [&'a str; N] {
        let line = self.lines.next().unwrap_or_default();
        let mut parts = form.split("{}");
        let mut rest = parts.next().and_then(|start| line.strip_prefix(start));
        let found: Vec<&str> = parts
            .map_while(|part| {
                let text = rest?;
                let end = if part.is_empty() { text.len() } else { text.find(part)? };
                rest = Some(&text[end + part.len()..]);
                Some(&text[..end])
            })
            .collect();
        match <[&str; N]>::try_from(found) {
            Ok(found) if rest == Some("") => found,
            _ => panic!("`{line}` is not `{form}` in {}", self.ended.story()),
        }
    }

    #[track_caller]
    fn says(&mut self, line: &str) {
        let [] = self.next(line);
    }

    /// The callsite, on or off: returns its ops and that one's func.
    #[track_caller]
    fn callsite(&mut self, is_on: bool) -> [&'a str; 2] {
        let [_, name] = self.next("   {} <{}>");
        assert_eq!(name, "holdout::lab::tracees::alpha");
        let literal = self.next("     F-8  .quad {}   ops, func {}");
        self.says("     F+0  mov x9, x30");
        if is_on {
            let [target] = self.next("     F+4  bl {}");
            assert!(target.starts_with("trampoline_") && target.ends_with("t0"), "{target}");
        } else {
            self.says("     F+4  nop");
        }
        literal
    }

    #[track_caller]
    fn number<const N: usize>(&mut self, form: &str) -> [u64; N] {
        self.next(form).map(|word| word.parse().unwrap_or_else(|_| panic!("{word} in {}", self.ended.story())))
    }

    /// Somebody who is inside, by number.
    #[track_caller]
    fn holder(&mut self, what: &str, cpus: u64, story: Story) -> u64 {
        let [task, cpu, how, place] = self.next(&format!("   {what} by task {{}} on CPU {{}}, {{}} at {{}}"));
        let number = task.strip_prefix("caller-").and_then(|number| number.parse().ok());
        let cpu: u64 = cpu.parse().expect("a CPU's number");
        assert!(cpu < cpus, "CPU {cpu} in {}", self.ended.story());
        assert!(place.starts_with(&format!("{FUNC}+0x")), "at {place} in {}", self.ended.story());
        assert!(["running", "preempted"].contains(&how), "{how} in {}", self.ended.story());
        assert!(story != Story::KeepsItsCpu || how == "running" && cpu != 0, "{how} in {}", self.ended.story());
        assert!(cpus > 1 || how == "preempted", "the demo has the only CPU, in {}", self.ended.story());
        number.unwrap_or_else(|| panic!("{task} is no caller, in {}", self.ended.story()))
    }
}

/// Holds every sentence to what is true.
#[track_caller]
fn check(ended: &Ended, cpus: u64, scheme: &str, story: Story) {
    let mut told = Telling::of(ended);
    told.says("== a callsite, as the compiler left it and the boot prepared it");
    let [_, func] = told.callsite(false);
    assert_eq!(func, "holdout::ftrace::live::stale_hit");
    told.says(&format!("== trace it: an ops is registered, {CALLERS} tasks call the function on {cpus} CPUs"));
    let [first, func] = told.callsite(true);
    assert_eq!(func, FUNC);
    let [seen] = told.number("   calls seen: {}");
    assert!(seen > 0, "{}", ended.story());

    told.says(match story {
        Story::NobodyInside => "== swap its ops under load; here no task runs while another is in a func",
        _ => "== swap its ops under load, while somebody is inside the old one's func",
    });
    let [old, second] = told.next("   swap: ops {} -> {}, one 64-bit store to the literal");
    assert_eq!((old, [second, FUNC]), (first, told.callsite(true)));
    let holder = (story != Story::NobodyInside).then(|| told.holder("still held", cpus, story));
    told.says(&format!("   waiting for a grace period ({scheme})"));
    if story == Story::EndsWhileHeld {
        told.number::<1>(
            "   over after {} us, while that task is inside: it would read a freed ops, so the demo keeps it",
        );
    } else {
        let [us] = told.number("   over after {} us: nobody can be inside the old ops any more");
        assert!(holder.is_none() || us >= SEEN_TO_WAIT_US, "{us} us, in {}", ended.story());
        let [freed, calls, _] = told.next("   old ops {} freed, after {} calls; the new one has {}");
        assert!(freed == first && calls.parse::<u64>().is_ok_and(|calls| calls >= seen), "{}", ended.story());
    }

    told.says("== the same without a grace period (in a sandbox: the memory is poisoned, but not handed out again)");
    let [old, third] = told.next("   swap: ops {} -> {}, one 64-bit store to the literal");
    assert!(old == second && third != second && third != first, "{}", ended.story());
    if let Some(first_holder) = holder {
        let second_holder = told.holder("freed under", cpus, story);
        assert!(first_holder.abs_diff(second_holder) < CALLERS, "{}", ended.story());
        let [_, word] = told.next("   {} us after the free that task read {} from the freed ops (p1 broken)");
        assert_eq!(word, POISON);
        told.says("   and went on in a func that nobody keeps for it any more (p3 broken): a crash, or worse, silence");
    } else {
        told.says("   nobody was inside, and nobody reads the freed ops: here no task runs while another is in a func");
    }
    told.next::<1>("== done. {}");
}

/// Runs the demo and holds it to that.
#[track_caller]
fn tells(guest: Guest, cpus: u64, words: &[&str], scheme: &str, story: Story) {
    let ended = guest.typing("poweroff\n").boot(&[&["demo", "seed=1"], words].concat()).expect_status(0);
    check(&ended, cpus, scheme, story);
}

#[test]
fn tells_of_trace_swap_wait_and_free_and_then_hands_over_to_the_shell() {
    let ended = Guest::with_cpus(4).typing("version\npoweroff\n").boot(&["demo", "seed=1"]).expect_status(0);
    check(&ended, 4, "scan", Story::MayBePreempted);
    let versions = ended.lines().filter(|line| line.contains("holdout 0.") && line.contains(" callsites")).count();
    assert_eq!(versions, 2, "at boot, and by the shell afterwards: {}", ended.story());
}

#[test]
fn each_sentence_is_true_however_busy_the_host_is() {
    guest::image(); // built before the host is busy
    let _busy = BusyHost::new();
    for (preempt, story) in [
        ("preempt=full", Story::MayBePreempted),
        ("preempt=lazy", Story::MayBePreempted),
        ("preempt=none", Story::KeepsItsCpu),
        ("preempt=voluntary", Story::KeepsItsCpu),
    ] {
        for _ in 0..RUNS {
            tells(Guest::with_cpus(4), 4, &[preempt], "scan", story);
        }
    }
    tells(Guest::with_cpus(2), 2, &["tasks_rcu=nopreempt"], "nopreempt", Story::KeepsItsCpu);
    tells(Guest::with_cpus(1), 1, &["tasks_rcu=classic"], "classic", Story::MayBePreempted);
}

#[test]
fn who_cannot_be_inside_is_not_told_of_and_who_is_freed_under_is() {
    tells(Guest::with_cpus(1), 1, &["preempt=none"], "scan", Story::NobodyInside);
    tells(Guest::with_cpus(1), 1, &["tasks_rcu=nopreempt"], "nopreempt", Story::NobodyInside);
    tells(Guest::with_cpus(4), 4, &["tasks_rcu=none"], "none", Story::EndsWhileHeld);
    tells(Guest::with_cpus(1), 1, &["tasks_rcu=ip"], "ip", Story::EndsWhileHeld);
}

#[test]
fn each_sentence_is_true_where_cpus_take_turns() {
    let exact = |cpus| Guest::with_cpus(cpus).option("--exact");
    tells(exact(1), 1, &[], "scan", Story::MayBePreempted);
    tells(exact(4), 4, &["tasks_rcu=depth"], "depth", Story::MayBePreempted);
    tells(exact(4), 4, &["preempt=voluntary", "tasks_rcu=linux"], "linux", Story::KeepsItsCpu);
}
