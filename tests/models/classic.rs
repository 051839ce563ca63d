//! `classic`, and `none` as its control: the old ops is freed in no interleaving while a context holds it, and the
//! grace period ends in all of them.
//!
//! World: two CPUs (three for migration), one task (two where said), one swap, one grace period.

use loom::model::Builder;

use crate::kernel::{Cpu, Faults, IDLE, IRQ, TASK, boot};
use crate::rcu::schemes::classic::Classic;
use crate::rcu::schemes::{Switch, none};
use crate::sched::rcu_words::TaskWords;
use crate::sync::atomic::Weaken;
use crate::verdict::{Model, Outcome};

const NO_FAULT: Faults = Faults {
    skipped_step: None,
    misses_exiting: false,
    preemption_is_voluntary: false,
    spares_preempted: false,
    acknowledgement_is_quiescence: false,
};

// ---- Scripts -------------------------------------------------------------------------------------------------

/// The running task makes a traced call and goes to sleep.
fn runs_and_sleeps(cpu: &Cpu) {
    cpu.call(TASK);
    cpu.switch_out(0, Switch::Voluntary);
}

/// A sleeping task wakes up and does the same.
fn wakes_up(cpu: &Cpu) {
    cpu.resume(0);
    runs_and_sleeps(cpu);
}

/// The running task is preempted between load and use.
fn is_preempted_inside(cpu: &Cpu) {
    let ops = cpu.load();
    cpu.switch_out(0, Switch::Preempted);
    cpu.interrupts(IDLE);
    cpu.resume(0);
    cpu.use_ops(ops);
    cpu.switch_out(0, Switch::Voluntary);
}

/// The same, and while it is off the CPU another task comes and goes voluntarily.
fn is_preempted_by_another(cpu: &Cpu) {
    let ops = cpu.load();
    cpu.switch_out(0, Switch::Preempted);
    cpu.resume(1);
    cpu.call(TASK);
    cpu.switch_out(1, Switch::Voluntary);
    cpu.resume(0);
    cpu.use_ops(ops);
    cpu.switch_out(0, Switch::Voluntary);
}

/// The task exits, and makes a traced call after it has left the task list.
fn exits(cpu: &Cpu) {
    cpu.exit(0);
    cpu.call(TASK);
    cpu.switch_out(0, Switch::Voluntary);
}

/// An interrupt of the idle CPU makes a traced call and is interrupted in it.
fn takes_an_irq(cpu: &Cpu) {
    cpu.call(IRQ);
    cpu.irq_exit(IDLE);
}

/// The task is preempted between load and use, and goes on elsewhere.
fn is_preempted_and_migrates(cpu: &Cpu) {
    let ops = cpu.load();
    cpu.switch_out(0, Switch::Preempted);
    cpu.migrate(2, ops);
}

/// Nothing but messages.
fn idles(_cpu: &Cpu) {}

// ---- Worlds --------------------------------------------------------------------------------------------------

fn classic(builder: &Builder, faults: Faults, tasks: fn() -> Vec<TaskWords>, script: fn(&Cpu)) {
    builder.check(move || boot(Box::new(Classic::new()), faults, tasks(), &[script]));
}

fn running() -> Vec<TaskWords> {
    vec![TaskWords::running()]
}

fn sleeping() -> Vec<TaskWords> {
    vec![TaskWords::new()]
}

fn two() -> Vec<TaskWords> {
    vec![TaskWords::running(), TaskWords::new()]
}

fn without_scheme(builder: &Builder, script: fn(&Cpu)) {
    builder.check(move || boot(Box::new(none::None), NO_FAULT, running(), &[script]));
}

fn three_cpus(builder: &Builder, faults: Faults) {
    builder.check(move || boot(Box::new(Classic::new()), faults, running(), &[is_preempted_and_migrates, idles]));
}

const fn holds(name: &'static str, explore: fn(&Builder)) -> Model {
    Model { name, explore, preemptions: 4, weaken: Weaken::Nothing, expected: Outcome::Holds }
}

