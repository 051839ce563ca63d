//! Wait queues under wakers of every context: tasks, interrupts, softirqs, timers.
//!
//! A sender posts one token at a time and waits until it is taken, so that every single lost wake-up shows: nobody
//! else's comes to the rescue. Of the two that wait for tokens one has a deadline; once it has given up it stays away
//! until the token is taken, so that a wake-up that was lost with it shows too.

mod orderly;

use super::crew::{Crew, PATIENCE_NS, SECOND_NS, wait_in};
use super::{Outcome, Run, check};
use crate::arch::{cpu, gic};
use crate::irq::softirq::{self, Softirq};
use crate::lab::calls::{self, Calls};
use crate::percpu;
use crate::sched::ipi::SGI_LAB;
use crate::sched::timers::Timer;
use crate::sched::{self, WaitQueue, now_ns};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::irqs;
use crate::sync::lock::IrqLock;
use crate::sync::percpu::PerCpu;
use alloc::format;
use alloc::string::String;
use alloc::sync::Arc;
use core::pin::pin;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Tokens of all lines together.
const TOKENS: u64 = 24_000;
const LINES: usize = 2 * cpu::MAX_CPUS;
const LINES_PER_CPU: usize = 2;
/// A sender gives up before the crew does, and says on what.
const ACK_NS: u64 = PATIENCE_NS / 3;

/// Where a token is posted.
const CONTEXTS: [&str; 4] = ["a task", "an interrupt", "a softirq", "a timer"];

struct Line {
    tokens: AtomicU64,
    taken: AtomicU64,
    wanted: WaitQueue,
    acknowledged: WaitQueue,
    /// Who gave up waits here for the next token's turn.
    aside: WaitQueue,
    is_over: AtomicBool,
    /// The next post wakes all.
    wakes_all: AtomicBool,
    timeouts: AtomicU64,
    early: AtomicU64,
}

static TABLE: [Line; LINES] = [const {
    Line {
        tokens: AtomicU64::new(0),
        taken: AtomicU64::new(0),
        wanted: WaitQueue::new(),
        acknowledged: WaitQueue::new(),
        aside: WaitQueue::new(),
        is_over: AtomicBool::new(false),
        wakes_all: AtomicBool::new(false),
        timeouts: AtomicU64::new(0),
        early: AtomicU64::new(0),
    }
}; LINES];

/// Lines for which a CPU's handlers are to post, one bit each.
struct Wanted {
    by_irq: AtomicU64,
    by_softirq: AtomicU64,
}

static WANTED: PerCpu<Wanted> = percpu!(Wanted { by_irq: AtomicU64::new(0), by_softirq: AtomicU64::new(0) });
static CALLS: Calls = Calls { sgi: on_sgi, softirq: on_softirq };

/// Posts a token. Context: any.
fn post(number: usize) {
    let line = &TABLE[number];
    line.tokens.fetch_add(1, Ordering::Release);
    if line.wakes_all.load(Ordering::Relaxed) { line.wanted.wake_all() } else { line.wanted.wake_one() }
}

fn post_all(lines: u64) {
    (0..LINES).filter(|number| lines & 1 << number != 0).for_each(post);
}

/// Context: IRQ.
fn on_sgi() {
    let wanted = WANTED.of(cpu::id());
    post_all(wanted.by_irq.swap(0, Ordering::AcqRel));
    if wanted.by_softirq.load(Ordering::Acquire) != 0 {
        irqs::with_masked(|irqs| softirq::raise(Softirq::Lab, irqs));
    }
}

/// Context: softirq, IRQs on.
fn on_softirq() {
    post_all(WANTED.of(cpu::id()).by_softirq.swap(0, Ordering::AcqRel));
}

impl Line {
    fn take(&self) -> bool {
        let take = |tokens: u64| tokens.checked_sub(1);
        self.tokens.fetch_update(Ordering::AcqRel, Ordering::Relaxed, take).is_ok()
    }

    fn acknowledge(&self) {
        self.taken.fetch_add(1, Ordering::Release);
        self.acknowledged.wake_one();
        self.aside.wake_all();
    }

