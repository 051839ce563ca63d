//! Tasks of both classes fight for two mutexes, sleep and are moved while they hold them.

use super::crew::Crew;
use super::{Outcome, Run, check};
use crate::sched::{self, Class, Mutex, Spawn};
use crate::sync::atomic::{AtomicU64, Ordering};
use alloc::sync::Arc;
use rand_core::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

const LOCKS: u64 = 24_000;
const WORKERS_PER_CPU: usize = 4;
const MICROSECOND_NS: u64 = 1_000;
const NOBODY: u64 = 0;

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
    Ok(())
}
