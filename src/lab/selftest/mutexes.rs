//! Tasks of both classes fight for two mutexes, sleep and are moved while they hold them; and one registers in a loop while
//! another wants the registry.

use super::crew::Crew;
use super::{Outcome, Run, check};
use crate::ftrace::live;
use crate::lab::tracees;
use crate::rcu;
use crate::sched::{self, Class, Mutex, Spawn};
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::tracers::nop;
use alloc::string::String;
use alloc::sync::Arc;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const LOCKS: u64 = 24_000;
const WORKERS_PER_CPU: usize = 4;
const MICROSECOND_NS: u64 = 1_000;
const NOBODY: u64 = 0;

/// How often the registry is wanted beside one that registers in a loop; more of these looks than that are not preempted.
const LOOKS: u64 = 60;
const LEAST_LOOKS: u64 = 10;

/// What a mutex guards: nothing here is atomic.
struct Guarded {
    count: u64,
    owner: u64,
}

struct Arena {
    mutexes: [Mutex<Guarded>; 2],
    broken: AtomicU64,
    /// Others that took a mutex while one task waited for it, at most.
    overtaken: AtomicU64,
    taken: [AtomicU64; 2],
}

/// Touches memory as another owner would see it: the compiler does not know that there may be one.
fn read(word: &u64) -> u64 {
    // SAFETY: a reference.
    unsafe { core::ptr::from_ref(word).read_volatile() }
}

fn write(word: &mut u64, value: u64) {
    // SAFETY: a reference.
    unsafe { core::ptr::from_mut(word).write_volatile(value) }
}

/// Takes the mutex once; `inside` is done while it is held.
fn hold(arena: &Arena, which: usize, me: u64, inside: impl FnOnce()) {
    let taken = &arena.taken[which];
    let before = taken.load(Ordering::Relaxed);
    let mut guarded = arena.mutexes[which].lock();
    arena.overtaken.fetch_max(taken.fetch_add(1, Ordering::Relaxed) - before, Ordering::Relaxed);
    let (owner, count) = (read(&guarded.owner), read(&guarded.count));
    write(&mut guarded.owner, me);
    inside();
    let is_mine = read(&guarded.owner) == me && read(&guarded.count) == count;
    arena.broken.fetch_add(u64::from(owner != NOBODY || !is_mine), Ordering::Relaxed);
    write(&mut guarded.count, count + 1);
    write(&mut guarded.owner, NOBODY);
}

fn worker(arena: &Arena, me: u64, n: u64, seed: u64) {
    let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
    for _ in 0..n {
        let dice = random.next_u64();
        let which = dice as usize & 1;
        let spin = || (0..dice >> 8 & 0x3f).for_each(|_| core::hint::spin_loop());
        match dice >> 32 & 0xf {
            0 => hold(arena, which, me, || sched::sleep((dice >> 40 & 0x3f) * MICROSECOND_NS)),
            1..=2 => hold(arena, which, me, sched::yield_now),
            3 => hold(arena, which, me, || sched::set_affinity(sched::current(), (dice >> 40) as u32)),
            // Both, always in this order.
            4 => hold(arena, 0, me, || hold(arena, 1, me, spin)),
            _ => hold(arena, which, me, spin),
        }
        match dice >> 36 & 7 {
            0 => sched::sleep((dice >> 48 & 0x3f) * MICROSECOND_NS),
            1 => sched::yield_now(),
            _ => sched::cond_resched(),
        }
    }
}

