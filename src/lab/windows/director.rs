//! One run: one stands at a boundary, or two; their ops is swapped, retired, and freed as soon as the grace period ends.
//! Context: the mode's task.

use super::decide::{Decision, decide, grant_wish};
use super::order;
use super::party::{
    CALL, CALL_ELSEWHERE, CALLING, DONE, FIRST, GO, IDLE, NESTING, NOWHERE, OFF_CPU, ON_CPU, Party, SECOND,
};
use super::path::{self, At, Boundary};
use super::patience::{PATIENCE_NS, wait_until};
use super::seen::{Elsewhere, OtherSeen, Seen, Spot};
use super::site::{Site, TakenOff};
use super::{contain, debugger, funcs, inside, levels, own, record, stance};
use crate::arch::cpu;
use crate::arch::text::read_insn;
use crate::arch::trampoline::Trampoline;
use crate::lab::oracle::{Late, Property};
use crate::lab::report::Cell;
use crate::lab::scenario::{Other, Scenario, Stand};
use crate::mm::poison::is_poison;
use crate::platform::{WindowFunc, WindowScenario};
use crate::sched::{self, JoinHandle, now_ns};
use crate::sync::atomic::Ordering;
use alloc::vec::Vec;

/// Calls that are recorded; and that are made until one comes by its boundary.
const RECORDS: usize = 3;
const TRIES: usize = 32;

/// The callsite with the ops that will be retired next.
pub(super) struct Stage {
    func: WindowFunc,
    /// The task that makes the call, where each has one of its own.
    own: Option<JoinHandle>,
    site: Site,
}

/// Who stands where, and how; and whether the second of two goes on first.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) spots: &'a [Spot<'a>],
    pub(super) scenario: &'a Scenario,
    pub(super) is_second_first: bool,
}

/// Those that still stand, in the order in which they go on.
type Standing<'a> = heapless::Vec<(&'a Spot<'a>, &'static Party), 2>;

/// From now on the director runs on CPU number `number` alone.
fn move_to(number: usize) {
    sched::set_affinity(sched::current(), 1 << number);
    while cpu::id() != number {
        sched::yield_now();
    }
}

impl Stage {
    /// Registers an ops of this kind: on a tracee, or on the last call that a task makes.
    pub(super) fn open(func: WindowFunc, is_last_call: bool) -> Self {
        Self { func, own: None, site: Site::open(func, is_last_call) }
    }

    /// Takes it off again.
    pub(super) fn close(self) {
        self.site.close();
    }

    /// The boundaries of a call that is stepped to its end, under a scenario that has a path of its own or any other. The
    /// shortest of a few: where preemption is enabled, a call goes out of its way if somebody happens to want the CPU; or the
    /// longest, where it is to.
    pub(super) fn record(&mut self, trampoline: &Trampoline, name: WindowScenario) -> Vec<Boundary> {
        let scenario = Scenario::of(name);
        let paths: Vec<_> = (0..TRIES).filter_map(|_| self.record_once(trampoline, scenario)).take(RECORDS).collect();
        let wanted = if scenario.is_wished {
            paths.into_iter().max_by_key(Vec::len)
        } else {
            paths.into_iter().min_by_key(Vec::len)
        };
        wanted.expect("a call that is not too long to be explored")
    }

    fn record_once(&mut self, trampoline: &Trampoline, scenario: &Scenario) -> Option<Vec<Boundary>> {
        order::set_marks(trampoline.marks());
        record::will_be_retired(self.site.ops(), self.site.literal());
        self.give(NOWHERE, scenario);
        self.finish(&FIRST);
        path::recorded(self.func, trampoline)
    }

    /// A party stands at each of the spots, in this way; their ops is retired, and freed as soon as that may be. `None` when
    /// they cannot stand there so.
    pub(super) fn run(&mut self, run: Run<'_>) -> Option<Seen> {
        for _ in 0..TRIES {
            match self.try_run(run) {
                Err(Elsewhere) => {}
                Ok(seen) => return seen,
            }
        }
        panic!("windows: no call of {TRIES} came by boundary {}, {}", run.spots[0].n, At(run.spots[0].at.pc))
    }

