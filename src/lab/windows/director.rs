//! One run: the thread stands at its boundary; its ops is swapped, retired, and freed as soon as the grace period ends.
//!
//! Whether the scheme waits is told by events, not by time: the grace period has looked at everybody, waits for nobody but
//! the thread or its CPU, and stays so while every CPU takes part in more rounds ([`crate::rcu::standing`]).
//! Context: the mode's task.

use super::contain;
use super::debugger;
use super::exiting;
use super::funcs;
use super::levels;
use super::path::{self, Boundary};
use super::record::MEMORY;
use super::site::{Site, TakenOff};
use super::story;
use super::thread::{
    self, AT, CALL, CALL_ELSEWHERE, CPU, DONE, GO, HOLDS, NOWHERE, OFF_CPU, ON_CPU, PC, PHASE, SCENARIO, THREAD,
};
use crate::arch::cpu;
use crate::arch::insn::Insn;
use crate::arch::text::read_insn;
use crate::arch::trampoline::Trampoline;
use crate::ftrace::live::Gone;
use crate::ftrace::ops::Ops;
use crate::irq::entry;
use crate::lab::oracle::{Late, Property};
use crate::lab::report::{Cell, HeldWhat};
use crate::mm::poison::is_poison;
use crate::platform::{WindowFunc, WindowScenario};
use crate::rcu::{self, Cookie, Elapsed};
use crate::sched::{self, JoinHandle, Task, now_ns};
use crate::sync::atomic::Ordering;
use alloc::vec::Vec;

/// A scheme that has neither ended its grace period nor come to rest by then is `undecided`. Guest time.
const BACKSTOP_NS: u64 = 2_000_000_000;
/// A grace period that has not ended so long after everybody went on never does.
const PATIENCE_NS: u64 = 10_000_000_000;
/// Calls that are recorded; and that are made until one comes by its boundary.
const RECORDS: usize = 3;
const TRIES: usize = 32;
/// The most that a fan-out node of three takes.
const NODE_BYTES: usize = 64;

/// The callsite with the ops that will be retired next.
pub(super) struct Stage {
    func: WindowFunc,
    is_last_call: bool,
    exiting: Option<JoinHandle>,
    site: Site,
}

/// The call went another way, and stands at no boundary that was recorded.
struct Elsewhere;

/// What one run came to.
pub(super) struct Seen {
    pub(super) cell: Cell,
    /// The grace period ended, before the thread went on or after.
    pub(super) has_ended: bool,
    pub(super) pc: usize,
    pub(super) cpu: usize,
    pub(super) was_off_cpu: bool,
    pub(super) ops: usize,
    pub(super) successor: usize,
    /// What the callsite held then, and the CPU that asked for the grace period.
    pub(super) branch: Insn,
    pub(super) updater: usize,
    pub(super) grace_period: u64,
    pub(super) waited_ns: u64,
    pub(super) late: Option<Late>,
}

fn thread() -> &'static Task {
    // SAFETY: the thread says who it is before it takes its first order, and is joined after the last stage.
    unsafe { THREAD.load(Ordering::Acquire).as_ref() }.expect("the thread has begun")
}

/// From now on the director runs on CPU number `number` alone.
fn move_to(number: usize) {
    sched::set_affinity(sched::current(), 1 << number);
    while cpu::id() != number {
        sched::yield_now();
    }
}

/// Lets other tasks run, and CPUs that have nothing to do take them.
fn wait_until(mut is_so: impl FnMut() -> bool, patience_ns: u64) -> bool {
    let start_ns = now_ns();
    for round in 1_u64.. {
        if is_so() {
            return true;
        }
        if now_ns() - start_ns > patience_ns {
            break;
        }
        if round.is_multiple_of(4) {
            sched::sleep(20_000);
        } else {
            sched::yield_now();
        }
    }
    false
}

impl Stage {
    /// Registers an ops of this kind: on a tracee, or on the last call that a task makes.
    pub(super) fn open(func: WindowFunc, is_last_call: bool) -> Self {
        Self { func, is_last_call, exiting: None, site: Site::open(func, is_last_call) }
    }