/// Counts under mutexes.
pub(super) fn torture(run: &mut Run) -> Outcome {
    // Two places, so that they are of two classes: whoever holds both took them in one order.
    let first = Mutex::new(Guarded { count: 0, owner: NOBODY });
    let second = Mutex::new(Guarded { count: 0, owner: NOBODY });
    let arena = Arc::new(Arena {
        mutexes: [first, second],
        broken: AtomicU64::new(0),
        overtaken: AtomicU64::new(0),
        taken: [AtomicU64::new(0), AtomicU64::new(0)],
    });
    let workers = (sched::nr_cpus() * WORKERS_PER_CPU) as u64;
    let n = LOCKS.div_ceil(workers);
    let mut crew = Crew::new();
    for me in 1..=workers {
        let (arena, seed) = (Arc::clone(&arena), run.random.next_u64());
        let class = if me % 4 == 0 { Class::High } else { Class::Normal };
        crew.start(Spawn { name: "locker", class, cpu: None }, move || worker(&arena, me, n, seed))?;
    }
    crew.finish("waits for a mutex that nobody keeps")?;
    let counts = [0, 1].map(|which: usize| arena.mutexes[which].lock().count);
    let taken = [0, 1].map(|which: usize| arena.taken[which].load(Ordering::Relaxed));
    run.note("tasks", workers);
    run.note("locks", taken[0] + taken[1]);
    run.note("most_overtaken", arena.overtaken.load(Ordering::Relaxed));
    let broken = arena.broken.load(Ordering::Relaxed);
    check!(broken == 0, "{broken} times a mutex had two holders");
    check!(counts == taken, "{taken:?} locks, but {counts:?} were counted under them");
    check!(taken[0] + taken[1] >= LOCKS, "only {taken:?} locks");
    beside_one_that_registers(run)
}

/// One that registers and unregisters in a loop.
struct Registrar {
    goes_on: AtomicBool,
    /// Times that it has had the registry.
    nr_had: AtomicU64,
    why: spin::Once<String>,
}

impl Registrar {
    fn work(&self) {
        let had = || self.nr_had.fetch_add(1, Ordering::Relaxed);
        while self.goes_on.load(Ordering::Relaxed) {
            match live::register_at(nop::empty(), tracees::sites(0..=0)) {
                Ok(ops) => {
                    had();
                    let gone = live::unregister(ops).expect("just registered");
                    had();
                    rcu::call(gone, drop);
                    sched::cond_resched();
                }
                Err(error) => {
                    self.why.call_once(|| alloc::format!("cannot register: {error}"));
                    return;
                }
            }
        }
    }
}

/// Looks into the registry over and over. Gives the looks that count, and how often the other one had the registry in one of
/// them at the most. What it had while the looker was preempted on its way into the queue does not count.
fn look_beside(registrar: &Registrar) -> (u64, u64) {
    let (mut looks, mut overtaken) = (0, 0);
    let preempted = || sched::current().nivcsw.load(Ordering::Relaxed);
    for _ in 0..LOOKS {
        let before = (registrar.nr_had.load(Ordering::Relaxed), preempted());
        live::with_registry(|_| ());
        if preempted() == before.1 {
            looks += 1;
            overtaken = overtaken.max(registrar.nr_had.load(Ordering::Relaxed) - before.0);
        }
        sched::yield_now();
    }
    (looks, overtaken)
}

/// Whoever wants the registry has it when the one that has it lets go of it, on one CPU too, where the other one goes on at once.
fn beside_one_that_registers(run: &mut Run) -> Outcome {
    let cpu = Some(sched::nr_cpus() - 1);
    let registrar =
        Arc::new(Registrar { goes_on: AtomicBool::new(true), nr_had: AtomicU64::new(0), why: spin::Once::new() });
    let seen = Arc::new(spin::Once::new());
    let mut crew = Crew::new();
    {
        let registrar = Arc::clone(&registrar);
        crew.normal("registrar", cpu, move || registrar.work())?;
    }
    {
        let (registrar, seen) = (Arc::clone(&registrar), Arc::clone(&seen));
        crew.normal("looker", cpu, move || {
            let looks = look_beside(&registrar);
            seen.call_once(|| looks);
            registrar.goes_on.store(false, Ordering::Relaxed);
        })?;
    }
    crew.finish("waits for the registry")?;
    rcu::barrier();
    if let Some(why) = registrar.why.get() {
        return Err(why.clone());
    }
    let (looks, overtaken) = seen.get().copied().unwrap_or_default();
    run.note("registry_looks", looks);
    run.note("registry_overtaken", overtaken);
    check!(looks >= LEAST_LOOKS, "only {looks} of {LOOKS} looks into the registry were not preempted");
    check!(
        overtaken <= 1,
        "one that wanted the registry was overtaken {overtaken} times by one that registers in a loop"
    );
    Ok(())
}