const fn frees_early(name: &'static str, explore: fn(&Builder)) -> Model {
    Model { expected: Outcome::FreesEarly, ..holds(name, explore) }
}

const NO_FIRST_BRACKET: Faults = Faults { skipped_step: Some(0), ..NO_FAULT };
const NO_HOLDOUTS: Faults = Faults { skipped_step: Some(1), ..NO_FAULT };
const NO_LAST_BRACKET: Faults = Faults { skipped_step: Some(2), ..NO_FAULT };
const MISSES_EXITING: Faults = Faults { misses_exiting: true, ..NO_FAULT };
const PREEMPTION_IS_VOLUNTARY: Faults = Faults { preemption_is_voluntary: true, ..NO_FAULT };
const SPARES_PREEMPTED: Faults = Faults { spares_preempted: true, ..NO_FAULT };
const ACKNOWLEDGEMENT_IS_QUIESCENCE: Faults = Faults { acknowledgement_is_quiescence: true, ..NO_FAULT };

/// First what holds, then what each planted fault does.
/// See above.
pub const MODELS: [Model; 19] = [
    holds("classic_waits_for_a_task_that_runs_and_sleeps", |b| classic(b, NO_FAULT, running, runs_and_sleeps)),
    holds("classic_is_safe_from_a_sleeper_that_wakes_up", |b| classic(b, NO_FAULT, sleeping, wakes_up)),
    holds("classic_waits_for_a_preempted_task", |b| classic(b, NO_FAULT, running, is_preempted_inside)),
    holds("classic_waits_for_an_exiting_task", |b| classic(b, NO_FAULT, running, exits)),
    holds("classic_waits_for_an_interrupt_on_top_of_idle", |b| classic(b, NO_FAULT, Vec::new, takes_an_irq)),
    Model {
        preemptions: 3,
        ..holds("classic_tells_a_preempted_task_from_the_one_that_preempted_it", |b| {
            classic(b, NO_FAULT, two, is_preempted_by_another);
        })
    },
    Model { preemptions: 2, ..holds("classic_follows_a_holder_to_another_cpu", |b| three_cpus(b, NO_FAULT)) },
    holds("release_and_acquire_suffice_without_the_last_bracket", |b| {
        classic(b, NO_LAST_BRACKET, running, runs_and_sleeps);
    }),
    Model {
        weaken: Weaken::Releases,
        ..holds("the_last_bracket_suffices_without_release", |b| classic(b, NO_FAULT, running, runs_and_sleeps))
    },
    Model {
        weaken: Weaken::Releases,
        ..frees_early("fault_neither_release_nor_last_bracket", |b| {
            classic(b, NO_LAST_BRACKET, running, runs_and_sleeps);
        })
    },
    Model {
        weaken: Weaken::Fences,
        expected: Outcome::WaitsForEver,
        ..holds("fault_no_fence_between_mark_and_look", |b| classic(b, NO_FAULT, running, runs_and_sleeps))
    },
    frees_early("fault_no_first_bracket", |b| classic(b, NO_FIRST_BRACKET, sleeping, wakes_up)),
    frees_early("fault_no_holdout_list", |b| classic(b, NO_HOLDOUTS, running, is_preempted_inside)),
    frees_early("fault_exiting_task_missed", |b| classic(b, MISSES_EXITING, running, exits)),
    frees_early("fault_preemption_taken_for_voluntary", |b| {
        classic(b, PREEMPTION_IS_VOLUNTARY, running, is_preempted_inside);
    }),
    frees_early("fault_mark_taken_back_for_a_preempted_task", |b| {
        classic(b, SPARES_PREEMPTED, running, is_preempted_inside);
    }),
    Model { preemptions: 2, ..frees_early("fault_migrated_holder_spared", |b| three_cpus(b, SPARES_PREEMPTED)) },
    frees_early("fault_acknowledgement_taken_for_quiescence", |b| {
        classic(b, ACKNOWLEDGEMENT_IS_QUIESCENCE, Vec::new, takes_an_irq);
    }),
    frees_early("none_frees_early", |b| without_scheme(b, is_preempted_inside)),
];