    /// Waits for tokens, for as long as it takes.
    fn patient(&self) {
        loop {
            let mut has_token = false;
            self.wanted.wait_until(|| {
                has_token = self.take();
                has_token || self.is_over.load(Ordering::Relaxed)
            });
            if !has_token {
                return;
            }
            self.acknowledge();
        }
    }

    /// Waits for tokens, now and then for too short a time.
    fn impatient(&self, seed: u64) {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        while !self.is_over.load(Ordering::Relaxed) {
            let taken = self.taken.load(Ordering::Acquire);
            let deadline_ns = now_ns() + random.next_u64() % 150_000;
            if self.wanted.wait_until_deadline(|| self.take(), deadline_ns) {
                self.acknowledge();
            } else {
                self.timeouts.fetch_add(1, Ordering::Relaxed);
                self.early.fetch_add(u64::from(now_ns() < deadline_ns), Ordering::Relaxed);
                self.aside
                    .wait_until(|| self.taken.load(Ordering::Acquire) != taken || self.is_over.load(Ordering::Relaxed));
            }
            sched::cond_resched();
        }
    }

    fn end(&self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.wanted.wake_all();
        self.aside.wake_all();
    }
}

/// Posts `n` tokens, each from a context of its own choice; each must be taken.
fn sender(number: usize, n: u64, seed: u64, why: &IrqLock<Option<String>>) {
    let line = &TABLE[number];
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let timer = pin!(Timer::new(post, number));
    for sent in 1..=n {
        let dice = random.next_u64();
        let target = (dice >> 8) as usize % sched::nr_cpus();
        let context = dice as usize % CONTEXTS.len();
        line.wakes_all.store(dice >> 32 & 3 == 0, Ordering::Relaxed);
        match context {
            0 => post(number),
            1 | 2 => {
                let wanted = WANTED.of(target);
                let lines = if context == 1 { &wanted.by_irq } else { &wanted.by_softirq };
                lines.fetch_or(1 << number, Ordering::AcqRel);
                gic::send_sgi(SGI_LAB, target);
            }
            _ => {
                timer.as_ref().arm(now_ns() + (dice >> 40) % 60_000);
            }
        }
        let is_taken = || line.taken.load(Ordering::Acquire) >= sent;
        if !wait_in(&line.acknowledged, ACK_NS, is_taken) {
            let (tokens, from) = (line.tokens.load(Ordering::Relaxed), CONTEXTS[context]);
            let whose = if tokens == 0 { "the sender's acknowledgement is" } else { "the wake-up of its takers is" };
            *why.lock() = Some(format!(
                "token {sent} of line {number}, posted by {from} (CPU {target}), was not taken in {} s: {whose} lost",
                ACK_NS / SECOND_NS
            ));
            break;
        }
    }
    line.end();
}

/// Tokens from every context, then what wait queues promise about order.
pub(super) fn torture(run: &mut Run) -> Outcome {
    let lines = LINES_PER_CPU * sched::nr_cpus();
    let why = Arc::new(IrqLock::new(None));
    calls::begin(&CALLS);
    let mut crew = Crew::new();
    for (number, line) in TABLE.iter().enumerate().take(lines) {
        let (one, other, why) = (run.random.next_u64(), run.random.next_u64(), Arc::clone(&why));
        crew.normal("patient", None, || line.patient())?;
        crew.normal("impatient", None, move || line.impatient(one))?;
        crew.normal("sender", None, move || sender(number, TOKENS.div_ceil(lines as u64), other, &why))?;
    }
    let ended = crew.finish("waits for a token, or for one to be taken");
    calls::end();
    let sum =
        |field: fn(&Line) -> &AtomicU64| TABLE.iter().map(|line| field(line).load(Ordering::Relaxed)).sum::<u64>();
    run.note("tokens", sum(|line| &line.taken));
    run.note("timeouts", sum(|line| &line.timeouts));
    if let Some(why) = why.lock().take() {
        return Err(why);
    }
    ended?;
    let (tokens, early) = (sum(|line| &line.taken), sum(|line| &line.early));
    check!(early == 0, "{early} waits gave up before their deadlines");
    check!(tokens >= TOKENS, "{tokens} tokens were taken");
    orderly::rounds(run)?;
    orderly::first_come(run)
}
