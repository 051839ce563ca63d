//! Unit tests of the pure part: arithmetic, the machine's decisions, the queue, the hooks of `classic` one by one.
//! What depends on interleaving is in `tests/models.rs`.

use super::bracket::Bracket;
use super::cookie::Sequence;
use super::grace::{Action, Machine, Now};
use super::judging::Stands;
use super::schemes::built::Built;
use super::schemes::classic::Classic;
use super::schemes::none::None as NoScheme;
use super::schemes::{Kind, NAMES, Scheme, Sighting, Switch, Wake, resume, switch_out};
use crate::platform::{Name, SchemeName};
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::Ordering;

mod figures;
mod graveyard;
mod holders;
mod judging;
mod outside;
mod schemes;
mod world;

use world::{Still, at_task_level, blind, world};

const STALL_NS: u64 = 1000;

fn sequence() -> Sequence {
    Sequence::new()
}

/// Steps until the machine waits, sleeps, reports, or has finished behind the judging, on a host that runs the guest all the time.
fn run(machine: &mut Machine, sequence: &Sequence, world: &Still<'_>, now_ns: u64) -> Action {
    run_at(machine, sequence, world, Now { clock_ns: now_ns, progress_ns: now_ns })
}

fn run_at(machine: &mut Machine, sequence: &Sequence, world: &Still<'_>, now: Now) -> Action {
    loop {
        match machine.step(sequence, world.scheme, now, Stands::default(), || ()) {
            Action::Begin { step } => world.scheme.begin(step, world),
            Action::Judge => {
                machine.finish(sequence, now);
                return Action::Judge;
            }
            action => return action,
        }
    }
}

#[test]
fn a_cookie_of_an_idle_sequence_names_the_next_grace_period() {
    let sequence = sequence();
    let cookie = sequence.cookie();
    assert!(!sequence.has_ended(cookie));
    sequence.begin();
    assert!(!sequence.has_ended(cookie));
    sequence.end();
    assert!(sequence.has_ended(cookie));
}

#[test]
fn a_cookie_taken_during_a_grace_period_names_the_one_behind_it() {
    let sequence = sequence();
    sequence.begin();
    let cookie = sequence.cookie();
    sequence.end();
    assert!(!sequence.has_ended(cookie));
    sequence.begin();
    assert!(!sequence.has_ended(cookie));
    sequence.end();
    assert!(sequence.has_ended(cookie));
}

#[test]
fn only_the_first_request_of_a_cookie_wakes_the_grace_period_task() {
    let sequence = sequence();
    let cookie = sequence.cookie();
    assert!(!sequence.is_wanted());
    assert!(sequence.request(cookie));
    assert!(!sequence.request(cookie));
    assert!(sequence.is_wanted());
    sequence.begin();
    assert!(sequence.is_wanted(), "wanted until its end");
    sequence.end();
    assert!(!sequence.is_wanted());
}

#[test]
fn an_idle_machine_sleeps_until_a_request_comes() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), NoScheme);
    let world = world(&scheme, &[], &[]);
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Sleep));
    let cookie = sequence.cookie();
    let _ = sequence.request(cookie);
    assert!(matches!(run(&mut machine, &sequence, &world, 5), Action::Judge));
    assert!(sequence.has_ended(cookie));
    assert!(matches!(run(&mut machine, &sequence, &world, 6), Action::Sleep));
}

#[test]
fn one_grace_period_serves_all_that_asked_before_it_began() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), NoScheme);
    let world = world(&scheme, &[], &[]);
    for _ in 0..3 {
        let _ = sequence.request(sequence.cookie());
    }
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Judge));
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Sleep));
    assert_eq!(machine.statistics().nr_grace_periods, 1);
}

#[test]
fn a_machine_is_idle_before_and_after_a_grace_period_and_takes_a_new_stall_time() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), Classic::new());
    let task = TaskWords::running();
    let world = world(&scheme, &[at_task_level(0)], &[&task]);
    assert!(machine.is_idle());
    assert_eq!(machine.set_stall_after(50), STALL_NS);
    let _ = sequence.request(sequence.cookie());
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Wait { most_ns: 50, .. }));
    assert!(!machine.is_idle());
    let _ = switch_out(&scheme, &task, 0, Switch::Voluntary);
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Judge));
    assert!(machine.is_idle());
}

