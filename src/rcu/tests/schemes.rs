//! The schemes one by one: what ends the wait for a task or a CPU, and what does not.

use super::{at_task_level, blind, world};
use crate::rcu::schemes::flag::Flag;
use crate::rcu::schemes::ip::Ip;
use crate::rcu::schemes::linux::Linux;
use crate::rcu::schemes::nopreempt::Nopreempt;
use crate::rcu::schemes::rude::Rude;
use crate::rcu::schemes::sched::Sched;
use crate::rcu::schemes::{Interrupted, Nudge, Scheme, Sighting, Switch, Wake, resume, switch_out};
use crate::sched::rcu_words::TaskWords;

const HOLDOUTS: usize = 1;

fn irq(scheme: &dyn Scheme, words: &TaskWords, is_in_trampoline: bool) -> bool {
    let mut entered = false;
    scheme.irq_in(&mut entered, &Interrupted { cpu: 0, is_in_trampoline }, words);
    entered
}

#[test]
fn sched_takes_any_switch_of_a_cpu_and_idle_but_no_interrupt_on_top_of_it() {
    let scheme = Sched::new();
    let idle = Sighting { is_idle: true, ..at_task_level(1) };
    let in_irq = Sighting { cpu: 2, is_outermost: false, ..idle };
    scheme.begin(0, &world(&scheme, &[at_task_level(0), idle, in_irq], &[]));
    assert_eq!(scheme.outstanding(0), 2, "the idle CPU has reported");
    assert_eq!(
        scheme.visited(&at_task_level(0), &blind(&TaskWords::running())),
        Nudge::Reschedule,
        "a task that runs alone is asked to reschedule"
    );
    assert_eq!(
        scheme.irq_exit_outermost(&at_task_level(0), &blind(&TaskWords::running())),
        Wake::Nobody,
        "no switch, no report"
    );
    let words = TaskWords::running();
    assert_eq!(switch_out(&scheme, &words, 0, Switch::Preempted), Wake::GracePeriodTask, "a preemption is one");
    assert_eq!(
        scheme.irq_exit_outermost(&Sighting { is_outermost: true, ..in_irq }, &blind(&TaskWords::running())),
        Wake::GracePeriodTask
    );
    assert_eq!(scheme.outstanding(0), 0);
}

#[test]
fn rude_waits_for_a_worker_of_each_cpu_and_for_nothing_else() {
    let scheme = Rude::new();
    scheme.begin(0, &world(&scheme, &[at_task_level(0), at_task_level(1)], &[]));
    let words = TaskWords::running();
    assert_eq!(switch_out(&scheme, &words, 0, Switch::Voluntary), Wake::Nobody);
    assert_eq!(scheme.outstanding(0), 2);
    assert!(scheme.wants_worker(0) && scheme.wants_worker(1) && scheme.waits_for_cpu(1));
    assert_eq!(scheme.worker_ran(1), Wake::GracePeriodTask);
    assert_eq!(scheme.worker_ran(1), Wake::Nobody, "once is enough");
    assert!(scheme.wants_worker(0) && !scheme.wants_worker(1) && scheme.outstanding(0) == 1);
}

#[test]
fn ip_lets_a_task_go_that_is_preempted_with_its_cpus_last_interrupt_outside_the_trampoline() {
    let (scheme, words) = (Ip::new(), TaskWords::running());
    scheme.begin(HOLDOUTS, &world(&scheme, &[at_task_level(0)], &[&words]));
    irq(&scheme, &words, true);
    assert_eq!(switch_out(&scheme, &words, 0, Switch::Preempted), Wake::Nobody, "interrupted inside");
    let _ = resume(&scheme, &blind(&words));
    irq(&scheme, &words, true);
    irq(&scheme, &words, false); // a nested one overwrites it
    assert_eq!(switch_out(&scheme, &words, 0, Switch::Preempted), Wake::GracePeriodTask);
    assert_eq!(scheme.outstanding(HOLDOUTS), 0);
}

#[test]
fn ip_forgets_where_a_task_was_that_goes_on_on_another_cpu() {
    let (scheme, words) = (Ip::new(), TaskWords::running());
    scheme.begin(HOLDOUTS, &world(&scheme, &[at_task_level(0), at_task_level(1)], &[&words]));
    irq(&scheme, &words, true);
    assert_eq!(switch_out(&scheme, &words, 1, Switch::Preempted), Wake::GracePeriodTask, "CPU 1 saw no interrupt");
}

#[test]
fn flag_is_set_by_the_outermost_entry_that_hit_the_trampoline_and_cleared_by_that_one() {
    let (scheme, words) = (Flag::new(), TaskWords::running());
    scheme.begin(HOLDOUTS, &world(&scheme, &[at_task_level(0)], &[&words]));
    let mut outer = irq(&scheme, &words, true);
    let mut inner = irq(&scheme, &words, true);
    assert!(outer && !inner);
    scheme.irq_out(&mut inner, &words);
    assert_eq!(switch_out(&scheme, &words, 0, Switch::Preempted), Wake::Nobody, "the inner exit clears nothing");
    let _ = resume(&scheme, &blind(&words));
    scheme.irq_out(&mut outer, &words);
    assert_eq!(switch_out(&scheme, &words, 0, Switch::Preempted), Wake::GracePeriodTask, "func is no trampoline");
}

#[test]
fn ip_and_flag_pass_over_a_task_that_was_preempted_outside_before_the_list() {
    for scheme in [&Ip::new() as &dyn Scheme, &Flag::new()] {
        let words = TaskWords::running();
        let _ = switch_out(scheme, &words, 0, Switch::Preempted);
        scheme.begin(HOLDOUTS, &world(scheme, &[at_task_level(0)], &[&words]));
        assert_eq!(scheme.outstanding(HOLDOUTS), 0, "{}", scheme.name());
    }
}

#[test]
fn linux_is_rude_first_and_then_classic() {
    let (scheme, words) = (Linux::new(), TaskWords::running());
    assert_eq!(scheme.nr_steps(), 4);
    let world = world(&scheme, &[at_task_level(0)], &[&words]);
    scheme.begin(0, &world);
    assert_eq!(scheme.outstanding(0), 1);
    assert_eq!(scheme.worker_ran(0), Wake::GracePeriodTask);
    scheme.begin(1, &world);
    assert_eq!(scheme.outstanding(1), 0, "a bracket, and the CPU is quiescent");
    scheme.begin(2, &world);
    assert_eq!(switch_out(&scheme, &words, 0, Switch::Preempted), Wake::Nobody);
    assert_eq!(scheme.outstanding(2), 1);
    let _ = resume(&scheme, &blind(&words));
    assert_eq!(switch_out(&scheme, &words, 0, Switch::Voluntary), Wake::GracePeriodTask);
    assert_eq!(scheme.outstanding(2), 0);
}

#[test]
fn nopreempt_waits_for_a_cpu_that_has_preemption_disabled_until_it_is_seen_otherwise() {
    let scheme = Nopreempt::new();
    let in_func = Sighting { preempt_count: 1, ..at_task_level(0) };
    scheme.begin(0, &world(&scheme, &[in_func, at_task_level(1)], &[]));
    assert_eq!(scheme.outstanding(0), 1);
    assert_eq!(scheme.irq_exit_outermost(&in_func, &blind(&TaskWords::running())), Wake::Nobody);
    assert_eq!(scheme.irq_exit_outermost(&at_task_level(0), &blind(&TaskWords::running())), Wake::GracePeriodTask);
    assert_eq!(scheme.outstanding(0), 0);
}
