//! One run: one stands at a boundary, or two; their ops is swapped, retired, and freed as soon as the grace period ends.
//! Context: the mode's task.

use super::contain;
use super::debugger;
use super::decide::decide;
use super::exiting;
use super::funcs;
use super::inside;
use super::levels;
use super::pairs;
use super::party::{
    CALL, CALL_ELSEWHERE, CALLING, DONE, FIRST, IDLE, NESTING, NOWHERE, OFF_CPU, ON_CPU, Party, SECOND,
};
use super::path::{self, Boundary};
use super::record;
use super::site::{Site, TakenOff};
use super::story;
use super::thread::{self, SCENARIO};
use super::wish;
use crate::arch::cpu;
use crate::arch::insn::Insn;
use crate::arch::text::read_insn;
use crate::arch::trampoline::Trampoline;
use crate::ftrace::live::Gone;
use crate::lab::oracle::{Late, Property};
use crate::lab::report::{Cell, HeldWhat};
use crate::mm::poison::is_poison;
use crate::mm::text_page::TextPage;
use crate::platform::{WindowFunc, WindowScenario};
use crate::rcu::Elapsed;
use crate::sched::{self, JoinHandle, Patience, now_ns};
use crate::sync::atomic::Ordering;
use alloc::vec::Vec;

/// A grace period that has not ended when the guest has made so much progress since everybody went on never does.
pub(super) const PATIENCE_NS: u64 = 10_000_000_000;
/// Calls that are recorded; and that are made until one comes by its boundary.
const RECORDS: usize = 3;
const TRIES: usize = 32;

/// The callsite with the ops that will be retired next.
pub(super) struct Stage {
    func: WindowFunc,
    is_last_call: bool,
    exiting: Option<JoinHandle>,
    site: Site,
}

/// The call went another way, and stands at no boundary that was recorded.
struct Elsewhere;

/// Where a party is to stand.
#[derive(Clone, Copy)]
pub(super) struct Spot<'a> {
    /// The number of the boundary, and the boundary.
    pub(super) n: usize,
    pub(super) at: &'a Boundary,
}

impl Spot<'_> {
    /// Waits for `party`, and says whether it stands here. With nobody on top it may be on its way to stand.
    fn is_reached(&self, party: &Party, scenario: WindowScenario) -> Result<bool, Elsewhere> {
        let is_below = scenario == WindowScenario::PairOnTop && core::ptr::eq(party, &FIRST);
        let phases = [OFF_CPU, ON_CPU, DONE, if is_below { NESTING } else { DONE }];
        wait_for_stand(party, &phases);
        if party.phase() == DONE {
            // Somebody else may have taken the report off it, and it went the short way.
            return if scenario == WindowScenario::Wished { Err(Elsewhere) } else { Ok(false) };
        }
        if self.at.is_at(party.pc.load(Ordering::Relaxed)) { Ok(true) } else { Err(Elsewhere) }
    }

    /// By the instructions that the party executed.
    fn is_held(&self, party: &Party) -> bool {
        party.holds.load(Ordering::Relaxed) != 0 || self.at.held == HeldWhat::Text
    }
}

/// What one run came to.
pub(super) struct Seen {
    pub(super) cell: Cell,
    /// The grace period ended, before the thread went on or after.
    pub(super) has_ended: bool,
    pub(super) pc: usize,
    pub(super) cpu: usize,
    pub(super) was_off_cpu: bool,
    /// Where the second of two stands.
    pub(super) second: Option<usize>,
    pub(super) ops: usize,
    pub(super) successor: usize,
    /// What the callsite held then, and the CPU that asked for the grace period.
    pub(super) branch: Insn,
    pub(super) updater: usize,
    pub(super) retirement: u64,
    pub(super) waited_ns: u64,
    pub(super) late: Option<Late>,
    /// When the ops was freed somebody stood in the call that was made for it.
    pub(super) was_inside: bool,
}

/// From now on the director runs on CPU number `number` alone.
fn move_to(number: usize) {
    sched::set_affinity(sched::current(), 1 << number);
    while cpu::id() != number {
        sched::yield_now();
    }
}

