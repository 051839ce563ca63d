//! The host's CPUs, lent to guests: all of them to a guest under load on several CPUs, one to any other.
//!
//! INVARIANT `own-cpus`: no more guests than the host has CPUs; one whose words ask for load on several CPUs is alone. Each
//! CPU has a lock file, so that test runs of one tree keep apart too; a lock goes with whoever holds it, in a panic as
//! well, and none is ever poisoned.
//! No deadlock: whoever waits for a CPU has the turn, which is taken first, and given back before the guest starts; who
//! wants all CPUs takes them one by one while nobody else can take any. No starvation: the turn goes round.

use std::fs::{File, read_to_string};
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;
use std::time::Duration;

/// How often somebody who waits for any CPU looks at each.
const LOOK: Duration = Duration::from_millis(10);

/// CPUs of the host, kept from other guests until this is dropped.
pub(crate) struct Lent {
    /// The CPU's number, where it is one.
    pub(super) cpu: Option<usize>,
    _locks: Vec<File>,
}

impl Lent {
    /// The same, for a guest whose CPUs are idle for the most part: it runs where the host has room.
    pub(super) fn roaming(self) -> Self {
        Self { cpu: None, ..self }
    }
}

fn file(name: &str) -> File {
    File::create(Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("host-{name}.lock"))).expect("a lock file")
}

fn locked(name: &str) -> File {
    let lock = file(name);
    lock.lock().expect("the lock of a file");
    lock
}

/// The CPUs that this process may run on, as `scripts/boot` finds them.
fn cpus() -> Vec<usize> {
    let status = read_to_string("/proc/self/status").expect("what Linux says of this process");
    let list = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).expect("a list of CPUs");
    let number = |text: &str| text.trim().parse::<usize>().expect("a CPU's number");
    let range = |text: &str| {
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        number(first)..=number(last)
    };
    list.split(',').flat_map(range).collect()
}

/// Keeps all other guests away. The image is built by then: that boots one.
pub(crate) fn alone() -> Lent {
    let _turn = locked("turn");
    Lent { cpu: None, _locks: cpus().into_iter().map(|cpu| locked(&format!("cpu-{cpu}"))).collect() }
}

/// Keeps one CPU of the host for one guest.
pub(crate) fn one_cpu() -> Lent {
    let _turn = locked("turn");
    let files: Vec<(usize, File)> = cpus().into_iter().map(|cpu| (cpu, file(&format!("cpu-{cpu}")))).collect();
    let cpu = loop {
        if let Some((cpu, _)) = files.iter().find(|(_, file)| file.try_lock().is_ok()) {
            break *cpu;
        }
        thread::sleep(LOOK);
    };
    let lock = files.into_iter().find(|(of, _)| *of == cpu).map(|(_, file)| file);
    Lent { cpu: Some(cpu), _locks: lock.into_iter().collect() }
}

/// Does `run` with each of `items`, all at once: their guests wait for CPUs. Results come in the order of the items.
#[track_caller]
pub(crate) fn each<T: Send, R: Send>(items: impl IntoIterator<Item = T>, run: impl Fn(T) -> R + Sync) -> Vec<R> {
    let run = &run;
    thread::scope(|scope| {
        let threads: Vec<_> = items.into_iter().map(|item| scope.spawn(move || run(item))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    })
}
