//! A million switches: tasks let go, are taken off, block and are woken across CPUs, and are moved about meanwhile.
//!
//! Tasks count their switches and migrations, CPUs count theirs; the two ledgers must agree (`two-ledgers`).

use super::crew::{Crew, MILLISECOND_NS, PATIENCE_NS, SECOND_NS};
use super::{Outcome, Run, check};
use crate::sched::{self, Account, Patience, Task, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering, fence};
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use alloc::vec::Vec;
use rand_core::Rng;

const SWITCHES: u64 = 1_000_000;
/// Tasks for each CPU that yield to each other.
const YIELDERS: usize = 3;
/// Pairs of tasks for each CPU that wake each other.
const PAIRS: usize = 1;
/// Looks at the ledgers, one of which nothing may disturb.
const LOOKS: usize = 1_000;

/// What tasks have counted: (voluntary, involuntary, migrations).
#[derive(Clone, Copy, Default)]
struct Tally(u64, u64, u64);

impl Tally {
    fn add(&mut self, task: &Task) {
        self.0 += task.nvcsw.load(Ordering::Relaxed);
        self.1 += task.nivcsw.load(Ordering::Relaxed);
        self.2 += task.migrations.load(Ordering::Relaxed);
    }
}

fn accounts() -> Account {
    let mut sum = Account::default();
    for account in (0..sched::nr_cpus()).map(sched::account) {
        sum.switches += account.switches;
        sum.arrivals += account.arrivals;
        sum.unanswered += account.unanswered;
    }
    sum
}

/// Both ledgers, at a moment at which nothing switches. `gone` are tasks that have left the list.
fn ledgers(gone: &[&Task]) -> Result<(Account, Tally), String> {
    for _ in 0..LOOKS {
        let before = accounts();
        fence(Ordering::SeqCst);
        let mut tally = Tally::default();
        sched::for_each_task(|task| tally.add(task));
        gone.iter().for_each(|task| tally.add(task));
        (0..sched::nr_cpus()).filter_map(sched::idle_task).for_each(|task| tally.add(task));
        fence(Ordering::SeqCst);
        if before == accounts() {
            return Ok((before, tally));
        }
        sched::sleep(MILLISECOND_NS / 4);
    }
    Err(format!("the machine is never still: it switched during each of {LOOKS} looks"))
}

/// The next value of a sequence that a lost or mixed-up register breaks.
#[inline(always)]
fn step(word: u64) -> u64 {
    word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

struct Ring {
    is_running: AtomicBool,
    broken: AtomicU64,
}

/// A ball that two tasks throw to each other, wherever they run.
struct Ball {
    side: AtomicU64,
    caught: [WaitQueue; 2],
}

/// Lets go of the CPU over and over, while its own arithmetic goes on.
fn yielder(ring: &Ring, seed: u64) {
    let (mut up, mut steps) = (seed, 0_u64);
    while ring.is_running.load(Ordering::Relaxed) {
        up = step(up);
        steps += 1;
        sched::yield_now();
    }
    let expected = (0..steps).fold(seed, |word, _| step(word));
    ring.broken.fetch_add(u64::from(up != expected), Ordering::Relaxed);
}

fn player(ring: &Ring, ball: &Ball, me: usize) {
    loop {
        ball.caught[me]
            .wait_until(|| ball.side.load(Ordering::Acquire) == me as u64 || !ring.is_running.load(Ordering::Relaxed));
        ball.side.store(1 - me as u64, Ordering::Release);
        ball.caught[1 - me].wake_one();
        if !ring.is_running.load(Ordering::Relaxed) {
            // The other may have thrown it back already, and wait for a ball that nobody catches any more.
            ball.caught[1 - me].wake_one();
            return;
        }
    }
}

/// Runs them until there were a million switches.
pub(super) fn million(run: &mut Run) -> Outcome {
    let cpus = sched::nr_cpus();
    let (account_before, tally_before) = ledgers(&[])?;
    let ring = Arc::new(Ring { is_running: AtomicBool::new(true), broken: AtomicU64::new(0) });
    let mut crew = Crew::new();
    for number in 0..cpus * YIELDERS {
        let (ring, seed) = (Arc::clone(&ring), run.random.next_u64());
        crew.normal("yielder", Some(number % cpus), move || yielder(&ring, seed))?;
    }
    for _ in 0..cpus * PAIRS {
        let ball = Arc::new(Ball { side: AtomicU64::new(0), caught: [WaitQueue::new(), WaitQueue::new()] });
        for me in 0..2 {
            let (ring, ball) = (Arc::clone(&ring), Arc::clone(&ball));
            crew.normal("player", None, move || player(&ring, &ball, me))?;
        }
    }
    let patience = Patience::of(PATIENCE_NS);
    let mut nr_moved = 0_u64;
    while accounts().switches - account_before.switches < SWITCHES {
        check!(
            !patience.is_over(),
            "only {} switches in {} s",
            accounts().switches - account_before.switches,
            PATIENCE_NS / SECOND_NS
        );
        // A few at a time, to one CPU each or to several.
        let tasks: Vec<&Task> = crew.tasks().collect();
        for _ in 0..4 {
            sched::set_affinity(tasks[run.random.next_u64() as usize % tasks.len()], run.random.next_u32());
            nr_moved += 1;
        }
        sched::sleep(MILLISECOND_NS / 2);
    }
    ring.is_running.store(false, Ordering::Relaxed);
    // The ball goes round once more, so that everybody sees it.
    crew.finish_keeping("yields, or waits for a ball that was thrown", |crew| {
        let (account, tally) = ledgers(&crew.tasks().collect::<Vec<_>>())?;
        let switches = account.switches - account_before.switches;
        let unanswered = account.unanswered - account_before.unanswered;
        let migrations = account.arrivals - account_before.arrivals;
        let (voluntary, involuntary) = (tally.0 - tally_before.0, tally.1 - tally_before.1);
        run.note("switches", switches);
        run.note("voluntary", voluntary);
        run.note("involuntary", involuntary);
        run.note("unanswered", unanswered);
        run.note("migrations", migrations);
        run.note("moves", nr_moved);
        check!(
            switches + unanswered == voluntary + involuntary,
            "CPUs count {switches} switches and {unanswered} unanswered yields, tasks {voluntary} and {involuntary}"
        );
        let theirs = tally.2 - tally_before.2;
        check!(migrations == theirs, "CPUs count {migrations} arrivals, tasks {theirs} migrations");
        check!((migrations > 0) == (cpus > 1), "{migrations} migrations on {cpus} CPUs");
        let broken = ring.broken.load(Ordering::Relaxed);
        check!(broken == 0, "the arithmetic of {broken} tasks did not survive their switches");
        Ok(())
    })
}
