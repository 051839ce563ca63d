//! What the CPUs of the worlds do: a traced call each, with the interrupts and switches of one row of the windows.

use crate::cpu::{Cpu, Pc};

/// The running task makes a traced call and goes to sleep.
pub fn runs_and_sleeps(cpu: &Cpu) {
    cpu.call(Pc::Elsewhere);
    cpu.block();
}

/// The same, with an IRQ between the call and the sleep.
pub fn is_interrupted_after_its_call(cpu: &Cpu) {
    cpu.call(Pc::Elsewhere);
    cpu.irq(Pc::Elsewhere, |_| ());
    cpu.block();
}

/// A sleeping task wakes up and does the same.
pub fn wakes_up(cpu: &Cpu) {
    cpu.resume(0);
    runs_and_sleeps(cpu);
}

/// The running task makes its call, which is interrupted in the trampoline, and goes to sleep.
pub fn is_interrupted_in_the_trampoline(cpu: &Cpu) {
    cpu.call(Pc::Trampoline);
    cpu.block();
}

/// The running task is interrupted, and may be preempted, between two traced calls.
pub fn is_preempted_between_two_calls(cpu: &Cpu) {
    cpu.call(Pc::Elsewhere);
    cpu.interrupts(Pc::Elsewhere);
    cpu.call(Pc::Trampoline);
    cpu.block();
}

fn is_preempted_at(cpu: &Cpu, pc: Pc) {
    let call = cpu.enter();
    cpu.preempted_at(pc, |cpu| cpu.interrupts(Pc::Elsewhere));
    cpu.leave(call);
    cpu.block();
}

/// Row 2: the running task is preempted by an IRQ that hits the trampoline.
pub fn is_preempted_in_the_trampoline(cpu: &Cpu) {
    is_preempted_at(cpu, Pc::Trampoline);
}

/// Rows 3 and 4: the running task is preempted by an IRQ that hits func, or what func called.
pub fn is_preempted_in_func(cpu: &Cpu) {
    is_preempted_at(cpu, Pc::Elsewhere);
}

/// The same, twice.
pub fn is_preempted_in_two_calls(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.preempted_at(Pc::Elsewhere, |cpu| cpu.interrupts(Pc::Elsewhere));
    cpu.leave(call);
    is_preempted_in_func(cpu);
}

/// The task is preempted twice, with its CPU's answer in between: the second time, in a call, it is listed already.
pub fn is_preempted_again_behind_its_answer(cpu: &Cpu) {
    cpu.preempted_at(Pc::Elsewhere, |_| ());
    cpu.interrupts(Pc::Elsewhere);
    is_preempted_in_func(cpu);
}

/// Row 5: func calls `preempt_enable`, and the task is preempted there by no IRQ.
pub fn is_preempted_by_func(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.preempted(|cpu| cpu.interrupts(Pc::Elsewhere));
    cpu.leave(call);
    cpu.block();
}

fn is_preempted_after_a_softirq(cpu: &Cpu, pc: Pc) {
    let call = cpu.enter();
    let softirq = |cpu: &Cpu| cpu.irq(Pc::Elsewhere, |_| ());
    cpu.preempted_after(pc, softirq, |cpu| cpu.interrupts(Pc::Elsewhere));
    cpu.leave(call);
    cpu.block();
}

/// Row 6: an IRQ hits the trampoline, another one the softirq on top; the task is preempted at the outer exit.
pub fn is_preempted_in_the_trampoline_after_a_softirq(cpu: &Cpu) {
    is_preempted_after_a_softirq(cpu, Pc::Trampoline);
}

/// Row 7: an IRQ hits func, another one the softirq on top; the task is preempted at the outer exit.
pub fn is_preempted_in_func_after_a_softirq(cpu: &Cpu) {
    is_preempted_after_a_softirq(cpu, Pc::Elsewhere);
}

/// The task is preempted in func, and while it is off the CPU another task comes and goes voluntarily.
pub fn is_preempted_by_another(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.preempted_at(Pc::Elsewhere, |cpu| {
        cpu.resume(1);
        cpu.call(Pc::Elsewhere);
        cpu.block();
    });
    cpu.leave(call);
    cpu.block();
}