    /// Takes it off again.
    pub(super) fn close(self) {
        self.site.close();
    }

    /// The boundaries of a call that is stepped to its end. The shortest of a few: where preemption is enabled, a call goes
    /// out of its way if somebody happens to want the CPU.
    pub(super) fn record(&mut self, trampoline: &Trampoline) -> Vec<Boundary> {
        let paths = (0..RECORDS).map(|_| self.record_once(trampoline));
        paths.min_by_key(Vec::len).expect("a few")
    }

    fn record_once(&mut self, trampoline: &Trampoline) -> Vec<Boundary> {
        thread::T2.store(trampoline.t2, Ordering::Relaxed);
        thread::T7.store(trampoline.t7, Ordering::Relaxed);
        let (ops, literal) = (self.site.ops(), self.site.literal());
        let ends = [ops, ops + size_of::<Ops>(), literal, literal + NODE_BYTES];
        MEMORY.iter().zip(ends).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        self.give(NOWHERE, WindowScenario::Running);
        self.finish();
        path::recorded(self.func, trampoline)
    }

    /// The thread stands at boundary number `n`; its ops is retired, and freed as soon as that may be. `None` when it
    /// cannot stand there in this way.
    pub(super) fn run(&mut self, n: usize, boundary: &Boundary, scenario: WindowScenario) -> Option<Seen> {
        for _ in 0..TRIES {
            match self.try_run(n, boundary, scenario) {
                Err(Elsewhere) => {}
                Ok(seen) => return seen,
            }
        }
        panic!("windows: no call of {TRIES} came by boundary {n}, {}", story::At(boundary.pc))
    }

    fn try_run(&mut self, n: usize, at: &Boundary, scenario: WindowScenario) -> Result<Option<Seen>, Elsewhere> {
        let new = self.site.successor();
        contain::take();
        self.give(n, scenario);
        if levels::is_one() && !levels::stand() {
            panic!("no interrupt under {scenario} has come to its func");
        }
        let phase = || PHASE.load(Ordering::Acquire);
        let has_come = wait_until(|| matches!(phase(), OFF_CPU | ON_CPU | DONE), PATIENCE_NS);
        assert!(has_come, "the thread has not come to boundary {n} under {scenario}: phase {}", phase());
        let was_off_cpu = phase() == OFF_CPU;
        let is_off_cpu = wait_until(|| !was_off_cpu || thread().is_off_cpu(), PATIENCE_NS);
        assert!(is_off_cpu, "the thread does not leave its CPU at boundary {n} under {scenario}");
        let holders_cpu = CPU.load(Ordering::Relaxed);
        let is_moved = scenario != WindowScenario::Migrated || holders_cpu != 0;
        let is_done = phase() == DONE;
        if is_done || !is_moved || !at.is_at(PC.load(Ordering::Relaxed)) {
            self.let_go();
            return if is_done || !is_moved { Ok(None) } else { Err(Elsewhere) };
        }
        let is_here = scenario == WindowScenario::PreemptedHere;
        if is_here {
            move_to(holders_cpu);
        }
        let TakenOff { ops: old, gone, page: old_page } = self.site.take_off(new, scenario);
        let (successor, branch) = (self.site.literal(), read_insn(thread::ENTRY.load(Ordering::Relaxed) + 4));
        let updater = cpu::id();
        let start_ns = now_ns();
        let cookie = gone.cookie();
        let decided = decide(cookie);
        let waited_ns = now_ns() - start_ns;
        let is_held = HOLDS.load(Ordering::Relaxed) != 0 || at.held == HeldWhat::Text;
        let mut parts = Some((gone, old_page));
        let mut free_now = |elapsed| {
            if let Some((gone, page)) = parts.take() {
                free(gone, elapsed);
                drop(page);
            }
        };
        if let Some(Some(elapsed)) = decided {
            free_now(elapsed);
        }
        if is_here {
            sched::set_affinity(sched::current(), !(1 << holders_cpu));
        }
        let cell = decided.as_ref().map_or(Cell::Undecided, |ended| Cell::of(ended.is_some(), is_held));
        debugger::tell(n, old, at.held, scenario, cell);
        self.let_go();
        let has_ended = wait_until(|| rcu::poll(cookie).is_some(), PATIENCE_NS);
        if let Some(elapsed) = rcu::poll(cookie) {
            free_now(elapsed);
        }
        levels::end();
        self.site.restore();
        Ok(Some(Seen {
            cell,
            has_ended,
            pc: PC.load(Ordering::Relaxed),
            cpu: holders_cpu,
            was_off_cpu,
            ops: old,
            successor,
            branch,
            updater,
            grace_period: cookie.number(),
            waited_ns,
            late: contain::take().or_else(late_read),
        }))
    }

