//! A million timers on all CPUs: armed by tasks and by interrupts, gone off or taken back by their own CPU or another.

use super::crew::{Crew, await_that};
use super::{Outcome, Run, check};
use crate::sched::timers::Timer;
use crate::sched::{self, now_ns};
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::irqs;
use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::pin::Pin;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const TIMERS: u64 = 1_000_000;
/// Timers of one CPU: so many are armed at once.
const SLOTS: usize = 1024;
/// Deadlines lie so far ahead at most, and a little in the past at times.
const AHEAD_NS: u64 = 1_500_000;
const PAST_NS: u64 = 20_000;
/// Of so many timers that go off, one is armed again then and there.
const AGAIN: u64 = 16;
/// [`Slot::since`] of a timer that its own function armed: an alarm leaves it to the next one, so that order says
/// nothing about it.
const UNORDERED: u64 = u64::MAX;

/// What one CPU sees of its timers. Written there.
#[derive(Default)]
struct Ledger {
    /// Timers that went off, and the deadline of the last one.
    nr_fired: AtomicU64,
    last_ns: AtomicU64,
    early: AtomicU64,
    disordered: AtomicU64,
    again: AtomicU64,
    worst_ns: AtomicU64,
}

/// One timer's own facts. It has gone off or was taken back as often as it was armed, unless it is armed.
struct Slot {
    /// The timer itself, for its own function. First: it is taken back before the rest goes away.
    timer: spin::Once<Pin<Box<Timer>>>,
    ledger: Arc<Ledger>,
    deadline_ns: AtomicU64,
    /// Timers of its CPU that had gone off when it was armed.
    since: AtomicU64,
    armed: AtomicU64,
    fired: AtomicU64,
    cancelled: AtomicU64,
}

fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Slot {
    /// A slot with its timer.
    fn new(ledger: &Arc<Ledger>) -> Box<Self> {
        let slot = Box::new(Self {
            ledger: Arc::clone(ledger),
            timer: spin::Once::new(),
            deadline_ns: AtomicU64::new(0),
            since: AtomicU64::new(0),
            armed: AtomicU64::new(0),
            fired: AtomicU64::new(0),
            cancelled: AtomicU64::new(0),
        });
        let address = (&raw const *slot).expose_provenance();
        slot.timer.call_once(|| Box::pin(Timer::new(went_off, address)));
        slot
    }

    fn is_settled(&self) -> bool {
        get(&self.armed) == get(&self.fired) + get(&self.cancelled)
    }

    /// Arms it. Context: its own CPU, settled.
    fn arm(&self, deadline_ns: u64, since: u64) -> bool {
        self.deadline_ns.store(deadline_ns, Ordering::Relaxed);
        self.since.store(since, Ordering::Relaxed);
        add(&self.armed);
        self.timer.get().is_some_and(|timer| timer.as_ref().arm(deadline_ns))
    }

    fn cancel(&self) {
        if self.timer.get().is_some_and(|timer| timer.as_ref().cancel()) {
            add(&self.cancelled);
        }
    }
}

/// What each timer does. Context: IRQ.
fn went_off(slot: usize) {
    // SAFETY: the slot owns the timer that calls this, and outlives the scenario's last alarm.
    let slot = unsafe { &*core::ptr::with_exposed_provenance::<Slot>(slot) };
    let ledger = &slot.ledger;
    let (now, deadline_ns) = (now_ns(), get(&slot.deadline_ns));
    if now < deadline_ns {
        add(&ledger.early);
    }
    // It was armed before the last one went off: that one was the earlier of the two.
    if get(&slot.since) < get(&ledger.nr_fired) && deadline_ns < get(&ledger.last_ns) {
        add(&ledger.disordered);
    }
    ledger.worst_ns.fetch_max(now.saturating_sub(deadline_ns), Ordering::Relaxed);
    ledger.last_ns.store(deadline_ns, Ordering::Relaxed);
    add(&ledger.nr_fired);
    if get(&ledger.nr_fired).is_multiple_of(AGAIN) {
        add(&ledger.again);
        slot.arm(now.saturating_sub(PAST_NS / 2) + deadline_ns % PAST_NS, UNORDERED);
    }
    // Last: a slot that is settled is touched no more.
    add(&slot.fired);
}