/// Row 8: an interrupt of the idle CPU makes a traced call and is interrupted in it.
pub fn takes_an_irq(cpu: &Cpu) {
    cpu.irq(Pc::Elsewhere, |cpu| cpu.call(Pc::Elsewhere));
}

/// Row 13: the task is preempted in func, and goes on elsewhere.
pub fn migrates_in_func(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.migrated_at(Pc::Elsewhere, call, 2, false);
}

/// Row 13: the task is preempted in the trampoline, goes on elsewhere, and is preempted there before its IRQ returns.
pub fn migrates_in_the_trampoline(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.migrated_at(Pc::Trampoline, call, 2, true);
}

/// Row 14: the task exits, and makes a traced call after it has left the task list.
pub fn exits(cpu: &Cpu) {
    cpu.exit();
    cpu.call(Pc::Elsewhere);
    cpu.die();
}

/// Nothing but messages.
pub fn idles(_: &Cpu) {}

/// Row 9: func blocks; the task wakes up and goes on.
pub fn blocks_in_func(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.block();
    cpu.interrupts(Pc::Elsewhere);
    cpu.resume(0);
    cpu.interrupts(Pc::Elsewhere);
    cpu.leave(call);
    cpu.block();
}

/// Row 14: the task exits, is preempted in a call that it makes after that, and dies.
pub fn exits_and_is_preempted(cpu: &Cpu) {
    cpu.exit();
    let call = cpu.enter();
    cpu.preempted_at(Pc::Elsewhere, |cpu| cpu.interrupts(Pc::Elsewhere));
    cpu.leave(call);
    cpu.die();
}

/// An IRQ hits func, and the softirq that it brings is interrupted.
pub fn is_interrupted_in_func_by_a_softirq(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.irq(Pc::Elsewhere, |cpu| cpu.interrupts(Pc::Elsewhere));
    cpu.leave(call);
    cpu.block();
}

/// O10: whenever somebody looks, the task is in a traced call; it leaves the one that the round finds, and never the next.
pub fn is_in_some_trampoline_at_each_look(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.wait_for_visit();
    cpu.leave(call);
    stays_in_the_next_call(cpu);
}

/// The same, and the round finds it between func and the trampoline's last steps.
pub fn is_visited_at_the_end_of_its_call(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.leave_late(call, Cpu::wait_for_visit);
    stays_in_the_next_call(cpu);
}

fn stays_in_the_next_call(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.irq(Pc::Elsewhere, |_| ());
    cpu.stays();
    cpu.leave(call);
    cpu.block();
}

/// The task is in the func of another ops, and stays there.
pub fn stays_in_another_func(cpu: &Cpu) {
    let call = cpu.enter_another();
    cpu.stays();
    cpu.leave(call);
    cpu.block();
}

/// A task is preempted in func, by one that is preempted there, too; they go on in the same order.
pub fn are_both_preempted(cpu: &Cpu) {
    let first = cpu.enter();
    let mut second = None;
    cpu.preempted_at(Pc::Elsewhere, |cpu| {
        cpu.resume(1);
        second = Some(cpu.enter());
        cpu.is_set_aside(Pc::Elsewhere);
        cpu.interrupts(Pc::Elsewhere);
    });
    cpu.leave(first);
    cpu.block();
    cpu.resume(1);
    second.into_iter().for_each(|call| cpu.leave(call));
    cpu.block();
}

/// The same, but the second goes on first, while the other one is still preempted.
pub fn are_both_preempted_and_leave_in_reverse(cpu: &Cpu) {
    let first = cpu.enter();
    cpu.preempted_at(Pc::Elsewhere, |cpu| {
        cpu.resume(1);
        let second = cpu.enter();
        cpu.preempted_at(Pc::Elsewhere, |_| ());
        cpu.leave(second);
        cpu.block();
        cpu.interrupts(Pc::Elsewhere);
    });
    cpu.leave(first);
    cpu.block();
}

/// The task is interrupted in func, maybe by the round, and then preempted there.
pub fn is_interrupted_and_then_preempted(cpu: &Cpu) {
    let call = cpu.enter();
    cpu.interrupts(Pc::Elsewhere);
    cpu.preempted_at(Pc::Elsewhere, |cpu| cpu.interrupts(Pc::Elsewhere));
    cpu.leave(call);
    cpu.block();
}
