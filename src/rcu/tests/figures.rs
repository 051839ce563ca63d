//! What is counted, and what the tick says of a grace-period task that gets no CPU.

use super::world::{at_task_level, blind, world};
use super::{STALL_NS, run, sequence};
use crate::rcu::grace::{Action, Machine, Statistics};
use crate::rcu::schemes::classic::Classic;
use crate::rcu::schemes::{Scheme, Sighting, Switch, World, resume, switch_out};
use crate::rcu::starved::Starved;
use crate::sched::rcu_words::TaskWords;

#[test]
fn what_a_scheme_did_is_counted_for_it_alone() {
    let (sequence, mut machine, scheme) = (sequence(), Machine::new(STALL_NS), Classic::new());
    let task = TaskWords::running();
    let in_irq = Sighting { is_outermost: false, ..at_task_level(1) };
    let world = world(&scheme, &[at_task_level(0), in_irq], &[&task]);
    machine.count_for(5);
    let _ = sequence.request(sequence.cookie());
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Wait { step: 0, .. }));
    world.sightings.borrow_mut()[1] = at_task_level(1);
    let _ = scheme.irq_exit_outermost(&at_task_level(1), &blind(&TaskWords::running()));
    assert!(matches!(run(&mut machine, &sequence, &world, 10), Action::Wait { step: 1, .. }));
    let _ = switch_out(&scheme, &task, 0, Switch::Voluntary);
    assert!(matches!(run(&mut machine, &sequence, &world, 30), Action::Judge));
    machine.count_round();
    machine.count_freed();
    let first = machine.statistics();
    assert_eq!((first.nr_grace_periods, first.last_ns, first.nr_waited_for), (1, 30, 2), "a CPU and a task");
    assert_eq!((first.nr_rounds, first.nr_freed, first.nr_stalls), (1, 1, 0));
    let _ = resume(&scheme, &blind(&task));
    let _ = sequence.request(sequence.cookie());
    assert!(matches!(run(&mut machine, &sequence, &world, 100), Action::Wait { .. }));
    assert!(matches!(run(&mut machine, &sequence, &world, 1100), Action::Report { .. }));
    let _ = switch_out(&scheme, &task, 0, Switch::Voluntary);
    assert!(matches!(run(&mut machine, &sequence, &world, 1110), Action::Judge));
    let both = machine.statistics();
    assert_eq!((both.mean_ns(), both.max_ns, both.last_ns, both.nr_stalls), (520, 1010, 1010, 1));
    machine.count_for(6);
    assert_eq!(machine.statistics(), Statistics::default());
    assert_eq!(machine.all_statistics()[5], both);
}

/// A scheme that has found three, and waits for none of them.
struct Finds;

impl Scheme for Finds {
    fn name(&self) -> &'static str {
        "finds"
    }
    fn nr_steps(&self) -> usize {
        1
    }
    fn begin(&self, _: usize, _: &dyn World) {}
    fn outstanding(&self, _: usize) -> usize {
        0
    }
    fn nr_holdouts(&self, _: usize) -> usize {
        3
    }
}

#[test]
fn whom_a_look_has_found_is_counted_though_it_waits_for_nobody() {
    let (sequence, mut machine) = (sequence(), Machine::new(STALL_NS));
    let world = world(&Finds, &[], &[]);
    let _ = sequence.request(sequence.cookie());
    assert!(matches!(run(&mut machine, &sequence, &world, 0), Action::Judge));
    assert_eq!(machine.statistics().nr_waited_for, 3);
}

#[test]
fn a_grace_period_task_that_gets_no_cpu_is_reported_after_each_interval_of_one_wait() {
    let mut starved = Starved::default();
    assert_eq!([5, 6, 104].map(|now| starved.look(7, now, 100)), [None; 3]);
    assert_eq!(starved.look(7, 105, 100), Some(100));
    assert_eq!([106, 204].map(|now| starved.look(7, now, 100)), [None; 2]);
    assert_eq!(starved.look(7, 207, 100), Some(202));
    assert_eq!(starved.look(8, 308, 100), None, "it ran meanwhile: another wait");
    assert_eq!(starved.look(8, 408, 100), Some(100));
}