    fn try_run(&mut self, run: Run<'_>) -> Result<Option<Seen>, Elsewhere> {
        let Run { spots, scenario, is_second_first } = run;
        let successors = self.site.successors(scenario);
        contain::take();
        funcs::forget_reads();
        record::will_be_retired(self.site.ops(), self.site.literal());
        if !self.stand(spots, scenario)? {
            return Ok(None);
        }
        if stance::went_on() {
            // A round that nobody here asked for came first.
            self.let_go(&FIRST, scenario);
            levels::end();
            return Err(Elsewhere);
        }
        let was_off_cpu = FIRST.phase() == OFF_CPU;
        let holders_cpu = FIRST.cpu.load(Ordering::Relaxed);
        if scenario.is_updater_here {
            move_to(holders_cpu);
        }
        let mut taken = self.site.take_off(successors, scenario);
        let start_ns = now_ns();
        let mut seen = Seen {
            cell: Cell::Right,
            has_ended: false,
            pc: FIRST.pc.load(Ordering::Relaxed),
            cpu: holders_cpu,
            was_off_cpu,
            second: (spots.len() > 1).then(|| SECOND.pc.load(Ordering::Relaxed)),
            is_second_first,
            ops: taken[0].names[0],
            successor: self.site.literal(),
            other: taken.get(1).map(|other| OtherSeen {
                ops: other.names[0],
                is_first: other.number < taken[0].number,
                is_held: [&FIRST, &SECOND][..spots.len()].iter().any(|party| party.holds_one_of(&other.names)),
            }),
            branch: read_insn(order::SITE.load(Ordering::Relaxed) + 4),
            updater: cpu::id(),
            retirement: taken[0].number,
            waited_ns: 0,
            late: None,
            was_inside: false,
        };
        let is_as_asked = |it: &OtherSeen| it.is_first == matches!(scenario.other, Other::First);
        assert!(seen.other.as_ref().is_none_or(is_as_asked), "the ops were retired in another order");
        let text = taken[0].text();
        let mut leaving: Standing<'_> = spots.iter().zip([&FIRST, &SECOND]).collect();
        if is_second_first {
            leaving.reverse();
        }
        for (nr_gone, &(_, party)) in leaving.iter().enumerate() {
            if taken.iter().any(TakenOff::is_there) {
                seen.was_inside |= self.look(&mut taken, &leaving[nr_gone..], scenario, nr_gone == 0);
                seen.waited_ns = now_ns() - start_ns;
            }
            if scenario.is_updater_here {
                sched::set_affinity(sched::current(), !(1 << holders_cpu));
            }
            if nr_gone == 0 {
                debugger::tell(&spots[0], seen.ops, text, scenario, taken[0].cell);
            }
            let last = self.let_go(party, scenario);
            assert!(
                last == GO || !matches!(scenario.stand, Stand::Exits),
                "a func whose task was to exit has returned"
            );
            seen.late = seen.late.or_else(contain::take).or_else(late_read);
        }
        let have_ended = || taken.iter().all(|it| !it.is_there() || it.poll().is_some());
        seen.has_ended = wait_until(have_ended, PATIENCE_NS);
        for it in &mut taken {
            let elapsed = it.poll();
            it.free(elapsed);
        }
        levels::end();
        stance::forget_rounds();
        self.site.restore();
        let worst = taken.iter().map(|it| it.cell).max().unwrap_or(Cell::Right);
        seen.cell = worst.as_seen(seen.late.is_some() || seen.was_inside);
        Ok(Some(seen))
    }

    /// Waits for what the scheme makes of `taken` while these stand, and frees what may be. Says whether anybody stands in a call of
    /// what was freed, of which no late use would tell.
    fn look(
        &self,
        taken: &mut [TakenOff],
        standing: &[(&Spot<'_>, &'static Party)],
        scenario: &Scenario,
        is_first: bool,
    ) -> bool {
        // On top of a task is the same task.
        let nr_tasks = if scenario.has_second_task { standing.len() } else { 1 };
        let tasks: heapless::Vec<_, 2> = standing[..nr_tasks].iter().map(|(_, party)| party.task()).collect();
        let nr_left = || taken.iter().filter(|it| it.is_there() && it.poll().is_none()).count();
        let decision = decide(nr_left, &tasks);
        let mut is_inside = false;
        for (index, it) in taken.iter_mut().enumerate().filter(|(_, it)| it.is_there()) {
            let needs_text = |spot: &Spot<'_>| index == 0 && spot.needs_text();
            let is_held = standing.iter().any(|(spot, party)| party.holds_one_of(&it.names) || needs_text(spot));
            let elapsed = decision.filter(|it| *it == Decision::AtRest).and_then(|_| it.poll());
            let cell = decision.map_or(Cell::Undecided, |_| Cell::of(elapsed.is_some(), is_held));
            it.cell = if is_first { cell } else { it.cell.max(cell) };
            let never_reads = matches!(scenario.stand, Stand::Exits);
            let is_told_by_stack = never_reads || matches!(self.func, WindowFunc::FanOut | WindowFunc::Compiled);
            is_inside |= it.free(elapsed)
                && is_told_by_stack
                && standing.iter().any(|(_, party)| inside::names(party, it.names[1]));
        }
        is_inside
    }