    /// Orders a call.
    fn give(&mut self, n: usize, scenario: WindowScenario) {
        AT.store(n, Ordering::Relaxed);
        SCENARIO.store(scenario as u32, Ordering::Relaxed);
        thread::order(if self.is_last_call || levels::is_one() { CALL_ELSEWHERE } else { CALL });
        if self.is_last_call {
            self.exiting = Some(exiting::spawn());
        }
    }

    /// The thread goes on, and ends its call.
    fn let_go(&mut self) {
        // Before it may run: it does not wait for the order, and its DONE would be lost.
        if PHASE.load(Ordering::Acquire) != DONE && !levels::went_on() {
            thread::order(GO);
        }
        if !levels::is_one() {
            sched::set_affinity(thread(), 1 << CPU.load(Ordering::Relaxed));
        }
        self.finish();
    }

    /// Waits for the end of the call.
    fn finish(&mut self) {
        match self.exiting.take() {
            Some(exiting) => exiting.join(),
            None => {
                let is_done = || PHASE.load(Ordering::Acquire) == DONE;
                assert!(wait_until(is_done, PATIENCE_NS), "a call that may go on does not end");
            }
        }
        PHASE.store(thread::IDLE, Ordering::Release);
    }
}

fn free(gone: Gone, elapsed: Elapsed) {
    assert!(gone.reclaim(elapsed).is_ok(), "its grace period has ended");
}

/// What a func left that read a freed ops.
fn late_read() -> Option<Late> {
    is_poison(funcs::READ.load(Ordering::Relaxed)).then_some(Late {
        property: Property::NoUaf,
        pc: 0,
        what: "func read poison from the freed ops",
    })
}

/// Rounds, until the CPU that runs the thread has left an interrupt that began after this did: whoever wants that CPU, and
/// may have it, has it then.
fn pass_interrupts() {
    let cpu = thread().cpu();
    let before = entry::taken(cpu);
    // The count is of those that began; an interrupt may answer several rounds.
    while entry::taken(cpu) < before + 2 {
        sched::synchronise_every_cpu();
        if !thread().is_running() {
            return sched::synchronise_every_cpu();
        }
    }
}

/// Waits until the grace period has ended, or is seen to wait for the thread; `None` if neither comes.
fn decide(cookie: Cookie) -> Option<Option<Elapsed>> {
    let mut decided = None;
    wait_until(
        || {
            if levels::went_on() {
                decided = Some(None); // it had to be waited for, or the round would have been over
            } else if let Some(elapsed) = rcu::poll(cookie) {
                decided = Some(Some(elapsed));
            } else if levels::keeps_everybody_waiting() {
                decided = Some(None);
            } else if let Some(before) = rcu::standing(thread()).filter(|it| it.is_for_nobody_else(thread())) {
                pass_interrupts();
                let is_so = |it: rcu::Standing| it == before && it.is_for_nobody_else(thread());
                if rcu::standing(thread()).is_some_and(is_so) && rcu::poll(cookie).is_none() {
                    decided = Some(None);
                }
            }
            decided.is_some()
        },
        BACKSTOP_NS,
    );
    decided
}