/// Lets other tasks run, and CPUs that have nothing to do take them. A CPU that its host does not run is waited for.
pub(super) fn wait_until(mut is_so: impl FnMut() -> bool, patience_ns: u64) -> bool {
    let patience = Patience::of(patience_ns);
    for round in 1_u64.. {
        if is_so() {
            return true;
        }
        if patience.is_over() {
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

    /// The boundaries of a call that is stepped to its end, under a scenario that has a path of its own or any other. The
    /// shortest of a few: where preemption is enabled, a call goes out of its way if somebody happens to want the CPU; or the
    /// longest, where it is to.
    pub(super) fn record(&mut self, trampoline: &Trampoline, scenario: WindowScenario) -> Vec<Boundary> {
        let paths: Vec<_> = (0..TRIES).filter_map(|_| self.record_once(trampoline, scenario)).take(RECORDS).collect();
        let wanted = match scenario {
            WindowScenario::Wished => paths.into_iter().max_by_key(Vec::len),
            _ => paths.into_iter().min_by_key(Vec::len),
        };
        wanted.expect("a call that is not too long to be explored")
    }

    fn record_once(&mut self, trampoline: &Trampoline, scenario: WindowScenario) -> Option<Vec<Boundary>> {
        thread::T2.store(trampoline.t2, Ordering::Relaxed);
        thread::T7.store(trampoline.t7, Ordering::Relaxed);
        record::will_be_retired(self.site.ops(), self.site.literal());
        self.give(NOWHERE, scenario);
        self.finish(&FIRST);
        path::recorded(self.func, trampoline)
    }

    /// A party stands at each of `spots`, in this way; their ops is retired, and freed as soon as that may be. `None` when
    /// they cannot stand there so.
    pub(super) fn run(&mut self, spots: &[Spot], scenario: WindowScenario) -> Option<Seen> {
        for _ in 0..TRIES {
            match self.try_run(spots, scenario) {
                Err(Elsewhere) => {}
                Ok(seen) => return seen,
            }
        }
        panic!("windows: no call of {TRIES} came by boundary {}, {}", spots[0].n, story::At(spots[0].at.pc))
    }

    fn try_run(&mut self, spots: &[Spot], scenario: WindowScenario) -> Result<Option<Seen>, Elsewhere> {
        let new = self.site.successor();
        contain::take();
        funcs::READ.store(0, Ordering::Relaxed);
        record::will_be_retired(self.site.ops(), self.site.literal());
        if !self.stand(spots, scenario)? {
            return Ok(None);
        }
        let was_off_cpu = FIRST.phase() == OFF_CPU;
        let is_here = scenario == WindowScenario::PreemptedHere;
        let holders_cpu = FIRST.cpu.load(Ordering::Relaxed);
        if is_here {
            move_to(holders_cpu);
        }
        let TakenOff { ops: old, literal, gone, page: old_page } = self.site.take_off(new, scenario);
        let start_ns = now_ns();
        let number = gone.number();
        let mut seen = Seen {
            cell: Cell::Right,
            has_ended: false,
            pc: FIRST.pc.load(Ordering::Relaxed),
            cpu: holders_cpu,
            was_off_cpu,
            second: (spots.len() > 1).then(|| SECOND.pc.load(Ordering::Relaxed)),
            ops: old,
            successor: self.site.literal(),
            branch: read_insn(thread::SITE.load(Ordering::Relaxed) + 4),
            updater: cpu::id(),
            retirement: number,
            waited_ns: 0,
            late: None,
            was_inside: false,
        };
        let mut parts = Some((gone, old_page));
        let mut leaving: heapless::Vec<_, 2> = spots.iter().zip([&FIRST, &SECOND]).collect();
        if pairs::is_second_first(spots, scenario) {
            leaving.reverse();
        }
        for (nr_gone, &(_, party)) in leaving.iter().enumerate() {
            let standing = &leaving[nr_gone..];
            if parts.is_some() {
                // On top of a task is the same task.
                let nr_tasks = if scenario == WindowScenario::Pair { standing.len() } else { 1 };
                let tasks: heapless::Vec<_, 2> = standing[..nr_tasks].iter().map(|(_, party)| party.task()).collect();
                let decided = decide(|| parts.as_ref().and_then(|(gone, _)| gone.poll()), &tasks);
                let is_held = standing.iter().any(|(spot, party)| spot.is_held(party));
                let cell = decided.as_ref().map_or(Cell::Undecided, |ended| Cell::of(ended.is_some(), is_held));
                seen.cell = if nr_gone == 0 { cell } else { seen.cell.max(cell) };
                seen.waited_ns = now_ns() - start_ns;
                free(&mut parts, decided.flatten());
                seen.was_inside = parts.is_none()
                    && self.func == WindowFunc::FanOut
                    && standing.iter().any(|(_, party)| inside::names(party, literal));
            }
            if is_here {
                sched::set_affinity(sched::current(), !(1 << holders_cpu));
            }
            if nr_gone == 0 {
                debugger::tell(spots[0].n, old, spots[0].at.held, scenario, seen.cell);
            }
            self.let_go(party, scenario);
            seen.late = seen.late.or_else(contain::take).or_else(late_read);
        }
        let elapsed = || parts.as_ref().and_then(|(gone, _)| gone.poll());
        seen.has_ended = wait_until(|| parts.is_none() || elapsed().is_some(), PATIENCE_NS);
        let elapsed = elapsed();
        free(&mut parts, elapsed);
        levels::end();
        self.site.restore();
        seen.cell = seen.cell.as_seen(seen.late.is_some() || seen.was_inside);
        Ok(Some(seen))
    }

    /// Brings the parties to stand. Says whether they do; if one does not, nobody does any more.
    fn stand(&mut self, spots: &[Spot], scenario: WindowScenario) -> Result<bool, Elsewhere> {
        if scenario == WindowScenario::PairOnTop {
            SECOND.at.store(spots[1].n, Ordering::Relaxed);
            SECOND.enter(CALLING);
        }
        self.give(spots[0].n, scenario);
        if levels::is_one() && !levels::stand() {
            panic!("no interrupt under {scenario} has come to its func");
        }
        let is_moved = || scenario != WindowScenario::Migrated || FIRST.cpu.load(Ordering::Relaxed) != 0;
        let mut stands = spots[0].is_reached(&FIRST, scenario).map(|stands| stands && is_moved());
        if let (Ok(true), Some(second)) = (&stands, spots.get(1)) {
            if scenario == WindowScenario::Pair {
                SECOND.at.store(second.n, Ordering::Relaxed);
                SECOND.home.store(usize::from(FIRST.phase() == ON_CPU), Ordering::Relaxed);
                SECOND.order(CALL);
            }
            stands = second.is_reached(&SECOND, scenario);
            if !matches!(stands, Ok(true)) {
                self.let_go(&SECOND, scenario);
            }
        }
        if !matches!(stands, Ok(true)) {
            if scenario == WindowScenario::PairOnTop && FIRST.phase() == NESTING {
                wait_for_stand(&SECOND, &[ON_CPU, DONE]);
                self.let_go(&SECOND, scenario);
            }
            self.let_go(&FIRST, scenario);
            levels::end();
        }
        stands
    }

    /// Orders a call of the first.
    fn give(&mut self, n: usize, scenario: WindowScenario) {
        FIRST.at.store(n, Ordering::Relaxed);
        SCENARIO.store(scenario as u32, Ordering::Relaxed);
        FIRST.order(if self.is_last_call || levels::is_one() { CALL_ELSEWHERE } else { CALL });
        if self.is_last_call {
            self.exiting = Some(exiting::spawn());
        }
        if scenario == WindowScenario::Wished {
            wish::grant(&FIRST);
        }
    }

    /// The party goes on, and ends its call.
    fn let_go(&mut self, party: &Party, scenario: WindowScenario) {
        let is_on_top = scenario == WindowScenario::PairOnTop && core::ptr::eq(party, &SECOND);
        party.let_go();
        if !levels::is_one() && !is_on_top {
            // The other of a pair may keep that CPU.
            let cpus = if scenario == WindowScenario::Pair { !0 } else { 1 << party.cpu.load(Ordering::Relaxed) };
            sched::set_affinity(party.task(), cpus);
        }
        self.finish(party);
        if is_on_top {
            wait_for_stand(&FIRST, &[OFF_CPU, ON_CPU]);
        }
    }

    /// Waits for the end of the call.
    fn finish(&mut self, party: &Party) {
        match self.exiting.take() {
            Some(exiting) => exiting.join(),
            None => assert!(wait_until(|| party.phase() == DONE, PATIENCE_NS), "a call that may go on does not end"),
        }
        party.enter(IDLE);
    }
}

/// Waits until the party stands, off its CPU if it has to leave that, or is done.
fn wait_for_stand(party: &Party, phases: &[u32]) {
    let stands = || phases.contains(&party.phase());
    assert!(wait_until(stands, PATIENCE_NS), "a call has not come to its boundary: phase {}", party.phase());
    let is_off_cpu = || party.phase() != OFF_CPU || party.task().is_off_cpu();
    assert!(wait_until(is_off_cpu, PATIENCE_NS), "a task does not leave its CPU at its boundary");
}

/// Frees the ops, then the text of its func, unless that has been done, once a grace period has ended.
fn free(parts: &mut Option<(Gone, TextPage)>, elapsed: Option<Elapsed>) {
    if let Some(elapsed) = elapsed
        && let Some((gone, page)) = parts.take()
    {
        assert!(gone.reclaim(elapsed).is_ok(), "the proof is its own");
        drop(page);
    }
}

/// What a func left that read a freed ops.
fn late_read() -> Option<Late> {
    is_poison(funcs::READ.load(Ordering::Relaxed)).then_some(Late {
        property: Property::NoUaf,
        pc: 0,
        what: "func read poison from the freed ops",
    })
}