type Banks = Arc<[Vec<Box<Slot>>]>;

/// Arms `n` timers on the CPU that it is pinned to, and takes back some of every CPU's.
fn armer(banks: &Banks, own: usize, n: u64, seed: u64, refused: &AtomicU64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut nr_armed = 0;
    while nr_armed < n {
        let dice = random.next_u64();
        let slot = &banks[own][dice as usize % SLOTS];
        match (dice >> 32) % 8 {
            0 => banks[(dice >> 40) as usize % banks.len()][dice as usize % SLOTS].cancel(),
            _ if !slot.is_settled() => sched::cond_resched(),
            _ => {
                let deadline_ns = now_ns() - PAST_NS + (dice >> 16) % AHEAD_NS;
                nr_armed += 1;
                // None goes off between the look and the arming.
                if !irqs::with_masked(|_| slot.arm(deadline_ns, get(&slot.ledger.nr_fired))) {
                    add(refused);
                }
            }
        }
    }
}

/// Arms a million timers.
pub(super) fn million(run: &mut Run) -> Outcome {
    let cpus = sched::nr_cpus();
    let ledgers: Vec<Arc<Ledger>> = (0..cpus).map(|_| Arc::default()).collect();
    let banks: Banks = ledgers.iter().map(|ledger| (0..SLOTS).map(|_| Slot::new(ledger)).collect()).collect();
    let refused = Arc::new(AtomicU64::new(0));
    let mut crew = Crew::new();
    for own in 0..cpus {
        let (banks, refused, seed) = (Arc::clone(&banks), Arc::clone(&refused), run.random.next_u64());
        let n = TIMERS.div_ceil(cpus as u64);
        crew.normal("armer", Some(own), move || armer(&banks, own, n, seed, &refused))?;
    }
    crew.finish("arms timers")?;
    let slots = || banks.iter().flatten();
    let lost = || slots().find(|slot| !slot.is_settled());
    let settled = await_that("every timer to go off", || lost().is_none());
    let sum = |field: fn(&Ledger) -> &AtomicU64| ledgers.iter().map(|ledger| get(field(ledger))).sum::<u64>();
    let of_slots = |field: fn(&Slot) -> &AtomicU64| slots().map(|slot| get(field(slot))).sum::<u64>();
    let (armed, fired) = (of_slots(|slot| &slot.armed), of_slots(|slot| &slot.fired));
    let worst_ns = ledgers.iter().map(|ledger| get(&ledger.worst_ns)).max().unwrap_or_default();
    run.note("n", armed);
    run.note("fired", fired);
    run.note("cancelled", of_slots(|slot| &slot.cancelled));
    run.note("armed_in_irq", sum(|ledger| &ledger.again));
    run.note("worst_late_us", worst_ns / 1_000);
    if let (Err(why), Some(slot)) = (settled, lost()) {
        return Err(alloc::format!(
            "{why}: one was armed {} times for {} ns at last, went off {} times and was taken back {} times",
            get(&slot.armed),
            get(&slot.deadline_ns),
            get(&slot.fired),
            get(&slot.cancelled)
        ));
    }
    let (early, disordered) = (sum(|ledger| &ledger.early), sum(|ledger| &ledger.disordered));
    check!(early == 0, "{early} timers went off before their deadlines");
    check!(disordered == 0, "{disordered} timers went off after a later one of their CPU");
    check!(get(&refused) == 0, "{} timers were armed still when they had gone off or were taken back", get(&refused));
    check!(armed >= TIMERS && fired > 0 && fired < armed, "{armed} were armed, {fired} went off");
    Ok(())
}