#[test]
fn classic_waits_for_a_running_task_until_it_switches_voluntarily() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), Classic::new());
    let task = TaskWords::running();
    let world = world(&scheme, &[at_task_level(0), at_task_level(1)], &[&task]);
    let cookie = sequence.cookie();
    let _ = sequence.request(cookie);
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Wait { step: 1, most_ns: STALL_NS }));
    assert_eq!(switch_out(&scheme, &task, 1, Switch::Preempted), Wake::Nobody);
    let _ = resume(&scheme, &blind(&task));
    assert!(matches!(run(&mut machine, &sequence, &world, 1), Action::Wait { step: 1, .. }));
    assert_eq!(switch_out(&scheme, &task, 1, Switch::Voluntary), Wake::GracePeriodTask);
    assert!(matches!(run(&mut machine, &sequence, &world, 7), Action::Judge));
    assert!(sequence.has_ended(cookie));
    assert_eq!(machine.statistics().last_ns, 7);
}

#[test]
fn classic_ends_at_once_when_all_tasks_sleep() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), Classic::new());
    let tasks: Vec<TaskWords> = (0..10_000).map(|_| TaskWords::new()).collect();
    let world = world(&scheme, &[at_task_level(0)], &tasks.iter().collect::<Vec<_>>());
    let _ = sequence.request(sequence.cookie());
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Judge));
    assert!(tasks.iter().all(|task| !task.holdout.load(Ordering::Relaxed)));
}

#[test]
fn classic_wakes_nobody_before_the_last_holdout_left() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), Classic::new());
    let tasks = [TaskWords::running(), TaskWords::running()];
    let world = world(&scheme, &[at_task_level(0)], &[&tasks[0], &tasks[1]]);
    let _ = sequence.request(sequence.cookie());
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Wait { .. }));
    assert_eq!(switch_out(&scheme, &tasks[0], 0, Switch::Voluntary), Wake::Nobody);
    assert_eq!(switch_out(&scheme, &tasks[0], 0, Switch::Voluntary), Wake::Nobody, "a mark is taken once");
    assert_eq!(scheme.exit(&tasks[1]), Wake::GracePeriodTask);
}

#[test]
fn an_exempt_task_is_never_a_holdout() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), Classic::new());
    let idle = TaskWords::running();
    let mut world = world(&scheme, &[at_task_level(0)], &[]);
    world.tasks.push((&idle, Kind::Exempt));
    let _ = sequence.request(sequence.cookie());
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Judge));
}

#[test]
fn a_stalled_step_is_reported_after_each_interval_and_still_ends() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), Classic::new());
    let task = TaskWords::running();
    let world = world(&scheme, &[at_task_level(0)], &[&task]);
    let _ = sequence.request(sequence.cookie());
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Wait { .. }));
    assert!(matches!(run(&mut machine, &sequence, &world, 999), Action::Wait { most_ns: 1, .. }));
    for report in [1000, 2000] {
        let action = run(&mut machine, &sequence, &world, report);
        assert!(matches!(action, Action::Report { step: 1, stalled_ns } if stalled_ns == report), "{action:?}");
        let action = run(&mut machine, &sequence, &world, report + 1);
        assert!(matches!(action, Action::Wait { most_ns, .. } if most_ns == STALL_NS - 1), "{action:?}");
    }
    let _ = switch_out(&scheme, &task, 0, Switch::Voluntary);
    assert!(matches!(run(&mut machine, &sequence, &world, 2500), Action::Judge));
    assert_eq!(machine.statistics().nr_stalls, 2);
}

#[test]
fn what_is_held_is_reported_after_each_interval_and_another_one_begins_anew() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), NoScheme);
    let mut rest = |now_ns, oldest_held| {
        let now = Now { clock_ns: now_ns, progress_ns: now_ns };
        machine.step(&sequence, &scheme, now, Stands { oldest_held, ..Stands::default() }, || ())
    };
    assert!(matches!(rest(5, Some(3)), Action::Rest { most_ns: STALL_NS }));
    assert!(matches!(rest(1004, Some(3)), Action::Rest { most_ns: 1 }));
    assert!(matches!(rest(1005, Some(3)), Action::Report { stalled_ns: STALL_NS, .. }));
    assert!(matches!(rest(1006, Some(3)), Action::Rest { most_ns: 999 }));
    assert!(matches!(rest(1007, Some(4)), Action::Rest { most_ns: STALL_NS }), "number 3 is free");
    assert!(matches!(rest(1008, None), Action::Sleep));
    assert!(matches!(rest(3000, Some(4)), Action::Rest { most_ns: STALL_NS }));
    assert_eq!((machine.statistics().nr_stalls, machine.waiting()), (1, Some((0, 3000))));
}

