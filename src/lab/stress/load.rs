//! The load: tracee tasks, chaos tasks, and the handlers of their storms.

use super::{ALIVE, TASKS, is_running, seed_of};
use crate::arch::relax::relax;
use crate::arch::{cpu, gic};
use crate::irq::softirq::{self, Softirq};
use crate::lab::calls::{self, Calls};
use crate::lab::tracees;
use crate::sched::ipi::SGI_LAB;
use crate::sched::{self, Class, JoinHandle, Spawn, WaitQueue, timers::Timer};
use crate::sync::atomic::{AtomicU32, Ordering};
use crate::sync::irqs;
use alloc::boxed::Box;
use alloc::vec::Vec;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

/// Tracee tasks at any time.
pub(super) const TRACEES: usize = 28;
/// Batches of calls after which a tracee task exits and another takes its place.
const BATCHES: u32 = 40;
const MICROSECOND_NS: u64 = 1000;

/// The ids of the tracee tasks, for chaos to pick one.
static IDS: [AtomicU32; TRACEES] = [const { AtomicU32::new(0) }; TRACEES];
static ENDED: WaitQueue = WaitQueue::new();

/// Starts it all; the chaos tasks are joined by [`stop`].
pub(super) fn start() -> Vec<JoinHandle> {
    calls::begin(&Calls { sgi: on_sgi, softirq: on_softirq });
    for place in 0..TRACEES {
        ALIVE.fetch_add(1, Ordering::Relaxed);
        spawn_tracee(place, 0);
    }
    (0..sched::nr_cpus())
        .map(|cpu| {
            TASKS.fetch_add(1, Ordering::Relaxed);
            let what = Spawn { name: "chaos", class: Class::High, cpu: Some(cpu) };
            sched::spawn(what, Box::new(move || chaos(cpu))).unwrap_or_else(|error| panic!("stress: {error}"))
        })
        .collect()
}

/// Waits until every task of the load has ended. `RUNNING` is false already.
pub(super) fn stop(chaos: Vec<JoinHandle>) {
    for handle in chaos {
        handle.join();
    }
    ENDED.wait_until(|| ALIVE.load(Ordering::Acquire) == 0);
    calls::end();
}

fn spawn_tracee(place: usize, life: u64) {
    TASKS.fetch_add(1, Ordering::Relaxed);
    let what = Spawn { name: "tracee", class: Class::Normal, cpu: None };
    match sched::spawn(what, Box::new(move || tracee(place, life))) {
        Ok(handle) => IDS[place].store(handle.task().id, Ordering::Relaxed),
        Err(error) => panic!("stress: {error}"),
    }
}

/// A tracee task: calls, and now and then lets go of the CPU, as every task must for a classic grace period.
fn tracee(place: usize, life: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed_of(life << 32 | place as u64));
    for _ in 0..BATCHES {
        if !is_running() {
            break;
        }
        for _ in 0..random.next_u32() % 200 {
            let dice = random.next_u32();
            tracees::call(dice as usize, u64::from(dice));
            if dice >> 24 < 32 {
                relax(); // ends this CPU's turn on an exact machine
            }
            sched::cond_resched();
        }
        match random.next_u32() % 4 {
            0 => sched::sleep(u64::from(50 + random.next_u32() % 450) * MICROSECOND_NS),
            _ => sched::yield_now(),
        }
    }
    if is_running() {
        spawn_tracee(place, life + 1);
    } else {
        // Order: Release pairs with the Acquire of `stop`: the last passes are counted.
        ALIVE.fetch_sub(1, Ordering::Release);
        ENDED.wake_all();
    }
}

/// A chaos task: preempts what runs on its CPU, moves tracee tasks about, sends storms.
fn chaos(cpu: usize) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed_of(0xc0a5 << 32 | cpu as u64));
    let timer = core::pin::pin!(Timer::new(on_timer, cpu));
    while is_running() {
        sched::sleep(u64::from(30 + random.next_u32() % 300) * MICROSECOND_NS);
        let target = random.next_u32() as usize % sched::nr_cpus();
        match random.next_u32() % 8 {
            0..=2 => gic::send_sgi(SGI_LAB, target),
            3 => {
                (0..16).for_each(|_| gic::send_sgi(SGI_LAB, target));
                let soon = sched::now_ns() + u64::from(random.next_u32() % 100) * MICROSECOND_NS;
                // Armed already: so be it.
                let _ = timer.as_ref().arm(soon);
            }
            4..=5 => {
                let victim = IDS[random.next_u32() as usize % TRACEES].load(Ordering::Relaxed);
                if let Some(task) = sched::find(victim) {
                    sched::set_affinity(&task, random.next_u32());
                }
            }
            _ => (0..random.next_u32() % 4000).for_each(|_| core::hint::spin_loop()),
        }
    }
}

/// A timer's function: an IRQ-level tracee too. Context: IRQ.
fn on_timer(cpu: usize) {
    if is_running() {
        tracees::call(crate::arch::timer::count() as usize ^ cpu, 4);
    }
}

/// The storm's SGI: an IRQ-level tracee. Context: IRQ.
fn on_sgi() {
    if is_running() {
        tracees::call(crate::arch::timer::count() as usize, 1);
        irqs::with_masked(|irqs| {
            softirq::raise(Softirq::Lab, irqs);
        });
    }
}

/// The storm's softirq: a tracee at that level, which is now and then interrupted by a storm of its own making.
/// Context: softirq, IRQs on.
fn on_softirq() {
    if is_running() {
        let word = crate::arch::timer::count() as usize;
        tracees::call(word, 2);
        if word & 7 == 0 {
            gic::send_sgi(SGI_LAB, cpu::id());
        }
        tracees::call(word >> 3, 3);
    }
}