    /// Brings the parties to stand. Says whether they do; if one does not, nobody does any more.
    fn stand(&mut self, spots: &[Spot<'_>], scenario: &Scenario) -> Result<bool, Elsewhere> {
        stance::forget_rounds();
        if scenario.is_second_on_top() {
            SECOND.at.store(spots[1].n, Ordering::Relaxed);
            SECOND.enter(CALLING);
        }
        self.give(spots[0].n, scenario);
        if scenario.is_of_interrupt() && !levels::stand() {
            panic!("no interrupt under {} has come to its func", scenario.name);
        }
        wait_for_stand(&FIRST, &Spot::phases(&FIRST, scenario));
        let is_moved = || !matches!(scenario.stand, Stand::Moved) || FIRST.cpu.load(Ordering::Relaxed) != 0;
        let mut stands = spots[0].is_reached(&FIRST, scenario).map(|stands| stands && is_moved());
        if let (Ok(true), Some(second)) = (&stands, spots.get(1)) {
            if scenario.has_second_task {
                SECOND.at.store(second.n, Ordering::Relaxed);
                SECOND.home.store(usize::from(FIRST.phase() == ON_CPU), Ordering::Relaxed);
                SECOND.order(CALL);
            }
            wait_for_stand(&SECOND, &Spot::phases(&SECOND, scenario));
            stands = second.is_reached(&SECOND, scenario);
            if !matches!(stands, Ok(true)) {
                self.let_go(&SECOND, scenario);
            }
        }
        if !matches!(stands, Ok(true)) {
            if scenario.is_second_on_top() && FIRST.phase() == NESTING {
                wait_for_stand(&SECOND, &[ON_CPU, DONE]);
                self.let_go(&SECOND, scenario);
            }
            self.let_go(&FIRST, scenario);
            levels::end();
        }
        stands
    }

    /// Orders a call of the first.
    fn give(&mut self, n: usize, scenario: &Scenario) {
        FIRST.at.store(n, Ordering::Relaxed);
        order::set_scenario(scenario.name);
        let is_own = scenario.has_task_of_its_own();
        FIRST.order(if is_own || scenario.is_of_interrupt() { CALL_ELSEWHERE } else { CALL });
        if is_own {
            self.own = Some(own::spawn(scenario));
        }
        if scenario.is_wished {
            grant_wish(&FIRST);
        }
    }

    /// The party goes on, and ends its call. Gives its last phase.
    fn let_go(&mut self, party: &Party, scenario: &Scenario) -> u32 {
        let is_on_top = scenario.is_second_on_top() && core::ptr::eq(party, &SECOND);
        party.let_go();
        if !scenario.is_of_interrupt() && !is_on_top {
            // The other of a pair may keep that CPU.
            let cpus = if scenario.has_second_task { !0 } else { 1 << party.cpu.load(Ordering::Relaxed) };
            sched::set_affinity(party.task(), cpus);
        }
        let last = self.finish(party);
        if is_on_top {
            wait_for_stand(&FIRST, &[OFF_CPU, ON_CPU]);
        }
        last
    }

    /// Waits for the end of the call, or of its task. Gives the party's last phase.
    fn finish(&mut self, party: &Party) -> u32 {
        match self.own.take() {
            Some(own) => own.join(),
            None => assert!(wait_until(|| party.phase() == DONE, PATIENCE_NS), "a call that may go on does not end"),
        }
        let last = party.phase();
        party.enter(IDLE);
        last
    }
}

/// Waits until the party stands, off its CPU if it has to leave that, or is done.
fn wait_for_stand(party: &Party, phases: &[u32]) {
    let stands = || phases.contains(&party.phase());
    assert!(wait_until(stands, PATIENCE_NS), "a call has not come to its boundary: phase {}", party.phase());
    let is_off_cpu = || party.phase() != OFF_CPU || party.task().is_off_cpu();
    assert!(wait_until(is_off_cpu, PATIENCE_NS), "a task does not leave its CPU at its boundary");
}

/// What a func left that read a freed ops.
fn late_read() -> Option<Late> {
    funcs::reads().into_iter().any(is_poison).then_some(Late {
        property: Property::NoUaf,
        pc: 0,
        what: "func read poison from the freed ops",
    })
}