#[test]
fn a_grace_period_is_due_while_some_of_what_is_held_is_to_be_judged_again() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), NoScheme);
    let mut stands = Stands { oldest_held: Some(1), is_pass_open: true };
    assert!(matches!(machine.step(&sequence, &scheme, Now::default(), stands, || ()), Action::Judge));
    machine.finish(&sequence, Now::default());
    stands.is_pass_open = false;
    assert!(matches!(machine.step(&sequence, &scheme, Now::default(), stands, || ()), Action::Rest { .. }));
}

#[test]
fn what_is_held_is_reported_though_grace_periods_never_stop() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(10), NoScheme);
    let mut nr_reports = 0;
    for ns in 0..1000 {
        let now = Now { clock_ns: ns, progress_ns: ns };
        let _ = sequence.request(sequence.cookie());
        match machine.step(&sequence, &scheme, now, Stands { oldest_held: Some(1), is_pass_open: false }, || ()) {
            Action::Report { .. } => nr_reports += 1,
            Action::Judge => machine.finish(&sequence, now),
            action => unreachable!("{action:?}"),
        }
    }
    assert!((90..=100).contains(&nr_reports), "{nr_reports} in a hundred intervals");
}

#[test]
fn a_grace_period_does_not_stall_while_the_clock_alone_goes_on_and_its_duration_is_told_by_the_clock() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), Classic::new());
    let task = TaskWords::running();
    let world = world(&scheme, &[at_task_level(0)], &[&task]);
    let _ = sequence.request(sequence.cookie());
    let _ = run(&mut machine, &sequence, &world, 0);
    let paused = Now { clock_ns: 50 * STALL_NS, progress_ns: STALL_NS - 1 };
    assert!(matches!(run_at(&mut machine, &sequence, &world, paused), Action::Wait { most_ns: 1, .. }));
    let starved = Now { clock_ns: 99 * STALL_NS, progress_ns: STALL_NS };
    assert!(matches!(run_at(&mut machine, &sequence, &world, starved), Action::Report { stalled_ns: STALL_NS, .. }));
    let _ = switch_out(&scheme, &task, 0, Switch::Voluntary);
    let over = Now { clock_ns: 100 * STALL_NS, ..starved };
    assert!(matches!(run_at(&mut machine, &sequence, &world, over), Action::Judge));
    assert_eq!(machine.statistics().last_ns, 100 * STALL_NS);
}

#[test]
fn a_cpu_whose_sgi_interrupted_a_softirq_reports_only_at_a_quiescent_exit() {
    let bracket = Bracket::new();
    let scheme = NoScheme;
    let still = world(&scheme, &[at_task_level(0), at_task_level(1)], &[]);
    bracket.begin(&still);
    bracket.visited(&at_task_level(0));
    bracket.visited(&Sighting { is_outermost: false, ..at_task_level(1) });
    assert!(!bracket.waits_for(0) && bracket.waits_for(1));
    let preempt_off = Sighting { preempt_count: 1, ..at_task_level(1) };
    assert_eq!(bracket.irq_exit_outermost(&preempt_off), Wake::Nobody);
    assert_eq!(bracket.outstanding(), 1);
    assert_eq!(bracket.irq_exit_outermost(&at_task_level(1)), Wake::GracePeriodTask);
    assert_eq!(bracket.irq_exit_outermost(&at_task_level(1)), Wake::Nobody, "one report for each request");
    assert_eq!(bracket.outstanding(), 0);
}

#[test]
fn an_idle_cpu_is_quiescent_whatever_its_preemption_count() {
    let idle = Sighting { is_idle: true, preempt_count: 1, ..at_task_level(0) };
    assert!(idle.is_quiescent());
    assert!(!Sighting { is_outermost: false, ..idle }.is_quiescent());
}

#[test]
fn any_switch_ends_a_plain_grace_period_on_its_cpu() {
    let bracket = Bracket::new();
    let scheme = NoScheme;
    bracket.begin(&world(&scheme, &[at_task_level(0)], &[]));
    bracket.visited(&Sighting { preempt_count: 1, ..at_task_level(0) });
    assert_eq!(bracket.outstanding(), 1);
    assert_eq!(bracket.switched(0), Wake::GracePeriodTask);
    assert_eq!(bracket.outstanding(), 0);
}

#[test]
fn every_listed_scheme_answers_to_its_name() {
    let schemes = Built::all();
    assert_eq!(schemes.each_ref().map(Scheme::name), NAMES);
    let named: Vec<&str> = SchemeName::ALL.iter().copied().map(SchemeName::as_str).collect();
    assert_eq!(named, NAMES, "what boot arguments offer is what there is");
}
