//! Ten thousand tasks at once: each runs, blocks, is woken, ends and is reaped, and nothing of it is left.

use super::crew::{Crew, await_that};
use super::{Outcome, Run, check};
use crate::mm::{heap, stack};
use crate::sched::{self, WaitQueue};
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use alloc::string::String;
use alloc::sync::Arc;

const TASKS: usize = 10_000;
/// Fewer show nothing about scale; 128 MiB have room for more.
const LEAST: usize = 4_000;
/// A task's stack, its share of a page-table page, its own words with what rounding up costs, and its closure.
const BYTES_PER_TASK: usize = 20 << 10;
/// What all others have meanwhile.
const SPARE_BYTES: usize = 8 << 20;
/// What the heap may hold more of afterwards: stacks that stay mapped for the next tasks, and blocks in quarantine.
const KEPT_BYTES: usize = 2 << 20;
const KIB: usize = 1 << 10;

#[derive(Default)]
struct Hall {
    gate: WaitQueue,
    is_open: AtomicBool,
    ran: AtomicUsize,
    woken: AtomicUsize,
}

fn in_use() -> usize {
    let usage = heap::usage();
    usage.allocated - usage.quarantined
}

/// How many more tasks memory allows.
pub(in crate::lab) fn room_for_tasks() -> usize {
    let usage = heap::usage();
    (usage.total - usage.allocated).saturating_sub(SPARE_BYTES) / BYTES_PER_TASK
}

/// As many tasks as memory allows, at most 10,000; then a fourth of them once more, which must need nothing new. Where
/// memory allows fewer than [`LEAST`], the scenario is skipped.
pub(super) fn ten_thousand(run: &mut Run) -> Outcome {
    let n = TASKS.min(room_for_tasks());
    if n < LEAST {
        return run.skip(alloc::format!("memory is left for {n} tasks, needs {LEAST}"));
    }
    let lives = crowd(n)?;
    let again = in_use();
    for (key, count) in
        [("n", n), ("ran", lives.ran), ("blocked", lives.blocked), ("woken", lives.woken), ("reaped", lives.reaped)]
    {
        run.note(key, count);
    }
    run.note("bytes_per_task", lives.bytes / n);
    crowd(n / 4)?;
    let growth = in_use().saturating_sub(again);
    check!(growth <= KEPT_BYTES, "{} KiB of heap are gone for good after {} tasks", growth / KIB, n / 4);
    Ok(())
}

/// How far so many tasks came.
struct Lives {
    ran: usize,
    blocked: usize,
    woken: usize,
    reaped: usize,
    /// What they took while all of them lived.
    bytes: usize,
}

/// Takes `n` tasks through a life, all of them at once.
fn crowd(n: usize) -> Result<Lives, String> {
    let (slots, before, bytes) = (stack::counts().0, sched::counts(), in_use());
    let hall = Arc::new(Hall::default());
    let mut crew = Crew::new();
    for _ in 0..n {
        let hall = Arc::clone(&hall);
        crew.normal("crowd", None, move || {
            hall.ran.fetch_add(1, Ordering::Relaxed);
            hall.gate.wait_until(|| hall.is_open.load(Ordering::Acquire));
            hall.woken.fetch_add(1, Ordering::Relaxed);
        })?;
    }
    let mut blocked = 0;
    await_that("every task to run and to block", || {
        blocked = 0;
        sched::for_each_task(|task| blocked += usize::from(task.name() == "crowd" && task.is_blocked()));
        blocked == n
    })?;
    let alive = sched::counts().0 - before.0;
    let ran = hall.ran.load(Ordering::Relaxed);
    check!(alive == n && ran == n, "of {n} tasks {alive} live and {ran} have run");
    let peak = in_use().saturating_sub(bytes);
    hall.is_open.store(true, Ordering::Release);
    // One by one, then all the others at once.
    for _ in 0..n / 2 {
        hall.gate.wake_one();
        sched::cond_resched();
    }
    hall.gate.wake_all();
    crew.finish("waits for the gate, which is open")?;
    let woken = hall.woken.load(Ordering::Relaxed);
    let after = sched::counts();
    let reaped = n - (after.0 + after.1).saturating_sub(before.0 + before.1);
    check!(woken == n && reaped == n, "of {n} tasks {woken} were woken and {reaped} reaped");
    // Others may have begun to exit before the first of these began, and have given back theirs as well.
    let given_back = await_that("the stacks", || stack::counts().0 <= slots);
    let left = stack::counts().0;
    check!(given_back.is_ok(), "{left} stacks are in use, were {slots} before {n} tasks came and went");
    let kept = in_use().saturating_sub(bytes);
    check!(kept <= KEPT_BYTES, "{} KiB of heap are still in use after {n} tasks", kept / KIB);
    Ok(Lives { ran, blocked, woken, reaped, bytes: peak })
}
